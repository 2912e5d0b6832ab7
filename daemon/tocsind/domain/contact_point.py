"""Contact points: where somebody is told, and what their settings may be.

Rules
- Secrets are what an address, the value of a header or a key says. They are never in an answer, a log, the audit log, a
  timeline or an etag; `target` is what is shown instead. They are not in the `repr` of anything either, so that no
  traceback shows them. What a template says is no secret: it is shown to everybody who may read.
- An etag that is a hash of a password could be used to try passwords. So the time of the last change, which differs
  with every change, stands in it for all that can be set.
- The kind is fixed at creation.
- Requests of a webhook bear what https://www.standardwebhooks.com says, and what HTTP itself needs: no header of one's
  own can take the place of these.
- Whether an address, a certificate or a calendar is good for anything is not known here: see `rpc/contact_points.py`.
"""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum

from tocsind.domain.errors import Violation
from tocsind.domain.etag import etag
from tocsind.domain.masking import MASK, masked, secrets_of, web_address
from tocsind.domain.template import TOO_LONG, too_long
from tocsind.domain.units import SECOND

MOST_CONTACT_POINTS = 1_000
MAX_NAME = 150
MAX_DESCRIPTION = 2_000
MOST_ALIASES = 20
MAX_URL = 4_000
MOST_HEADERS = 20
MAX_HEADER = 4_096
MAX_PEM = 500_000
"""Characters: twice what all certificates of Mozilla's list take."""

MIN_SIGNING_KEY = 16
MAX_SIGNING_KEY = 64
"""Bytes."""

DEFAULT_BUNDLE_WINDOW = 2 * SECOND
MAX_BUNDLE_WINDOW = 60 * SECOND
DEFAULT_TIMEOUT = 10 * SECOND
MIN_TIMEOUT = SECOND
MAX_TIMEOUT = 60 * SECOND

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
"""The name of a header (RFC 9110, 5.6.2)."""

_FILE = re.compile(r"[^./\\][^/\\]{0,199}")
_SUBSCRIPTION = re.compile(r"^webcals?://", re.IGNORECASE)

_SIGNING_SECRET = "whsec_"
_OURS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "idempotency-key",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_OUR_PREFIX = "webhook-"


class Kind(IntEnum):
    """How it is reached. The numbers are those of the database."""

    WEBHOOK = 1
    APPRISE = 2
    ON_CALL = 3

    @property
    def field(self) -> str:
        """Its field of `tocsin.v1.ContactPoint`."""
        return self.name.lower()


class Method(IntEnum):
    """The method of a webhook's requests. The numbers are those of `tocsin.v1.Webhook.Method`."""

    POST = 1
    PUT = 2
    PATCH = 3
    GET = 4
    DELETE = 5

    @property
    def has_body(self) -> bool:
        """Whether requests bear a body."""
        return self not in (Method.GET, Method.DELETE)


class CalendarRole(IntEnum):
    """What a calendar is for. The numbers are those of the database."""

    SCHEDULE = 1
    OVERRIDES = 2

    @property
    def path(self) -> str:
        """The path of its field in a request that sets it."""
        return f"contact_point.on_call.{self.name.lower()}"


@dataclass(frozen=True, slots=True)
class Webhook:
    """An HTTP request. `timeout` in microseconds, certificates and key as PEM."""

    url: str = field(repr=False)
    method: Method = Method.POST
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    signing_secret: str = field(default="", repr=False)
    timeout: int = DEFAULT_TIMEOUT
    ca_certificates: str = field(default="", repr=False)
    client_certificate: str = field(default="", repr=False)
    client_key: str = field(default="", repr=False)
    insecure_skip_verify: bool = False


@dataclass(frozen=True, slots=True)
class Apprise:
    """A message over a service that apprise speaks. `service` is what that is called."""

    url: str = field(repr=False)
    service: str = ""


@dataclass(frozen=True, slots=True)
class CalendarSource:
    """Where a calendar comes from: `url`, the name of a `file` in the data folder's `calendars`, or neither: then it
    was given as a text, which is where copies are kept."""

    url: str = field(default="", repr=False)
    file: str = ""

    @property
    def is_text(self) -> bool:
        """Whether it was given as a text."""
        return not self.url and not self.file

    @property
    def target(self) -> str:
        """Where it comes from, masked."""
        return masked(self.url) if self.url else f"calendars/{self.file}" if self.file else "uploaded"


@dataclass(frozen=True, slots=True)
class OnCall:
    """Whoever is on call."""

    schedule: CalendarSource
    overrides: CalendarSource | None = None

    @property
    def calendars(self) -> Mapping[CalendarRole, CalendarSource]:
        """Its calendars by what they are for."""
        found = {CalendarRole.SCHEDULE: self.schedule, CalendarRole.OVERRIDES: self.overrides}
        return {role: source for role, source in found.items() if source is not None}


Settings = Webhook | Apprise | OnCall

NO_SETTINGS: Mapping[Kind, Settings] = {
    Kind.WEBHOOK: Webhook(""),
    Kind.APPRISE: Apprise(""),
    Kind.ON_CALL: OnCall(CalendarSource()),
}
"""The settings of each kind that say nothing."""


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

    @property
    def etag(self) -> str:
        """Changes with everything that can be set: no two changes of one have the same time (`changed`)."""
        return etag(self.public_id, self.updated)


def changed(before: ContactPoint, wanted: ContactPoint, now: int) -> ContactPoint:
    """Returns a contact point as it is after a change, later than all before it."""
    return replace(wanted, updated=max(now, before.updated + 1))


def default_bundle_window(kind: Kind) -> int:
    """Returns how long a message waits for others where nothing is said, in microseconds."""
    return DEFAULT_BUNDLE_WINDOW if kind is Kind.APPRISE else 0


def calendar_url(link: str) -> str:
    """Returns the address at which a calendar is read: links to subscribe to one begin with `webcal://` or `webcals://`,
    which is https by another name."""
    return _SUBSCRIPTION.sub("https://", link)


def is_plain(name: str) -> bool:
    """Whether a calendar's file may be called this: a name in the folder, and no hidden one."""
    return _FILE.fullmatch(name) is not None and name.isprintable()


def target(settings: Webhook | OnCall) -> str:
    """Returns where a contact point leads, masked. What apprise speaks only apprise can mask."""
    if isinstance(settings, Webhook):
        return masked(settings.url)
    overrides = f", overrides: {settings.overrides.target}" if settings.overrides is not None else ""
    return f"{settings.schedule.target}{overrides}"


def secrets(settings: Settings) -> list[str]:
    """Returns all that nobody may read of settings, for `masking.scrub`."""
    found: list[str] = []
    match settings:
        case Webhook():
            keys = (settings.signing_secret, settings.signing_secret.removeprefix(_SIGNING_SECRET), settings.client_key)
            found += [*secrets_of(settings.url), *keys, *settings.client_key.splitlines()]
            # The last word of `Bearer KEY` is the key.
            found += [part for value in settings.headers.values() for part in (value, *value.split()[-1:])]
        case Apprise():
            found += secrets_of(settings.url)
        case OnCall():
            found += [part for source in settings.calendars.values() if source.url for part in secrets_of(source.url)]
    return sorted({secret for secret in found if secret}, key=len, reverse=True)


def violations(contact: ContactPoint) -> Iterator[Violation]:
    """Yields the settings that are not what they may be; no text holds a secret. Whether a template can be compiled is
    not known here."""
    if not _is_name(contact.display_name):
        yield "contact_point.display_name", _NAME
    if len(contact.description) > MAX_DESCRIPTION:
        yield "contact_point.description", f"must be at most {MAX_DESCRIPTION:,} characters"
    if len(contact.aliases) > MOST_ALIASES:
        yield "contact_point.aliases", f"must be at most {MOST_ALIASES}"
    elif not all(_is_name(alias) for alias in contact.aliases):
        yield "contact_point.aliases", f"each {_NAME}"
    elif len({alias.casefold() for alias in contact.aliases}) < len(contact.aliases):
        yield "contact_point.aliases", "must differ from each other in more than the case of letters"
    yield from _templates(contact)
    if contact.bundle_window and contact.kind is not Kind.APPRISE:
        yield "contact_point.bundle_window", f"must not be set: {_NOT_FOR[contact.kind]} bundles no messages"
    elif not 0 <= contact.bundle_window <= MAX_BUNDLE_WINDOW:
        yield "contact_point.bundle_window", "must be 0 (off) to 1 minute"
    match contact.settings:
        case Webhook() as webhook:
            yield from _webhook(webhook)
        case Apprise(url):
            yield from _apprise(url)
        case OnCall() as on_call:
            for role, source in on_call.calendars.items():
                yield from _calendar(role, source)


_NAME = f"must be 1 to {MAX_NAME} characters, without line breaks and without space at its ends"
_NOT_FOR = {Kind.WEBHOOK: "a webhook", Kind.ON_CALL: "one for whoever is on call"}
_MASKED = f"must not hold {MASK}: that stands for a secret, which cannot be read again"


def _is_name(text: str) -> bool:
    return 1 <= len(text) <= MAX_NAME and text == text.strip() and text.isprintable()


def _templates(contact: ContactPoint) -> Iterator[Violation]:
    kind, settings = contact.kind, contact.settings
    if contact.title_template and kind is not Kind.APPRISE:
        yield "contact_point.title_template", f"must be empty: {_NOT_FOR[kind]} has no title"
    elif too_long(contact.title_template):
        yield "contact_point.title_template", TOO_LONG
    if contact.body_template and kind is Kind.ON_CALL:
        yield "contact_point.body_template", f"must be empty: {_NOT_FOR[kind]} has no text of its own"
    elif contact.body_template and isinstance(settings, Webhook) and not settings.method.has_body:
        yield "contact_point.body_template", f"must be empty: requests with {settings.method.name} have no body"
    elif too_long(contact.body_template):
        yield "contact_point.body_template", TOO_LONG


def _webhook(webhook: Webhook) -> Iterator[Violation]:
    yield from _web("contact_point.webhook.url", webhook.url)
    yield from _headers(webhook.headers)
    parts = web_address(webhook.url)
    if parts is not None and parts.user is not None and "authorization" in map(str.lower, webhook.headers):
        yield "contact_point.webhook.headers", "must not have Authorization where the address has a user: it means that"
    if webhook.signing_secret and not _is_signing_secret(webhook.signing_secret):
        wanted = f"{MIN_SIGNING_KEY} to {MAX_SIGNING_KEY} bytes as base64, with {_SIGNING_SECRET} before them"
        yield "contact_point.webhook.signing_secret", f"must be {wanted}"
    if not MIN_TIMEOUT <= webhook.timeout <= MAX_TIMEOUT:
        yield "contact_point.webhook.timeout", "must be 1 second to 1 minute"
    for name in ("ca_certificates", "client_certificate", "client_key"):
        if len(getattr(webhook, name)) > MAX_PEM:
            yield f"contact_point.webhook.{name}", f"must be at most {MAX_PEM:,} characters"
    if webhook.client_certificate and not webhook.client_key:
        yield "contact_point.webhook.client_key", "must be set: a certificate is of no use without its key"
    if webhook.client_key and not webhook.client_certificate:
        yield "contact_point.webhook.client_certificate", "must be set: a key is of no use without its certificate"


def _headers(headers: Mapping[str, str]) -> Iterator[Violation]:
    path = "contact_point.webhook.headers"
    if len(headers) > MOST_HEADERS:
        yield path, f"must be at most {MOST_HEADERS}"
    names = {name.lower() for name in headers}
    if not all(_TOKEN.fullmatch(name) for name in headers):
        yield path, "each name must be 1 to 100 letters, digits and characters of !#$%&'*+.^_`|~-"
    elif len(names) < len(headers):
        yield path, "the names must differ in more than the case of letters"
    for name in sorted(names):
        if name in _OURS or name.startswith(_OUR_PREFIX):
            yield path, f"{name} is set by Tocsin"
    if MASK in headers.values():
        yield path, f"no value may be {MASK}: that stands for one that cannot be read again; give all of them anew"
    for value in headers.values():
        if len(value) > MAX_HEADER or not value.isascii() or not value.isprintable() or value != value.strip():
            yield path, f"each value must be at most {MAX_HEADER:,} printable ASCII characters, no space at its ends"
            return


def _apprise(url: str) -> Iterator[Violation]:
    path = "contact_point.apprise.url"
    if not 1 <= len(url) <= MAX_URL or not url.isprintable():
        yield path, f"must be an address of 1 to {MAX_URL:,} printable characters"
    elif MASK in url:
        yield path, _MASKED


def _calendar(role: CalendarRole, source: CalendarSource) -> Iterator[Violation]:
    if source.url:
        yield from _web(f"{role.path}.url", source.url)
    if source.file and not is_plain(source.file):
        yield f"{role.path}.file", "must be the plain name of a file in the folder calendars of the daemon's data"


def _web(path: str, url: str) -> Iterator[Violation]:
    parts = web_address(url) if len(url) <= MAX_URL else None
    if parts is None:
        form = "https://HOST/... or http://HOST/..., with all but ASCII percent-encoded"
        yield path, f"must be an address of at most {MAX_URL:,} characters: {form}"
    elif MASK in url:
        yield path, _MASKED


def _is_signing_secret(text: str) -> bool:
    try:
        key = base64.b64decode(text.removeprefix(_SIGNING_SECRET), validate=True)
    except ValueError:
        return False
    return text.startswith(_SIGNING_SECRET) and MIN_SIGNING_KEY <= len(key) <= MAX_SIGNING_KEY
