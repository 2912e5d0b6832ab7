"""Alert groups as OnCall's REST API shows them."""

from datetime import timedelta

import pytest
from oncall_client import Rest
from oncall_daemon import ADMIN, START, AlertGroup, OncallDaemon, State, stamp


def test_a_group_has_oncalls_fields(rest: Rest, daemon: OncallDaemon) -> None:
    """Every field that OnCall has is there, with null only where there is no such thing here."""
    daemon.add_group(
        42,
        State.ACKNOWLEDGED,
        title="HighLoad (node)",
        labels={"severity": "critical", "alertname": "HighLoad"},
        notification_count=7,
        acknowledge_time=stamp(START + timedelta(hours=2, microseconds=1500)),
        acknowledge_actor="alice",
        state_actor="alice",
    )

    told = rest("GET", "alert_groups/42/")

    assert told.status == 200
    assert told.body == {
        "id": "42",
        "integration_id": "one",
        "team_id": None,
        "route_id": "one-default",
        "alerts_count": 7,
        "state": "acknowledged",
        "created_at": "2026-03-01T12:41:00Z",
        "resolved_at": None,
        "resolved_by": None,
        "acknowledged_at": "2026-03-01T14:00:00.001500Z",
        "acknowledged_by": "alice",
        "labels": [
            {"key": {"id": "alertname", "name": "alertname"}, "value": {"id": "HighLoad", "name": "HighLoad"}},
            {"key": {"id": "severity", "name": "severity"}, "value": {"id": "critical", "name": "critical"}},
        ],
        "title": "HighLoad (node)",
        "permalinks": {"slack": None, "slack_app": None, "telegram": None, "web": None},
        "silenced_at": None,
        "last_alert": {
            "id": "42-latest",
            "alert_group_id": "42",
            "created_at": "2026-03-01T12:00:00Z",
            "payload": {"groupKey": "42"},
        },
    }


@pytest.mark.parametrize(
    ("state", "name"),
    [
        (State.FIRING, "firing"),
        (State.ACKNOWLEDGED, "acknowledged"),
        (State.SILENCED, "silenced"),
        (State.RESOLVED, "resolved"),
    ],
)
def test_each_state_has_oncalls_name(rest: Rest, daemon: OncallDaemon, state: int, name: str) -> None:
    """A group that nobody has taken is called firing when it is shown, though its filter is called new."""
    daemon.add_group(1, state, silence_time=stamp(START), state_actor="bob")

    body = rest("GET", "alert_groups/1").body

    assert body["state"] == name
    assert body["silenced_at"] == "2026-03-01T12:00:00Z"
    assert body["resolved_by"] == ("bob" if name == "resolved" else None)
    assert body["resolved_at"] == ("2026-03-01T12:00:00Z" if name == "resolved" else None)


def test_a_list_shows_the_same_as_the_group_alone(rest: Rest, daemon: OncallDaemon) -> None:
    """What a list says of a group is what the group says, payload included."""
    daemon.add_groups(25)

    listed = rest("GET", "alert_groups/").body["results"]

    assert [group["id"] for group in listed] == [str(number) for number in range(25, 0, -1)]
    assert listed[3] == rest("GET", "alert_groups/22/").body
    assert [group["last_alert"]["payload"]["groupKey"] for group in listed] == [group["id"] for group in listed]


@pytest.mark.parametrize("path", ["alert_groups", "alert_groups/", "alert_groups/1", "alert_groups/1/"])
def test_the_last_slash_does_not_matter(rest: Rest, daemon: OncallDaemon, path: str) -> None:
    """Every URL is served with and without it, never by a redirect."""
    daemon.add_group(1)

    assert rest("GET", path).status == 200


def test_head_is_get_without_the_body(rest: Rest, daemon: OncallDaemon) -> None:
    """HEAD answers with the head that GET has."""
    daemon.add_group(1)

    for path in ("alert_groups/", "alert_groups/1/"):
        head, get = rest("HEAD", path), rest("GET", path)
        assert (head.status, head.body) == (200, None)
        assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize(
    "id_", ["2", "0", "-1", "01", "I68T24C13IFW1", "1%20", "9" * 18, "9" * 400, "%2e%2e", "%00", "é"]
)
def test_a_group_that_is_not_there_is_not_found(rest: Rest, daemon: OncallDaemon, id_: str) -> None:
    """An id that no group has, or that none can have, is a 404, with every method."""
    daemon.add_group(1)
    id_ = id_.encode("utf-8").decode("latin-1")
    id_ = "".join(f"%{ord(char):02X}" if ord(char) > 126 else char for char in id_)

    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "acknowledge/"), ("POST", "silence/")):
        told = rest(method, f"alert_groups/{id_}/{path}", {"delay": 60} if path == "silence/" else None)
        assert (told.status, told.body) == (404, {"detail": "Not found."})


def test_a_wiped_group_has_no_last_alert(rest: Rest, daemon: OncallDaemon) -> None:
    """Where there is no payload there is no last alert, in a list too."""
    daemon.add_groups(2)
    del daemon.payloads["alertGroups/1/payloads/latest"]

    assert rest("GET", "alert_groups/1/").body["last_alert"] is None
    assert [group["last_alert"] is None for group in rest("GET", "alert_groups/").body["results"]] == [False, True]


def test_numbers_of_a_payload_keep_their_digits(rest: Rest, daemon: OncallDaemon) -> None:
    """A payload is passed on byte for byte, so that nothing in it is rounded or reordered."""
    group = daemon.add_group(1)
    sent = b'{"z": 12345678901234567890123, "a": 0.10000000000000000000001, "\xc3\xa9": "\\ud83d\\ude00"}'
    daemon.payloads[f"{group.name}/payloads/latest"] = sent

    answer = rest.gateway.ask("GET", "/api/v1/alert_groups/1/", headers={"Authorization": ADMIN})

    assert sent.decode() in answer.text


@pytest.mark.parametrize("payload", [b"", b"not JSON", b'{"a": "\xff"}', b"{} {}", b"[" * 100_000, b'{"a": NaN}'])
def test_a_payload_that_is_no_json_spoils_nothing(rest: Rest, daemon: OncallDaemon, payload: bytes) -> None:
    """It is null, and the answer is JSON still."""
    group = daemon.add_group(1)
    daemon.payloads[f"{group.name}/payloads/latest"] = payload

    assert rest("GET", "alert_groups/1/").body["last_alert"]["payload"] is None


def test_a_list_leaves_out_what_is_too_large(rest: Rest, daemon: OncallDaemon) -> None:
    """A list ends to have payloads at some megabytes, and says null for the rest; alone each group has its own."""
    daemon.add_groups(30)
    daemon.groups[2].resolve_reason = AlertGroup.WIPED
    daemon.groups[3].notification_count = 0
    large = b'{"large": "' + b"x" * 1_000_000 + b'"}'
    for name in daemon.payloads:
        daemon.payloads[name] = large

    shown = [group["last_alert"] for group in rest("GET", "alert_groups/").body["results"]]

    assert all(last_alert["payload"] for last_alert in shown[:10])
    left_out = {"id": "20-latest", "alert_group_id": "20", "created_at": "2026-03-01T12:19:00Z", "payload": None}
    assert shown[10] == left_out
    assert shown[27] is shown[28] is None
    assert rest("GET", "alert_groups/20/").body["last_alert"]["payload"]


def test_payloads_too_large_for_one_message_are_left_out(rest: Rest, daemon: OncallDaemon) -> None:
    """What does not even fit into one answer of the daemon is null in a list, and there in the group alone."""
    daemon.add_groups(3)
    for name in daemon.payloads:
        daemon.payloads[name] = b'"' + b"x" * (23 * 1024 * 1024) + b'"'

    assert [group["last_alert"]["payload"] for group in rest("GET", "alert_groups/").body["results"]] == [None] * 3
    assert len(rest("GET", "alert_groups/3/").body["last_alert"]["payload"]) == 23 * 1024 * 1024
