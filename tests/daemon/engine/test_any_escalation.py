"""Sources, people, maintenances, time and kills in any order: whoever is to be told is told, in order, and once."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from changing import batch, delete, wipe
from escalating import chain, contact, tells
from fake_clock import HOUR, MINUTE, SECOND, FakeClock
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from maintaining import finish, maintain, maintenance_of, stop
from notices import notice
from running_daemon import RunningDaemon, duration

from tocsind.domain.escalation_chain import MoreThan, Notify, Wait

KEYS = st.sampled_from("xyz")
_REVISION = "SELECT max(id) FROM events"
_MEANT = (
    "SELECT g.id FROM alert_groups AS g JOIN integrations AS i ON i.id = g.integration_id WHERE g.state = 1 "
    "AND g.collected_by IS NULL AND g.debug = 0 AND (g.source <> 3 OR i.type = 'tocsin') ORDER BY g.id"
)


class Escalations(RuleBasedStateMachine):
    """A real daemon with a chain that tells, waits, tells and then pauses for ever, so that it runs as long as a group
    is meant for it: who has an escalation can be read off the groups alone."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = Path(tempfile.mkdtemp(prefix="tocsin-"))
        self.clock = FakeClock()
        self.daemon = RunningDaemon(self.scratch / "d", self.clock, rate_limit=0)
        ops, boss = contact(self.daemon, "ops"), contact(self.daemon, "boss")
        chain(self.daemon, Notify((ops,)), Wait(2 * MINUTE), Notify((boss,)), MoreThan(9_999, HOUR))
        self.integration = self.daemon.integration(reopen_window=duration(5 * MINUTE))
        tells(self.daemon, self.integration, None, notify_on_resolve=True)

    @initialize()
    def begin(self) -> None:
        """Nothing has been said yet."""
        assert self.daemon.list_groups() == []

    @rule(keys=st.sets(KEYS, min_size=1), firing=st.sampled_from(["a", "a b", ""]), twice=st.booleans())
    def the_source_says(self, keys: set[str], firing: str, twice: bool) -> None:
        """Notifications come, perhaps one right after its contrary, in one batch."""
        said = [notice(firing, "" if firing else "a", key=key) for key in sorted(keys)]
        if twice:
            said += [notice("" if firing else "a", "a" if firing else "", key=key) for key in sorted(keys)]
        batch_ = [self.daemon.delivery(self.integration, each, age=len(said) - n) for n, each in enumerate(said)]
        self.daemon.deliver(batch_)

    @rule(
        data=st.data(),
        verb=st.sampled_from(["Acknowledge", "Unacknowledge", "Silence", "Unsilence", "Resolve", "Unresolve"]),
        many=st.booleans(),
    )
    def somebody_acts(self, data: st.DataObject, verb: str, many: bool) -> None:
        """A person does something to a group or to all."""
        names = [group.name for group in self.daemon.list_groups()]
        if not names:
            return
        if many and verb in ("Acknowledge", "Silence", "Resolve"):
            batch(self.daemon, verb, names)
            return
        fields = {"duration": duration(MINUTE)} if verb == "Silence" else {}
        with suppress(grpc.RpcError):
            self.daemon.act(verb, data.draw(st.sampled_from(names)), **fields)

    @rule(data=st.data(), how=st.sampled_from([wipe, delete]))
    def somebody_removes(self, data: st.DataObject, how: Callable[[RunningDaemon, str], Any]) -> None:
        """A person wipes or deletes any group."""
        groups = self.daemon.list_groups()
        if groups:
            how(self.daemon, data.draw(st.sampled_from(groups)).name)

    @rule(mode=st.sampled_from(["MAINTENANCE", "DEBUG"]))
    def a_maintenance_starts(self, mode: str) -> None:
        """If none runs."""
        if maintenance_of(self.daemon, self.integration) is None:
            maintain(self.daemon, self.integration, mode)

    @precondition(lambda self: maintenance_of(self.daemon, self.integration) is not None)
    @rule()
    def a_maintenance_ends(self) -> None:
        """What it collected is released."""
        stop(self.daemon, self.integration)
        finish(self.daemon)

    @rule(span=st.sampled_from([SECOND, MINUTE, 6 * MINUTE]))
    def time_passes(self, span: int) -> None:
        """And steps are done."""
        self.daemon.pass_time(span)

    @rule()
    def what_is_sent_is_sent(self) -> None:
        """The receivers take it."""
        self.daemon.engine.change(
            lambda transaction, memory: (
                transaction.connection.execute("UPDATE messages SET state = 3, attempts = 1 WHERE state = 1") and None
            )
        )

    @rule(downtime=st.sampled_from([0, MINUTE, 10 * MINUTE]), jump=st.sampled_from([0, 0, HOUR, -HOUR]))
    def the_daemon_is_killed(self, downtime: int, jump: int) -> None:
        """At any time, whatever the clock says afterwards."""
        self.daemon = self.daemon.crash()
        self.clock.advance(downtime)
        self.clock.jump(jump)

    @invariant()
    def who_is_meant_has_an_escalation(self) -> None:
        """And nobody else; the file, memory and readers agree."""
        # Ticks go on by themselves: what is compared must be of one moment.
        for _ in range(20):
            before = self.daemon.sql(_REVISION)
            try:
                self._compare()
            except AssertionError:
                if self.daemon.sql(_REVISION) == before:
                    raise
            else:
                return
        self._compare()

    def _compare(self) -> None:
        meant = self.daemon.sql(_MEANT)
        assert self.daemon.sql("SELECT group_id FROM escalations ORDER BY group_id") == meant
        memory = self.daemon.engine.memory
        assert memory.paused == {row[0] for row in self.daemon.sql("SELECT group_id FROM escalations WHERE state = 2")}
        for (group_id,) in self.daemon.sql("SELECT id FROM alert_groups"):
            known = group_id in memory.escalations or group_id in memory.paused
            assert known == ((group_id,) in meant)
        shown = sorted(group.number for group in self.daemon.list_groups() if group.HasField("escalation"))
        assert shown == [group_id for (group_id,) in meant]

    @invariant()
    def each_is_told_once_a_run_and_in_order(self) -> None:
        """As timelines have it; nothing waits to be sent that nobody needs."""
        for (group_id,) in self.daemon.sql("SELECT id FROM alert_groups WHERE resolve_reason IS NOT 6"):
            rows = self.daemon.sql(
                "SELECT kind, reason FROM events WHERE group_id = ? AND kind IN (19, 24) ORDER BY id", group_id
            )
            runs: list[list[str]] = []
            for kind, reason in rows:
                if kind == 19:
                    runs.append([])
                elif "resolved" not in reason:
                    runs[-1].append(reason.split(",")[0])
            assert all(run == ["step 1 of 4: ops", "step 3 of 4: boss"][: len(run)] and run for run in runs)
            steps = self.daemon.sql("SELECT step FROM messages WHERE group_id = ? AND kind = 1 ORDER BY id", group_id)
            assert len(steps) == sum(len(run) for run in runs)
        unneeded = (
            "SELECT m.id FROM messages AS m LEFT JOIN alert_groups AS g ON g.id = m.group_id "
            "WHERE m.kind = 1 AND m.state = 1 AND (g.state IS NULL OR g.state <> 1)"
        )
        assert self.daemon.sql(unneeded) == []

    def teardown(self) -> None:
        """Given time, everybody who is meant has been told of everything that still fires."""
        for _ in range(3):
            self.daemon.settle()
            self.daemon.pass_time(3 * MINUTE)
        late = "SELECT group_id FROM escalations WHERE state = 1 AND due_at < ?"
        assert self.daemon.sql(late, self.clock.wall() - HOUR - MINUTE) == []
        assert self.daemon.sql("SELECT group_id FROM escalations WHERE state <> 2") == []
        assert [(group_id,) for group_id in sorted(self.daemon.engine.memory.paused)] == self.daemon.sql(_MEANT)
        self.daemon.close()
        shutil.rmtree(self.scratch)


TestEscalations = Escalations.TestCase
TestEscalations.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
