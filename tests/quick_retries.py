"""A fixture for suites whose daemons refuse on purpose: to be tried again four times takes a moment, not 1.5 s."""

from collections.abc import Iterator

import pytest

from tocsin import channel


@pytest.fixture(autouse=True, scope="session")
def quick_retries() -> Iterator[None]:
    """Clients of this process try again as often as ever, with shorter pauses between."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(channel.RETRIES, "initialBackoff", "0.01s")
        yield
