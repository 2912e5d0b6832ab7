"""Whatever happens to messages, groups and daemons in whichever order: file and memory agree, and the order holds."""

import shutil
import tempfile
from collections import defaultdict
from contextlib import suppress
from pathlib import Path

import grpc
import pytest
from fake_clock import HOUR, SECOND, FakeClock
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from posting import (
    REFUSED,
    TAKEN,
    add_contact,
    fire_many,
    hung,
    messages,
    pass_time,
    put,
    quiet,
    refused,
    scripted,
    service,
    taken,
    withdraw,
)
from running_daemon import AlertGroup, RunningDaemon

from tocsin.v1 import messages_pb2
from tocsind.courier.wire import HttpRequest, Outcome
from tocsind.domain.message import Kind

FIRING, ACKNOWLEDGED = AlertGroup.FIRING, AlertGroup.ACKNOWLEDGED
WAYS = (("hook", None, 8), ("mail", 2 * SECOND, 4), ("chat", 0, 4))


class AnySending(RuleBasedStateMachine):
    """Three groups, three receivers."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="tocsin-"))
        self.patches = pytest.MonkeyPatch()
        self.script = scripted(self.patches)
        self.courier = self.script.__enter__()
        self.daemon = RunningDaemon(self.folder / "d", FakeClock())
        self.groups = fire_many(self.daemon, 3)
        self.contacts = [add_contact(self.daemon, name, window) for name, window, _ in WAYS]
        self.firing = set(self.groups)
        self.wrong: list[str] = []
        self.behave(taken)

    def behave(self, how: object) -> None:
        """Sets the script: whatever it answers, nothing may be said of a group that nobody needs to hear of."""

        def answer(errand: HttpRequest) -> Outcome | None:
            for word in errand.body.decode().split():
                if word[-1] == "!" and f"alertGroups/{word[:-1]}" not in self.firing:
                    self.wrong.append(word)
            return how(errand)  # type: ignore[operator,no-any-return]

        self.courier.answer = answer

    @rule(how=st.sampled_from([taken, refused, hung]))
    def receivers_change(self, how: object) -> None:
        """They work, fail or hang."""
        self.behave(how)

    @rule(group=st.integers(0, 2), contacts=st.sets(st.integers(0, 2), min_size=1))
    def tell(self, group: int, contacts: set[int]) -> None:
        """Somebody is to be told, of what the group does."""
        name = self.groups[group]
        kind = Kind.FIRING if name in self.firing else Kind.RESOLVED
        put(self.daemon, [name], *(self.contacts[contact] for contact in sorted(contacts)), kind=kind)
        self.look()

    @rule(group=st.integers(0, 2))
    def take_or_give_back(self, group: int) -> None:
        """Somebody acknowledges a group, or takes that back."""
        name = self.groups[group]
        if name in self.firing:
            withdraw(self.daemon, "Acknowledge", name)
            self.firing.discard(name)
        else:
            self.firing.add(name)
            self.daemon.act("Unacknowledge", name)
        self.look()

    @precondition(lambda self: self.courier.open)
    @rule(outcome=st.sampled_from([TAKEN, REFUSED]), count=st.integers(1, 3))
    def answer_some(self, outcome: Outcome, count: int) -> None:
        """What hung is answered."""
        self.courier.resolve(outcome, count)
        self.look()

    @rule(span=st.sampled_from([SECOND, 7 * SECOND, 60 * SECOND, HOUR]))
    def wait(self, span: int) -> None:
        """Time passes."""
        pass_time(self.daemon, span)
        self.look()

    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        """Somebody has one sent again, of a group that fires."""
        names = [each.name for each in messages(self.daemon) if each.name.split("/messages")[0] in self.firing]
        if names:
            request = messages_pb2.RetryMessageRequest(name=data.draw(st.sampled_from(names)))
            # Others than those that wait or were given up are refused.
            with suppress(grpc.RpcError):
                service(self.daemon).RetryMessage(request)
        self.look()

    @rule()
    def crash(self) -> None:
        """The daemon is killed, and another one starts."""
        self.daemon = self.daemon.crash()
        self.look()

    def look(self) -> None:
        """What holds whenever nothing more can be done without time or answers."""
        quiet(self.daemon)
        assert self.wrong == []
        rows = self.daemon.sql("SELECT state, attempts, ended_at IS NOT NULL FROM messages")
        assert sum(state <= 2 for state, _, _ in rows) == len(self.daemon.engine.memory.outbox)
        assert all((state > 2) == ended for state, _, ended in rows)
        assert all(attempts <= 12 for _, attempts, _ in rows)
        assert sum(state == 2 for state, _, _ in rows) == sum(len(e.body.split()) for e, _ in self.courier.open)
        for name, _, most in WAYS:
            assert sum(errand.url == name for errand, _ in self.courier.open) <= most
        pairs = [(errand.url, word[:-1]) for errand, _ in self.courier.open for word in errand.body.decode().split()]
        assert len(pairs) == len(set(pairs))

    def teardown(self) -> None:
        """When receivers work, everything that is needed arrives, in the order of each group."""
        try:
            self.behave(taken)
            self.courier.resolve()
            for _ in range(4):
                pass_time(self.daemon, HOUR)
                self.look()
            assert self.daemon.sql("SELECT count(*) FROM messages WHERE state <= 2") == [(0,)]
            self.check_order()
        finally:
            self.daemon.close()
            self.patches.undo()
            shutil.rmtree(self.folder)

    def check_order(self) -> None:
        """A message is said after those before it of its pair, unless that was retried by hand later."""
        retried = {row[0] for row in self.daemon.sql("SELECT group_id FROM events WHERE kind = 29")}
        numbers = dict(self.daemon.sql("SELECT key, id FROM messages"))
        heard: dict[tuple[str, str], list[int]] = defaultdict(list)
        for errand in self.courier.sent:
            if errand.url != "mail":
                heard[errand.url, errand.body.decode()[:-1]].append(numbers[errand.key])
        for (_, group), order in heard.items():
            assert int(group) in retried or order == sorted(order)


AnySending.TestCase.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestAnySending = AnySending.TestCase
