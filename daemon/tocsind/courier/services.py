"""Services that apprise speaks: messages, and whether an address is one of them.

Rules
- An address is somebody's input. Refused is what acts on this very machine instead of telling somebody (its desktop,
  its log), and what has apprise read a file.
- apprise only says whether it worked. Why not, it writes to its log: what it logs in the thread of an errand is the
  answer. The reason of a failed connection, and what a server answered, is only there at DEBUG.
- Its logs may hold anything of the address. They are shown without all that is not shown in the masked address, nor
  obviously harmless.
- It sends nothing again by itself, follows no redirects (they would take passwords along), keeps nothing on disk and
  links to no pictures of its own.
- Its timeouts count for each wait of a socket, so a server that drips may take longer than the errand may: the daemon
  then stops waiting (courier.py).
"""

import logging
import re
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from apprise import Apprise, AppriseAsset, AppriseAttachment, NotifyFormat, NotifyType
from apprise.manager_plugins import NotificationManager
from apprise.plugins.base import NotifyBase
from apprise.utils.parse import parse_qsd

from tocsind.courier import scrub
from tocsind.courier.wire import Bulletin, Look, Outcome

CONNECT_SECONDS = 10.0
READ_SECONDS = 15.0
"""How long a socket is waited for unless the address says otherwise. apprise's own 4 s are little for a mail server."""

_LOCAL = frozenset(
    {"blink1", "config", "dbus", "file", "gio", "glib", "gnome", "kde", "macosx", "memory", "qt", "syslog", "windows"}
)
_OF_FILES = frozenset({"config", "keyfile", "pgpkey", "pgpprv", "pgppub", "subfile"})
# Their paths are those of an HTTP address, of which apprise masks nothing.
_PLAIN_HTTP = frozenset({"form", "forms", "json", "jsons", "xml", "xmls"})
_MOODS = {"failure": NotifyType.FAILURE, "success": NotifyType.SUCCESS, "info": NotifyType.INFO}

_SCHEME = re.compile(r"([a-z0-9][a-z0-9+.-]{0,31})://", re.IGNORECASE)
_SEPARATORS = re.compile(r"[/:@?&=,#+\s]+")
_MASKED = re.compile(r"(?:(?<=[/@:])|^)[^/@:?]{0,4}\.\.\.[^/@:?]{0,4}(?=[/@:?]|$)")
_TOKEN = re.compile(r"(?=[^.@]*\d)(?=[^.@]*[a-z])[\w~-]{12,}", re.IGNORECASE)
_HOST = re.compile(r"localhost|([a-z0-9-]+\.)+[a-z0-9-]+\.?", re.IGNORECASE)
_MAIL = re.compile(r"[^@]+@[^@]+")
_BORING = ("Details", "Payload", "Throttling", "Loaded", "E-Mail From", "Login ID")
_SMTP = re.compile(r"\((\d{3}), b(['\"])(.*?)\2(?:, [^)]*)?\)")
_REASONS = re.compile(r"(?:Socket Exception|Response Details): *(.*)", re.DOTALL)

_services = NotificationManager()  # type: ignore[no-untyped-call]  # as the library has it
_loading = threading.Lock()


class _Unknown(Exception):
    """apprise does not take an address. The text says why."""


class _Journal(logging.Handler):
    """What apprise logs, by thread."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._lines: dict[int, list[tuple[int, str]]] = {}

    def __enter__(self) -> list[tuple[int, str]]:
        """Begins to note what this thread logs."""
        return self._lines.setdefault(threading.get_ident(), [])

    def __exit__(self, *_: object) -> None:
        """Ends it."""
        self._lines.pop(threading.get_ident(), None)

    def emit(self, record: logging.LogRecord) -> None:
        """Notes a line, if it is one that somebody waits for."""
        lines = self._lines.get(threading.get_ident())
        if lines is not None and len(lines) < 100:
            lines.append((record.levelno, record.getMessage()[:2_000]))


_journal = _Journal()
_logger = logging.getLogger("apprise")
_logger.setLevel(logging.DEBUG)
_logger.propagate = False
_logger.handlers = [_journal]


def send(bulletin: Bulletin) -> Outcome:
    """Sends a message, once."""
    with _journal as lines:
        try:
            service = _made(bulletin.url, lines)
        except _Unknown as error:
            return Outcome(False, str(error))
        service.socket_connect_timeout = _seconds(service, "cto", CONNECT_SECONDS, bulletin.timeout)
        service.socket_read_timeout = _seconds(service, "rto", READ_SECONDS, bulletin.timeout)
        scrubber = scrub.Scrubber(_secrets(bulletin.url, service))
        name = str(service.service_name)
        lines.clear()
        try:
            done = service.notify(
                # It takes no message without a text.
                body=bulletin.body or bulletin.title,
                title=bulletin.title if bulletin.body else "",
                notify_type=_MOODS.get(bulletin.mood, NotifyType.INFO),
                body_format=NotifyFormat.TEXT,
            )
        except Exception as error:
            lines.append((logging.ERROR, f"{type(error).__name__}: {error}"))
            done = False
        said = _said(lines, logging.INFO if done else logging.WARNING)
        answer = " - ".join(filter(None, (scrubber.line(line) for line in said)))
        if done:
            return Outcome(True, answer[:300] or f"{name} took it")
        return Outcome(False, answer[:300] or f"{name} did not take it, and apprise does not say why")


def look(errand: Look) -> Outcome:
    """Looks at an address without sending anything."""
    with _journal as lines:
        try:
            service = _made(errand.url, lines)
        except _Unknown as error:
            return Outcome(False, str(error))
        return Outcome(True, "", target=target(errand.url, service), service=str(service.service_name))


def target(url: str, service: NotifyBase) -> str:
    """An address without its secrets: what apprise shows of it, without the options, and without what it should not
    have shown."""
    whole = service.url(privacy=True)  # type: ignore[no-untyped-call]  # as the library has it
    masked = unquote(str(whole).partition("?")[0])
    scheme, _, rest = masked.partition("://")
    rest = _MASKED.sub(scrub.MASK, rest).rstrip("/")
    if scheme in _PLAIN_HTTP:
        host, *path = rest.split("/")
        rest = "/".join([host, *(part if scrub.is_harmless(part) else scrub.MASK for part in path)])
    if scheme in ("ntfy", "ntfys") and getattr(service, "mode", "") == "cloud":
        # Whoever knows a topic of the public server can read it.
        rest = "/".join(part if part == "ntfy.sh" else scrub.MASK for part in rest.rpartition("@")[2].split("/"))
    hidden = [word for word in _private(service) if word not in ("", scrub.MASK)]
    hidden += [word for word in _words(url) if _TOKEN.fullmatch(word)]
    return f"{scheme}://{scrub.Scrubber(hidden).scrub(rest)}"


def _made(url: str, lines: list[tuple[int, str]]) -> NotifyBase:
    """Returns the service of an address. Raises _Unknown."""
    scheme = _SCHEME.match(url)
    if scheme is None:
        raise _Unknown("it must begin with the name of a service, such as mailto:// or slack://")
    name = scheme[1].lower()
    if name in _LOCAL:
        raise _Unknown(f"{name}:// acts on the machine that Tocsin runs on, and tells nobody")
    # As the library reads them: it takes more for an option of this name than is written so.
    for key in parse_qsd(url.partition("?")[2].lstrip("?"))["qsd"]:  # type: ignore[no-untyped-call]  # the same
        if key in _OF_FILES:
            raise _Unknown(f"the option {key} reads a file of the machine that Tocsin runs on")
    with _loading:
        known = name in _services
    if known and not _services[name].enabled:
        needs = _services[name].requirements.get("packages_required") or ["a library"]
        needs = ", ".join([needs] if isinstance(needs, str) else map(str, needs))
        raise _Unknown(f"{name}:// needs what is not installed with Tocsin: {needs}")
    # One of its own for each: it is told nothing that another must not know.
    asset = AppriseAsset(
        app_id="Tocsin",
        app_desc="Tocsin",
        app_url="",
        async_mode=False,
        http_redirects=False,
        image_path_mask="",
        image_url_logo="",
        image_url_mask="",
        interpret_emojis=False,
        pem_autogen=False,
        pgp_autogen=False,
        storage_mode="memory",
    )
    lines.clear()
    service = Apprise.instantiate(url, asset=asset)
    if service is not None:
        # Most often as `template=`, which for other services is the number of one of theirs.
        for option, value in vars(service).items():
            if isinstance(value, AppriseAttachment) and len(value):
                raise _Unknown(f"the option {option} reads a file of the machine that Tocsin runs on")
        # Whatever the address says.
        service.redirects = False
        return service
    if name == "msteams":
        raise _Unknown("Teams ended what msteams:// spoke to; use workflows:// with the address of a workflow")
    if not known:
        what = "this address" if name in ("http", "https") else f"{name}://"
        raise _Unknown(f"apprise knows no service for {what}")
    # Nothing is known to be no secret yet.
    scrubber = scrub.Scrubber([url, *_words(url, harmless=False)])
    said = [scrubber.line(line).rstrip(" :") for level, line in lines if level >= logging.WARNING]
    said = [line for line in said if not line.startswith(("Could not load", "Unparseable"))]
    what = f"{_services[name].service_name} cannot read this address"
    raise _Unknown(f"{what}: {' - '.join(said)}" if said else f"{what}: a part of it is missing or malformed")


def _secrets(url: str, service: NotifyBase) -> Iterator[str]:
    """What no answer may show: what the masked address does not show either, and is not obviously harmless."""
    shown = {word.lower() for word in _SEPARATORS.split(target(url, service))}
    yield url
    yield from _private(service)
    for word in _words(url, harmless=False):
        if word.lower() not in shown:
            yield word


def _private(service: NotifyBase) -> Iterator[str]:
    """What apprise itself calls private."""
    described: dict[str, Any] = {**service.template_tokens, **service.template_args}
    for name, about in described.items():
        if about.get("private"):
            value = getattr(service, about.get("map_to", name), None)
            if isinstance(value, str):
                yield value
    for name in ("password", "apikey", "token", "secret", "webhook"):
        value = getattr(service, name, None)
        if isinstance(value, str):
            yield value
    if service.user and service.password:
        yield from scrub.of_login(str(service.user), str(service.password))


def _words(url: str, *, harmless: bool = True) -> Iterator[str]:
    """The parts of an address, decoded; without what is obviously harmless, if that is wanted."""
    path, _, query = url.partition("://")[2].partition("?")
    values = [pair.partition("=")[2] or pair for pair in query.split("&")]
    words = [*_SEPARATORS.split(path), *values, *(part for value in values for part in value.split(","))]
    for word in map(unquote, words):
        if harmless or not (scrub.is_harmless(word) or _HOST.fullmatch(word) or _MAIL.fullmatch(word)):
            yield word


def _seconds(service: NotifyBase, option: str, usual: float, most: float) -> float:
    """How long to wait for a socket. What the address says is kept, if it is sane."""
    said = service.socket_connect_timeout if option == "cto" else service.socket_read_timeout
    usually = type(service).socket_connect_timeout if option == "cto" else type(service).socket_read_timeout
    wanted = float(said) if said != usually else max(float(usually), usual)
    return min(most, wanted) if wanted > 0 else most


def _said(lines: list[tuple[int, str]], level: int) -> Iterator[str]:
    """What of the log is worth to be shown."""
    for each, line in lines:
        reason = _REASONS.match(line)
        if each >= level and not line.startswith(_BORING):
            yield line
        elif reason and level > logging.INFO:
            text = reason[1].strip()
            # As Python writes bytes, and smtplib what a server said, which is how apprise logs what came.
            text = text[2:-1] if text.startswith(("b'", 'b"')) else text
            yield _SMTP.sub(r"\1 \3", text).strip("{}")
