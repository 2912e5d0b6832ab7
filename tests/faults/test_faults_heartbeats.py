"""Our own outages are no missing heartbeats; real silence is, to the moment.

Time in which no beat could be received does not count against its sender; once it could be, silence does.

The shortest interval is 10 seconds, so these tests run at the same time, beside the others of this suite, each on a
stage of its own.
"""

import contextlib
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from early import early
from processes import until
from stacks import Stack, running_stack

from tocsin.v1.alert_groups_pb2 import AlertGroup
from tocsin.v1.heartbeats_pb2 import Heartbeat

INTERVAL = 10


class Stage:
    """A stack with one integration that has just beaten, and must beat again within 10 seconds."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.client = stack.client
        self.integration = self.client.create("a quiet place")
        self.client.expect_beats(self.integration, INTERVAL)
        assert self.beat() == 200
        self._first_beat = time.monotonic()
        assert self.state() == Heartbeat.UP

    def beat(self) -> int:
        """Sends a beat; returns the answer's status."""
        return self.stack.status(self.integration.heartbeat_url)

    def wait_until(self, seconds: float) -> None:
        """Waits until so many seconds after the first beat."""
        time.sleep(max(0, self._first_beat + seconds - time.monotonic()))

    def state(self) -> Heartbeat.State:
        """Where the heartbeat stands."""
        return self.client.heartbeat(self.integration).state

    def alarms(self) -> list[AlertGroup]:
        """All groups there ever were."""
        return self.client.groups()

    def assert_quiet(self) -> None:
        """There is no alarm, and for a second none comes."""
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert self.alarms() == []
            assert self.state() == Heartbeat.UP
            time.sleep(0.05)

    def assert_noticed(self, outage: float) -> None:
        """The silence is noticed, after the interval and our outage, and not before."""
        (alarm,) = until(self.alarms, "the silence is noticed")
        assert alarm.source == AlertGroup.HEARTBEAT
        last = self.client.heartbeat(self.integration).last_beat_time
        assert alarm.create_time.ToNanoseconds() - last.ToNanoseconds() >= (INTERVAL + outage) * 1e9
        assert self.state() == Heartbeat.MISSING
        assert self.beat() == 200
        assert self.state() == Heartbeat.UP
        (alarm,) = self.alarms()
        assert alarm.state == AlertGroup.RESOLVED


@contextlib.contextmanager
def on_stage() -> Iterator[Stage]:
    """A stage for one test."""
    with running_stack() as stack:
        yield Stage(stack)


@early
def test_no_alarm_without_a_daemon() -> None:
    """The daemon is gone when the next beat would be due."""
    with on_stage() as stage:
        stage.wait_until(7)
        stage.stack.daemon.kill()
        gone = time.monotonic()
        stage.wait_until(INTERVAL + 2)
        outage = time.monotonic() - gone
        stage.stack.start_daemon()
        stage.assert_quiet()
        stage.assert_noticed(outage)


@early
def test_no_alarm_without_a_gateway() -> None:
    """The gateway is gone when the next beat would be due."""
    with on_stage() as stage:
        stage.wait_until(7)
        stage.stack.gateway.kill()
        until(lambda: "a gateway left" in stage.stack.daemon.log, "the daemon has noticed")
        gone = time.monotonic()
        stage.wait_until(INTERVAL + 2)
        outage = time.monotonic() - gone
        stage.assert_quiet()
        stage.stack.start_gateway()
        stage.stack.wait_ready()
        stage.assert_noticed(outage)


@early
def test_no_alarm_with_a_frozen_gateway() -> None:
    """The gateway hangs from some time before the next beat would be due; the sender waits for its answer."""
    with on_stage() as stage:
        stage.wait_until(4)
        stage.stack.gateway.freeze()
        with ThreadPoolExecutor() as pool:
            beat = pool.submit(stage.beat)
            stage.wait_until(INTERVAL + 2)
            assert stage.alarms() == []
            stage.stack.gateway.send_group(signal.SIGCONT)
            assert beat.result() == 200
        stage.assert_quiet()


@early
def test_no_alarm_with_a_frozen_daemon() -> None:
    """The daemon hangs from some time before the next beat would be due; the sender is told to try again."""
    with on_stage() as stage:
        stage.wait_until(4)
        stage.stack.daemon.freeze()
        assert stage.beat() == 503
        stage.wait_until(INTERVAL + 2)
        stage.stack.daemon.send_group(signal.SIGCONT)
        stage.assert_quiet()
        assert stage.beat() == 200


@early
def test_no_alarm_with_a_gateway_frozen_late() -> None:
    """The gateway hangs from just before the next beat would be due."""
    with on_stage() as stage:
        stage.wait_until(INTERVAL - 2)
        stage.stack.gateway.freeze()
        stage.wait_until(INTERVAL + 2)
        alarms = stage.alarms()
        stage.stack.gateway.send_group(signal.SIGCONT)
        assert alarms == []


@early
def test_no_alarm_with_a_daemon_frozen_late() -> None:
    """The daemon hangs from just before the next beat would be due."""
    with on_stage() as stage:
        stage.wait_until(INTERVAL - 2)
        stage.stack.daemon.freeze()
        stage.wait_until(INTERVAL + 4)
        stage.stack.daemon.send_group(signal.SIGCONT)
        assert stage.beat() == 200
        assert stage.alarms() == []
