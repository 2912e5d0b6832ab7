"""What people are told of alert groups, where no template says it otherwise: a title and a few lines.

Rules
- It is read on the lock screen of a phone, in the night: a title is one line, the most important first, and a body has
  what to look at and how to take it. It says so much that nobody has to open anything to know whether to get up.
- What alerts have in common is said once, what differs for each of them, up to `MOST_LINES`.
- A message was decided on when the group fired, or was resolved. Where the group has moved since, the body says so.
- What senders wrote is cleaned and cut (`domain/plain_text.py`). How to take the group is never cut away.
- Nothing here fails, whatever senders wrote.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tocsind.domain.alert_group import AlertGroup, ResolveReason, Source, State
from tocsind.domain.message import Kind
from tocsind.domain.notification import ReportedAlert
from tocsind.domain.outbox_queue import MOST_BUNDLED
from tocsind.domain.plain_text import block, cut, line
from tocsind.domain.snapshot import AlertState
from tocsind.domain.wording import moment, rough_span

MAX_TITLE = 120
MAX_BODY = 4_000
"""Characters of what is said without templates."""

MOST_LINES = 10
"""Alerts that a body names."""

_MOST_SUMMARY = 500
_MOST_ALERT = 200
_MOST_LINK = 1_000
_MOST_NAMED = 5
_SUMMARIES = ("summary", "title", "message", "description")
_SAID_ELSEWHERE = ("alertname", "severity")
_DEMO = "This is a demo: nothing is wrong, and nothing needs to be done."

_RESOLVED_BY = {
    ResolveReason.SOURCE: "by its source",
    ResolveReason.STALE: "as nothing was heard of it any more",
    ResolveReason.INTEGRATION_DELETED: "with its integration, which was deleted",
    ResolveReason.HEARTBEAT_OFF: "as its heartbeat was turned off",
    ResolveReason.WIPED: "as it was wiped",
    ResolveReason.MAINTENANCE_ENDED: "as the maintenance ended",
    ResolveReason.ESCALATION: "by its escalation chain",
}

Listed = tuple[AlertState, ReportedAlert]
"""An alert of a group, and where it stands."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is known when people are told of a group. `integration` is what its integration is called. `alerts`: the
    first of them, those that fire first. `truncated`: how many more the source has that it did not list. `on_call`:
    what the contact point is called by whose calendar the reader is on call. `step`: that of the chain, from 1, or 0.
    """

    kind: Kind
    group: AlertGroup
    title: str
    integration: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    message: str = ""
    source_link: str = ""
    alerts: Sequence[Listed] = ()
    truncated: int = 0
    on_call: str = ""
    step: int = 0


def title(told: Told, now: int) -> str:
    """Returns the title of a message about one group; `now` in microseconds since 1970."""
    head = "FIRING" if told.kind is Kind.FIRING else "RESOLVED"
    if told.kind is Kind.FIRING and (told.group.firing_count > 1 or told.truncated):
        head += f":{told.group.firing_count}{'+' if told.truncated else ''}"
    if told.group.source is Source.DEMO:
        head = f"DEMO {head}"
    after = f" after {rough_span(_ended(told, now) - _began(told, now))}" if told.kind is Kind.RESOLVED else ""
    return cut(f"[{head}] {_subject(told)}{after}{_of_integration(told)}", MAX_TITLE)


def body(told: Told, now: int) -> str:
    """Returns the lines of a message about one group; `now` in microseconds since 1970."""
    end = "\n".join(_end(told, now))
    return f"{block(_main(told), MAX_BODY - len(end) - 1)}\n{end}".lstrip("\n")


def bundle_title(told: Sequence[Told]) -> str:
    """Returns the title of a message about several groups."""
    counts = [(kind.name, sum(each.kind is kind for each in told)) for kind in (Kind.FIRING, Kind.RESOLVED)]
    head = " ".join(f"{name}:{count}" for name, count in counts if count)
    if all(each.group.source is Source.DEMO for each in told):
        head = f"DEMO {head}"
    names = list(dict.fromkeys(_subject(each) for each in _firing_first(told)))
    text = f"[{head}] {len(told)} alert groups: "
    shown: list[str] = []
    for name in names:
        if shown and len(text + ", ".join([*shown, name])) > MAX_TITLE - 3:
            return cut(f"{text}{', '.join(shown)} ..", MAX_TITLE)
        shown.append(name)
    return cut(text + ", ".join(shown), MAX_TITLE)


def bundle_body(told: Sequence[Told], now: int) -> str:
    """Returns the lines of a message about several groups, one for each; `now` in microseconds since 1970."""
    ordered = _firing_first(told)
    shown, more = ordered[:MOST_BUNDLED], len(ordered) - MOST_BUNDLED
    end = [f"and {more} more"] if more > 0 else []
    take = " ".join(str(each.group.id) for each in shown if each.kind is Kind.FIRING)
    if take:
        end.append(f"tocsin groups ack {take}")
    room = MAX_BODY - sum(len(text) + 1 for text in end)
    lines = [_of_bundle(each, now) for each in shown]
    if sum(len(text) + 1 for text in lines) > room:
        lines = [cut(text, room // len(lines) - 1) for text in lines]
    return "\n".join([*lines, *end])


# Parts


def _subject(told: Told) -> str:
    """What it is about. The default title `InstanceDown (web-1)` becomes `InstanceDown web-1`; what a template of the
    integration made stays as it is."""
    text = line(told.title) or f"alertGroups/{told.group.id}"
    if told.group.source is Source.HEARTBEAT and told.group.resolve_reason is ResolveReason.SOURCE:
        missing, colon, whose = text.partition(":")
        return f"Heartbeat is back:{whose}" if colon and missing == "Heartbeat missing" else text
    name = line(told.labels.get("alertname", ""))
    if not name or not (text == name or (text.startswith(f"{name} (") and text.endswith(")"))):
        return text
    others = text[len(name) + 2 : -1].split(", ") if text != name else []
    instance = line(told.labels.get("instance", ""))
    if instance and instance not in others:
        others.insert(0, instance)
    return f"{name} {', '.join(others)}".rstrip()


def _of_integration(told: Told) -> str:
    name = line(told.integration)
    return f" ({name})" if name and name not in line(told.title) else ""


def _main(told: Told) -> str:
    """What is wrong, without how and where."""
    lines = [_DEMO] if told.group.source is Source.DEMO else []
    if told.message.strip():
        return "\n".join([*lines, told.message])
    alerts = _concerned(told)
    summaries = [_summary(alert) for alert in alerts]
    common = _common(summaries)
    if common:
        lines.append(common)
    described = _common([line(alert.annotations.get("description", ""), _MOST_SUMMARY) for alert in alerts])
    # What a demo alert describes is that it is one.
    if described and described != common and told.group.source is not Source.DEMO:
        lines.append(described)
    if len(alerts) > 1 or (alerts and not common):
        shared = _shared_labels(alerts)
        for alert, summary in list(zip(alerts, summaries, strict=True))[:MOST_LINES]:
            which = ", ".join(f"{key}={value}" for key, value in _differing(alert, shared))
            said = "" if summary == common else summary
            text = ": ".join(part for part in (which, said) if part)
            if text:
                lines.append(line(f"- {text}", _MOST_ALERT))
    more = _count(told) - min(len(alerts), MOST_LINES)
    if more > 0 and _count(told) > 1:
        lines.append(f"and {more} more")
    # One alert without a summary has been said by its labels.
    unsaid = _unsaid_labels(told, alerts) if len(alerts) > 1 or common else ""
    if unsaid:
        lines.append(line(f"labels: {unsaid}", _MOST_ALERT))
    return "\n".join(lines)


def _end(told: Told, now: int) -> Iterable[str]:
    """How bad, whose, since when, where, and what to do."""
    group = told.group
    severities = _severities(told)
    if severities:
        yield f"severity: {', '.join(severities)}"
    if told.integration:
        yield f"integration: {line(told.integration, _MOST_ALERT)}"
    began = _began(told, now)
    if told.kind is Kind.FIRING:
        yield f"since: {moment(began)} ({rough_span(now - began)})"
        if group.state is not State.FIRING:
            yield f"now: {_state(group)}"
    else:
        ended = _ended(told, now)
        yield f"from {moment(began)} to {moment(ended)} ({rough_span(ended - began)})"
        yield _state(group) if group.state is State.RESOLVED else f"now: {_state(group)}"
    if told.on_call:
        yield f"on call: {line(told.on_call, _MOST_ALERT)}{f', step {told.step}' if told.step else ''}"
    elif told.step:
        yield f"step: {told.step}"
    link = line(told.source_link, _MOST_LINK + 1)
    if 0 < len(link) <= _MOST_LINK:
        yield f"source: {link}"
    take = f": tocsin groups ack {group.id}" if told.kind is Kind.FIRING and group.state is State.FIRING else ""
    yield f"alertGroups/{group.id}{take}"


def _state(group: AlertGroup) -> str:
    """Where a group stands now."""
    who = line(group.state_actor, _MOST_ALERT)
    if group.state is State.RESOLVED and group.resolve_reason is not None and not who:
        return f"resolved {_RESOLVED_BY.get(group.resolve_reason, '')}".rstrip()
    return f"{group.state.name.lower()}{f' by {who}' if who else ''}"


def _of_bundle(told: Told, now: int) -> str:
    """The line of a group among others."""
    if told.kind is Kind.FIRING:
        count = _count(told)
        details = [*_severities(told), *([f"{count} alerts"] if count > 1 else [])]
        details.append(f"for {rough_span(now - _began(told, now))}")
        if told.group.state is not State.FIRING:
            details.append(f"now {_state(told.group)}")
    else:
        details = [f"after {rough_span(_ended(told, now) - _began(told, now))}"]
    what = cut(f"{_subject(told)}{_of_integration(told)}", _MOST_ALERT)
    return f"{told.kind.name} #{told.group.id} {what}, {', '.join(details)}"


def _firing_first(told: Sequence[Told]) -> list[Told]:
    return sorted(told, key=lambda each: each.kind)


# Alerts


def _concerned(told: Told) -> list[ReportedAlert]:
    """The alerts that a message is about: those that fire, or all where it is over or none does."""
    firing = [alert for state, alert in told.alerts if state is AlertState.FIRING]
    return firing if firing and told.kind is Kind.FIRING else [alert for _, alert in told.alerts]


def _count(told: Told) -> int:
    """How many alerts a message is about, also those that are not listed."""
    group = told.group
    if told.kind is Kind.FIRING and group.firing_count:
        return group.firing_count + told.truncated
    return group.firing_count + group.resolved_count + group.unreported_count + told.truncated


def _severities(told: Told) -> list[str]:
    """How bad the group is, and its alerts, as far as they say so."""
    of_all = (told.labels, *(alert.labels for alert in _concerned(told)))
    severities = dict.fromkeys(line(labels["severity"], 50) for labels in of_all if labels.get("severity"))
    return list(severities)[:_MOST_NAMED]


def _summary(alert: ReportedAlert) -> str:
    for name in _SUMMARIES:
        text = line(alert.annotations.get(name, ""), _MOST_SUMMARY)
        if text:
            return text
    return ""


def _common(texts: Sequence[str]) -> str:
    """The text that all are, or nothing."""
    return texts[0] if texts and all(text == texts[0] for text in texts) else ""


def _shared_labels(alerts: Sequence[ReportedAlert]) -> set[tuple[str, str]]:
    return set(alerts[0].labels.items()).intersection(*(alert.labels.items() for alert in alerts[1:]))


def _unsaid_labels(told: Told, alerts: Sequence[ReportedAlert]) -> str:
    """The labels that the alerts share, without what stands elsewhere already: the job and the cluster of a machine, or
    which of its disks it is."""
    said = f"{_subject(told)} {line(told.integration)}"
    shared = sorted((line(key, 50), line(value, 100)) for key, value in _shared_labels(alerts))
    unsaid = [f"{key}={value}" for key, value in shared if key not in _SAID_ELSEWHERE and value not in said]
    return ", ".join(unsaid[:_MOST_NAMED])


def _differing(alert: ReportedAlert, shared: set[tuple[str, str]]) -> list[tuple[str, str]]:
    """The labels in which an alert differs from the others; of one that is alone, its first."""
    own = sorted(item for item in alert.labels.items() if item not in shared) or sorted(alert.labels.items())
    return [(line(key, 50), line(value, 100)) for key, value in own[:_MOST_NAMED]]


def _began(told: Told, now: int) -> int:
    """When it began, as the source says; as we do, where it does not."""
    starts = [alert.started for alert in _concerned(told) if alert.started is not None and alert.started <= now]
    return min(starts, default=told.group.created)


def _ended(told: Told, now: int) -> int:
    return told.group.state_since if told.group.state is State.RESOLVED else now
