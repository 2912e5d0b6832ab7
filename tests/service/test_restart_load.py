"""A daemon that restarts under load: senders see 200s, at worst 503s, and nothing is lost or doubled.

The gateway waits for the daemon until the answer of a request is due, and delivers again what may not have been taken;
intake is idempotent. So a restart within those five seconds is seen by nobody.
"""

import signal

import pytest
from load import Load, assert_nothing_lost
from stacks import Stack


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_restarts_of_the_daemon(stack: Stack, number: signal.Signals) -> None:
    """Three of them, by a stop as by a kill: no request is without an answer."""
    integration = stack.client.create("load")
    with Load(stack, integration, most=3000) as load:
        for _ in range(3):
            load.after(250)
            stack.daemon.send(number)
            stack.daemon.wait()
            stack.start_daemon()
        load.after(300)
    print(f"over restarts of the daemon by {number.name}:", dict(load.statuses))
    # A 503 is for a machine so busy that the daemon is not back in time.
    assert set(load.statuses) <= {200, 503}
    stack.wait_ready()
    assert_nothing_lost(stack, load, integration)


def test_everything_restarts(stack: Stack) -> None:
    """Daemon and gateway are upgraded one after the other: what was answered 200 is there."""
    integration = stack.client.create("load")
    with Load(stack, integration, most=3000) as load:
        load.after(250)
        stack.daemon.send(signal.SIGTERM)
        stack.daemon.wait()
        stack.start_daemon()
        stack.gateway.send(signal.SIGHUP)
        load.after(400)
    print("over an upgrade:", dict(load.statuses))
    assert set(load.statuses) <= {200, 503}
    stack.wait_ready()
    assert_nothing_lost(stack, load, integration)
