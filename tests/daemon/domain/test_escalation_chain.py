"""What an escalation chain may be."""

from typing import Any

import pytest
from fake_clock import DAY, HOUR, MINUTE, SECOND

from tocsind.domain.escalation_chain import (
    UNFIT,
    Asked,
    AskedStep,
    EscalationChain,
    MoreThan,
    Notify,
    NotifyNamed,
    Repeat,
    Resolve,
    Wait,
    Within,
    violations,
)

PAUSE = Wait(MINUTE)
STEPS = "escalation_chain.steps"


def of_steps(*steps: AskedStep) -> list[tuple[str, str]]:
    """What is wrong with steps."""
    return list(violations(Asked(steps=steps)))


@pytest.mark.parametrize(
    "asked",
    [
        Asked(),
        Asked("x", "", (), False),
        Asked("ü" * 150, "d" * 2_000, (PAUSE,) * 100, True),
        Asked(steps=(Wait(SECOND), Wait(7 * DAY))),
        Asked(steps=(NotifyNamed(("a",)), Notify(tuple(range(20))))),
        Asked(steps=(Resolve(),)),
        Asked(steps=(PAUSE, Repeat(1), Repeat(5), Resolve())),
        # Whatever stands between.
        Asked(steps=(PAUSE, Notify((1,)), MoreThan(0, MINUTE), MoreThan(10_000, 24 * HOUR), Repeat(2))),
        Asked(steps=(Within((), 0, 0, "UTC"), Within((7, 1), 1_439, 1_440, "America/Argentina/Buenos_Aires"))),
        Asked(steps=(Within((1, 2, 3, 4, 5, 6, 7), 1_320, 360, "Etc/GMT+5"),)),
    ],
)
def test_a_chain_up_to_its_bounds_is_good(asked: Asked) -> None:
    """The limits are what may still be."""
    assert list(violations(asked)) == []


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (Asked(display_name=""), "display_name"),
        (Asked(display_name="x" * 151), "display_name"),
        (Asked(display_name=" x"), "display_name"),
        (Asked(description="x" * 2_001), "description"),
        (Asked(steps=(PAUSE,) * 101), "steps"),
        # Nothing more is said of so many.
        (Asked(steps=(None,) * 101), "steps"),
    ],
)
def test_a_chain_beyond_its_bounds_is_not(asked: Asked, field: str) -> None:
    """The field is named."""
    assert [path for path, _ in violations(asked)] == [f"escalation_chain.{field}"]


@pytest.mark.parametrize(
    ("step", "field"),
    [
        (None, ""),
        (Wait(0), ".wait.duration"),
        (Wait(SECOND - 1), ".wait.duration"),
        (Wait(7 * DAY + 1), ".wait.duration"),
        (Wait(UNFIT), ".wait.duration"),
        (NotifyNamed(()), ".notify.contact_points"),
        (NotifyNamed(tuple(f"contactPoints/{n}" for n in range(21))), ".notify.contact_points"),
        (NotifyNamed(("a", "b", "a")), ".notify.contact_points[2]"),
        (Resolve(), ".resolve"),
        (Within((0,), 0, 0, "UTC"), ".within.weekdays[0]"),
        (Within((1, 8), 0, 0, "UTC"), ".within.weekdays[1]"),
        (Within((1, 2, 1), 0, 0, "UTC"), ".within.weekdays[2]"),
        (Within((), UNFIT, 0, "UTC"), ".within.start"),
        (Within((), 1_440, 0, "UTC"), ".within.start"),
        (Within((), 0, UNFIT, "UTC"), ".within.end"),
        (Within((), 0, 1_441, "UTC"), ".within.end"),
        (MoreThan(-1, MINUTE), ".more_than.alerts"),
        (MoreThan(10_001, MINUTE), ".more_than.alerts"),
        (MoreThan(1, MINUTE - 1), ".more_than.duration"),
        (MoreThan(1, 24 * HOUR + 1), ".more_than.duration"),
        (Repeat(0), ".repeat.times"),
        (Repeat(6), ".repeat.times"),
    ],
)
def test_a_step_beyond_its_bounds_is_refused(step: AskedStep, field: str) -> None:
    """With its place in the chain, and the field."""
    assert [path for path, _ in of_steps(PAUSE, step, PAUSE)] == [f"{STEPS}[1]{field}"]


@pytest.mark.parametrize(
    "zone",
    [
        "",
        " ",
        "Mars/Olympus",
        "europe/berlin ",
        "Europe",
        "Europe/",
        "/Europe/Berlin",
        "../Europe/Berlin",
        "Europe/../Europe/Berlin",
        "Europe//Berlin",
        "/etc/passwd",
        "tzdata.zi",
        "zone.tab",
        "__init__.py",
        "localtime",
        "posixrules",
        "posix/Europe/Berlin",
        "right/UTC",
        "UTC\0",
        "UTC\n",
        "ü",
        "A" * 65,
        "A" * 100_000,
    ],
)
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    """Neither a folder of zones nor another file, nor what differs from machine to machine."""
    assert [path for path, _ in of_steps(Within((), 0, 0, zone))] == [f"{STEPS}[0].within.time_zone"]


def test_going_round_takes_a_wait_before_it() -> None:
    """One after it, or none, would tell people many times at once."""
    told = Notify((1,))

    for steps in ((Repeat(1),), (told, Repeat(1)), (Repeat(1), PAUSE), (told, MoreThan(0, MINUTE), Repeat(1), PAUSE)):
        place = steps.index(Repeat(1))
        assert [path for path, _ in of_steps(*steps)] == [f"{STEPS}[{place}].repeat"]


def test_all_that_is_wrong_is_told() -> None:
    """Not only the first."""
    wrong = Asked("", "x" * 2_001, (Resolve(), None, Repeat(9), Within((9,), -1, -1, "")))

    assert [path.removeprefix("escalation_chain.") for path, _ in violations(wrong)] == [
        "display_name",
        "description",
        "steps[0].resolve",
        "steps[1]",
        "steps[2].repeat",
        "steps[2].repeat.times",
        "steps[3].within.weekdays[0]",
        "steps[3].within.start",
        "steps[3].within.end",
        "steps[3].within.time_zone",
    ]


@pytest.mark.parametrize(
    ("field", "value"), [("display_name", "x"), ("description", "x"), ("steps", (PAUSE,)), ("is_default", True)]
)
def test_the_etag_changes_with_all_that_can_be_set(field: str, value: Any) -> None:
    """And with nothing else."""
    chain = EscalationChain(1, "abc", "ops", "", (Wait(SECOND),))
    tag = chain.etag
    chain.version_id, chain.updated = 7, 9
    assert chain.etag == tag

    setattr(chain, field, value)

    assert chain.etag != tag
