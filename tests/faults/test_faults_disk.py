"""A disk that is full, or cannot be written for another reason."""

import resource
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from early import early
from load import assert_sound
from processes import until
from senders import Answer, Sender, notification
from stacks import Stack, running_stack

from tocsin.v1.integrations_pb2 import Integration

UNLIMITED = resource.RLIM_INFINITY


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """The data folder of the stack, on a file system of 2 MiB of which a ballast takes half."""
    data = folder / "data"
    data.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(data)]
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.strip()}")
    try:
        (data / "ballast").write_bytes(bytes(1024 * 1024))
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(data)], check=True)


def fill(stack: Stack, integration: Integration) -> list[str]:
    """Sends until the disk is full; returns the keys of what was taken."""
    # One that is not taken is not waited for: the gateway tries again for five seconds.
    sender = Sender(stack.port, timeout=1)
    taken: list[str] = []
    while sender.post(integration.url, _large(f"key {len(taken)}")) == 200:
        taken.append(f"key {len(taken)}")
        assert len(taken) < 3000, "the disk does not fill"
    return taken


def assert_refuses_and_recovers(
    stack: Stack, integration: Integration, taken: list[str], make_room: Callable[[], None]
) -> None:
    """While nothing can be written, nothing is taken and all can be read; afterwards all is as before."""
    with ThreadPoolExecutor() as pool:
        # The gateway tries again for its five seconds: all of these wait at the same time.
        beat = pool.submit(stack.status, integration.heartbeat_url)
        answers = [pool.submit(_post, stack, integration, f"refused {number}") for number in range(3)]
        until(lambda: stack.status("/-/ready") == 503, "the gateway says that it is not ready")
        assert stack.status("/-/healthy") == 200
        assert keys(stack, integration) == sorted(taken)
        assert stack.client.alerts(stack.client.groups(integration)[0])
        for answer in answers:
            assert answer.result().status == 503
            assert int(answer.result().headers["retry-after"]) > 0
        assert beat.result() == 503
    assert stack.daemon.running
    make_room()
    until(lambda: stack.status("/-/ready") == 200, "the gateway says that it is ready")
    assert _post(stack, integration, "taken again").status == 200
    assert keys(stack, integration) == sorted([*taken, "taken again"])
    assert stack.daemon.running
    assert_sound(stack.data)


def take_what_is_free(file: Path) -> None:
    """Makes a file so large that not a byte is left."""
    with suppress(OSError), file.open("ab", buffering=0) as stream:
        while True:
            stream.write(bytes(1024))


def keys(stack: Stack, integration: Integration) -> list[str]:
    """The grouping keys of all groups, sorted; of one that has two groups, twice."""
    return sorted(group.grouping_key for group in stack.client.groups(integration))


def _large(key: str) -> bytes:
    return notification(key, firing=[f"{key} {number}" for number in range(40)])


def _post(stack: Stack, integration: Integration, key: str) -> Answer:
    sender = stack.sender()
    try:
        return sender.ask("POST", integration.url, _large(key))
    finally:
        sender.close()


@early
def test_a_full_disk() -> None:
    """On a full disk notifications are refused with 503 and what is there can be read; all goes on by itself when there
    is room again."""
    with running_stack(small_disk) as stack:
        integration = stack.client.create("full disk")
        ballast = stack.data / "ballast"
        taken = fill(stack, integration)
        assert taken
        assert_refuses_and_recovers(stack, integration, taken, ballast.unlink)


@early
def test_a_daemon_killed_on_a_full_disk() -> None:
    """A daemon that was killed when the disk was full loses nothing; it comes back at the latest when there is room."""
    with running_stack(small_disk) as stack:
        integration = stack.client.create("full disk")
        ballast = stack.data / "ballast"
        taken = fill(stack, integration)
        stack.daemon.kill()
        take_what_is_free(ballast)
        stack.start_daemon()
        # It may serve what is there, or say why it cannot; its service manager starts it again then.
        until(lambda: not stack.daemon.running or stack.daemon.log.count('"ready"') == 2, "the daemon has looked")
        assert "Traceback" not in stack.daemon.log
        ballast.unlink()
        if not stack.daemon.running:
            assert f"tocsind: {stack.data}: the disk is full: make room" in stack.daemon.log
            stack.start_daemon()
        stack.wait_ready()
        until(lambda: _post(stack, integration, "taken again").status == 200, "a notification is taken")
        # The one that found the disk full may have waited in the gateway until now.
        waiting = f"key {len(taken)}"
        assert [key for key in keys(stack, integration) if key != waiting] == sorted([*taken, "taken again"])
        assert_sound(stack.data)


@early
def test_writing_fails() -> None:
    """When every write to a file fails, that of the log too, it is like a full disk."""
    with running_stack() as stack:
        integration = stack.client.create("failing disk")
        sender = stack.sender()
        taken = [f"key {number}" for number in range(20)]
        for key in taken:
            assert sender.post(integration.url, notification(key)) == 200
        sender.close()
        resource.prlimit(stack.daemon.pid, resource.RLIMIT_FSIZE, (0, UNLIMITED))
        assert_refuses_and_recovers(
            stack,
            integration,
            taken,
            lambda: resource.prlimit(stack.daemon.pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED)) and None,
        )
