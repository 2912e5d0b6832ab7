"""Which alert groups somebody wants to see, as data, and whether a group is one of them.

Rules
- All conditions must hold. What is compared with a group is what readers see of it: its labels are those of the last
  notification, its `resolve_time` is unset unless it is resolved.
- A time that is unset is neither before nor after anything.
- A label that is missing is different from every value: `!=` holds for it (as it does in Alertmanager's matchers).
- The route of a group is the one that it took when it opened, or the default one once that is gone.
- Titles are searched without regard to the case of the letters A to Z, and of no others: so do SQLite's functions, and
  both sides of a filter, the list (`sqlite/group_list.py`) and the watch (here), must come to the same answer.
- Who watches is told when a group comes to match and when it ceases to: an event is compared by the state before and
  the state after it, and one of them is enough.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from tocsind.domain.alert_group import AlertGroup, Source, State
from tocsind.domain.route import name_of
from tocsind.domain.span import ALWAYS, Span

_LOWER_CASE = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


class LabelTest(IntEnum):
    """How a label is looked at."""

    EQUAL = 1
    DIFFERENT = 2
    PRESENT = 3


@dataclass(frozen=True, slots=True, order=True)
class LabelCondition:
    """What is demanded of the label `name`; `value` is "" where any will do."""

    name: str
    test: LabelTest
    value: str = ""

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether labels are as demanded."""
        if self.test is LabelTest.PRESENT:
            return self.name in labels
        return (labels.get(self.name) == self.value) is (self.test is LabelTest.EQUAL)


@dataclass(frozen=True, slots=True)
class GroupFilter:
    """Which groups are wanted.

    In one of `states`; of the integration with this public id, under its route with this one, made by this source
    (None: any; a route comes with its integration); with a title that contains each of `titles`, which are in lower
    case; with these labels; created, resolved and last heard of in these spans (`resolved` None: no matter whether and
    when); collected by a maintenance, or not (None: no matter).
    """

    states: tuple[State, ...] = tuple(State)
    integration: str | None = None
    route: str | None = None
    source: Source | None = None
    titles: tuple[str, ...] = ()
    labels: tuple[LabelCondition, ...] = ()
    created: Span = ALWAYS
    resolved: Span | None = None
    notified: Span = ALWAYS
    collected: bool | None = None

    @property
    def listed_states(self) -> tuple[State, ...]:
        """The states in which a group can be that matches now: only a resolved one has a `resolve_time`."""
        return self.states if self.resolved is None else tuple(set(self.states) & {State.RESOLVED})


class GroupAsRead(Protocol):
    """A group as readers see it; `integration` and `route` are the names of the resources."""

    @property
    def group(self) -> AlertGroup: ...
    @property
    def integration(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def labels(self) -> Mapping[str, str]: ...


def matches(wanted: GroupFilter, read: GroupAsRead, states: Iterable[State | None] | None = None) -> bool:
    """Whether a group is wanted.

    `states` are those that an event was about, the one before it (None: there was none) and the one after it: one that
    is wanted is enough. Without them the state that the group has is looked at.
    """
    group = read.group
    return (
        any(state in wanted.states for state in ((group.state,) if states is None else states))
        and wanted.source in (None, group.source)
        and wanted.collected in (None, group.collected_by is not None)
        and (wanted.integration is None or read.integration == f"integrations/{wanted.integration}")
        and (wanted.route is None or read.route == name_of(wanted.integration or "", wanted.route))
        and group.created in wanted.created
        and group.last_received in wanted.notified
        and (wanted.resolved is None or (not group.is_open and group.state_since in wanted.resolved))
        and all(condition.holds(read.labels) for condition in wanted.labels)
        and (not wanted.titles or _contains_all(fold(read.title), wanted.titles))
    )


def fold(text: str) -> str:
    """Returns a text with A to Z in lower case."""
    return text.translate(_LOWER_CASE)


def _contains_all(text: str, parts: Iterable[str]) -> bool:
    return all(part in text for part in parts)
