"""What all tests share: how hypothesis works here, and that tests which mostly wait begin early."""

import os

import early
import pytest
from hypothesis import HealthCheck, settings

# No deadline: a busy machine is no failure. What is found is printed so that it can be run again, and where nobody
# watches the same examples are tried each time, so that a red run is the fault of what changed.
settings.register_profile(
    "tocsin",
    deadline=None,
    max_examples=100,
    print_blob=True,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tocsin")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts what is marked `@early` where it is waited for least."""
    early.sort(items)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begins what is marked `@early` in the suite of a test, before the test."""
    early.begin_suite_of(item)
