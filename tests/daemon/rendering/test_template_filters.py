"""OnCall's filters, against a table of what OnCall makes of the same. Values are those of its own tests, and of what
its functions were seen to do."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from jinja2 import UndefinedError

from tocsind.rendering.sandbox import Sandbox

VALUES: dict[str, Any] = {
    "aware": "2023-05-28 23:11:12+0000",
    "naive": "2023-05-28 23:11:12",
    "number": 7,
    "none": None,
    "name": "test",
    "b64": "SGVsbG8sIHdvcmxkIQ==",
    "nested": {"b": [1, {"ä": None}], "a": True},
    "log": "[ var='D0' metric='my_metric' labels={} value=140 ]",
}

SHOWN = [
    ("'2023-11-22T15:30:00.000000000Z' | iso8601_to_time", "2023-11-22 15:30:00+00:00"),
    ("'2023-11-22T15:30:00.123456789+02:00' | iso8601_to_time", "2023-11-22 15:30:00.123456+02:00"),
    ("'2023-1-2 3:04' | iso8601_to_time", "2023-01-02 03:04:00"),
    ("'2023-1-2 3:04:05,5 -0330' | iso8601_to_time", "2023-01-02 03:04:05.500000-03:30"),
    ("'2023-02-30T00:00:00Z' | iso8601_to_time", "None"),
    ("'2023-2-30 1:00' | iso8601_to_time", "None"),
    ("'yesterday' | iso8601_to_time", "None"),
    ("number | iso8601_to_time", "None"),
    ("none | iso8601_to_time", "None"),
    ("missing | iso8601_to_time", "None"),
    ("aware | iso8601_to_time | datetimeformat", "23:11 / 28-05-2023"),
    ("aware | iso8601_to_time | datetimeformat('%Y-%m-%dT%H:%M:%S%z')", "2023-05-28T23:11:12+0000"),
    ("naive | iso8601_to_time | datetimeformat('%Y-%m-%dT%H:%M:%S%z')", "2023-05-28T23:11:12"),
    ("name | datetimeformat", "None"),
    ("none | datetimeformat", "None"),
    (
        "aware | iso8601_to_time | datetimeformat_as_timezone('%Y-%m-%dT%H:%M:%S%z', 'America/Chicago')",
        "2023-05-28T18:11:12-0500",
    ),
    (
        "naive | iso8601_to_time | datetimeformat_as_timezone('%Y-%m-%dT%H:%M:%S%z', 'america/chicago')",
        "2023-05-28T18:11:12-0500",
    ),
    ("aware | iso8601_to_time | datetimeformat_as_timezone", "23:11 / 28-05-2023"),
    ("name | datetimeformat_as_timezone", "None"),
    ("aware | datetimeparse('%Y-%m-%d %H:%M:%S%z')", "2023-05-28 23:11:12+00:00"),
    ("'15 05 2024 07:52:11 -0600' | datetimeparse('%d %m %Y %H:%M:%S %z')", "2024-05-15 07:52:11-06:00"),
    ("'07:52 / 15-05-2024' | datetimeparse", "2024-05-15 07:52:00"),
    ("naive | datetimeparse", "None"),
    ("number | datetimeparse", "None"),
    ("1700000000 | timestamp_to_datetime", "2023-11-14 22:13:20"),
    ("1700000000.25 | timestamp_to_datetime", "2023-11-14 22:13:20.250000"),
    ("'1700000000' | timestamp_to_datetime", "None"),
    ("none | timestamp_to_datetime", "None"),
    ("'5m' | timedeltaparse", "0:05:00"),
    ("'-1d' | timedeltaparse", "-1 day, 0:00:00"),
    ("'+2w' | timedeltaparse", "14 days, 0:00:00"),
    ("'90s' | timedeltaparse", "0:01:30"),
    ("'3h' | timedeltaparse", "3:00:00"),
    ("'1M' | timedeltaparse", "None"),
    ("'1y' | timedeltaparse", "None"),
    ("'1.5h' | timedeltaparse", "None"),
    ("5 | timedeltaparse", "None"),
    ("(naive | iso8601_to_time) - ('1d' | timedeltaparse)", "2023-05-27 23:11:12"),
    ("nested | tojson_pretty", json.dumps(VALUES["nested"], sort_keys=True, indent=4, ensure_ascii=False)),
    ("missing | tojson_pretty", "None"),
    ("nested | json_dumps", json.dumps(VALUES["nested"])),
    ("missing | json_dumps", "None"),
    ("log | regex_replace(\"var='[a-zA-Z0-9]+' \", '')", "[ metric='my_metric' labels={} value=140 ]"),
    ("name | regex_replace('(t)(e)', '\\\\2\\\\1')", "etst"),
    ("number | regex_replace('7', '8')", "None"),
    ("name | regex_match('.*')", "True"),
    ("name | regex_match('tes')", "True"),
    ("name | regex_match('est')", "False"),
    ("none | regex_match('.*')", "None"),
    ("missing | regex_match('.*')", "None"),
    ("name | regex_search('est')", "True"),
    ("name | regex_search('test1')", "False"),
    ("number | regex_search('7')", "None"),
    ("b64 | b64decode", "Hello, world!"),
    ("'no base64' | b64decode", "None"),
    ("'/w==' | b64decode", "None"),
    ("number | b64decode", "None"),
    ('(\'{"name": "test"}\' | parse_json).name', "test"),
    ("'{' | parse_json", "None"),
    ("none | parse_json", "None"),
    ("time()", "2026-11-23 12:00:00+00:00"),
    ("time() - ('1h' | timedeltaparse)", "2026-11-23 11:00:00+00:00"),
]

FAIL = [
    "missing | datetimeformat",
    "naive | iso8601_to_time | datetimeformat_as_timezone('%H', 'potato')",
    "name | regex_match('*')",
    "name | regex_search('*')",
    "name | regex_replace('(', '')",
    "'99999999999w' | timedeltaparse",
    "1e300 | timestamp_to_datetime",
]


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    """The environment of templates, at a fixed time."""
    sandbox = Sandbox()
    sandbox.now = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp()) * 1_000_000
    return sandbox


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process that renders lives in UTC; this one might not."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.parametrize(("expression", "shown"), SHOWN)
def test_a_filter_gives_what_oncalls_gives(sandbox: Sandbox, expression: str, shown: str) -> None:
    """The text that a template shows is the one that OnCall's would show."""
    assert sandbox.from_string(f"{{{{ {expression} }}}}").render(VALUES) == shown


@pytest.mark.parametrize("expression", FAIL)
def test_what_fails_in_oncall_fails_here(sandbox: Sandbox, expression: str) -> None:
    """Where OnCall shows a template error instead of `None`, there is an error."""
    with pytest.raises(Exception):  # noqa: B017, PT011  # which one does not matter
        sandbox.from_string(f"{{{{ {expression} }}}}").render(VALUES)


def test_what_is_missing_is_empty_and_its_attributes_an_error(sandbox: Sandbox) -> None:
    """As in OnCall: `{{ missing }}` shows nothing, `{{ missing.name }}` fails."""
    assert sandbox.from_string("{{ missing }}").render() == ""
    with pytest.raises(UndefinedError):
        sandbox.from_string("{{ missing.name }}").render()


def test_nothing_is_escaped(sandbox: Sandbox) -> None:
    """Texts are for people and programs, not for a browser."""
    assert sandbox.from_string("{{ '<b>&' }}").render() == "<b>&"
