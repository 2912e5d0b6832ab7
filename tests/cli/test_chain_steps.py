"""Steps of chains as people write them: each is read as it is meant, or refused with what was expected."""

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.v1.escalation_chains_pb2 import EscalationStep
from tocsin_cli import chain_steps

_CALLED = {
    "Anna": "contactPoints/anna",
    "mail": "contactPoints/mail",
    "Ben, mail": "contactPoints/benmail",
    "Ben": "contactPoints/ben",
    'The "big" one': "contactPoints/big",
    "On call": "contactPoints/oncall",
    "Zoe, phone": "contactPoints/zoephone",
}


def _parse(text: str) -> EscalationStep:
    return chain_steps.parse(text, _CALLED.get)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("notify Anna", ["anna"]),
        ("notify On call", ["oncall"]),
        ("NOTIFY\tAnna ,  On call", ["anna", "oncall"]),
        ('notify "Ben, mail", Anna', ["benmail", "anna"]),
        ('notify "Ben", "mail"', ["ben", "mail"]),
        ('notify "The \\"big\\" one"', ["big"]),
        # One name with a comma, which nobody could mean as two: there is no `Zoe`.
        ("notify Zoe, phone", ["zoephone"]),
    ],
)
def test_notify_names_contact_points(text: str, names: list[str]) -> None:
    """Names are separated by commas; one with a comma stands in quotes, or alone where that can mean nothing else."""
    assert list(_parse(text).notify.contact_points) == [f"contactPoints/{name}" for name in names]


@pytest.mark.parametrize(
    ("text", "days", "start", "end", "zone"),
    [
        ("within Mon-Fri 08:00-18:00 Europe/Berlin", [1, 2, 3, 4, 5], (8, 0), (18, 0), "Europe/Berlin"),
        ("within 22:30-06:00 UTC", [], (22, 30), (6, 0), "UTC"),
        ("within sat, sunday 0:00-24:00 UTC", [6, 7], (0, 0), (24, 0), "UTC"),
        ("within Fri-Mon,Wed 00:00-00:00 UTC", [1, 3, 5, 6, 7], (0, 0), (0, 0), "UTC"),
    ],
)
def test_within_says_hours(text: str, days: list[int], start: tuple[int, int], end: tuple[int, int], zone: str) -> None:
    """Days may be left out, run over the end of the week, and stand in any order; the time zone is always named."""
    within = _parse(text).within
    assert (list(within.weekdays), within.time_zone) == (days, zone)
    assert (within.start.hours, within.start.minutes) == start
    assert (within.end.hours, within.end.minutes) == end


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a step begins with wait, notify, within, more-than, repeat or resolve, not ''"),
        ("tell Anna", "not 'tell'"),
        ("wait", "how long is missing"),
        ("wait 5", "'5' has no unit: write 5s"),
        ("notify", "a name is missing"),
        ("notify Anna,", "a name is missing"),
        ("notify Nobody", "no contact point is called 'Nobody'"),
        ("notify Anna, Nobody", "no contact point is called 'Nobody'"),
        ("notify Ben, mail", 'write "Ben, mail" (one) or "Ben", "mail"'),
        ('notify "Anna', "have no end"),
        ('notify "Anna" Ben', "a comma is expected after \"Anna\", not 'Ben'"),
        ("within Mon-Fri Europe/Berlin", "the hours are missing"),
        ("within Mon-Fri 08:00-18:00", "a time zone such as Europe/Berlin or UTC: it is missing"),
        ("within 08:00-18:00 Europe/Berlin too", "'Europe/Berlin too' is none"),
        ("within Mon-Fry 08:00-18:00 UTC", "'Fry' is no day"),
        ("within 08:00-24:01 UTC", "24:01 is no time of day"),
        ("within 08:60-24:00 UTC", "08:60 is no time of day"),
        ("within 24:00-08:00 UTC", "24:00 is for their end"),
        ("more-than 5", "`more-than 5 in 10m`"),
        ("more-than 5 in ten minutes", "'ten minutes' is no duration"),
        ("repeat", "`repeat 3`"),
        ("repeat for ever", "`repeat 3`"),
        ("resolve now", "nothing stands after resolve"),
    ],
)
def test_what_is_no_step_is_refused(text: str, message: str) -> None:
    """The message says what was expected."""
    with pytest.raises(chain_steps.StepError) as caught:
        _parse(text)
    assert message in str(caught.value)


def test_lines_of_a_file() -> None:
    """Empty lines and comments are no steps; each step is known by the number of its line."""
    assert list(chain_steps.lines_of("\ufeff# name: x\n\n wait 5m \r\n  # no\nresolve")) == [
        (3, "wait 5m"),
        (5, "resolve"),
    ]


_MINUTES = st.integers(0, 24 * 60 - 1)


@st.composite
def _steps(draw: st.DrawFn, names: list[str]) -> EscalationStep:
    step = EscalationStep()
    kind = draw(st.sampled_from(["wait", "notify", "within", "more_than", "repeat", "resolve"]))
    length = st.timedeltas(timedelta(seconds=1), timedelta(days=7))
    if kind == "wait":
        step.wait.duration.FromTimedelta(draw(length))
    elif kind == "notify":
        step.notify.contact_points.extend(draw(st.lists(st.sampled_from(names), min_size=1, max_size=4, unique=True)))
    elif kind == "within":
        step.within.weekdays.extend(sorted(draw(st.sets(st.integers(1, 7)))))
        start, end = draw(_MINUTES), draw(_MINUTES | st.just(24 * 60))
        step.within.start.hours, step.within.start.minutes = divmod(start, 60)
        step.within.end.hours, step.within.end.minutes = divmod(end, 60)
        step.within.time_zone = "America/Argentina/Buenos_Aires"
    elif kind == "more_than":
        step.more_than.alerts = draw(st.integers(0, 10_000))
        step.more_than.duration.FromTimedelta(draw(length))
    elif kind == "repeat":
        step.repeat.times = draw(st.integers(1, 5))
    else:
        step.resolve.SetInParent()
    return step


@given(st.data(), st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=6, unique=True))
@example(None, ["a, b", "a", "b", '"', "\\", "#x", " x ", "x\ny", "contactPoints/n1", "n1"])
def test_what_is_shown_is_read_again(data: st.DataObject | None, called: list[str]) -> None:
    """Whatever contact points are called, a step that is shown reads as the same step."""
    names = {f"contactPoints/n{number}": display for number, display in enumerate(called)}

    def find(given: str) -> str | None:
        if given in names:
            return given
        return next((name for name, display in names.items() if display == given), None)

    if data is None:
        step = EscalationStep()
        step.notify.contact_points.extend(names)
    else:
        step = data.draw(_steps(list(names)))
    shown = chain_steps.format(step, lambda name: names.get(name, ""))
    assert list(chain_steps.lines_of(shown)) == [(1, shown)]
    assert chain_steps.parse(shown, find) == step
