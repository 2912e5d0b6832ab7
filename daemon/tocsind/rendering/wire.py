"""What the daemon and a process that renders say to each other.

A frame is four bytes with the length of what follows (big-endian), and a message as MessagePack. The daemon sends a
`Task`, the process answers with one `Made` for each piece of it, in one frame. While it works it also notes in its
journal that it has read the payload (`READ`), and then each `Made` in a frame of its own: a file in memory, which the
daemon empties before each task. When the process dies of a template, what came before is not lost, and the piece after
the last one in the journal is the culprit. When it dies before `READ`, no template is.
"""

import msgspec

HEAD = 4
"""Bytes of the length before a frame."""

MOST = 512 * 1024 * 1024
"""Bytes of the longest frame that is believed."""

READY = b"ready"
"""What a process says, in a frame, when it can take tasks."""

READ = b"read"
"""How a journal begins, once the payload was read."""


class Piece(msgspec.Struct, array_like=True):
    """One template. `name` is what people call it; the result of `source_link` is a variable of those after it. `most`
    is how many characters its result may have; `line` says that the result is to be one line; `condition`, that only
    its being true counts."""

    name: str
    source: str
    most: int
    line: bool = False
    condition: bool = False


class Task(msgspec.Struct, array_like=True):
    """Templates to render with one payload, one after the other; with `check` they are only compiled.

    `payload` is JSON, compressed with zlib where `compressed` says so. `integration` is what templates see of their
    integration. `now` is what their `time()` returns, in microseconds since 1970. `about` is given where the templates
    are those of a contact point: all that they see but the payload, a JSON object (variables.py).
    """

    pieces: list[Piece]
    now: int = 0
    payload: bytes = b""
    compressed: bool = False
    integration: dict[str, str] = {}
    check: bool = False
    about: bytes = b""


class Made(msgspec.Struct, array_like=True):
    """What came of a piece. `error` is why it failed, in one line, or empty; `line` the line of the template where that
    was, or 0. `lasting` says that the same payload would give the same again, whatever the time is. `undefined` says
    that it failed because something that it uses is not there, which may be so for this payload alone."""

    text: str = ""
    is_true: bool = False
    shortened: bool = False
    error: str = ""
    line: int = 0
    lasting: bool = True
    undefined: bool = False


_encoder = msgspec.msgpack.Encoder()
task_of = msgspec.msgpack.Decoder(Task).decode
_made_of = msgspec.msgpack.Decoder(Made).decode
all_made_of = msgspec.msgpack.Decoder(list[Made]).decode


def frame(message: object) -> bytes:
    """Returns a message in a frame; bytes are taken as they are."""
    body = message if isinstance(message, bytes) else _encoder.encode(message)
    return len(body).to_bytes(HEAD, "big") + body


def journal(content: bytes) -> list[Made] | None:
    """Returns what a journal holds, None where the payload was not read; what was only half written is left out."""
    if not content.startswith(READ):
        return None
    found: list[Made] = []
    at = len(READ)
    while at + HEAD <= len(content):
        end = at + HEAD + int.from_bytes(content[at : at + HEAD], "big")
        if end > len(content):
            break
        found.append(_made_of(content[at + HEAD : end]))
        at = end
    return found
