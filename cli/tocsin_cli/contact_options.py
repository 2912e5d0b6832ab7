"""The options by which contact points are set, and what they make of them.

Rules
- A secret can always come from a file or from stdin. Where an option takes it from the command line its help says who
  can read it there.
- One option says one thing; two that contradict each other are wrong usage. Stdin can be read by one option only.
- An empty file for a template, or for headers, means: none.
"""

import base64
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

import click

from tocsin.v1.contact_points_pb2 import Calendar, ContactPoint, Webhook

from . import payloads
from .connection import USAGE, CommandError
from .durations import DURATION

Function = TypeVar("Function", bound=Callable[..., None])

_SECRET_BYTES = 32
_VISIBLE = "Other users of this machine can read it: "

_SETTINGS = (
    click.option("--description", metavar="TEXT", help="What it is for."),
    click.option(
        "--apprise-file",
        metavar="FILE|-",
        help="An address that apprise knows (mailtos://user:password@host?to=..., slack://..., tgram://...) is in this "
        "file; - is stdin.",
    ),
    click.option("--apprise", metavar="URL", help=f"The address itself. {_VISIBLE}prefer --apprise-file."),
    click.option("--webhook-file", metavar="FILE|-", help="The URL of a webhook is in this file; - is stdin."),
    click.option("--webhook", metavar="URL", help=f"The URL itself. {_VISIBLE}prefer --webhook-file if it is secret."),
    click.option(
        "--method",
        type=click.Choice([method for method, number in Webhook.Method.items() if number], case_sensitive=False),
        help="The webhook's method. Default: POST.",
    ),
    click.option(
        "--header-file",
        metavar="FILE|-",
        help="More headers for the webhook, one a line: 'Authorization: Bearer ...'. They replace all that there were.",
    ),
    click.option(
        "--signing-secret-file",
        metavar="FILE|-",
        help="What the webhook's requests are signed with: whsec_ and base64 (https://www.standardwebhooks.com).",
    ),
    click.option("--sign", is_flag=True, help="Sign with a new secret, which is printed, once."),
    click.option("--request-timeout", type=DURATION, help="How long a request may take: 1s to 60s. Default: 10s."),
    click.option(
        "--request-ca-file", metavar="FILE", help="Who vouches for the receiver's certificate, as PEM, if nobody known."
    ),
    click.option("--client-certificate-file", metavar="FILE", help="Our own certificate with its chain, as PEM."),
    click.option("--client-key-file", metavar="FILE|-", help="The key of our own certificate, as PEM."),
    click.option(
        "--insecure-skip-verify/--verify",
        default=None,
        help="Not to look at the receiver's certificate: anybody in between can read and forge everything.",
    ),
    click.option(
        "--on-call-file", metavar="FILE|-", help="Whoever is on call by this calendar (iCalendar), as it is now."
    ),
    click.option(
        "--on-call-url",
        metavar="URL",
        help=f"Whoever is on call by the calendar there, read every 5 minutes. {_VISIBLE}prefer --on-call-url-file.",
    ),
    click.option("--on-call-url-file", metavar="FILE|-", help="The URL of that calendar is in this file; - is stdin."),
    click.option(
        "--on-call-server-file",
        metavar="NAME",
        help="Whoever is on call by this file in the folder `calendars` of the daemon's data, read when it changes.",
    ),
    click.option(
        "--overrides-file", metavar="FILE|-", help="Who is on call instead, where this calendar has an event."
    ),
    click.option("--overrides-url", metavar="URL", help="The same by the calendar there, as --on-call-url."),
    click.option(
        "--overrides-url-file", metavar="FILE|-", help="The URL of that calendar is in this file; - is stdin."
    ),
    click.option(
        "--overrides-server-file", metavar="NAME", help="The same by this file in the daemon's folder `calendars`."
    ),
    click.option(
        "--alias",
        "aliases",
        metavar="TEXT",
        multiple=True,
        help="What calendars call who is reached here, beside the name; repeatable. They replace all that there were.",
    ),
    click.option(
        "--title-template-file", metavar="FILE|-", help="A Jinja2 template for the title; an empty file: the default."
    ),
    click.option(
        "--body-template-file",
        metavar="FILE|-",
        help="A Jinja2 template for the text, or for the body of a webhook; an empty file: the default.",
    ),
    click.option(
        "--bundle",
        type=DURATION,
        help="How long messages wait for others, to be sent as one: 0s to 1m. Not for webhooks. Default: 2s.",
    ),
)

_REMOVALS = (
    click.option("--no-sign", is_flag=True, help="Do not sign requests any more."),
    click.option("--no-overrides", is_flag=True, help="No calendar of overrides any more."),
    click.option("--no-aliases", is_flag=True, help="No aliases any more."),
)


def settings(function: Function) -> Function:
    """Add the options that set something."""
    for option in reversed(_SETTINGS):
        function = option(function)
    return function


def removals(function: Function) -> Function:
    """Add the options that take something away again, for those who change a contact point."""
    for option in reversed(_REMOVALS):
        function = option(function)
    return function


def apply(contact: ContactPoint, given: Mapping[str, Any]) -> list[str]:
    """Set what was given; return the paths of those fields, for an update mask.

    Raises CommandError and UsageError for what cannot be.
    """
    _refuse_contradictions(given)
    paths: list[str] = []
    if given["description"] is not None:
        contact.description = given["description"]
        paths.append("description")
    if given["aliases"] or given.get("no_aliases"):
        contact.aliases.extend(given["aliases"])
        paths.append("aliases")
    _apply_apprise(contact, given, paths)
    _apply_webhook(contact, given, paths)
    _apply_calendars(contact, given, paths)
    for field in ("title_template", "body_template"):
        if (file := given[f"{field}_file"]) is not None:
            source = payloads.read_text(file)
            setattr(contact, field, source if source.strip() else "")
            paths.append(field)
    if given["bundle"] is not None:
        contact.bundle_window.FromTimedelta(given["bundle"])
        paths.append("bundle_window")
    return paths


def _apply_apprise(contact: ContactPoint, given: Mapping[str, Any], paths: list[str]) -> None:
    if (url := _line(given, "apprise", "apprise_file")) is not None:
        contact.apprise.url = url
        paths.append("apprise.url")


def _apply_webhook(contact: ContactPoint, given: Mapping[str, Any], paths: list[str]) -> None:
    texts = {
        "url": _line(given, "webhook", "webhook_file"),
        "signing_secret": _signing_secret(given),
        "ca_certificates": _file(given["request_ca_file"]),
        "client_certificate": _file(given["client_certificate_file"]),
        "client_key": _file(given["client_key_file"]),
    }
    for field, text in texts.items():
        if text is not None:
            setattr(contact.webhook, field, text)
            paths.append(f"webhook.{field}")
    if given["method"] is not None:
        contact.webhook.method = Webhook.Method.Value(given["method"].upper())
        paths.append("webhook.method")
    if given["header_file"] is not None:
        contact.webhook.SetInParent()
        contact.webhook.headers.update(_headers(given["header_file"]))
        paths.append("webhook.headers")
    if given["request_timeout"] is not None:
        timeout: timedelta = given["request_timeout"]
        contact.webhook.timeout.FromTimedelta(timeout)
        paths.append("webhook.timeout")
    if given["insecure_skip_verify"] is not None:
        contact.webhook.insecure_skip_verify = given["insecure_skip_verify"]
        paths.append("webhook.insecure_skip_verify")


def _apply_calendars(contact: ContactPoint, given: Mapping[str, Any], paths: list[str]) -> None:
    for option, field in (("on_call", "schedule"), ("overrides", "overrides")):
        if (calendar := _calendar(given, option)) is not None:
            getattr(contact.on_call, field).CopyFrom(calendar)
            paths.append(f"on_call.{field}")
    if given.get("no_overrides"):
        contact.on_call.SetInParent()
        paths.append("on_call.overrides")


def _refuse_contradictions(given: Mapping[str, Any]) -> None:
    excluding = (
        ("apprise", "apprise_file"),
        ("webhook", "webhook_file"),
        ("signing_secret_file", "sign", "no_sign"),
        ("aliases", "no_aliases"),
        ("on_call_file", "on_call_url", "on_call_url_file", "on_call_server_file"),
        ("overrides_file", "overrides_url", "overrides_url_file", "overrides_server_file", "no_overrides"),
    )
    for names in excluding:
        _refuse_two([name for name in names if given.get(name)], "exclude each other")
    kinds = {
        "apprise": ("apprise", "apprise_file"),
        "webhook": (
            *("webhook", "webhook_file", "method", "header_file", "signing_secret_file", "sign", "no_sign"),
            *("request_timeout", "request_ca_file", "client_certificate_file", "client_key_file"),
            "insecure_skip_verify",
        ),
        "on call": tuple(
            name for name in given if name.startswith(("on_call_", "overrides_")) or name == "no_overrides"
        ),
    }
    used = [next(name for name in names if _is_given(given, name)) for names in kinds.values() if _any(given, names)]
    _refuse_two(used, "are for contact points of different kinds")
    _refuse_two(
        [name for name, value in given.items() if name.endswith("_file") and value == "-"], "cannot both be stdin"
    )


def _any(given: Mapping[str, Any], names: tuple[str, ...]) -> bool:
    return any(_is_given(given, name) for name in names)


def _is_given(given: Mapping[str, Any], name: str) -> bool:
    """Return whether an option stands on the command line. Flags are False where they do not, but for --verify."""
    value = given.get(name)
    return value is not None and (value is not False or name == "insecure_skip_verify")


def _refuse_two(names: list[str], why: str) -> None:
    if len(names) > 1:
        options = [f"--{'alias' if name == 'aliases' else name.replace('_', '-')}" for name in names[:2]]
        raise click.UsageError(f"{' and '.join(options)} {why}", click.get_current_context())


def _line(given: Mapping[str, Any], option: str, file_option: str) -> str | None:
    """Return a text of one line, from the command line or from a file; None if neither was given."""
    if given[option] is not None:
        text: str = given[option]
        return text.strip()
    if given[file_option] is None:
        return None
    lines = [line.strip() for line in payloads.read_text(given[file_option]).splitlines() if line.strip()]
    if len(lines) != 1:  # which line is wrong cannot be said: what is in there is secret
        found = "nothing" if not lines else f"{len(lines)} lines"
        raise CommandError(f"{given[file_option]}: one line with an address is wanted, and there is {found}", USAGE)
    return lines[0]


def _file(name: str | None) -> str | None:
    return payloads.read_text(name) if name is not None else None


def _signing_secret(given: Mapping[str, Any]) -> str | None:
    """Return the secret that was given, or a new one; empty for none, None where nothing was said of it."""
    if given["sign"]:
        return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    if given.get("no_sign"):
        return ""
    if (file := given["signing_secret_file"]) is None:
        return None
    secret = payloads.read_text(file).strip()
    if not secret:  # an empty one would turn signing off
        raise CommandError(f"{file}: there is no secret in it", USAGE)
    return secret


def _headers(file: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for number, line in enumerate(payloads.read_text(file).splitlines(), 1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise CommandError(f"{file}, line {number}: a header is wanted, like `Authorization: Bearer ...`", USAGE)
        if name.strip().lower() in (known.lower() for known in headers):
            raise CommandError(f"{file}, line {number}: {name.strip()} is there twice", USAGE)
        headers[name.strip()] = value.strip()
    return headers


def _calendar(given: Mapping[str, Any], option: str) -> Calendar | None:
    """Return the calendar that the options of that name say, None if they say none."""
    if given[f"{option}_file"] is not None:
        return Calendar(ical=payloads.read_text(given[f"{option}_file"]))
    if (url := _line(given, f"{option}_url", f"{option}_url_file")) is not None:
        return Calendar(url=url)
    return Calendar(file=given[f"{option}_server_file"]) if given[f"{option}_server_file"] is not None else None
