"""Steps of escalation chains as people write them, one a line:

    wait DURATION                          5m, 1h30m; 1s to 7d
    notify NAME[, NAME...]                 contact points, 1 to 20
    within [DAYS] HH:MM-HH:MM TIMEZONE     Mon-Fri 08:00-18:00 Europe/Berlin
    more-than N in DURATION                more than 5 alerts in 10m
    repeat N                               1 to 5
    resolve

Rules
- What `format` writes `parse` reads again as the same step, so that what is shown can be edited and given back.
- NAME is contactPoints/ID, the ID alone or the display name. One with a comma, a quote or a `#` at its begin stands in
  double quotes, in which `\\"` is a quote and `\\\\` a backslash. Without quotes, what follows `notify` may be one name
  with commas in it, or several: where both are there, it is refused rather than guessed at.
- DAYS are Mon Tue Wed Thu Fri Sat Sun, with `-` from one to another and commas between: `Mon-Wed,Fri`. They are those
  on which the hours begin. Without them it is every day. 24:00 is the end of the day; an end that is not after the
  begin is on the next day.
- In files, empty lines and lines that begin with `#` say nothing.
- What the daemon alone can know (whether there is such a time zone, what may follow what) is left to it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import pairwise

from tocsin.v1.escalation_chains_pb2 import EscalationStep

from . import durations, output

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FULL_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOURS = re.compile(r"([0-9]{1,2}):([0-9]{2})-([0-9]{1,2}):([0-9]{2})")
_SPLIT_SECOND = re.compile(r"(.*?[0-9])\.([0-9]{1,6})s")  # the API takes parts of a second, so they can be shown
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_SAYS = "wait, notify, within, more-than, repeat or resolve"

FindName = Callable[[str], str | None]
"""Returns the resource name of the contact point that is called this, or None."""


class StepError(ValueError):
    """A step that is none; the message says what was expected."""


def parse(text: str, find: FindName) -> EscalationStep:
    """Return the step that `text` says. Raises StepError."""
    word, rest = [*text.split(maxsplit=1), "", ""][:2]
    rest = rest.rstrip()
    read = _READERS.get(word.lower())
    if read is None:
        raise StepError(f"a step begins with {_SAYS}, not {word!r}")
    return read(rest, find)


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield the steps in a file, each with the number of its line."""
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if (stripped := line.strip()) and not stripped.startswith("#"):
            yield number, stripped


def format(step: EscalationStep, name_of: Callable[[str], str]) -> str:
    """Write a step so that `parse` reads it again; `name_of` says what a contact point is called, by its name."""
    kind = step.WhichOneof("step")
    if kind == "wait":
        return f"wait {durations.format(step.wait.duration.ToTimedelta())}"
    if kind == "notify":
        return "notify " + ", ".join(_format_name(name, name_of(name)) for name in step.notify.contact_points)
    if kind == "within":
        days = _format_days(step.within.weekdays)
        start, end = step.within.start, step.within.end
        hours = f"{_format_time(start.hours, start.minutes)}-{_format_time(end.hours, end.minutes)}"
        return " ".join(part for part in ("within", days, hours, step.within.time_zone) if part)
    if kind == "more_than":
        return f"more-than {step.more_than.alerts} in {durations.format(step.more_than.duration.ToTimedelta())}"
    if kind == "repeat":
        return f"repeat {step.repeat.times}"
    return "resolve" if kind == "resolve" else "# a step that this program does not know: it is older than the daemon"


def _wait(rest: str, find: FindName) -> EscalationStep:
    step = EscalationStep()
    step.wait.duration.FromTimedelta(_duration(rest, "how long is missing: write `wait 5m`"))
    return step


def _notify(rest: str, find: FindName) -> EscalationStep:
    step = EscalationStep()
    step.notify.contact_points.extend(_contacts(rest, find))
    return step


def _within(rest: str, find: FindName) -> EscalationStep:
    words = rest.split()
    hours_at = next((index for index, word in enumerate(words) if _HOURS.fullmatch(word)), None)
    if hours_at is None:
        raise StepError("the hours are missing: write `within Mon-Fri 08:00-18:00 Europe/Berlin`")
    zone = words[hours_at + 1 :]
    if len(zone) != 1:
        problem = "it is missing" if not zone else f"{' '.join(zone)!r} is none"
        raise StepError(f"after the hours stands a time zone such as Europe/Berlin or UTC: {problem}")
    match = _HOURS.fullmatch(words[hours_at])
    assert match is not None
    start, end = (_time(hours, minutes) for hours, minutes in (match.group(1, 2), match.group(3, 4)))
    if start[0] == 24:
        raise StepError("hours begin at 00:00 to 23:59; 24:00 is for their end")
    step = EscalationStep()
    step.within.weekdays.extend(_weekdays("".join(words[:hours_at])))
    # Set even where it is 0:00, so that what is sent does not depend on what the fields are without a value.
    step.within.start.SetInParent()
    step.within.end.SetInParent()
    step.within.start.hours, step.within.start.minutes = start
    step.within.end.hours, step.within.end.minutes = end
    step.within.time_zone = zone[0]
    return step


def _more_than(rest: str, find: FindName) -> EscalationStep:
    match = re.fullmatch(r"([0-9]{1,9})\s+in\s+(.+)", rest)
    if match is None:
        raise StepError("write how many alerts in which time: `more-than 5 in 10m`")
    step = EscalationStep()
    step.more_than.alerts = int(match.group(1))
    step.more_than.duration.FromTimedelta(_duration(match.group(2), ""))
    return step


def _repeat(rest: str, find: FindName) -> EscalationStep:
    if not re.fullmatch(r"[0-9]{1,9}", rest):
        raise StepError("write how often it begins again, 1 to 5: `repeat 3`")
    step = EscalationStep()
    step.repeat.times = int(rest)
    return step


def _resolve(rest: str, find: FindName) -> EscalationStep:
    if rest:
        raise StepError(f"nothing stands after resolve, and {rest!r} does")
    step = EscalationStep()
    step.resolve.SetInParent()
    return step


_READERS: dict[str, Callable[[str, FindName], EscalationStep]] = {
    "wait": _wait,
    "notify": _notify,
    "within": _within,
    "more-than": _more_than,
    "repeat": _repeat,
    "resolve": _resolve,
}


def _duration(text: str, missing: str) -> timedelta:
    if not text:
        raise StepError(missing)
    fraction = timedelta()
    if (match := _SPLIT_SECOND.fullmatch(text)) is not None:
        text, fraction = f"{match.group(1)}s", timedelta(microseconds=int(match.group(2).ljust(6, "0")))
    try:
        return durations.parse(text) + fraction
    except ValueError as error:
        raise StepError(str(error)) from error


def _contacts(rest: str, find: FindName) -> list[str]:
    """Return the resource names of the contact points that are named, in their order."""
    names = _names(rest)
    found = [find(name) for name, _ in names]
    if len(names) > 1 and not any(quoted for _, quoted in names) and (whole := find(rest)) is not None:
        if None not in found:
            both = f'"{_escaped(rest)}" (one) or ' + ", ".join(f'"{_escaped(name)}"' for name, _ in names)
            raise StepError(f"{rest!r} is what one contact point is called, and several: write {both}")
        return [whole]
    for (name, _), resource in zip(names, found, strict=True):
        if resource is None:
            quotes = "; a name with commas stands in double quotes" if len(names) > 1 else ""
            raise StepError(f"no contact point is called {name!r}: `tocsin contacts list` shows them{quotes}")
    return [resource for resource in found if resource is not None]


def _names(text: str) -> list[tuple[str, bool]]:
    """Return the names in a list with commas, each with whether it stands in quotes."""
    names: list[tuple[str, bool]] = []
    rest = text
    while True:
        rest = rest.lstrip()
        if rest.startswith('"'):
            match = _QUOTED.match(rest)
            if match is None:
                raise StepError(f"the quotes that begin at {rest!r} have no end")
            names.append((re.sub(r"\\(.)", r"\1", match.group(1)), True))
            between, comma, rest = rest[match.end() :].partition(",")
            if between.strip():
                raise StepError(f"a comma is expected after {match.group()}, not {between.strip()!r}")
        else:
            name, comma, rest = rest.partition(",")
            names.append((name.strip(), False))
        if not names[-1][0]:
            raise StepError('a name is missing: write `notify Anna` or `notify Anna, "Ben, mail"`')
        if not comma:
            return names


def _format_name(resource: str, called: str) -> str:
    """Write a contact point by what it is called; by its resource name where that cannot be read again."""
    if (
        not called
        or called != output.visible(called)
        or called != called.strip()
        or called.startswith("contactPoints/")
    ):
        return resource
    if any(char in called for char in ',"\\') or called.startswith("#"):
        return f'"{_escaped(called)}"'
    return called


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _weekdays(text: str) -> Sequence[int]:
    """Return the days that `Mon-Wed,Fri` says, 1 (Monday) to 7, each once and in the order of the week."""
    days: set[int] = set()
    for part in text.split(",") if text else []:
        first, dash, last = part.partition("-")
        begin = _day(first)
        end = _day(last) if dash else begin
        days.update((begin + offset) % 7 for offset in range((end - begin) % 7 + 1))
    return [day + 1 for day in sorted(days)]


def _day(word: str) -> int:
    for names in (_DAYS, _FULL_DAYS):
        if word.lower() in names:
            return names.index(word.lower())
    raise StepError(f"{word!r} is no day: write Mon, Tue, Wed, Thu, Fri, Sat or Sun, like Mon-Fri or Mon,Wed")


def _format_days(numbers: Sequence[int]) -> str:
    """Write days as short as it goes; none for every day."""
    days = sorted({number - 1 for number in numbers})
    runs: list[list[int]] = [days[:1]] if days else []
    for before, day in pairwise(days):
        if day == before + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    words = [
        [_DAYS[run[0]].title() + "-" + _DAYS[run[-1]].title()] if len(run) > 2 else [_DAYS[day].title() for day in run]
        for run in runs
    ]
    return ",".join(word for run in words for word in run)


def _time(hours: str, minutes: str) -> tuple[int, int]:
    time = int(hours), int(minutes)
    if time[1] > 59 or time > (24, 0):
        raise StepError(f"{hours}:{minutes} is no time of day: write 00:00 to 24:00")
    return time


def _format_time(hours: int, minutes: int) -> str:
    return f"{hours:02}:{minutes:02}"
