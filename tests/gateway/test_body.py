"""Reading a body within limits, without a network."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from tocsin_gateway import body as module
from tocsin_gateway.body import Body, BodyCut, BodyTooLarge, NoRoom, Room

CHUNKED = {b"transfer-encoding": b"chunked"}
DISCONNECT = {"type": "http.disconnect"}


def part(content: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


class Sender:
    """Sends the given events, then nothing more for ever."""

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events = list(events)

    async def receive(self) -> dict[str, Any]:
        if not self.events:
            await asyncio.Event().wait()
        return self.events.pop(0)


def result_of(reading: Awaitable[bytes]) -> bytes:
    async def wait() -> bytes:
        return await reading

    return asyncio.run(wait())


@pytest.mark.parametrize("headers", [CHUNKED, {b"content-length": b"3"}], ids=["chunked", "declared"])
def test_parts_are_put_together(headers: dict[bytes, bytes]) -> None:
    """A body in parts, empty ones among them, is read whole."""
    body = Body(Sender(part(b"a"), part(b""), part(b"bc"), part(b"", more=False)).receive, headers, Room())
    assert result_of(body.read(3)) == b"abc"
    assert body.ended


@pytest.mark.parametrize("headers", [{}, {b"content-length": b"0"}], ids=["none", "zero"])
def test_no_body_is_not_waited_for(headers: dict[bytes, bytes]) -> None:
    """Where the head announces no body, nothing is read."""
    body = Body(Sender().receive, headers, Room())
    assert body.ended
    assert result_of(body.read(3)) == b""


def test_reading_stops_at_the_limit() -> None:
    """As soon as the parts exceed the limit, no further one is read."""
    sender = Sender(part(b"aa"), part(b"aa"), part(b"aa"))
    with pytest.raises(BodyTooLarge):
        result_of(Body(sender.receive, CHUNKED, Room()).read(3))
    assert len(sender.events) == 1


def test_a_declared_size_is_refused_unread() -> None:
    """A Content-Length over the limit is refused before anything is read."""
    sender = Sender(part(b"aaaa", more=False))
    with pytest.raises(BodyTooLarge):
        result_of(Body(sender.receive, {b"content-length": b"4"}, Room()).read(3))
    assert len(sender.events) == 1


@pytest.mark.parametrize("events", [[DISCONNECT], [part(b"a"), DISCONNECT]], ids=["at once", "later"])
def test_a_cut_body_is_none(events: list[dict[str, Any]]) -> None:
    """A sender that goes away in mid-body has sent nothing: half a body is never taken for a whole one."""
    with pytest.raises(BodyCut):
        result_of(Body(Sender(*events).receive, CHUNKED, Room()).read(10))


def test_a_slow_body_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not arrive within its time is given up."""
    monkeypatch.setattr(module, "ARRIVAL_LIMIT", 0.02)
    with pytest.raises(BodyCut):
        result_of(Body(Sender(part(b"a")).receive, CHUNKED, Room()).read(10))


def test_discarding_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody reads is discarded up to its end, a number of bytes, or a time, whichever comes first."""

    async def left_of(*events: dict[str, Any]) -> int:
        sender = Sender(*events)
        await Body(sender.receive, CHUNKED, Room()).discard()
        return len(sender.events)

    monkeypatch.setattr(module, "DISCARD_BYTES", 4)
    monkeypatch.setattr(module, "DISCARD_SECONDS", 0.02)
    assert asyncio.run(left_of(part(b"a"), part(b"a", more=False), part(b"next"))) == 1
    assert asyncio.run(left_of(part(b"aa"), part(b"aa"), part(b"aa"))) == 1
    assert asyncio.run(left_of(part(b"a"))) == 0
    assert asyncio.run(left_of(DISCONNECT)) == 0


def arriving(room: Room, *parts: int) -> Body:
    """A body that has come so far when its sender goes away; it is not released yet."""
    body = Body(Sender(*(part(b"x" * size) for size in parts), DISCONNECT).receive, CHUNKED, room)
    with pytest.raises(BodyCut):
        result_of(body.read(25))
    return body


def test_bodies_have_room_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """One may take as much of it as it leaves to others, so the largest are refused; and it is given back."""
    monkeypatch.setattr(module, "SMALL", 5)
    monkeypatch.setattr(module, "ROOM", 100)
    room = Room()
    bodies = [arriving(room, 10, 10) for _ in range(4)]
    assert room.taken == 80
    bodies.append(Body(Sender(part(b"x" * 11)).receive, CHUNKED, room))
    with pytest.raises(NoRoom):
        result_of(bodies[-1].read(25))
    bodies.append(arriving(room, 6, 4))
    assert room.taken == 90

    for body in (*bodies, *bodies):
        body.release()

    assert room.taken == 0
    whole = Body(Sender(part(b"x" * 20), part(b"", more=False)).receive, CHUNKED, room)
    assert (len(result_of(whole.read(25))), room.taken) == (20, 20)


def test_small_bodies_are_never_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many there are, and however little room."""
    monkeypatch.setattr(module, "SMALL", 5)
    monkeypatch.setattr(module, "ROOM", 100)
    room = Room()
    room.taken = 100
    for _ in range(100):
        arriving(room, 2, 3)
    assert room.taken == 100


def test_the_largest_body_fits_whatever_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who allows larger bodies than the room was made for has room for one, and another beside it."""
    monkeypatch.setattr(module, "ROOM", 0)
    room = Room()
    largest = module.SMALL * 4
    for _ in range(2):
        body = Body(Sender(part(b"x" * largest), part(b"", more=False)).receive, CHUNKED, room)
        assert len(result_of(body.read(largest))) == largest
