"""The filters of Grafana OnCall, by its names, with its results.

Rules
- What cannot be done with a value of the wrong kind gives None, as in OnCall, which a template shows as `None`. What
  OnCall lets fail (an unknown time zone, a regular expression that is none, a number that is too large) fails here.
- OnCall's process lives in UTC: so times without a zone are UTC.
- OnCall stops a regular expression after 2 seconds, and gives None. Here the limit for the whole rendering ends it, and
  the template has failed.
- Its expressions are of the `regex` module, ours are of `re`: what only the former has (`\\p{L}`, fuzzy matching) is an
  error.

Facts taken from OnCall: engine/common/jinja_templater/filters.py and the tests beside it; for `iso8601_to_time`,
Django's `parse_datetime`.
"""

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_FORMAT = "%H:%M / %d-%m-%Y"
_WRONG_KIND = (ValueError, AttributeError, TypeError)

_DATE_TIME = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d{1,6})\d{0,6})?)?"
    r"\s*(?:(Z)|([+-])(\d{2})(?::?(\d{2}))?)?"
)
_SPAN = re.compile(r"([-+]?)(\d+)([smhdw])$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def datetimeformat(value: Any, format: str = _FORMAT) -> str | None:
    """A time as text; None for what has no `strftime`."""
    try:
        return str(value.strftime(format))
    except AttributeError:
        return None


def datetimeformat_as_timezone(value: Any, format: str = _FORMAT, tz: str = "UTC") -> str | None:
    """A time as text, as clocks in `tz` show it. KeyError for a zone that does not exist."""
    try:
        return str(value.astimezone(_zone(tz)).strftime(format))
    except _WRONG_KIND:
        return None


def datetimeparse(value: Any, format: str = _FORMAT) -> datetime | None:
    """The time that is written in a format of `strptime`."""
    try:
        return datetime.strptime(value, format)
    except _WRONG_KIND:
        return None


def iso8601_to_time(value: Any) -> datetime | None:
    """The time that is written as in ISO 8601, more or less."""
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        pass
    except _WRONG_KIND:
        return None
    found = _DATE_TIME.fullmatch(value)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, utc, sign, hours, minutes = found.groups()
    zone: tzinfo | None = UTC if utc else None
    if sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        zone = timezone(-offset if sign == "-" else offset)
    try:
        date = int(year), int(month), int(day)
        return datetime(*date, int(hour), int(minute), int(second or 0), int((fraction or "").ljust(6, "0")), zone)
    except ValueError:
        return None


def timestamp_to_datetime(value: Any) -> datetime | None:
    """The time so many seconds after 1970, without a zone."""
    try:
        return datetime.fromtimestamp(value)
    except _WRONG_KIND:
        return None


def timedeltaparse(value: Any) -> timedelta | None:
    """A span such as `5m` or `-1d`, of s, m, h, d or w."""
    try:
        found = _SPAN.match(value)
    except _WRONG_KIND:
        return None
    if found is None:
        return None
    sign, amount, unit = found.groups()
    try:
        return timedelta(**{_UNITS[unit]: int(sign + amount)})
    except ValueError:
        return None


def tojson_pretty(value: Any) -> str | None:
    """JSON over several lines, keys sorted."""
    try:
        return json.dumps(value, sort_keys=True, indent=4, separators=(",", ": "), ensure_ascii=False)
    except _WRONG_KIND:
        return None


def json_dumps(value: Any) -> str | None:
    """JSON on one line."""
    try:
        return json.dumps(value)
    except _WRONG_KIND:
        return None


def regex_replace(value: Any, find: str, replace: str) -> str | None:
    """The text with every match replaced."""
    try:
        return re.sub(find, replace, value)
    except _WRONG_KIND:
        return None


def regex_match(value: Any, pattern: str) -> bool | None:
    """Whether the text begins with a match."""
    try:
        return re.match(pattern, value) is not None
    except _WRONG_KIND:
        return None


def regex_search(value: Any, pattern: str) -> bool | None:
    """Whether there is a match in the text."""
    try:
        return re.search(pattern, value) is not None
    except _WRONG_KIND:
        return None


def b64decode(value: Any) -> str | None:
    """The text that is written in base64."""
    try:
        return base64.b64decode(value).decode("utf-8")
    except _WRONG_KIND:
        return None


def parse_json(value: Any) -> Any:
    """The value that is written as JSON."""
    try:
        return json.loads(value)
    except _WRONG_KIND:
        return None


FILTERS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        datetimeformat,
        datetimeformat_as_timezone,
        datetimeparse,
        iso8601_to_time,
        timestamp_to_datetime,
        timedeltaparse,
        tojson_pretty,
        json_dumps,
        regex_replace,
        regex_match,
        regex_search,
        b64decode,
        parse_json,
    )
}
"""By the names that templates use."""


def _zone(name: Any) -> tzinfo:
    """The time zone of this name, in any case, as pytz finds it. KeyError where there is none."""
    if isinstance(name, str) and name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, *_WRONG_KIND, OSError):
        for known in available_timezones():
            if known.lower() == str(name).lower():
                return ZoneInfo(known)
    raise KeyError(f"there is no time zone {name!r}")
