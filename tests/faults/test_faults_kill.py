"""SIGKILL under load: what was answered 200 is never lost and never doubled."""

import os
import random
import signal
import time

import pytest
from load import Load, assert_nothing_lost, assert_sound
from processes import until
from senders import notification
from stacks import Stack

from tocsin.v1.alert_groups_pb2 import AlertGroup


def kill_daemon(stack: Stack) -> None:
    """Kills the daemon; a new one starts at once."""
    stack.daemon.kill()
    stack.start_daemon()


def kill_worker(stack: Stack) -> None:
    """Kills the gateway's worker; its master starts a new one."""
    for pid in until(stack.gateway.children, "the gateway has a worker"):
        os.kill(pid, signal.SIGKILL)


def kill_master(stack: Stack) -> None:
    """Kills the gateway's master alone; its worker notices that. A new gateway starts at once."""
    stack.gateway.send(signal.SIGKILL)
    stack.gateway.wait()
    stack.start_gateway()


def kill_gateway(stack: Stack) -> None:
    """Kills the gateway with all its processes; a new one starts at once."""
    stack.gateway.kill()
    stack.start_gateway()


def kill_both(stack: Stack) -> None:
    """Kills all there is; all starts at once."""
    stack.daemon.kill()
    stack.gateway.kill()
    stack.start_gateway()
    stack.start_daemon()


@pytest.mark.parametrize("kill", [kill_daemon, kill_worker, kill_master, kill_gateway, kill_both])
def test_nothing_answered_is_lost(stack: Stack, kill: object) -> None:
    """Three kills under load: every notification that was answered 200 is found again, as exactly one group."""
    assert callable(kill)
    integration = stack.client.create("load")
    with Load(stack, integration, most=1500) as load:
        for _ in range(3):
            load.after(200)
            kill(stack)
        load.after(300)
    stack.wait_ready()
    assert_nothing_lost(stack, load, integration)


def test_killed_again_and_again(stack: Stack) -> None:
    """Many kills at any moment, of the daemon, of the gateway, during start too: the file stays whole, its rows agree
    with one another, and in the end all that was answered 200 is there."""
    seed = random.randrange(2**32)
    print(f"{seed=}")
    chance = random.Random(seed)
    integration = stack.client.create("load", reopen_window={"seconds": 0})
    with Load(stack, integration, connections=16, most=100_000) as load:
        for _ in range(15):
            time.sleep(chance.uniform(0, 0.6))
            chance.choices([kill_daemon, kill_gateway, kill_both], [12, 1, 2])[0](stack)
            if chance.random() < 0.3:
                assert_sound(stack.data)
        load.after(100)
    stack.wait_ready()
    assert_nothing_lost(stack, load, integration)


def test_a_group_that_lives_through_kills(stack: Stack) -> None:
    """Kills between the notifications of one group leave it in the state that the last answered one said."""
    integration = stack.client.create("one group")
    sender = stack.sender()
    for round_ in range(4):
        until(lambda: sender.post(integration.url, notification("k", firing="ab")) == 200, "it is taken")
        kill_daemon(stack)
        (group,) = stack.client.groups(integration)
        assert (group.state, group.firing_alert_count) == (AlertGroup.FIRING, 2), round_
        until(lambda: sender.post(integration.url, notification("k", firing="", resolved="ab")) == 200, "it is taken")
        kill_daemon(stack)
        (group,) = stack.client.groups(integration)
        assert (group.state, group.resolved_alert_count) == (AlertGroup.RESOLVED, 2), round_
    assert stack.client.timeline(group) == ["OPENED", "RESOLVED", *["REOPENED", "RESOLVED"] * 3]
    assert_sound(stack.data)
    sender.close()
