"""Who may call what: one table that names every method, and the gate that holds callers to it.

Rules
- A method that is not in the table is refused for everybody; a test fails when one of the contract is missing.
- A token is always judged, also where none is needed: one that is wrong is refused, never ignored.
- What a caller without a token is depends on where it came in: each listener has a role for such callers (the unix
  socket's, whose file mode is then the gate), or none (TCP: a token is needed).
- Health and reflection are for anybody: load balancers ask the one, and what the other tells is public.
- Who calls is known to the handler through `caller()`, for the length of the call.
"""

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import Final
from urllib.parse import unquote

from tocsind.clock import Clock
from tocsind.domain.access import ALLOWS, Caller, Role, actor_name
from tocsind.domain.errors import Reason, TocsinError
from tocsind.engine.keyring import Keyring

MAX_TRACE_ID: Final = 128
_PACKAGE: Final = "/tocsin.v1."

_NEEDS: Final[Mapping[Role, Mapping[str, tuple[str, ...]]]] = {
    Role.VIEWER: {
        "AlertGroupService": (
            "BatchGetPayloads",
            "GetAlertGroup",
            "GetPayload",
            "ListAlertGroups",
            "ListAlerts",
            "ListEvents",
            "WatchAlertGroups",
            "WatchEvents",
        ),
        "ContactPointService": ("GetContactPoint", "ListContactPoints", "ListShifts"),
        "EscalationChainService": ("GetEscalationChain", "ListEscalationChains"),
        "HeartbeatService": ("GetHeartbeat", "ListHeartbeats"),
        "IntegrationService": ("GetIntegration", "ListIntegrations"),
        "MessageService": ("GetMessage", "ListMessages"),
        "NoteService": ("GetNote", "ListNotes"),
        "RouteService": ("GetRoute", "ListRoutes"),
    },
    Role.EDITOR: {
        "AlertGroupService": (
            "AcknowledgeAlertGroup",
            "BatchAcknowledgeAlertGroups",
            "BatchResolveAlertGroups",
            "BatchSilenceAlertGroups",
            "DeleteAlertGroup",
            "ResolveAlertGroup",
            "SilenceAlertGroup",
            "UnacknowledgeAlertGroup",
            "UnresolveAlertGroup",
            "UnsilenceAlertGroup",
            "WipeAlertGroup",
        ),
        "ContactPointService": ("TestContactPoint",),
        "MessageService": ("RetryMessage",),
        # Who may silence each group of an integration may do so for all of them, for a while.
        "IntegrationService": ("SendDemoAlert", "StartMaintenance", "StopMaintenance"),
        "NoteService": ("CreateNote", "DeleteNote", "UpdateNote"),
        "RouteService": ("TestRoutes",),
        "TemplateService": ("PreviewTemplate",),
    },
    Role.ADMIN: {
        "AccessService": ("CreateApiToken", "DeleteApiToken", "GetApiToken", "ListApiTokens"),
        "AuditService": ("ListAuditEntries",),
        "ContactPointService": ("CreateContactPoint", "DeleteContactPoint", "UpdateContactPoint"),
        "EscalationChainService": ("CreateEscalationChain", "DeleteEscalationChain", "UpdateEscalationChain"),
        "HeartbeatService": ("PauseHeartbeat", "ResetHeartbeat", "ResumeHeartbeat", "UpdateHeartbeat"),
        "IntegrationService": (
            "CreateIntegration",
            "DeleteIntegration",
            "RotateIntegrationToken",
            "UpdateIntegration",
        ),
        "RouteService": ("CreateRoute", "DeleteRoute", "MoveRoute", "UpdateRoute"),
    },
    Role.GATEWAY: {
        "IntakeService": ("Attend", "Deliver", "DeliverStream"),
    },
}

NEEDED: Final[dict[str, frozenset[Role]]] = {
    f"{_PACKAGE}{service}/{method}": frozenset(role for role in Role if need in ALLOWS[role])
    for need, services in _NEEDS.items()
    for service, methods in services.items()
    for method in methods
} | {
    # Both who reads and who relays what is read may have the figures; and anybody may learn who it is.
    f"{_PACKAGE}MonitoringService/GetMetrics": frozenset(Role),
    f"{_PACKAGE}AccessService/GetCaller": frozenset(Role),
}
"""For each method that needs a role: the roles that may call it."""

OPEN: Final = (
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1alpha.ServerReflection/",
    "/grpc.reflection.v1.ServerReflection/",
)
"""The beginnings of the methods that anybody may call."""

_current: ContextVar[Caller] = ContextVar("caller")


def caller() -> Caller:
    """Returns who makes the call that is being handled."""
    return _current.get()


class Calling:
    """While it is entered, `caller()` is this one."""

    def __init__(self, who: Caller) -> None:
        self._who = who

    def __enter__(self) -> None:
        self._token = _current.set(self._who)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)


class Gate:
    """Admits callers of one listener. `role` is that of callers without a token, or None where they need one."""

    def __init__(self, keyring: Keyring, clock: Clock, role: Role | None) -> None:
        self._keyring = keyring
        self._clock = clock
        self._role = role

    def admit(
        self, method: str, metadata: Iterable[tuple[str, str | bytes]], trace_id: str, seconds_left: float | None
    ) -> Caller:
        """Returns who calls. `method` is the full name, `/package.Service/Method`; `seconds_left` is how long it will
        wait, or None. TocsinError: UNAUTHENTICATED, FORBIDDEN, INVALID (its name)."""
        values = {key: value if isinstance(value, str) else value.decode("utf-8", "replace") for key, value in metadata}
        token = None
        if "authorization" in values:
            scheme, _, text = values["authorization"].partition(" ")
            if scheme.lower() != "bearer":
                message = "the authorization metadata must be `Bearer` and the token"
                raise TocsinError(Reason.TOKEN_INVALID, message)
            token = self._keyring.admit(text.strip(), self._clock.wall())
        elif self._role is None:
            message = "a token is needed: send it as `authorization: Bearer` metadata"
            raise TocsinError(Reason.TOKEN_MISSING, message)
        role = token.role if token is not None else self._role
        assert role is not None
        actor = actor_name(unquote(values.get("tocsin-actor", "")), token)
        if role not in NEEDED.get(method, ()):
            message = f"{actor} has the role {role.name.lower()}, which may not call {short_name(method)}"
            raise TocsinError(Reason.ROLE_TOO_SMALL, message, role=role.name, method=short_name(method))
        deadline = None
        if seconds_left is not None:
            deadline = self._clock.steady() + int(max(0.0, min(seconds_left, 1e9)) * 1e6)
        return Caller(actor, role, token.name if token is not None else "", short_name(method), trace_id, deadline)


def trace_id_of(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """Returns what the caller calls the call in its logs, or "" where it does not say or what it says is unfit."""
    for key, value in metadata:
        if key == "x-request-id" and isinstance(value, str) and len(value) <= MAX_TRACE_ID and value.isprintable():
            return value
    return ""


def short_name(method: str) -> str:
    """Returns what a method is called in logs and metrics, such as `NoteService.CreateNote`."""
    return method.removeprefix(_PACKAGE).replace("/", ".")
