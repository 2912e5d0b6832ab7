"""Schedules with overrides over them, against a count of every moment."""

from hypothesis import given
from hypothesis import strategies as st

from tocsind.domain.shift import Shift, key, overlaid

MOMENTS = 40


def shift(who: str) -> st.SearchStrategy[Shift]:
    """A shift of somebody within a short time."""
    return st.builds(
        lambda start, span, number: Shift(start, start + span, (f"{who}{number}",)),
        st.integers(0, MOMENTS - 1),
        st.integers(1, 12),
        st.integers(0, 3),
    )


def on(shifts: list[Shift], moment: int) -> set[str]:
    """Who is on call at a moment."""
    return {person for each in shifts if each.start <= moment < each.end for person in each.people}


@given(st.lists(shift("s"), max_size=8), st.lists(shift("o"), max_size=5))
def test_at_every_moment_overrides_stand_instead_of_the_schedule(schedule: list[Shift], overrides: list[Shift]) -> None:
    """Where there is one, its people are on call; everywhere else those of the schedule. None is empty, and they come
    in order."""
    found = overlaid(schedule, overrides)

    for moment in range(MOMENTS + 12):
        assert on(found, moment) == (on(overrides, moment) or on(schedule, moment))
    assert all(each.start < each.end for each in found)
    assert found == sorted(found, key=lambda each: (each.start, each.end, each.people))
    assert all(each.is_override == each.people[0].startswith("o") for each in found)


def test_what_an_override_leaves_is_what_comes_before_and_after() -> None:
    """Also of a shift that it cuts in two."""
    found = overlaid([Shift(0, 10, ("a",)), Shift(5, 8, ("b",))], [Shift(4, 6, ("c",))])

    assert found == [
        Shift(0, 4, ("a",)),
        Shift(4, 6, ("c",), is_override=True),
        Shift(6, 8, ("b",)),
        Shift(6, 10, ("a",)),
    ]


def test_a_name_is_the_same_however_it_is_written() -> None:
    """In any case of letters of any language, with any spaces, composed or not."""
    assert key("  Jo\u0308RG \t STRASSE ") == key("jörg straße")
    assert key("Anna") != key("Ann a")
