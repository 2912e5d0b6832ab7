"""EscalationChainService."""

from collections.abc import Collection, Mapping

import grpc
from google.protobuf import empty_pb2

from tocsin.v1 import escalation_chains_pb2, escalation_chains_pb2_grpc
from tocsind.domain.errors import invalid, not_found, refuse
from tocsind.domain.escalation_chain import MOST_STEPS, Asked, EscalationChain, violations
from tocsind.engine import escalation_chains as jobs
from tocsind.engine.engine import Engine
from tocsind.rpc import encode, names, paging
from tocsind.rpc.access import caller
from tocsind.rpc.escalation_steps import decoded, encoded, malformed
from tocsind.rpc.mutation import change
from tocsind.sqlite import escalation_chains as rows

_SCOPE = "escalationChains"
_CHANGEABLE = ("display_name", "description", "steps", "is_default")


class EscalationChainServicer(escalation_chains_pb2_grpc.EscalationChainServiceServicer):
    """Decodes, calls, encodes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def CreateEscalationChain(
        self, request: escalation_chains_pb2.CreateEscalationChainRequest, context: grpc.ServicerContext
    ) -> escalation_chains_pb2.EscalationChain:
        """Creates a chain."""
        asked = _asked(request.escalation_chain, _CHANGEABLE)
        return change(self._engine, request, _encode_shown, jobs.create, asked, by=caller())

    def GetEscalationChain(
        self, request: escalation_chains_pb2.GetEscalationChainRequest, context: grpc.ServicerContext
    ) -> escalation_chains_pb2.EscalationChain:
        """Returns one chain."""
        public_id = names.chain_id(request.name)
        with self._engine.store.reading() as connection:
            found = rows.by_public_id(connection, public_id)
            if found is None:
                raise not_found(request.name)
            return _encode(found, rows.contact_names(connection, [found]))

    def ListEscalationChains(
        self, request: escalation_chains_pb2.ListEscalationChainsRequest, context: grpc.ServicerContext
    ) -> escalation_chains_pb2.ListEscalationChainsResponse:
        """Lists chains."""
        size = paging.size(request.page_size)
        after = paging.text_after(_SCOPE, request.page_token)
        with self._engine.store.reading() as connection:
            found = rows.page(connection, after, size + 1)
            contacts = rows.contact_names(connection, found)
        page, next_token = paging.cut(_SCOPE, found, size, lambda chain: chain.display_name)
        return escalation_chains_pb2.ListEscalationChainsResponse(
            escalation_chains=[_encode(chain, contacts) for chain in page], next_page_token=next_token
        )

    def UpdateEscalationChain(
        self, request: escalation_chains_pb2.UpdateEscalationChainRequest, context: grpc.ServicerContext
    ) -> escalation_chains_pb2.EscalationChain:
        """Changes a chain."""
        message, paths = request.escalation_chain, request.update_mask.paths
        public_id = names.chain_id(message.name, "escalation_chain.name")
        for path in paths:
            if path not in _CHANGEABLE:
                raise invalid("update_mask", f"{path!r} cannot be changed; what can: {', '.join(_CHANGEABLE)}")
        asked = _asked(message, paths or [field for field in _CHANGEABLE if getattr(message, field)])
        return change(self._engine, request, _encode_shown, jobs.update, public_id, asked, message.etag, by=caller())

    def DeleteEscalationChain(
        self, request: escalation_chains_pb2.DeleteEscalationChainRequest, context: grpc.ServicerContext
    ) -> empty_pb2.Empty:
        """Deletes a chain."""
        public_id = names.chain_id(request.name)
        return change(
            self._engine, request, encode.nothing, jobs.delete, public_id, request.force, request.etag, by=caller()
        )


def _asked(message: escalation_chains_pb2.EscalationChain, fields: Collection[str]) -> Asked:
    """Returns what a message asks of these fields. TocsinError (INVALID) where that cannot be, whatever there is."""
    # One more than there may be is enough to see that these are too many.
    steps = message.steps[: MOST_STEPS + 1]
    asked = Asked(
        message.display_name if "display_name" in fields else None,
        message.description if "description" in fields else None,
        tuple(decoded(step) for step in steps) if "steps" in fields else None,
        message.is_default if "is_default" in fields else None,
    )
    refuse([*violations(asked), *malformed(asked.steps or ())])
    return asked


def _encode_shown(shown: jobs.Shown) -> escalation_chains_pb2.EscalationChain:
    return _encode(*shown)


def _encode(found: EscalationChain, contacts: Mapping[int, str]) -> escalation_chains_pb2.EscalationChain:
    return escalation_chains_pb2.EscalationChain(
        name=found.name,
        display_name=found.display_name,
        description=found.description,
        steps=[encoded(step, contacts) for step in found.steps],
        is_default=found.is_default,
        etag=found.etag,
        create_time=encode.timestamp(found.created),
        update_time=encode.timestamp(found.updated),
    )
