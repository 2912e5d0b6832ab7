"""What all tests share: how hypothesis works here."""

import os

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
