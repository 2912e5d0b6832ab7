"""What the daemon and a process that reads a calendar say to each other: JSON, one object each way."""

import msgspec


class Task(msgspec.Struct, rename={"begin": "from", "end": "until"}):
    """Which shifts has this calendar between two times, in microseconds UTC? `seconds` are what it may compute for,
    `most` how many shifts there may be."""

    text: str
    begin: int
    end: int
    seconds: int
    most: int


class Answer(msgspec.Struct, omit_defaults=True):
    """The shifts by their begin, each a start, an end and people; or the `error` that says in a line what is wrong and
    where. `notes` say of events that mean nothing and were passed over."""

    shifts: list[tuple[int, int, list[str]]] = []
    notes: list[str] = []
    error: str = ""
