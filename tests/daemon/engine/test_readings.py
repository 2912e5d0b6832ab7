"""What is kept of what templates made: as much as is allowed, for as long as is allowed."""

from fake_clock import SECOND

from tocsind.domain.rulebook import Rendered
from tocsind.domain.template import Slot
from tocsind.engine.readings import KEPT, MOST, MOST_CHARACTERS, Readings


def made(size: int = 1) -> Rendered:
    """A result with a text of so many characters."""
    return Rendered(b"", {Slot.MESSAGE: "x" * size})


def test_what_is_kept_is_found_until_its_end() -> None:
    """And not under another key."""
    readings, rendered = Readings(), made()
    readings.keep(b"a", rendered, 0)
    assert readings.get(b"a", KEPT) is rendered
    assert readings.get(b"b", 0) is None
    assert readings.get(b"a", KEPT + 1) is None


def test_the_oldest_goes_first() -> None:
    """By number, by size and by age; keeping something again makes it the youngest."""
    readings = Readings()
    for number in range(MOST):
        readings.keep(str(number).encode(), made(), number)
    readings.keep(b"0", made(), MOST)
    readings.keep(b"new", made(), MOST)
    assert readings.get(b"1", MOST) is None
    assert readings.get(b"0", MOST) is not None
    readings.keep(b"huge", made(MOST_CHARACTERS), MOST)
    assert readings.get(b"new", MOST) is None
    assert readings.get(b"huge", MOST) is not None
    readings.keep(b"later", made(), MOST + KEPT + SECOND)
    assert readings.get(b"huge", MOST) is None
