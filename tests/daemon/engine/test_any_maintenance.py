"""Maintenances, sources, people, time and restarts in any order: nothing is lost, and nothing stays collected."""

import shutil
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from changing import batch, delete, wipe
from fake_clock import HOUR, MINUTE, SECOND, FakeClock
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from maintaining import Maintenance, at, collectors, finish, maintain, maintenance_of, stop
from notices import notice
from running_daemon import AlertGroup, RunningDaemon, duration

from tocsind.engine import ticker

KEYS = st.sampled_from("xyz")
CLOSE: list[Callable[[RunningDaemon, str], Any]] = [
    lambda daemon, name: daemon.act("Resolve", name),
    lambda daemon, name: batch(daemon, "Resolve", [name]),
    wipe,
    delete,
]


class Maintenances(RuleBasedStateMachine):
    """A real daemon that releases one group a step. The model: the mode and the times of the one maintenance, and which
    open group was put aside in which way when it last opened."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(ticker, "STEP_RELEASES", 1)
        self.scratch = Path(tempfile.mkdtemp(prefix="tocsin-"))
        self.clock = FakeClock()
        self.daemon = RunningDaemon(self.scratch / "d", self.clock)
        self.integration = self.daemon.integration(reopen_window=duration(5 * MINUTE))
        self.mode = ""
        self.starts = self.ends = 0
        self.aside: dict[str, str] = {}
        self.fires: set[str] = set()

    @property
    def running(self) -> str:
        """The mode that new groups are under."""
        return self.mode if self.starts <= self.clock.wall() else ""

    def ended(self) -> None:
        """The model's maintenance is over: what is collected is free."""
        if self.running == "MAINTENANCE":
            self.aside = {name: "" if how == "MAINTENANCE" else how for name, how in self.aside.items()}
        self.mode = ""

    def looked_at(self, name: str) -> None:
        """The model of a group follows its state: what opened is put aside as what runs says."""
        if not self.is_open(name):
            self.aside.pop(name, None)
        elif name not in self.aside:
            self.aside[name] = self.running

    def is_open(self, name: str) -> bool:
        """Whether a group is."""
        return self.daemon.group(name).state != AlertGroup.RESOLVED

    @rule(keys=st.sets(KEYS, min_size=1), firing=st.sampled_from([True, True, False]))
    def the_source_says(self, keys: set[str], firing: bool) -> None:
        """Notifications come."""
        for key in sorted(keys):
            self._says(key, firing)

    def _says(self, key: str, firing: bool) -> None:
        told = notice("a" if firing else "", "" if firing else "a", key=key)
        name = self.daemon.send(self.integration, told).alert_group
        if name:
            self.looked_at(name)
        if firing:
            assert name
            self.fires.add(key)
        else:
            self.fires.discard(key)

    @rule(data=st.data(), verb=st.sampled_from(["Acknowledge", "Silence", "Resolve", "Unresolve", "Unresolve"]))
    def somebody_acts(self, data: st.DataObject, verb: str) -> None:
        """A person does something to any group but the one that collects; what is refused changes nothing."""
        groups = [group for group in self.daemon.list_groups() if group.source != AlertGroup.SELF]
        if not groups:
            return
        name = data.draw(st.sampled_from(groups)).name
        with suppress(grpc.RpcError):
            self.daemon.act(verb, name)
        self.looked_at(name)

    @initialize(
        mode=st.sampled_from(["DEBUG", "MAINTENANCE", "MAINTENANCE"]), before=st.sets(KEYS), after=st.sets(KEYS)
    )
    def begin(self, mode: str, before: set[str], after: set[str]) -> None:
        """One runs, and some groups opened before it and some since."""
        for key in sorted(before):
            self._says(key, True)
        self._start(mode, HOUR, 0)
        for key in sorted(after):
            self._says(key, True)

    @rule(
        mode=st.sampled_from(["DEBUG", "MAINTENANCE", "MAINTENANCE"]),
        span=st.sampled_from([MINUTE, HOUR]),
        ahead=st.sampled_from([0, 0, MINUTE, HOUR]),
        keys=st.sets(KEYS),
    )
    def somebody_starts(self, mode: str, span: int, ahead: int, keys: set[str]) -> None:
        """Refused only beside one of another kind that runs; something fires right after."""
        self._start(mode, span, ahead)
        for key in sorted(keys):
            self._says(key, True)

    def _start(self, mode: str, span: int, ahead: int) -> None:
        now = self.clock.wall()
        fields = {"start_time": at(now + ahead)} if ahead else {}
        if self.running and (mode != self.running or ahead):
            before = maintenance_of(self.daemon, self.integration)
            with pytest.raises(grpc.RpcError, match="stop it first"):
                maintain(self.daemon, self.integration, mode, span, **fields)
            assert maintenance_of(self.daemon, self.integration) == before
            return
        maintain(self.daemon, self.integration, mode, span, **fields)
        self.starts = self.starts if self.running else now + ahead
        self.mode, self.ends = mode, now + ahead + span

    @rule(crash=st.booleans())
    def somebody_stops(self, crash: bool) -> None:
        """Refused only where there is nothing to stop; the daemon may be killed before anything is released."""
        if self.mode:
            stop(self.daemon, self.integration)
            self.ended()
            if crash:
                self.the_daemon_starts_anew(0, crash=True)
            return
        with pytest.raises(grpc.RpcError, match="no maintenance"):
            stop(self.daemon, self.integration)

    @precondition(lambda self: self.running == "MAINTENANCE")
    @rule(close=st.sampled_from(CLOSE))
    def somebody_closes_what_collects(self, close: Callable[[RunningDaemon, str], Any]) -> None:
        """That ends the maintenance."""
        (collector,) = collectors(self.daemon, "state != RESOLVED")
        close(self.daemon, collector.name)
        self.ended()

    @rule(data=st.data())
    def somebody_reopens_what_collected(self, data: st.DataObject) -> None:
        """That is refused."""
        over = collectors(self.daemon, "state = RESOLVED")
        if over:
            with pytest.raises(grpc.RpcError) as refusal:
                self.daemon.act("Unresolve", data.draw(st.sampled_from(over)).name)
            assert refusal.value.code() is grpc.StatusCode.FAILED_PRECONDITION

    @rule(span=st.sampled_from([SECOND, MINUTE, HOUR]))
    def time_passes(self, span: int) -> None:
        """Timers end; the model notices as the daemon does."""
        self.daemon.pass_time(span)
        self._catch_up()

    @rule(downtime=st.sampled_from([0, MINUTE, 2 * HOUR]), crash=st.booleans())
    def the_daemon_starts_anew(self, downtime: int, crash: bool) -> None:
        """Stopped or killed, perhaps between two steps of a release."""
        self.daemon = self.daemon.crash(downtime) if crash else self.daemon.reopen(downtime)
        self._catch_up()

    def _catch_up(self) -> None:
        self.daemon.settle()
        if self.mode and self.ends <= self.clock.wall():
            self.ended()

    @invariant()
    def everything_is_as_the_model_has_it(self) -> None:
        """Both are looked at together: asking twice would take twice as long."""
        found = maintenance_of(self.daemon, self.integration)
        groups = self.daemon.list_groups("state != RESOLVED", page_size=1000)
        self.the_maintenance_is_the_one_that_was_asked_for(found, groups)
        self.what_is_open_is_put_aside_as_it_should_be(found, groups)

    def the_maintenance_is_the_one_that_was_asked_for(
        self, found: Maintenance | None, groups: list[AlertGroup]
    ) -> None:
        """And at most one group collects: that of the maintenance that runs."""
        assert (found is not None) == bool(self.mode)
        open_collectors = [group.name for group in groups if group.labels["alertname"] == "Maintenance"]
        if found is None or self.running != "MAINTENANCE":
            assert open_collectors == []
        else:
            assert open_collectors == [found.alert_group]
        if found is not None:
            assert (found.Mode.Name(found.mode), found.end_time.ToMicroseconds()) == (self.mode, self.ends)

    def what_is_open_is_put_aside_as_it_should_be(self, found: Maintenance | None, groups: list[AlertGroup]) -> None:
        """Collected by what runs or by nothing, but for what waits for its step."""
        releasing = {f"alertGroups/{number}" for number in self.daemon.engine.memory.releasing}
        groups = [group for group in groups if group.source != AlertGroup.SELF]
        assert {group.name for group in groups} == self.aside.keys()
        for group in groups:
            how = self.aside[group.name]
            if how == "MAINTENANCE":
                assert found is not None
                assert group.collected_by == found.alert_group
            else:
                assert group.collected_by == "" or group.collected_by in releasing
            assert group.debug == (how == "DEBUG")

    def teardown(self) -> None:
        """In the end nothing is collected, and everything that fires is open or was closed by a person."""
        if self.mode:
            stop(self.daemon, self.integration)
        finish(self.daemon)
        assert self.daemon.list_groups("collected = true AND state != RESOLVED") == []
        assert self.daemon.sql("SELECT * FROM releases") == self.daemon.sql("SELECT * FROM maintenances") == []
        for key in self.fires:
            latest = next(group for group in self.daemon.list_groups(page_size=1000) if group.grouping_key == key)
            assert latest.state != AlertGroup.RESOLVED or latest.resolve_reason == AlertGroup.USER
        self.daemon.close()
        self.patch.undo()
        shutil.rmtree(self.scratch)


TestMaintenances = Maintenances.TestCase
TestMaintenances.settings = settings(max_examples=30, stateful_step_count=25, deadline=None)
