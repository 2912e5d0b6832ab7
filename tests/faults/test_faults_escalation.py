"""SIGKILL at every step of escalation chains: nobody who is to be told is forgotten, and nobody is told twice."""

import json
import random
import sqlite3
import time
from collections import defaultdict
from contextlib import closing

from early import early, told
from load import assert_sound
from processes import until
from senders import notification
from stacks import Stack, running_stack

CONTACT = """
INSERT INTO contact_points (id, public_id, display_name, description, aliases, kind, settings, target, title_template,
    body_template, bundle_window, created_at, updated_at)
VALUES (1, 'ops', 'ops', '', '[]', 2, '{"url":"json://127.0.0.1:9"}', '', '', '', 3153600000000000, 0, 0)
"""
VERSION = "INSERT INTO chain_versions (id, chain, display_name, steps) VALUES (1, 'page', 'page', ?)"
CHAIN = """
INSERT INTO escalation_chains (id, public_id, display_name, description, version_id, is_default, created_at, updated_at)
VALUES (1, 'page', 'page', '', 1, 1, 0, 0)
"""
TELL, WAIT = ["notify", [1]], ["wait", 1_000_000]
STEPS = [TELL, WAIT, TELL, WAIT, TELL, ["repeat", 1], ["more_than", 0, 86_400_000_000], TELL, WAIT, TELL]
EXPECTED = [1, 3, 5, 1, 3, 5, 8, 10]
"""The steps that tell, in the order in which they are done."""

HALTS = {1, 2, 4, 5, 7, 8}
"""How many were told wherever the chain waits, and in the end. What is told between two waits is told as one."""

GROUPS = 24


def furnish(stack: Stack) -> None:
    """A chain that is the default, and whom it names, as if somebody had made them; what is told waits to be bundled
    for a hundred years, so that nothing is sent."""
    with closing(sqlite3.connect(stack.data / "tocsin.db", timeout=10)) as connection, connection:
        connection.execute(CONTACT)
        connection.execute(VERSION, (json.dumps(STEPS),))
        connection.execute(CHAIN)


def steps_told(stack: Stack) -> dict[int, list[int]]:
    """The steps of the messages of each group, in the order of the outbox."""
    found: dict[int, list[int]] = defaultdict(list)
    with closing(sqlite3.connect(f"file:{stack.data / 'tocsin.db'}?mode=ro", uri=True, timeout=10)) as connection:
        for group_id, step in connection.execute("SELECT group_id, step FROM messages ORDER BY id"):
            found[group_id].append(step)
    return found


def running(stack: Stack) -> int:
    """How many escalations run."""
    with closing(sqlite3.connect(f"file:{stack.data / 'tocsin.db'}?mode=ro", uri=True, timeout=10)) as connection:
        return int(connection.execute("SELECT count(*) FROM escalations").fetchone()[0])


@early
def test_killed_at_every_step_of_a_chain() -> None:
    """Groups that open one after the other, so that at any moment some are at each step and between any two; the daemon
    is killed again and again, and each time another one goes on: in the end each step of each group was told exactly
    once a round, in the order of the chain, and the timelines say the same."""
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    with told(lambda: f"{seed=}"), running_stack() as stack:
        furnish(stack)
        integration = stack.client.create("chained")
        sender = stack.sender()
        kills, seen = 0, set[int]()
        for number in range(GROUPS):
            body = notification(f"k{number}", firing="a")
            until(lambda body=body: sender.post(integration.url, body) == 200, "it is taken")
            time.sleep(chance.uniform(0, 0.2))
            if number % 2:
                kills += 1
                stack.daemon.kill()
                seen |= {len(steps) for steps in steps_told(stack).values()}
                stack.start_daemon()
        while running(stack):
            time.sleep(chance.uniform(0.3, 1.5))
            kills += 1
            stack.daemon.kill()
            seen |= {len(steps) for steps in steps_told(stack).values()}
            stack.start_daemon()
            assert kills < 200
        stack.wait_ready()

        assert seen | {len(EXPECTED)} == HALTS
        groups = stack.client.groups(integration)
        assert len(groups) == GROUPS
        found = steps_told(stack)
        for group in groups:
            assert found[group.number] == EXPECTED, group.name
            kinds = stack.client.timeline(group)
            assert [kind for kind in kinds if kind != "NOTIFIED"] == [
                "OPENED",
                "ESCALATION_STARTED",
                "ESCALATION_REPEATED",
                "ESCALATION_ENDED",
            ]
            assert kinds.count("NOTIFIED") == len(EXPECTED)
        assert_sound(stack.data)
        sender.close()
