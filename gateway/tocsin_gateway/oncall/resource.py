"""What all URLs of the REST API have in common.

The rules:

* It must not get in the way of alerts. So many requests are worked on at once; the next one is told at once to come
  again. So long a request may take. A body is small, and is waited for before a place is taken.
* Without anything that could be a token, a request is refused before anything else is looked at.
* Whatever happens, the answer is JSON.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import parse_qsl

import falcon
import falcon.asgi
import grpc.aio
import msgspec

from tocsin_gateway.body import SMALL, Body, BodyCut, BodyTooLarge
from tocsin_gateway.edge import BODY, KIND, TRACE_ID
from tocsin_gateway.oncall import replies
from tocsin_gateway.oncall.caller import Caller, Daemon, token_of
from tocsin_gateway.oncall.replies import Refusal, Reply

PLACES: Final = 64
"""Requests that are worked on at once."""

TIME_TO_ANSWER: Final = 10.0
"""Seconds from a complete request to its answer."""

BODY_LIMIT: Final = SMALL
"""Bytes of a body. What is sent here are commands, of some dozen bytes, for which there is always room."""

Request = falcon.asgi.Request
Response = falcon.asgi.Response
Work = Callable[[Caller, bytes], Awaitable[Reply]]
"""Makes the reply out of the caller and the body, which is empty for requests that take none."""


class Places:
    """The places for requests that are worked on, shared by all resources."""

    def __init__(self) -> None:
        self.free = PLACES


class Resource:
    """One URL, or one kind of them."""

    def __init__(self, daemon: Daemon, places: Places) -> None:
        self._daemon = daemon
        self._places = places

    async def on_options(self, req: Request, resp: Response, **_: str) -> None:
        """Refused like any other method; by itself Falcon would answer 200."""
        allowed = [method for method in ("GET", "HEAD", "POST", "DELETE") if hasattr(self, f"on_{method.lower()}")]
        raise falcon.HTTPMethodNotAllowed(allowed)

    async def _serve(self, req: Request, resp: Response, work: Work, *, takes_body: bool = False) -> None:
        """Answers with what `work` returns, or with what the error means that it raises."""
        req.scope[KIND] = "api"
        try:
            reply = await self._work(req, work, takes_body)
        except Refusal as refusal:
            reply = refusal.reply
        except grpc.aio.AioRpcError as error:
            reply = replies.for_call(error)
        except TimeoutError:
            reply = replies.LATE
        except BodyTooLarge:
            reply = replies.detail(413, f"The body is over the limit of {BODY_LIMIT} bytes.")
        except BodyCut:
            reply = replies.unavailable("the body did not arrive in full")
        replies.give(resp, reply)

    async def _work(self, req: Request, work: Work, takes_body: bool) -> Reply:
        token = token_of(req)
        body: Body = req.scope[BODY]
        content = await body.read(BODY_LIMIT) if takes_body else b""
        if not self._places.free:
            return replies.unavailable("too many requests are being worked on: try again")
        self._places.free -= 1
        try:
            caller = Caller(self._daemon, token, req.scope[TRACE_ID], time.monotonic() + TIME_TO_ANSWER)
            async with asyncio.timeout(TIME_TO_ANSWER):
                return await work(caller, content)
        finally:
            self._places.free += 1


def said(req: Request, content: bytes) -> Any:
    """What a body says; an empty one says nothing, `{}`, and the values of a form are texts. Raises `Refusal`."""
    if not content.strip():
        return {}
    kind = (req.content_type or falcon.MEDIA_JSON).partition(";")[0].strip().lower()
    if kind == falcon.MEDIA_URLENCODED:
        return dict(parse_qsl(content.decode(errors="replace"), keep_blank_values=True))
    if kind != falcon.MEDIA_JSON:
        raise Refusal(replies.detail(415, f'Unsupported media type "{kind}" in request.'))
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(replies.detail(400, f"JSON parse error - {error}")) from None
