"""What a notification says of its group as a whole."""

import pytest
from notices import notice

from tocsind.domain.notification import Report

TABLE = [
    # status, truncated, reason, what it says
    ("firing", 0, "", Report.FIRING),
    ("firing", 3, "", Report.FIRING),
    ("firing", 0, "all alerts resolved", Report.FIRING),
    ("firing", 3, "all alerts resolved", Report.FIRING),
    ("resolved", 0, "", Report.RESOLVED),
    ("resolved", 0, "all alerts resolved", Report.RESOLVED),
    ("resolved", 0, "some alerts resolved", Report.RESOLVED),
    ("resolved", 0, "a reason from the future", Report.RESOLVED),
    ("resolved", 3, "all alerts resolved", Report.RESOLVED),
    ("resolved", 3, "first notification", Report.FIRING),
    ("resolved", 3, "new alerts added", Report.FIRING),
    ("resolved", 3, "some alerts resolved", Report.FIRING),
    ("resolved", 3, "repeat interval elapsed", Report.FIRING),
    ("resolved", 3, "", Report.UNCERTAIN),
    ("resolved", 3, "a reason from the future", Report.UNCERTAIN),
    ("resolved", 3, "All alerts resolved", Report.UNCERTAIN),
]


@pytest.mark.parametrize(("status", "truncated", "reason", "expected"), TABLE)
def test_what_a_notification_says(status: str, truncated: int, reason: str, expected: Report) -> None:
    """A truncated "resolved" is believed only with the reason that says so: the status is computed after cutting."""
    assert notice("a", status=status, truncated=truncated, reason=reason).report is expected
