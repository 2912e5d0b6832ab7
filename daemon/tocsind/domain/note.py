"""What people write about an alert group.

Rules
- A note belongs to its group, in whatever state that is; a wiped group takes none and has none.
- Anybody who may act on groups may change and remove any note. The author stays who wrote it first.
- Every change is an event of the group, which names the note; the state of the group is the same before and after.
- A note's earlier texts can be read in the timeline, until it is removed: then they are gone there, too.
"""

from dataclasses import dataclass

from tocsind.domain.alert_group import AlertGroup, Event, EventKind
from tocsind.domain.errors import invalid

MAX_TEXT = 3_000


@dataclass(frozen=True, slots=True)
class Note:
    """One note. `id` is the database's, unique among all notes; times in microseconds since 1970."""

    id: int
    group_id: int
    text: str
    author: str
    created: int
    updated: int

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"alertGroups/{self.group_id}/notes/{self.id}"


def check(text: str) -> None:
    """Raises TocsinError (INVALID) where this cannot be the text of a note."""
    if not 1 <= len(text) <= MAX_TEXT:
        raise invalid("note.text", f"must be 1 to {MAX_TEXT} characters")


def event(kind: EventKind, note: Note, group: AlertGroup, actor: str) -> Event:
    """Returns the event of a change to a note of a group: with its text, unless it was removed."""
    text = "" if kind is EventKind.NOTE_DELETED else note.text
    return Event(group.id, kind, group.state, actor, note.name, text, previous=group.state)
