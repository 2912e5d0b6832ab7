"""A source of notifications, as the rules of intake see it."""

from fake_clock import MINUTE, START

from tocsind.domain.alert_group import Action, AlertGroup, EventKind, Source, act
from tocsind.domain.notification import Notification
from tocsind.domain.snapshot import Effect, KnownAlert, receive

WINDOW = 5 * MINUTE


class Source1:
    """One identity: applies notifications to whatever group they reach, as the engine does."""

    def __init__(self, window: int = WINDOW) -> None:
        self.window = window
        self.now = START
        self.groups: list[AlertGroup] = []
        self.alerts: dict[int, dict[str, KnownAlert]] = {}

    @property
    def group(self) -> AlertGroup:
        """The group that notifications reach."""
        return max(self.groups, key=lambda group: (group.is_open, group.id))

    def send(self, notification: Notification, after: int = MINUTE) -> Effect:
        """A notification comes, some time later."""
        self.now += after
        known = self.group if self.groups else None
        effect = receive(
            known,
            self.alerts.get(known.id, {}) if known is not None else {},
            notification,
            source=Source.ALERTMANAGER,
            integration_id=1,
            reopen_window=self.window,
            now=self.now,
            new_id=lambda: len(self.groups) + 1,
        )
        if effect.opened and effect.group is not None:
            self.groups.append(effect.group)
        if effect.described and effect.group is not None:
            self.alerts[effect.group.id] = effect.alerts
        return effect

    def act(self, action: Action, after: int = MINUTE) -> None:
        """A person or a timer acts on the group."""
        self.now += after
        act(self.group, action, self.now, actor="ada")

    def states(self) -> dict[str, str]:
        """The alerts of the group."""
        return {name: known.state.name for name, known in sorted(self.alerts[self.group.id].items())}


def kinds(effect: Effect) -> list[EventKind]:
    """The kinds of an effect's events."""
    return [event.kind for event in effect.events]
