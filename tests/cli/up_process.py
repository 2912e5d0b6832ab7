"""Runs `tocsin up` as a process and tells what it printed and which children it has."""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from processes import free_port

END_OF_SHEET = "tocsin --help "
PATIENCE = 60  # seconds; a generous bound on waits that are over in a moment


class Up:
    """One `tocsin up`."""

    def __init__(self, folder: Path, *arguments: str, env: dict[str, str] | None = None, setup: str = "") -> None:
        """Start it with its data in `folder`; `setup` is Python to run in it first, such as shorter patience."""
        self._known: set[int] = set()
        self.port = free_port()
        self.data = folder / "data"
        if not any(argument == "--http" for argument in arguments):
            arguments = ("--http", f"127.0.0.1:{self.port}", *arguments)
        if not any(argument == "--data" for argument in arguments):
            arguments = ("--data", str(self.data), *arguments)
        code = f"import tocsin_cli.up as up\n{setup}\nfrom tocsin_cli.__main__ import main\nmain()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "up", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | (env or {}),
            cwd=folder,
        )
        self.errors = Lines(self.process.stderr)
        self._output = Lines(self.process.stdout)

    @property
    def target(self) -> str:
        """Where its daemon listens."""
        return f"unix:{self.data}/tocsind.sock"

    def sheet(self) -> str:
        """Return what it printed, once it is up."""
        return "\n".join(self._output.until(END_OF_SHEET))

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; return its exit code, its output and all that it or its children wrote on stderr."""
        code = self.process.wait(timeout=PATIENCE)
        return code, "\n".join(self._output.rest()), "\n".join(self.errors.rest())

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send it a signal, and wait for its end."""
        self.process.send_signal(number)
        return self.end()

    def children(self) -> list[int]:
        """Return the ids of its children, in the order of their start."""
        pid = self.process.pid
        tasks = Path(f"/proc/{pid}/task").iterdir()
        found = sorted(int(word) for task in tasks for word in (task / "children").read_text().split())
        self._known.update(found)
        return found

    def clean_up(self) -> None:
        """Leave nothing behind, whatever the test did."""
        if self.process.poll() is None:
            self.children()
            self.process.kill()
        for pid in self._known:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        self.process.wait()


class Lines:
    """Reads a stream to its end in the background, so that whoever writes never has to wait."""

    def __init__(self, stream: IO[str] | None) -> None:
        """Begin to read."""
        assert stream is not None
        self._stream = stream
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._seen: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        with self._stream:
            for line in self._stream:
                self._queue.put(line.rstrip("\n"))
        self._queue.put(None)

    def until(self, pattern: str) -> Sequence[str]:
        """Wait for a line with `pattern` in it; return all lines up to it. Fails if the stream ends before."""
        while True:
            line = self._queue.get(timeout=PATIENCE)
            assert line is not None, f"no line with {pattern!r} in: {self._seen}"
            self._seen.append(line)
            if re.search(pattern, line):
                return self._seen

    def rest(self) -> Sequence[str]:
        """Wait for the end of the stream; return all lines that there were."""
        while (line := self._queue.get(timeout=PATIENCE)) is not None:
            self._seen.append(line)
        return self._seen
