"""Alertmanager's JSON becomes a notification."""

import json
import random
import zlib
from typing import Any

import pytest
from gateway_harness import capture, every_capture
from hypothesis import given
from hypothesis import strategies as st

from tocsin.v1 import intake_pb2
from tocsin_gateway.alertmanager import BadNotification, fingerprint_of, read_notification, says_resolved


def read(body: bytes | dict[str, Any]) -> intake_pb2.Notification:
    notification = intake_pb2.Notification()
    read_notification(body if isinstance(body, bytes) else json.dumps(body).encode(), notification)
    return notification


def webhook(**changes: Any) -> dict[str, Any]:
    """A small valid body, with changes; a change to `...` takes the field away."""
    body = {"status": "firing", "groupKey": "{}:{}", "alerts": [{"status": "firing", "labels": {"a": "b"}}]} | changes
    return {name: value for name, value in body.items() if value is not ...}


def alert(**changes: Any) -> dict[str, Any]:
    return webhook(alerts=[{"status": "firing", "labels": {"a": "b"}} | changes])


@pytest.mark.parametrize("name", every_capture())
def test_every_capture_says_what_it_said(name: str) -> None:
    """Every captured request of a real Alertmanager is taken over field by field."""
    body = capture(name)
    sent = json.loads(body)
    got = read(body)
    assert got.grouping_key == sent["groupKey"]
    assert got.firing == (sent["status"] == "firing")
    assert dict(got.labels) == sent["commonLabels"] | sent["groupLabels"]
    assert (got.receiver, got.external_url) == (sent["receiver"], sent["externalURL"])
    assert got.truncated_alerts == sent["truncatedAlerts"]
    assert zlib.decompress(got.payload) == body
    assert got.title
    assert got.title.isprintable()
    for reported, alert in zip(got.alerts, sent["alerts"], strict=True):
        assert reported.fingerprint == alert["fingerprint"] == fingerprint_of(alert["labels"])
        assert reported.firing == (alert["status"] == "firing")
        assert dict(reported.labels) == alert["labels"]
        assert dict(reported.annotations) == alert["annotations"]
        assert reported.generator_url == alert["generatorURL"]
        assert reported.HasField("start_time")
        assert reported.HasField("end_time") == (alert["status"] == "resolved")


def test_peers_of_a_cluster_say_the_same() -> None:
    """The two requests of an HA pair have the same digest though their external URLs differ."""
    one, two = (read(capture(f"ha_duplicate_{i}_of_2_from_node{i}")) for i in (1, 2))
    assert one.external_url != two.external_url
    assert one.content_digest == two.content_digest
    assert len(one.content_digest) == 16


@pytest.mark.parametrize(
    "change",
    [
        {"status": "resolved", "alerts": [{"status": "resolved", "labels": {"a": "b"}}]},
        {"groupKey": "{}:{a}"},
        {"receiver": "r"},
        {"truncatedAlerts": 1},
        {"groupLabels": {"a": "b"}},
        {"commonLabels": {"c": "d"}},
        {"notification_reason": "repeat interval elapsed"},
        {"alerts": [{"status": "firing", "labels": {"a": "c"}, "fingerprint": "64"}]},
        {"alerts": [{"status": "firing", "labels": {"a": "b"}, "annotations": {"x": "y"}}]},
        {"alerts": [{"status": "firing", "labels": {"a": "b"}, "generatorURL": "http://x"}]},
        {"alerts": [{"status": "firing", "labels": {"a": "b"}, "startsAt": "2026-01-01T00:00:00Z"}]},
        {"alerts": [{"status": "firing", "labels": {"a": "b"}, "startsAt": "2026-01-01T00:00:00.000001Z"}]},
        {"alerts": [{"status": "resolved", "labels": {"a": "b"}}]},
    ],
    ids=str,
)
def test_any_difference_changes_the_digest(change: dict[str, Any]) -> None:
    """Two notifications that differ in anything but the external URL and the raw body have different digests."""
    assert read(webhook(**change)).content_digest != read(webhook()).content_digest


def test_the_order_of_labels_does_not_change_the_digest() -> None:
    """The digest does not depend on the order in which the labels stand, which means nothing in JSON."""
    labels = {f"label{i}": str(i) for i in range(40)}
    shuffled = list(labels.items())
    random.Random(1).shuffle(shuffled)
    one, two = read(webhook(commonLabels=labels)), read(webhook(commonLabels=dict(shuffled)))
    assert one.content_digest == two.content_digest


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"", "the body is not JSON: Input data was truncated"),
        (b"hello", "the body is not JSON"),
        (b"[]", "Expected `object`, got `array`"),
        (b"null", "Expected `object`, got `null`"),
        (b"\xef\xbb\xbf{}", "the body is not JSON"),
        (b'{"x":' + b"[" * 200_000, "nested too deeply"),
        (b'{"groupKey":"\xff\xfe"}', "the body is not JSON"),
        (b'{"groupKey":"\\ud800"}', "the body is not JSON"),
        (b'{"groupKey":"k\x00"}', "the body is not JSON"),
        (webhook(alerts=...), "missing required field `alerts`"),
        (webhook(alerts=[]), "alerts: Expected `array` of length >= 1"),
        (webhook(alerts=None), "alerts: Expected `array`, got `null`"),
        (webhook(alerts={}), "alerts: Expected `array`, got `object`"),
        (webhook(groupKey=...), "missing required field `groupKey`"),
        (webhook(groupKey=""), "groupKey: Expected `str` of length >= 1"),
        (webhook(status=...), "missing required field `status`"),
        (webhook(status="on fire"), "status: Invalid enum value 'on fire'"),
        (webhook(status="x" * 9999), "status: Invalid enum value 'xxx"),
        (webhook(truncatedAlerts=-1), "truncatedAlerts: Expected `int` >= 0"),
        (webhook(truncatedAlerts=10**400), "truncatedAlerts: Expected `int` <= "),
        (b'{"truncatedAlerts":1e999}', "truncatedAlerts: Number out of range"),
        (webhook(groupLabels={"a": 1}), "groupLabels[...]: Expected `str`, got `int`"),
        (alert(status="odd"), "alerts[0].status: Invalid enum value 'odd'"),
        (alert(labels={"a": None}), "alerts[0].labels[...]: Expected `str`, got `null`"),
        (alert(labels="a"), "alerts[0].labels: Expected `object | null`, got `str`"),
        (alert(startsAt="yesterday"), "alerts[0].startsAt: Invalid RFC3339"),
        (alert(fingerprint="f" * 65), "alerts[0].fingerprint: Expected `str` of length <= 64"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_bad_body_is_named(body: bytes | dict[str, Any], text: str) -> None:
    """What is not a notification is refused with one short line that names the field and what was expected."""
    with pytest.raises(BadNotification) as caught:
        read(body)
    assert text in str(caught.value)
    assert len(str(caught.value)) <= 200
    assert str(caught.value).isprintable()


def test_what_is_missing_or_null_or_unknown_is_no_error() -> None:
    """Everything but status, groupKey and alerts may be missing or null, and unknown fields may be anything."""
    nulls = dict.fromkeys(["receiver", "groupLabels", "commonLabels", "externalURL", "truncatedAlerts"])
    inner = dict.fromkeys(["labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"])
    body = webhook(alerts=[{"status": "firing"} | inner], orgId=1, big=10**400, routeLabels={"a": ["b"]}, **nulls)
    assert read(body).content_digest == read(webhook(alerts=[{"status": "firing"}])).content_digest


def test_of_a_field_given_twice_the_last_counts() -> None:
    """A duplicate key is no error: the last one counts, as in Go."""
    assert read(b'{"groupKey":"a","groupKey":"b","status":"firing","alerts":[{"status":"firing"}]}').grouping_key == "b"


@pytest.mark.parametrize(
    ("text", "seconds", "nanos"),
    [
        ("2026-11-23T03:40:54Z", 1795405254, 0),
        ("2026-11-23T03:40:54.375081Z", 1795405254, 375_081_000),
        ("2026-11-23T05:40:54.375081+02:00", 1795405254, 375_081_000),
        ("2026-11-23T03:40:54.375081123Z", 1795405254, 375_081_000),
        ("1970-01-01T00:00:00Z", 0, 0),
        ("1066-10-14T09:00:00Z", -28502722800, 0),
        ("1969-12-31T23:59:59.5Z", -1, 500_000_000),
        ("9999-12-31T23:59:59-12:00", 253402300799, 0),
    ],
)
def test_times_are_kept(text: str, seconds: int, nanos: int) -> None:
    """A time with any offset, fraction and year is kept to the microsecond, within what a Timestamp may say."""
    reported = read(alert(status="resolved", startsAt=text, endsAt=text)).alerts[0]
    for got in (reported.start_time, reported.end_time):
        assert (got.seconds, got.nanos) == (seconds, nanos)
    assert reported.HasField("start_time")
    assert reported.HasField("end_time")


@pytest.mark.parametrize("zero", ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00-12:00"])
def test_the_zero_time_is_not_set(zero: str) -> None:
    """Go's zero time, in whatever zone, means that there is none."""
    reported = read(alert(status="resolved", startsAt=zero, endsAt=zero)).alerts[0]
    assert not reported.HasField("start_time")
    assert not reported.HasField("end_time")


def test_what_fires_has_not_ended() -> None:
    """A firing alert has no end time, whatever the sender says."""
    assert not read(alert(endsAt="2026-11-23T03:40:54Z")).alerts[0].HasField("end_time")


def test_a_firing_alert_makes_the_notification_fire() -> None:
    """A notification that calls itself resolved but lists a firing alert counts as firing."""
    assert read(webhook(status="resolved")).firing


def test_an_alert_is_listed_once() -> None:
    """Of two alerts with the same fingerprint the last one counts."""
    twice = [{"status": s, "fingerprint": "f1", "labels": {"s": s}} for s in ("firing", "resolved")]
    got = read(webhook(status="resolved", alerts=twice))
    assert [dict(reported.labels) for reported in got.alerts] == [{"s": "resolved"}]
    assert not got.firing


def test_a_missing_fingerprint_is_alertmanagers() -> None:
    """A fingerprint that is missing or empty is computed from the labels, as Alertmanager does."""
    sent = json.loads(capture("firing_partly_resolved_one_of_three"))
    expected = [alert["fingerprint"] for alert in sent["alerts"]]
    sent["alerts"][0].pop("fingerprint")
    sent["alerts"][1]["fingerprint"] = ""
    assert [reported.fingerprint for reported in read(sent).alerts] == expected
    assert fingerprint_of({}) == "cbf29ce484222325"
    labels = sent["alerts"][2]["labels"]
    assert fingerprint_of(dict(reversed(labels.items()))) == expected[2]


@pytest.mark.parametrize(
    ("group", "common", "expected"),
    [
        ({"alertname": "HighLoad", "job": "node"}, {}, "HighLoad (node)"),
        ({"job": "node", "alertname": "HighLoad", "zone": "eu"}, {}, "HighLoad (node, eu)"),
        ({"alertname": "HighLoad"}, {"severity": "page"}, "HighLoad"),
        ({"job": "node"}, {"alertname": "HighLoad"}, "HighLoad (node)"),
        ({"job": "node", "zone": "eu"}, {"x": "y"}, "node, eu"),
        ({}, {"foo": "bar", "x": "y"}, "foo=bar, x=y"),
        ({}, {}, "Alert group without labels"),
        ({"alertname": "a\nb\x00c\u2028d\te"}, {}, "a b c d e"),
        ({"alertname": "n" * 600}, {}, "n" * 500),
    ],
    ids=str,
)
def test_titles(group: dict[str, str], common: dict[str, str], expected: str) -> None:
    """The title is one line made of the alert's name and the values of the other group labels."""
    assert read(webhook(groupLabels=group, commonLabels=common)).title == expected


def test_odd_characters_pass() -> None:
    """NUL, quotes and characters beyond the basic plane in labels arrive as they were sent."""
    labels = {"odd": 'a\x00b"\\\U0001f525\u2028'}
    assert dict(read(alert(labels=labels)).alerts[0].labels) == labels


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.binary(max_size=200) | _json.map(lambda value: json.dumps(value).encode()))
def test_junk_is_refused_and_nothing_else(body: bytes) -> None:
    """Whatever is not a notification raises BadNotification, never anything else; and it is not a `resolved` either."""
    with pytest.raises(BadNotification):
        read(body)
    assert not says_resolved(body)


@given(
    st.fixed_dictionaries(
        {"status": st.sampled_from(["firing", "resolved", "odd"]) | _json, "groupKey": st.text() | _json},
        optional={
            "alerts": st.lists(
                st.dictionaries(
                    st.sampled_from(["status", "labels", "annotations", "startsAt", "endsAt", "fingerprint"]),
                    st.sampled_from(["firing", "resolved", "2026-01-01T00:00:00Z", None])
                    | st.dictionaries(st.text(), st.text(), max_size=3),
                ),
                max_size=3,
            )
            | _json,
            "groupLabels": st.dictionaries(st.text(), st.text(), max_size=3) | _json,
            "commonLabels": st.dictionaries(st.text(), st.text(), max_size=3) | _json,
            "truncatedAlerts": st.integers() | _json,
        },
    )
)
def test_almost_notifications_are_read_or_refused(body: dict[str, Any]) -> None:
    """A body that is nearly right is either taken or refused in one short line, never a crash."""
    refusal = ""
    try:
        got = read(body)
    except BadNotification as error:
        refusal = str(error)
    if refusal:
        assert len(refusal) <= 200
        assert refusal.isprintable()
    else:
        assert got.alerts
        assert got.grouping_key
        assert len(got.title) <= 500
        intake_pb2.Notification.FromString(got.SerializeToString())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"status":"resolved"}', True),
        (capture("resolved_full_b_absent"), True),
        (capture("prometheus_real_heartbeat_vector1_first"), False),
        (b'{"status":"up"}', False),
        (b'{"status":null}', False),
        (b'[{"status":"resolved"}]', False),
        (b"resolved", False),
        (b"\xff\xfe", False),
        (b"[" * 200_000, False),
        (b"", False),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_only_an_object_says_resolved(body: bytes, expected: bool) -> None:
    """Only a JSON object whose status is `resolved` says that the source has stopped."""
    assert says_resolved(body) is expected


def test_a_fingerprint_minds_case() -> None:
    """Label names and values count as they are written: `Job` and `job` are two labels."""
    spellings = [{"job": "node"}, {"Job": "node"}, {"job": "Node"}]
    assert len({fingerprint_of(labels) for labels in spellings}) == 3
