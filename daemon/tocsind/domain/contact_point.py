"""Contact points: where somebody is told.

Rules
- Secrets are what an address, the value of a header or a key says. They are never in an answer, a log, the audit log, a
  timeline or an etag; `target` is what is shown instead.
- The kind is fixed at creation.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from tocsind.domain.units import SECOND

DEFAULT_BUNDLE_WINDOW = 2 * SECOND
MAX_BUNDLE_WINDOW = 60 * SECOND
DEFAULT_TIMEOUT = 10 * SECOND
MIN_TIMEOUT = SECOND
MAX_TIMEOUT = 60 * SECOND


class Kind(IntEnum):
    """How it is reached. The numbers are those of the database."""

    WEBHOOK = 1
    APPRISE = 2
    ON_CALL = 3


class Method(IntEnum):
    """The method of a webhook's requests. The numbers are those of `tocsin.v1.Webhook.Method`."""

    POST = 1
    PUT = 2
    PATCH = 3
    GET = 4
    DELETE = 5


@dataclass(frozen=True, slots=True)
class Webhook:
    """An HTTP request. `timeout` in microseconds, certificates and key as PEM."""

    url: str
    method: Method = Method.POST
    headers: Mapping[str, str] = field(default_factory=dict)
    signing_secret: str = ""
    timeout: int = DEFAULT_TIMEOUT
    ca_certificates: str = ""
    client_certificate: str = ""
    client_key: str = ""
    insecure_skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class Apprise:
    """A message over a service that apprise speaks. `service` is what that is called."""

    url: str
    service: str = ""


@dataclass(frozen=True, slots=True)
class CalendarSource:
    """Where a calendar comes from: `url`, the name of a `file` in the data folder's `calendars`, or neither: then it
    was given as a text, which is where copies are kept."""

    url: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class OnCall:
    """Whoever is on call."""

    schedule: CalendarSource
    overrides: CalendarSource | None = None


Settings = Webhook | Apprise | OnCall


@dataclass(slots=True)
class ContactPoint:
    """A contact point. Times in microseconds since 1970; `id` is the database's. `target` is where it leads, masked.
    `deleted` is when it was deleted, or None; then its settings hold nothing."""

    id: int
    public_id: str
    display_name: str
    description: str
    aliases: tuple[str, ...]
    settings: Settings
    target: str = ""
    title_template: str = ""
    body_template: str = ""
    bundle_window: int = 0
    created: int = 0
    updated: int = 0
    deleted: int | None = None

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"contactPoints/{self.public_id}"

    @property
    def kind(self) -> Kind:
        """How it is reached."""
        if isinstance(self.settings, Webhook):
            return Kind.WEBHOOK
        return Kind.APPRISE if isinstance(self.settings, Apprise) else Kind.ON_CALL
