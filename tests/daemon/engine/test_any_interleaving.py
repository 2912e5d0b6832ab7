"""HA pairs, people, time and restarts in any order: never two open groups for one identity, and nothing lost."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from changing import batch, delete, wipe
from fake_clock import MINUTE, SECOND, FakeClock
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from notices import notice
from running_daemon import AlertGroup, RunningDaemon, duration

from tocsin.v1 import alert_groups_pb2

WINDOW = 5 * MINUTE
STATE_CHANGES = "(1, 2, 4, 5, 6, 7, 8, 9)"


class Interleaving(RuleBasedStateMachine):
    """A real daemon between an Alertmanager pair and people; the oracle is what the source last said of each key."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = Path(tempfile.mkdtemp(prefix="tocsin-"))
        self.clock = FakeClock()
        self.daemon = RunningDaemon(self.scratch / "d", self.clock)
        self.integration = self.daemon.integration(reopen_window=duration(WINDOW))
        self.said: dict[str, str] = {}
        self.heard_at: dict[str, int] = {}
        self.wiped: dict[str, AlertGroup] = {}
        self.deleted: set[str] = set()

    @initialize()
    def begin(self) -> None:
        """Nothing has been said yet."""
        assert self.daemon.list_groups() == []

    @rule(
        key=st.sampled_from(["x", "y"]),
        firing=st.sets(st.sampled_from("abc")),
        twice=st.booleans(),
        span=st.sampled_from([SECOND, MINUTE, 6 * MINUTE]),
    )
    def the_source_says(self, key: str, firing: set[str], twice: bool, span: int) -> None:
        """A notification comes, perhaps from both peers; what fires has an open group, or a person closed it just now
        and knew of it."""
        self.clock.advance(span)
        peers = ["http://am-1", "http://am-2"] if twice else ["http://am-1"]
        fires = " ".join(sorted(firing))
        gone = "" if fires else "a"
        receipts = self.daemon.deliver(
            [
                self.daemon.delivery(self.integration, notice(fires, gone, key=key, external_url=url), age=age)
                for age, url in enumerate(peers)
            ]
        )
        self.said[key] = fires
        for receipt in receipts:
            if not receipt.alert_group:
                assert not fires
                continue
            group = self.daemon.group(receipt.alert_group)
            if not fires:
                assert group.state == AlertGroup.RESOLVED
            elif group.state == AlertGroup.RESOLVED:
                assert group.resolve_reason == AlertGroup.USER
                assert self.clock.wall() - group.resolve_time.ToMicroseconds() < WINDOW

    @rule(key=st.sampled_from(["x", "y"]))
    def a_stale_peer_is_late(self, key: str) -> None:
        """What was overtaken changes nothing."""
        if self.said.get(key) is None:
            return
        self.daemon.send(self.integration, notice(self.said[key], "" if self.said[key] else "a", key=key))
        before = self.daemon.list_groups()
        late = self.daemon.send(self.integration, notice("a b c", reason="late", key=key), age=2 * SECOND)
        assert late.outcome == 3
        assert self.daemon.list_groups() == before

    @precondition(lambda self: self.said)
    @rule(
        data=st.data(),
        verb=st.sampled_from(["Acknowledge", "Unacknowledge", "Silence", "Unsilence", "Resolve", "Unresolve"]),
        actor=st.sampled_from(["ada", "bob"]),
    )
    def somebody_acts(self, data: st.DataObject, verb: str, actor: str) -> None:
        """A person does something to any group; a refusal changes nothing."""
        groups = self.daemon.list_groups()
        if not groups:
            return
        name = data.draw(st.sampled_from(groups)).name
        fields = {"duration": duration(2 * MINUTE)} if verb == "Silence" else {}
        code = grpc.StatusCode.OK
        try:
            self.daemon.act(verb, name, actor=actor, **fields)
        except grpc.RpcError as refusal:
            code = refusal.code()
        assert code in (grpc.StatusCode.OK, grpc.StatusCode.FAILED_PRECONDITION)
        assert code is grpc.StatusCode.OK or self.daemon.list_groups() == groups

    @precondition(lambda self: self.said)
    @rule(data=st.data(), verb=st.sampled_from(["Acknowledge", "Silence", "Resolve"]))
    def somebody_acts_on_many(self, data: st.DataObject, verb: str) -> None:
        """A person does something to several groups at once: to each what would have been done to it alone."""
        groups = {group.name: group for group in self.daemon.list_groups()}
        if not groups:
            return
        names = data.draw(st.lists(st.sampled_from(sorted(groups)), min_size=1, unique=True))
        for result in batch(self.daemon, verb, names):
            now = self.daemon.group(result.name)
            assert now == (groups[result.name] if result.HasField("error") else result.alert_group)

    @precondition(lambda self: self.said)
    @rule(data=st.data(), how=st.sampled_from([wipe, delete]))
    def somebody_removes(self, data: st.DataObject, how: Callable[[RunningDaemon, str], Any]) -> None:
        """A person wipes or deletes any group; the others stay as they are."""
        groups = self.daemon.list_groups()
        if not groups:
            return
        name = data.draw(st.sampled_from(groups)).name
        shell = how(self.daemon, name)
        if how is wipe:
            assert self.wiped.setdefault(name, shell) == shell
        else:
            self.deleted.add(name)
            self.wiped.pop(name, None)
        others = [group for group in groups if group.name != name]
        assert [group for group in self.daemon.list_groups() if group.name != name] == others

    @rule(crash=st.booleans(), downtime=st.sampled_from([0, MINUTE, 10 * MINUTE]))
    def the_daemon_starts_anew(self, crash: bool, downtime: int) -> None:
        """Stopped or killed, it knows afterwards what it knew before."""
        self.daemon.settle()
        before = self.daemon.list_groups()
        events = self.daemon.sql("SELECT * FROM events ORDER BY id")
        self.daemon = self.daemon.crash() if crash else self.daemon.reopen()
        assert self.daemon.list_groups() == before
        assert self.daemon.sql("SELECT * FROM events ORDER BY id") == events
        self.clock.advance(downtime)
        self.daemon.settle()

    @invariant()
    def one_open_group_for_each_identity(self) -> None:
        """As the file itself says."""
        twice = "SELECT identity FROM alert_groups WHERE state <> 4 GROUP BY identity HAVING count(*) > 1"
        assert self.daemon.sql(twice) == []

    @invariant()
    def the_last_event_tells_the_state(self) -> None:
        """Every group's state is that of its last event, and each change of state is an event."""
        wrong = (
            "SELECT g.id FROM alert_groups AS g JOIN events AS e ON e.group_id = g.id "
            "WHERE e.id = (SELECT max(id) FROM events WHERE group_id = g.id) AND e.state <> g.state"
        )
        assert self.daemon.sql(wrong) == []
        doubled = (
            "SELECT id FROM (SELECT id, kind, state, lag(state) OVER (PARTITION BY group_id ORDER BY id) AS before "
            f"FROM events WHERE kind IN {STATE_CHANGES}) WHERE state = before AND kind <> 6"
        )
        assert self.daemon.sql(doubled) == []

    @invariant()
    def what_was_removed_stays_so(self) -> None:
        """Nothing reaches a shell, and no number comes back."""
        groups = {group.name: group for group in self.daemon.list_groups()}
        assert not self.deleted & groups.keys()
        assert {name: groups[name] for name in self.wiped} == self.wiped

    def teardown(self) -> None:
        """Every open group can still be resolved."""
        for group in self.daemon.list_groups("state != RESOLVED"):
            request = alert_groups_pb2.ResolveAlertGroupRequest(name=group.name)
            assert self.daemon.groups.ResolveAlertGroup(request).state == AlertGroup.RESOLVED
        self.daemon.close()
        shutil.rmtree(self.scratch)


TestInterleaving = Interleaving.TestCase
TestInterleaving.settings = settings(max_examples=25, stateful_step_count=20)
