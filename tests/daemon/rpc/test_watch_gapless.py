"""No gap and no repeat, whatever happens at the same time."""

import random
import threading

import grpc
import pytest
from running_daemon import RunningDaemon
from watching import Told, told, watch, watch_events

from tocsind.rpc import watch_hub, watch_topics

WRITERS, EVENTS, WATCHERS, LIVES = 3, 120, 8, 4


class Follower:
    """Watches until a certain revision; breaks off at random, and resumes from the last revision it received."""

    def __init__(self, seed: int, filter: str = "", parent: str = "") -> None:
        self.random = random.Random(seed)
        self.filter = filter
        self.parent = parent
        self.revision = 0
        self.seen: list[Told] = []
        self.problem: BaseException | None = None

    def follow(self, daemon: RunningDaemon, until: threading.Event) -> None:
        """Follows one life of the daemon: until all was written and was seen, or until it ends."""
        try:
            while self.revision < EVENTS and not until.is_set():
                self._once(daemon)
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                self.problem = error
        except AssertionError as error:
            self.problem = error

    def _once(self, daemon: RunningDaemon) -> None:
        patience = self.random.choice([1, 3, 10, 1_000])
        if self.parent:
            call, begin = watch_events(daemon, self.parent, self.revision)
        else:
            # Written in another way each time: one that nobody watches by yet.
            text = self.filter + " " * self.random.randrange(1_000)
            call, begin = watch(daemon, self.revision, filter=text)
        assert begin == self.revision
        for message in call:
            assert message.revision >= self.revision
            self.revision = message.revision
            if message.HasField("event"):
                self.seen.append(told(message))
            patience -= 1
            if patience == 0 or self.revision >= EVENTS:
                call.cancel()
                return


@pytest.mark.parametrize(("most_waiting", "page"), [(1, 200), (1, 7), (3, 200), (3, 2), (1_000, 200), (1_000, 1)])
def test_every_revision_comes_once_over_restarts(
    daemon: RunningDaemon, monkeypatch: pytest.MonkeyPatch, most_waiting: int, page: int
) -> None:
    """Writers, watchers that join, break off and resume at random, small queues and small pages, and a daemon that is
    stopped or killed in between: each watcher was told exactly what the file says, in order."""
    seed = most_waiting * 1_000 + page
    chance = random.Random(seed)
    monkeypatch.setattr(watch_hub, "MOST_WAITING", most_waiting)
    monkeypatch.setattr(watch_hub, "PROGRESS", 0.02)
    for module in (watch_hub, watch_topics):
        monkeypatch.setattr(module, "PAGE", page)
    integration = daemon.integration()
    name = daemon.fire(integration, key="first")
    followers = [Follower(seed * 100 + n, "state != RESOLVED" if n % 2 else "") for n in range(WATCHERS)]
    followers += [Follower(seed * 100 + 50, parent=name), Follower(seed * 100 + 51, "state = SILENCED")]
    written = 1
    for life in range(LIVES):
        goal = EVENTS if life == LIVES - 1 else written + (EVENTS - 1) // LIVES
        over = threading.Event()
        threads = [threading.Thread(target=follower.follow, args=(daemon, over)) for follower in followers]
        for thread in threads:
            thread.start()
        lock = threading.Lock()

        def write(worker: int, daemon: RunningDaemon = daemon, goal: int = goal, lock: threading.Lock = lock) -> None:
            nonlocal written
            while True:
                with lock:
                    if written == goal:
                        return
                    written += 1
                    key, acts = f"{written}", written % 5 == 0
                    if acts:
                        silenced = daemon.group(name).state == 3
                        daemon.act("Unsilence" if silenced else "Silence", name)
                if not acts:
                    daemon.fire(integration, key=key)

        writers = [threading.Thread(target=write, args=(n,)) for n in range(WRITERS)]
        for thread in writers:
            thread.start()
        for thread in writers:
            thread.join(60)
        if life < LIVES - 1:
            over.set()
            daemon = chance.choice([daemon.crash, daemon.reopen])()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()

    assert [follower.problem for follower in followers] == [None] * len(followers)
    rows = daemon.sql("SELECT id, kind, previous, state, group_id FROM events ORDER BY id")
    assert [row[0] for row in rows] == list(range(1, EVENTS + 1))
    for follower in followers:
        wanted = [
            (row[0], f"alertGroups/{row[4]}")
            for row in rows
            if (not follower.parent or row[4] == 1) and ("SILENCED" not in follower.filter or 3 in row[2:4])
        ]
        assert [(revision, group) for revision, _, group in follower.seen] == wanted
