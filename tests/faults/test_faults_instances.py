"""Two daemons, one folder."""

import threading

from senders import notification
from stacks import Stack


def test_a_second_daemon_is_refused(stack: Stack) -> None:
    """A second daemon on the same folder says who has it and ends; the first one goes on serving on its socket, without
    one request failing."""
    integration = stack.client.create("two daemons")
    statuses = []
    over = threading.Event()

    def send() -> None:
        sender = stack.sender()
        while not over.is_set():
            statuses.append(sender.post(integration.url, notification(f"key {len(statuses)}")))
        sender.close()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        for number in range(3):
            log = stack.folder / f"second{number}.log"
            second = stack.processes.python("tocsind", "--data", str(stack.data), log=log)
            assert second.wait() == 1
            assert f"in use by process {stack.daemon.pid}" in second.log
            assert len(second.log.splitlines()) == 1
    finally:
        over.set()
        thread.join()
    assert set(statuses) == {200}
    assert stack.daemon.running
    assert len(stack.client.groups(integration)) == len(statuses)


def test_a_daemon_after_a_crash(stack: Stack) -> None:
    """What a killed daemon leaves in the folder (its lock, its socket) does not stand in the way of the next one."""
    integration = stack.client.create("after a crash")
    stack.daemon.kill()
    assert (stack.data / "tocsind.sock").exists()
    assert (stack.data / "tocsind.lock").exists()
    stack.start_daemon()
    stack.wait_ready()
    sender = stack.sender()
    assert sender.post(integration.url, notification("key")) == 200
    sender.close()
