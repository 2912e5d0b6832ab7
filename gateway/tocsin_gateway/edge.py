"""The outermost layer, around the Falcon app: what holds for every request.

The rules:

* The app is asked at once, before the body has come (Falcon by itself waits for the body's first bytes): only so can a
  request be refused by its head alone. The app finds the body under `BODY` in the scope.
* Each request is counted once, by what it was and how it was answered.
* Every request is answered. A defect of ours is logged and becomes a 503, which a sender repeats, not a 500.
* What the app left of the body is discarded after the answer, so that the answer reaches the sender. If all of it can
  be, the connection goes on; else the server closes it.
"""

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog

from tocsin_gateway.body import Body, Event, Receive
from tocsin_gateway.metrics import Metrics

BODY: Final = "tocsin.body"
"""Where the scope of a request holds its `Body`."""

KIND: Final = "tocsin.kind"
"""Where the scope of a request says what kind it was, for the metrics; set by the resource."""

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

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = scope[BODY] = Body(receive, dict(scope["headers"]))
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
            await send(event)

        try:
            await self._app(scope, receive_for_app, send_and_note)
        except Exception:
            _log.exception("request failed")
        if not status:
            await self._apologise(send_and_note)
        self._metrics.count(scope.get(KIND, "other"), status, time.monotonic() - body.arrived_at)
        if not body.ended:
            await body.discard()

    async def _apologise(self, send: Send) -> None:
        length = str(len(_FALLBACK_TEXT)).encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", length), (b"retry-after", b"1")]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        await send({"type": "http.response.body", "body": _FALLBACK_TEXT})
