"""What a thousand watchers cost intake, how long it takes until they are told, and how much memory each takes.

All watch everything, which is the most that can be asked: one change is a thousand messages. They are in a process of
their own, which looks into the messages of a few of them only: a client that decoded all would cost more than what is
measured. On a machine with two cores it competes with the daemon all the same.

Latency is from the time of the event, which is that of the transaction before its commit, to its arrival: by one clock.

In one measurement each has a filter of its own, which nothing passes: what the comparing costs.

`python -m bench.watchers PARENT TARGET COUNT FILTER` is that process. It says so when all are let in, and what they
were told when its input ends.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from bench import bodies, load
from bench.dependent import die_with
from bench.processes import Stack, stack
from bench.report import Row, heading, progress, table
from bench.run import Run
from bench.throughput import KNOWN, Numbers, open_some, watched
from tocsin.v1 import alert_groups_pb2

WATCHERS = 1_000
PACE = 5.0
"""New groups a second where not as many as possible: the latency of a daemon that has time."""

_CASES = (
    ("repeats", 64, 0.0, ""),
    ("new groups, paced", 4, PACE, ""),
    ("new groups", 64, 0.0, ""),
    ("new groups, as many filters", 64, 0.0, "state = SILENCED"),
)
"""What is sent over how many connections, new ones at what pace, and the filter of the watchers."""
_METHOD = "/tocsin.v1.AlertGroupService/WatchAlertGroups"
_CHANNELS = 4
_LOOKED_INTO = 20
_SETTLE = 15.0
_COLUMNS = {
    "what": "what",
    "watchers": "watchers",
    "rate": "per second",
    "p50": "p50 ms",
    "p99": "p99 ms",
    "daemon_us": "daemon us",
    "told": "messages/s",
    "told_p50": "told p50 ms",
    "told_p99": "told p99 ms",
    "cut": "cut off",
    "kb": "daemon KB/watcher",
    "other": "not 200",
}


@dataclass
class Told:
    """What watchers were told: messages in all, the least and the most that one got, latencies in milliseconds, streams
    that ended by status, CPU seconds."""

    messages: int = 0
    least: int = 0
    most: int = 0
    p50: float | None = None
    p99: float | None = None
    cpu: float = 0.0
    ended: dict[str, int] = field(default_factory=dict)


def measure(run: Run) -> None:
    """The section `watchers`."""
    with stack(run.new_folder("watchers")) as tocsin:
        (path,) = tocsin.daemon.integrate(1)
        numbers = Numbers()
        request = bodies.post(path, bodies.notification(2))
        known = open_some(tocsin, numbers, request, KNOWN)
        seconds = 2 * run.cell
        rows: list[Row] = []
        for what, connections, pace, filter in _CASES:
            for count in (0, WATCHERS) if not filter else (WATCHERS,):
                progress(f"watchers: {what}, {count}")
                first, span = (known, KNOWN) if what == "repeats" else (numbers.take(1_000_000), 0)
                spec = load.Spec(
                    tocsin.gateway.port,
                    connections,
                    seconds,
                    text=request.text,
                    offsets=request.offsets,
                    first=first,
                    span=span,
                    rate=pace,
                )
                rows.append(_with(tocsin, count, what, spec, filter))
    heading(f"Beside {WATCHERS:,} watchers of everything")
    table(rows, _COLUMNS)
    run.found["watchers"] = rows


def _with(tocsin: Stack, count: int, what: str, spec: load.Spec, filter: str = "") -> Row:
    before = tocsin.daemon.memory().rss
    with watching(tocsin.daemon.target, count, filter) as watchers:
        each = (tocsin.daemon.memory().rss - before) * 1e3 / count if count else None
        began = time.perf_counter()
        row = watched(what, spec, tocsin, None)
        told = watchers.told() if watchers is not None else Told()
        seconds = time.perf_counter() - began
    return {
        **row,
        "watchers": count,
        "told": round(told.messages / seconds) if count else None,
        "told_p50": told.p50,
        "told_p99": told.p99,
        "least": told.least,
        "most": told.most,
        "cut": told.ended,
        "kb": None if each is None else round(each, 1),
    }


class Watchers:
    """The process with the watchers, as seen from the one that started it."""

    def __init__(self, target: str, count: int, filter: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.watchers", str(os.getpid()), target, str(count), filter],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[1],
        )
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise RuntimeError("the watchers were not let in")

    def told(self) -> Told:
        """Waits until nothing more comes, and ends them."""
        output, _ = self._process.communicate("")
        if self._process.returncode:
            raise RuntimeError("the watchers failed")
        return Told(**json.loads(output))

    def stop(self) -> None:
        """Ends the process, if it has not ended."""
        self._process.kill()
        self._process.communicate()


@contextmanager
def watching(target: str, count: int, filter: str) -> Iterator[Watchers | None]:
    """So many watchers, let in; None for none."""
    if not count:
        yield None
        return
    watchers = Watchers(target, count, filter)
    try:
        yield watchers
    finally:
        watchers.stop()


class _Client:
    """The watchers, in their own process. Each message counts; a few watchers look into theirs."""

    def __init__(self, count: int, filter: str) -> None:
        self._filter = filter
        self.counts = [0] * count
        self.latencies: list[float] = []
        self.ended: Counter[str] = Counter()
        self._in = 0
        self._all_in = asyncio.Event()

    async def run(self, target: str) -> Told:
        options = [("grpc.use_local_subchannel_pool", 1)]
        channels = [grpc.aio.insecure_channel(target, options=options) for _ in range(_CHANNELS)]
        watch: list[Any] = [channel.unary_stream(_METHOD) for channel in channels]
        tasks = [
            asyncio.create_task(self._watch(watch[n % _CHANNELS](self._request(n)), n)) for n in range(len(self.counts))
        ]
        await self._all_in.wait()
        print("in", flush=True)
        cpu = time.process_time()
        await asyncio.to_thread(sys.stdin.read)
        await self._settled()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for channel in channels:
            await channel.close()
        found = sorted(self.latencies)
        return Told(
            messages=sum(self.counts),
            least=min(self.counts),
            most=max(self.counts),
            p50=round(found[len(found) // 2], 1) if found else None,
            p99=round(found[int(len(found) * 0.99)], 1) if found else None,
            cpu=round(time.process_time() - cpu, 2),
            ended=dict(self.ended),
        )

    def _request(self, index: int) -> bytes:
        """Asks for everything, or with a filter that is written as no other."""
        text = self._filter + " " * index if self._filter else ""
        return alert_groups_pb2.WatchAlertGroupsRequest(filter=text).SerializeToString()

    async def _watch(self, call: Any, index: int) -> None:
        try:
            await call.read()
            self._in += 1
            if self._in == len(self.counts):
                self._all_in.set()
            looks = index % (len(self.counts) // _LOOKED_INTO or 1) == 0
            while (raw := await call.read()) is not grpc.aio.EOF:
                self.counts[index] += 1
                if looks:
                    at = alert_groups_pb2.WatchAlertGroupsResponse.FromString(raw).event.create_time
                    self.latencies.append((time.time() - at.seconds - at.nanos / 1e9) * 1e3)
        except grpc.RpcError as error:
            self.ended[error.code().name] += 1
            self._all_in.set()

    async def _settled(self) -> None:
        """Returns when all were told the same, or when that takes too long."""
        deadline = time.monotonic() + _SETTLE
        before = -1
        while time.monotonic() < deadline and (sum(self.counts) != before or len(set(self.counts)) > 1):
            before = sum(self.counts)
            await asyncio.sleep(0.3)


def main() -> None:
    """The process of the watchers."""
    parent, target, count, filter = sys.argv[1:]
    die_with(int(parent))
    print(json.dumps(asdict(asyncio.run(_Client(int(count), filter).run(target)))))


if __name__ == "__main__":
    main()
