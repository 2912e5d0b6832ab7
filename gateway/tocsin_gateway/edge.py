"""The outermost layer, around the Falcon app: what holds for every request.

The rules:

* The app is asked at once, before the body has come (Falcon by itself waits for the body's first bytes): only so can a
  request be refused by its head alone. The app finds the body under `BODY` in the scope.
* Each request is counted once, by what it was and how it was answered.
* Each has an id for logs, under `TRACE_ID` in the scope: the sender's, from its header `X-Request-Id`, if that is sane
  (up to 128 visible ASCII characters), else one of our own. Every answer bears it in the same header, for the sender's
  log, but those that the server gives by itself to what is not HTTP.
* What is answered by an error is a line in the log, but not more than `MOST_LINES` a second: nobody is to fill the disk
  with them. At the level `debug` every request is a line.
* Every request is answered. A defect of ours is logged and becomes a 503, which a sender repeats, not a 500.
* What the app left of the body is discarded after the answer, so that the answer reaches the sender. If all of it can
  be, the connection goes on; else the server closes it.
"""

import itertools
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from tocsin_gateway import logs
from tocsin_gateway.body import Body, Event, Receive, Room
from tocsin_gateway.metrics import Metrics

BODY: Final = "tocsin.body"
"""Where the scope of a request holds its `Body`."""

KIND: Final = "tocsin.kind"
"""Where the scope of a request says what kind it was, for the metrics; set by the resource."""

TRACE_ID: Final = "tocsin.trace_id"
"""Where the scope of a request holds its id for logs."""

MOST_LINES: Final = 50
"""Lines a second about requests that are answered by an error."""

_HEADER: Final = b"x-request-id"
_SANE: Final = re.compile(rb"[\x21-\x7e]{1,128}")

Send = Callable[[Event], Awaitable[None]]
App = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

_log = structlog.get_logger("tocsin_gateway")

_HEAD_ONLY: Final[Event] = {"type": "http.request", "body": b"", "more_body": True}
_FALLBACK_TEXT: Final = b"the gateway failed to handle this: see its log\n"


class Edge:
    """The ASGI application that the server runs."""

    def __init__(self, app: App, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        self._room = Room()
        # Unlike anybody else's, also after a restart; and one of a kind is cheaper than a random number each.
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count(1)
        self._log_all = logging.getLogger("tocsin_gateway").isEnabledFor(logging.DEBUG)
        self._second = 0
        self._lines = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        body = scope[BODY] = Body(receive, headers, self._room)
        trace_id = scope[TRACE_ID] = self._trace_id(headers)
        bound = logs.trace_id.set(trace_id)
        head_given = False
        status = 0

        async def receive_for_app() -> Event:
            nonlocal head_given
            if head_given:
                return await receive()
            head_given = True
            return _HEAD_ONLY

        async def send_and_note(event: Event) -> None:
            nonlocal status
            if event["type"] == "http.response.start":
                status = event["status"]
                event["headers"] = [*event["headers"], (_HEADER, trace_id.encode())]
            await send(event)

        try:
            await self._app(scope, receive_for_app, send_and_note)
        except Exception:
            _log.exception("request failed")
        finally:
            body.release()
        if not status:
            await self._apologise(send_and_note)
        now = time.monotonic()
        self._metrics.count(scope.get(KIND, "other"), status, now - body.arrived_at)
        if status >= 400 or self._log_all:
            self._note(scope, status, now, now - body.arrived_at)
        if not body.ended:
            await body.discard()
        logs.trace_id.reset(bound)

    def _trace_id(self, headers: dict[bytes, bytes]) -> str:
        asked = headers.get(_HEADER)
        if asked is not None and _SANE.fullmatch(asked):
            return asked.decode()
        return f"{self._prefix}-{next(self._numbers)}"

    def _note(self, scope: dict[str, Any], status: int, now: float, seconds: float) -> None:
        """Logs how a request was answered."""
        what = {"kind": scope.get(KIND, "other"), "status": status, "milliseconds": round(seconds * 1e3, 1)}
        if status < 400:
            _log.debug("answered", **what)
            return
        if int(now) != self._second:
            self._second, self._lines = int(now), 0
        self._lines += 1
        if self._lines <= MOST_LINES or self._log_all:
            _log.info("answered with an error", **what)
        elif self._lines == MOST_LINES + 1:
            _log.warning("more requests are answered with errors than are logged", a_second=MOST_LINES)

    async def _apologise(self, send: Send) -> None:
        length = str(len(_FALLBACK_TEXT)).encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length), (b"retry-after", b"1")]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": _FALLBACK_TEXT})
