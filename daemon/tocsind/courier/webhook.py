"""Webhooks: a request, signed as Standard Webhooks has it, and what its receiver says.

Rules
- 2xx is delivered as soon as it is read: what comes after it can only be shown. Everything else is a failure, redirects
  too: following them would send alerts, and the headers with keys, to where nobody set them up to go.
- Repeats have the same key and another time: `webhook-id` and `Idempotency-Key`, `webhook-timestamp`.
- The signature is `v1,` and the base64 of the HMAC-SHA256 of `id.timestamp.body`
  (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).
- What a receiver answers is shown in part, with all secrets of the webhook taken out.
"""

import base64
import binascii
import hashlib
import hmac
from email.utils import parsedate_to_datetime
from functools import cache
from importlib import metadata
from urllib.parse import urljoin, urlsplit

from tocsind.clock import SystemClock
from tocsind.courier import scrub
from tocsind.courier.deadline import Deadline
from tocsind.courier.exchange import Failed, Reply, Tls, exchange
from tocsind.courier.wire import HttpRequest, Outcome

MOST_ANSWER = 64 * 1024
"""Bytes of an answer that are read."""

PATIENCE = 2.0
"""Seconds for which what comes after the status is waited for: it is only shown."""

MOST_RETRY_AFTER = 24 * 3600.0

_OURS = frozenset({"idempotency-key", "webhook-id", "webhook-timestamp", "webhook-signature"})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def send(request: HttpRequest) -> Outcome:
    """Sends a webhook, once."""
    scrubber = scrub.Scrubber(secrets(request))
    try:
        reply = exchange(
            request.url,
            request.method,
            _headers(request),
            request.body,
            networks=request.networks,
            deadline=Deadline(request.timeout),
            most=MOST_ANSWER,
            tls=Tls(request.ca_certificates, request.client_certificate, request.client_key, request.verify),
            patience=PATIENCE,
        )
    except Failed as failed:
        return Outcome(False, scrubber.line(str(failed)))
    if 200 <= reply.status < 300:
        return Outcome(True, _answer(reply, scrubber))
    if reply.status in _REDIRECTS:
        where = shown(urljoin(request.url, reply.headers.get("Location", "")))
        said = f"HTTP {reply.status}: it redirects to {scrubber.line(where) or 'nowhere'}, which is not followed"
        return Outcome(False, said, retry_after(reply))
    return Outcome(False, _answer(reply, scrubber), retry_after(reply))


def secrets(request: HttpRequest) -> list[str]:
    """Everything that no answer may show."""
    found = [*scrub.of_url(request.url), *scrub.of_headers(request.headers.items())]
    for key in (request.secret, request.client_key):
        found += scrub.of_key(key)
    return found


def signature(request: HttpRequest) -> str:
    """The signature of a request; that of an empty body where it has none. Failed where its secret is none."""
    try:
        key = base64.b64decode(request.secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        raise Failed("its signing secret is not base64") from None
    signed = f"{request.key}.{request.timestamp}.".encode() + (request.body or b"")
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def retry_after(reply: Reply) -> float:
    """How many seconds the other side asks to wait, or 0: RFC 9110, 10.2.3, has a number or a date."""
    said = reply.headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit():
        return min(float(said), MOST_RETRY_AFTER)
    try:
        until = parsedate_to_datetime(said).timestamp()
    except (ValueError, TypeError, OverflowError):
        return 0.0
    return min(max(until - SystemClock().wall() / 1_000_000, 0.0), MOST_RETRY_AFTER)


def shown(url: str) -> str:
    """An address as people may see it: without login, query and fragment."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return scrub.MASK
    return f"{parts.scheme}://{host}{parts.path}" + (f"?{scrub.MASK}" if parts.query else "")


@cache
def user_agent() -> str:
    """How the courier calls itself."""
    return f"Tocsin/{metadata.version('tocsin')}"


def _headers(request: HttpRequest) -> dict[str, str]:
    headers = {name: value for name, value in request.headers.items() if name.strip().lower() not in _OURS}
    known = {name.strip().lower() for name in headers}
    if "user-agent" not in known:
        headers["User-Agent"] = user_agent()
    headers["Idempotency-Key"] = headers["webhook-id"] = request.key
    headers["webhook-timestamp"] = str(request.timestamp)
    if request.secret:
        headers["webhook-signature"] = signature(request)
    return headers


def _answer(reply: Reply, scrubber: scrub.Scrubber) -> str:
    said = scrubber.line(reply.body.decode("utf-8", "replace"))
    return f"HTTP {reply.status}: {said}" if said else f"HTTP {reply.status}"
