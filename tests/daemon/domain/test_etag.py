"""Etags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsind.domain.errors import Code, Reason, TocsinError
from tocsind.domain.etag import check, etag

PARTS = st.lists(st.integers() | st.text() | st.none(), max_size=4)


@given(PARTS, PARTS)
def test_an_etag_tells_contents_apart(one: list[object], other: list[object]) -> None:
    """And is the same for the same."""
    assert (etag(*one) == etag(*other)) is (one == other)
    assert len(etag(*one)) == 16


def test_only_a_wrong_etag_is_refused() -> None:
    """None at all asks for no check."""
    check("", etag(1), "things/1")
    check(etag(1), etag(1), "things/1")
    with pytest.raises(TocsinError, match="things/1 was changed since it was read") as refusal:
        check(etag(1), etag(2), "things/1")
    assert (refusal.value.reason, refusal.value.code) == (Reason.ETAG_MISMATCH, Code.ABORTED)
    assert refusal.value.resource == "things/1"
