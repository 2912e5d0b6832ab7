"""docs/client.md: each block of code in it runs, against a real daemon; and a user's type checker is content."""

import re
import subprocess
import sys
from pathlib import Path

from certificates import Certificate
from senders import notification
from stacks import Stack

import tocsin

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/client.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def test_the_guide_runs(stack: Stack, folder: Path, ca: Certificate) -> None:
    """All blocks, one after the other, in one program, with `target` and the addresses in it replaced."""
    integration = stack.client.create("Production")
    sender = stack.sender()
    assert sender.post(integration.url, notification("one")) == 200
    script = folder / "guide.py"
    head = f'target = "{stack.target}"\n'
    text = head + "\n".join(BLOCKS).replace("unix:/run/tocsin/tocsind.sock", stack.target)
    (folder / "ca.pem").write_bytes(ca.certificate.read_bytes())
    (folder / "token").write_text("s3cret\n")
    script.write_text(text.replace("/etc/tocsin/", f"{folder}/"))
    program = subprocess.Popen(
        [sys.executable, "-u", str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert program.stdout is not None
        lines = []
        for line in program.stdout:
            lines.append(line)
            if "ACKNOWLEDGED" in line:  # now it watches, until the group is resolved
                assert sender.post(integration.url, notification("one", firing=[], resolved=["a"])) == 200
        _, errors = program.communicate(timeout=30)
    finally:
        program.kill()
        sender.close()
    shown = "".join(lines)
    assert program.returncode == 0, errors
    assert "StatusCode.INVALID_ARGUMENT" in shown
    assert "RESOLVED" in shown
    assert "'Production'" in shown


def test_all_services_are_in_the_guide() -> None:
    """Those that it names are attributes of both clients, and no others are."""
    listed = GUIDE.partition("The services are attributes:")[2].partition(";")[0]
    named = set(re.findall(r"`(\w+)`", listed))
    with tocsin.connect("unix:/nowhere") as client:
        assert named == {name for name in vars(client) if not name.startswith("_")}
    assert named == set(tocsin.aio.Client.__annotations__)


USER = """
import tocsin
from tocsin.v1.alert_groups_pb2 import AlertGroup, ListAlertGroupsRequest, WatchAlertGroupsRequest, WatchEventsRequest


def plain() -> None:
    with tocsin.connect("unix:/x", token=None, timeout=3) as client:
        for page in client.pages(client.alert_groups.ListAlertGroups, ListAlertGroupsRequest()):
            groups: list[AlertGroup] = list(page.alert_groups)
        reveal_type(client.alert_groups.ListAlertGroups(ListAlertGroupsRequest()))
        reveal_type(next(client.watch(WatchAlertGroupsRequest())))
        reveal_type(next(client.watch(WatchEventsRequest())))


async def asynchronous() -> None:
    async with tocsin.aio.connect("unix:/x") as client:
        reveal_type(await client.alert_groups.ListAlertGroups(ListAlertGroupsRequest()))
        async for page in client.pages(client.alert_groups.ListAlertGroups, ListAlertGroupsRequest()):
            reveal_type(page)
        reveal_type(await anext(client.watch(WatchEventsRequest())))
"""

REVEALED = [
    "ListAlertGroupsResponse",
    "WatchAlertGroupsResponse",
    "WatchEventsResponse",
    "ListAlertGroupsResponse",
    "ListAlertGroupsResponse",
    "WatchEventsResponse",
]


def test_a_users_type_checker_is_content(folder: Path) -> None:
    """Programs that use the client, and the examples, pass mypy --strict, which knows what each call returns."""
    (folder / "user.py").write_text(USER)
    examples = sorted(str(path) for path in (ROOT / "docs/examples").glob("*.py"))
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={folder}", "user.py", *examples],
        cwd=folder,
        env={"MYPYPATH": str(ROOT / "proto"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert re.findall(r'Revealed type is "tocsin\.v1\.\w+\.(\w+)"', checked.stdout) == REVEALED, checked.stdout
    # Installed, the package itself is not what mypy complains about; here it is found by path.
    theirs = [line for line in checked.stdout.splitlines() if not line.startswith(str(ROOT / "proto"))]
    assert [line for line in theirs if ": error:" in line] == []
