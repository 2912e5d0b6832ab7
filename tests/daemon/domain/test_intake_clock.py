"""The clock that runs only while beats could be received."""

from fake_clock import MINUTE, SECOND
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tocsind.domain.intake_clock import LEASE, IntakeClock

NOW = 50 * SECOND


def test_it_stands_still_until_a_gateway_attends() -> None:
    """It starts with what the disk held, and does not run by itself."""
    clock = IntakeClock(1_234, NOW)

    assert clock.read(NOW + MINUTE) == 1_234
    clock.pulse("gw", NOW + MINUTE)
    assert clock.read(NOW + MINUTE + 7) == 1_241


def test_it_stops_when_the_last_gateway_leaves() -> None:
    """It runs while any gateway attends, to the microsecond at which the last one leaves."""
    clock = IntakeClock(0, NOW)
    clock.pulse("gw", NOW)
    clock.pulse("other", NOW + 1)
    clock.leave("gw", NOW + LEASE // 4)
    clock.leave("other", NOW + LEASE // 2)

    assert clock.read(NOW + MINUTE) == LEASE // 2
    assert clock.unattended_for(NOW + MINUTE) == MINUTE - LEASE // 2


def test_a_gateway_that_hangs_counts_for_its_lease() -> None:
    """A stream that neither breaks nor pulses keeps the clock running for its lease, and no longer."""
    clock = IntakeClock(0, NOW)
    clock.pulse("gw", NOW)

    assert clock.read(NOW + LEASE) == LEASE
    assert clock.attended(NOW + LEASE)
    assert clock.read(NOW + LEASE + 1) == LEASE
    assert not clock.attended(NOW + LEASE + 1)
    clock.pulse("gw", NOW + MINUTE)
    assert clock.read(NOW + MINUTE + 5) == LEASE + 5


def test_a_gateway_that_never_pulsed_does_not_count_when_it_leaves() -> None:
    """Streams that open and break without a pulse do not hide that nobody attends."""
    clock = IntakeClock(0, NOW)

    clock.leave("passer-by", NOW + MINUTE)

    assert clock.unattended_for(NOW + MINUTE + 1) == MINUTE + 1


def test_one_that_hangs_does_not_backdate_the_leaving_of_another() -> None:
    """Nobody attends from the moment on at which the last one that did attend goes, whatever else still hangs."""
    clock = IntakeClock(0, NOW)
    clock.pulse("hangs", NOW)
    clock.pulse("gw", NOW + MINUTE)
    clock.leave("gw", NOW + MINUTE + LEASE)

    assert clock.unattended_for(NOW + MINUTE + LEASE + 5) == 5


@given(st.integers(0, 10 * MINUTE), st.integers(0, MINUTE))
def test_unattended_time_never_shortens_a_deadline(outage: int, rest: int) -> None:
    """However long nobody attends, what was left of a deadline before is left of it after."""
    clock = IntakeClock(0, NOW)
    clock.pulse("gw", NOW)
    clock.leave("gw", NOW)
    clock.pulse("gw", NOW + outage)

    assert clock.read(NOW + outage) == 0
    assert clock.read(NOW + outage + rest) == min(rest, LEASE)


class Attendance(RuleBasedStateMachine):
    """Gateways come, pulse, hang and go; the oracle counts microsecond by microsecond, in whole steps."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0
        self.clock = IntakeClock(0, 0)
        self.last: dict[str, int] = {}
        self.expected = 0
        self.unattended = 0
        self.read = 0

    @rule(span=st.integers(1, 2 * LEASE))
    def time_passes(self, span: int) -> None:
        """The lease of the gateway that pulsed last decides how much of it counts."""
        until = max(self.last.values()) + LEASE if self.last else self.now
        counted = max(0, min(self.now + span, until) - self.now)
        self.expected += counted
        self.unattended = span - counted if counted else self.unattended + span
        self.now += span

    @rule(gateway=st.sampled_from("ab"))
    def pulse(self, gateway: str) -> None:
        """A gateway says that it is there."""
        self.clock.pulse(gateway, self.now)
        self.last[gateway] = self.now
        self.unattended = 0

    @rule(gateway=st.sampled_from("ab"))
    def leave(self, gateway: str) -> None:
        """A stream breaks."""
        self.clock.leave(gateway, self.now)
        self.last.pop(gateway, None)

    @rule()
    def look(self) -> None:
        """It reads what the oracle has counted."""
        assert self.clock.read(self.now) == self.expected
        attended = self.clock.attended(self.now)
        assert self.clock.unattended_for(self.now) == (0 if attended else max(1, self.unattended))
        assert not (attended and self.unattended)

    @invariant()
    def it_never_goes_back(self) -> None:
        """Not even when it is asked about a moment that has passed."""
        reading = self.clock.read(self.now)
        assert reading >= self.read
        assert self.clock.read(self.now - LEASE) == reading
        self.read = reading


TestAttendance = Attendance.TestCase
