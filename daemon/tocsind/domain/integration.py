"""What an integration is, and what its settings may be.

Rules
- The id is public and never changes; the token is the secret, made of 256 random bits, and can be replaced. A token is
  looked up by its SHA-256, so that the look-up takes the same time whatever part of it is right.
- The display name is unique among integrations that are not deleted, so that people can tell them apart.
- The token can be given at creation, for one that moves here from elsewhere: its senders have it in their URL. No two
  integrations have the same, and the token of one that is deleted is not given again: its senders, if any are left,
  would be heard under the wrong name.
- The type is fixed at creation. `alertmanager` is the only one that people can create; `tocsin` is the built-in one,
  under which Tocsin reports about itself: it has no URL, is not listed and cannot be changed.
"""

import hashlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from tocsind.domain.errors import Violation
from tocsind.domain.etag import etag
from tocsind.domain.maintenance import Maintenance
from tocsind.domain.template import TOO_LONG, Slot, too_long
from tocsind.domain.units import DAY, HOUR, SECOND

ALERTMANAGER = "alertmanager"
BUILT_IN = "tocsin"
TYPES = (ALERTMANAGER,)

MAX_NAME = 150
MAX_DESCRIPTION = 2_000
DEFAULT_REOPEN_WINDOW = 300 * SECOND
MAX_REOPEN_WINDOW = 7 * DAY
MIN_STALE_AFTER = 60 * SECOND
MAX_STALE_AFTER = 30 * DAY
DEFAULT_RETENTION = 90 * DAY
MIN_RETENTION = HOUR
MAX_RETENTION = 3_650 * DAY
MAX_RATE_LIMIT = 1_000_000
MIN_TOKEN = 20
MAX_TOKEN = 128
_TOKEN_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@dataclass(slots=True)
class Integration:
    """One source of alerts. Durations in microseconds, times in microseconds since 1970; `id` is the database's.
    `templates` are the sources of those that are not the default. `rate_limit` is in notifications in 5 minutes, 0 for
    any number, None for as many as the daemon allows. `maintenance` is the one that runs or is planned. `chain_id` and
    `notify_on_resolve` are those of its default route, as `domain.route.Route` has them."""

    id: int
    public_id: str
    type: str
    display_name: str
    description: str
    token: str
    reopen_window: int = DEFAULT_REOPEN_WINDOW
    stale_after: int = 0
    retention: int = DEFAULT_RETENTION
    created: int = 0
    updated: int = 0
    templates: Mapping[Slot, str] = field(default_factory=dict)
    rate_limit: int | None = None
    maintenance: Maintenance | None = None
    chain_id: int | None = None
    notify_on_resolve: bool = False

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"integrations/{self.public_id}"

    @property
    def etag(self) -> str:
        """Changes with everything that can be set, its templates included; not with its token or a maintenance."""
        return etag(
            self.display_name,
            self.description,
            self.reopen_window,
            self.stale_after,
            self.retention,
            self.rate_limit,
            sorted((slot.value, source) for slot, source in self.templates.items()),
        )


def new_token() -> str:
    """Returns a new secret token: 43 characters that need no escaping in a URL."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """Returns what a token is looked up by."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def violations(integration: Integration) -> Iterator[Violation]:
    """Yields the settings that are not what they may be. Whether a template can be compiled is not known here."""
    name = integration.display_name
    if not 1 <= len(name) <= MAX_NAME or name != name.strip():
        yield "integration.display_name", f"must be 1 to {MAX_NAME} characters, without space at its ends"
    if len(integration.description) > MAX_DESCRIPTION:
        yield "integration.description", f"must be at most {MAX_DESCRIPTION} characters"
    if integration.type not in TYPES:
        yield "integration.type", f"must be one of: {', '.join(TYPES)}"
    if not 0 <= integration.reopen_window <= MAX_REOPEN_WINDOW:
        yield "integration.reopen_window", "must be 0 (off) to 7 days"
    if integration.stale_after and not MIN_STALE_AFTER <= integration.stale_after <= MAX_STALE_AFTER:
        yield "integration.stale_after", "must be 0 (off) or 1 minute to 30 days"
    if not MIN_RETENTION <= integration.retention <= MAX_RETENTION:
        yield "integration.retention", "must be 1 hour to 3,650 days"
    if integration.rate_limit is not None and not 0 <= integration.rate_limit <= MAX_RATE_LIMIT:
        yield "integration.rate_limit", f"must be 0 (none) to {MAX_RATE_LIMIT:,}"
    token = integration.token
    if token and not (MIN_TOKEN <= len(token) <= MAX_TOKEN and _TOKEN_CHARACTERS.issuperset(token)):
        # The token itself is in no message.
        yield "token", f"must be {MIN_TOKEN} to {MAX_TOKEN} of the characters A-Z, a-z, 0-9, - and _"
    for slot, source in integration.templates.items():
        if too_long(source):
            yield slot.path, TOO_LONG
