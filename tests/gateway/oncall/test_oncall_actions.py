"""Acting on alert groups over OnCall's REST API."""

from typing import Any

import grpc
import pytest
from oncall_client import Rest
from oncall_daemon import ALLOWED, OncallDaemon, State

VERBS = [action.lower() for action in ALLOWED]

FIRING, ACKNOWLEDGED, SILENCED, RESOLVED = State.FIRING, State.ACKNOWLEDGED, State.SILENCED, State.RESOLVED

REFUSED = [
    ("acknowledge", ACKNOWLEDGED, "Can't acknowledge an acknowledged alert group"),
    ("acknowledge", RESOLVED, "Can't acknowledge a resolved alert group"),
    ("unacknowledge", FIRING, "Can't unacknowledge an unacknowledged alert group"),
    ("unacknowledge", SILENCED, "Can't unacknowledge an unacknowledged alert group"),
    ("unacknowledge", RESOLVED, "Can't unacknowledge a resolved alert group"),
    ("silence", ACKNOWLEDGED, "Can't silence an acknowledged alert group"),
    ("silence", RESOLVED, "Can't silence a resolved alert group"),
    ("unsilence", FIRING, "Can't unsilence an unsilenced alert group"),
    ("unsilence", ACKNOWLEDGED, "Can't unsilence an acknowledged alert group"),
    ("unsilence", RESOLVED, "Can't unsilence a resolved alert group"),
    ("resolve", RESOLVED, "Can't resolve a resolved alert group"),
    ("unresolve", FIRING, "Can't unresolve an unresolved alert group"),
    ("unresolve", ACKNOWLEDGED, "Can't unresolve an unresolved alert group"),
    ("unresolve", SILENCED, "Can't unresolve an unresolved alert group"),
]

DONE = [
    (verb, state)
    for verb in VERBS
    for state in (FIRING, ACKNOWLEDGED, SILENCED, RESOLVED)
    if (verb, state) not in {(refused, before) for refused, before, _ in REFUSED}
]


@pytest.mark.parametrize(("verb", "before"), DONE)
def test_an_action_is_done(rest: Rest, daemon: OncallDaemon, verb: str, before: int) -> None:
    """An action that the state allows is done by the daemon, and answered 200 without a body."""
    daemon.add_group(7, before)

    told = rest("POST", f"alert_groups/7/{verb}/", {"delay": 60} if verb == "silence" else None)

    assert (told.status, told.body) == (200, None)
    (request,) = daemon.requests(f"{verb.capitalize()}AlertGroup")
    assert (request.name, request.note, request.request_id) == ("alertGroups/7", "", "")
    assert daemon.groups[7].state == ALLOWED[verb.capitalize()][1]


@pytest.mark.parametrize(("verb", "before", "text"), REFUSED)
def test_what_the_state_does_not_allow_is_refused(
    rest: Rest, daemon: OncallDaemon, verb: str, before: int, text: str
) -> None:
    """An action that the state does not allow is refused in OnCall's words, and changes nothing."""
    daemon.add_group(7, before)

    told = rest("POST", f"alert_groups/7/{verb}", {"delay": 60} if verb == "silence" else None)

    assert (told.status, told.body) == (400, {"detail": text})
    assert daemon.requests(f"{verb.capitalize()}AlertGroup") == []


def test_the_tables_of_this_file_cover_every_state() -> None:
    """What is done here and what is refused are together every action in every state, as the fake daemon has it."""
    assert len(DONE) + len(REFUSED) == len(VERBS) * 4
    assert all(before in ALLOWED[verb.capitalize()][0] for verb, before in DONE)


def test_the_daemon_has_the_last_word(rest: Rest, daemon: OncallDaemon) -> None:
    """Where the daemon refuses what the state seemed to allow, its words are passed on."""
    daemon.add_group(7, RESOLVED)
    daemon.failures["UnresolveAlertGroup"] = (grpc.StatusCode.FAILED_PRECONDITION, "alertGroups/8 is open already")

    told = rest("POST", "alert_groups/7/unresolve/")

    assert (told.status, told.body) == (400, {"detail": "alertGroups/8 is open already"})


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "silence"])
@pytest.mark.parametrize("body", [b"", b"{}", b"not JSON", b'{"resolution_note": "x"}'])
def test_the_body_of_other_actions_does_not_matter(rest: Rest, daemon: OncallDaemon, verb: str, body: bytes) -> None:
    """Only a silence has a body that is looked at."""
    daemon.add_group(7, min(ALLOWED[verb.capitalize()][0]))

    assert rest("POST", f"alert_groups/7/{verb}/", body).status == 200


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [(1, 1), (10800, 10800), ("60", 60), (1.9, 1), (True, 1), (366 * 86_400, 366 * 86_400), (0, None), (-1, None)],
)
def test_a_silence_lasts_as_long_as_it_is_told(
    rest: Rest, daemon: OncallDaemon, delay: Any, seconds: int | None
) -> None:
    """The delay is in seconds, also as a text; -1 is for ever, and so is 0."""
    daemon.add_group(7)

    assert rest("POST", "alert_groups/7/silence/", {"delay": delay}).status == 200

    (request,) = daemon.requests("SilenceAlertGroup")
    assert request.HasField("duration") == (seconds is not None)
    assert request.duration.seconds == (seconds or 0)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (None, "delay is required"),
        ({}, "delay is required"),
        ({"delay": None}, "delay is required"),
        ([60], "delay is required"),
        (60, "delay is required"),
        ({"delay": -2}, "invalid delay value"),
        ({"delay": "fuzz"}, "invalid delay value"),
        ({"delay": ""}, "invalid delay value"),
        ({"delay": [60]}, "invalid delay value"),
        ({"delay": 366 * 86_400 + 1}, "invalid delay value"),
        ({"delay": 10**30}, "invalid delay value"),
        (b'{"delay": 1e999}', "invalid delay value"),
    ],
)
def test_a_delay_that_is_none_is_refused(rest: Rest, daemon: OncallDaemon, body: Any, text: str) -> None:
    """A silence without a delay, or with a wrong one, is refused in OnCall's words."""
    daemon.add_group(7)

    told = rest("POST", "alert_groups/7/silence/", body)

    assert told.status == 400
    assert text in told.body["detail"] or b"1e999" in (body or b"")
    assert daemon.requests("SilenceAlertGroup") == []


def test_a_form_is_read_too(rest: Rest, daemon: OncallDaemon) -> None:
    """OnCall takes forms, which is what many a script sends."""
    daemon.add_group(7)
    form = {"Content_Type": "application/x-www-form-urlencoded; charset=utf-8"}

    assert rest("POST", "alert_groups/7/silence/", b"delay=90", **form).status == 200
    assert rest("DELETE", "alert_groups/7/", b"mode=delete", **form).status == 204

    assert daemon.requests("SilenceAlertGroup")[0].duration.seconds == 90
    assert daemon.groups == {}


@pytest.mark.parametrize(("method", "path"), [("POST", "alert_groups/7/silence/"), ("DELETE", "alert_groups/7/")])
def test_a_wrong_body_is_refused(rest: Rest, daemon: OncallDaemon, method: str, path: str) -> None:
    """What is no JSON is a 400, what does not claim to be any a 415, and what is too long a 413."""
    daemon.add_group(7)

    for body in (b"{", b"{} {}", b'{"mode": "\xff"}', b"[" * 60_000, b"nope"):
        told = rest(method, path, body)
        assert (told.status, told.body["detail"][:18]) == (400, "JSON parse error -")
    told = rest(method, path, b"<xml/>", Content_Type="text/xml")
    assert (told.status, told.body) == (415, {"detail": 'Unsupported media type "text/xml" in request.'})
    assert rest(method, path, b" " * 65_537).status == 413
    assert daemon.groups[7].state == FIRING


@pytest.mark.parametrize(
    ("body", "method"), [(None, "Wipe"), ({}, "Wipe"), ({"mode": "wipe"}, "Wipe"), ({"mode": "delete"}, "Delete")]
)
def test_a_group_is_wiped_or_deleted(rest: Rest, daemon: OncallDaemon, body: Any, method: str) -> None:
    """Without a mode a group is wiped; it is done by the time that it is answered."""
    daemon.add_group(7)

    told = rest("DELETE", "alert_groups/7/", body)

    assert (told.status, told.body) == (204, None)
    assert [request.name for request in daemon.requests(f"{method}AlertGroup")] == ["alertGroups/7"]
    shown = rest("GET", "alert_groups/7/")
    assert shown.status == (404 if method == "Delete" else 200)


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ({"mode": "random"}, "Invalid mode"),
        ({"mode": None}, "Invalid mode"),
        ({"mode": ["wipe"]}, "Invalid mode"),
        ("delete", "A dict with a `mode` key is expected"),
        (["delete"], "A dict with a `mode` key is expected"),
        (0, "A dict with a `mode` key is expected"),
        (b"null", "A dict with a `mode` key is expected"),
    ],
)
def test_a_wrong_mode_removes_nothing(rest: Rest, daemon: OncallDaemon, body: Any, answer: str) -> None:
    """A mode that is none is refused as OnCall does: with a bare text in JSON."""
    daemon.add_group(7)

    told = rest("DELETE", "alert_groups/7/", body)

    assert (told.status, told.body) == (400, answer)
    assert [call.method for call in daemon.calls] == ["GetAlertGroup"]
