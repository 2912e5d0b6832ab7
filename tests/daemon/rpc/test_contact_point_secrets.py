"""The secrets of contact points are in the data folder, for the daemon's user, and nowhere else."""

import base64
import contextlib
import os
import stat
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certificates
import grpc
import pytest
from changing import by, everything_in, holds
from contact_samples import Contact, edit, make_contact, remove, stand_in, webhook
from processes import Processes
from running_daemon import RunningDaemon

from tocsin.v1 import (
    alert_groups_pb2,
    alert_groups_pb2_grpc,
    audit_pb2,
    audit_pb2_grpc,
    contact_points_pb2,
    contact_points_pb2_grpc,
    integrations_pb2,
    integrations_pb2_grpc,
    monitoring_pb2,
    monitoring_pb2_grpc,
)

SIGNING = base64.b64encode(b"a s3cret for signing").decode()
SECRETS = {
    "webhook.url": "s3cretPathOfTheHook",
    "webhook.url's query": "s3cretQueryOfTheHook",
    "webhook.headers": "s3cretValueOfAHeader",
    "webhook.signing_secret": SIGNING,
    "apprise.url": "s3cretPasswordOfTheMail",
    "on_call.url": "s3cretPathOfTheCalendar",
    "on_call.ical": "s3cretTextOfTheCalendar",
}
ICAL = f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:{SECRETS['on_call.ical']}\r\nEND:VCALENDAR\r\n"


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A certificate and its key."""
    made = certificates.authority(tmp_path_factory.mktemp("pems"))
    return made.certificate.read_text(), made.key.read_text()


def _key_lines(key: str) -> list[str]:
    return [line for line in key.splitlines() if not line.startswith("-----")]


def kinds(pair: tuple[str, str]) -> Iterator[dict[str, Any]]:
    """What is particular to each kind, with a secret wherever there can be one."""
    path, query = SECRETS["webhook.url"], SECRETS["webhook.url's query"]
    yield {
        "webhook": {
            "url": f"http://127.0.0.1:9/{path}?key={query}",
            "headers": {"X-Key": SECRETS["webhook.headers"]},
            "signing_secret": f"whsec_{SIGNING}",
            "client_certificate": pair[0],
            "client_key": pair[1],
            "timeout": {"seconds": 1},
        }
    }
    yield {"apprise": {"url": f"mailto://tocsin:{SECRETS['apprise.url']}@127.0.0.1:9?to=a@b.example"}}
    yield {"on_call": {"schedule": {"ical": ICAL}}}
    yield {
        "on_call": {
            "schedule": {"ical": ICAL},
            "overrides": {"url": f"http://127.0.0.1:9/{SECRETS['on_call.url']}/duty.ics"},
        }
    }


def broken(pair: tuple[str, str]) -> Iterator[dict[str, Any]]:
    """The same with something wrong in each secret."""
    hook = next(kinds(pair))["webhook"]
    yield {"webhook": hook | {"url": hook["url"].replace("http", "ftp")}}
    yield {"webhook": hook | {"url": hook["url"] + "\n"}}
    yield {"webhook": hook | {"headers": {"X-Key": hook["headers"]["X-Key"] + "\r\n"}}}
    yield {"webhook": hook | {"signing_secret": SIGNING}}
    yield {"webhook": hook | {"client_key": pair[1][:-60]}}
    yield {"webhook": hook | {"client_certificate": pair[1]}}
    yield {"apprise": {"url": f"gopher://{SECRETS['apprise.url']}"}}
    yield {"apprise": {"url": SECRETS["apprise.url"]}}
    # A refusal may quote the line of a text that is no calendar, as who sent it has to find it.
    yield {"on_call": {"schedule": {"ical": "no calendar"}}}
    yield {"on_call": {"schedule": {"url": f"http://127.0.0.1:99999/{SECRETS['on_call.url']}"}}}


class Exercise:
    """Makes every call about contact points that there is, good and bad, and keeps all that it is told."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.contacts = contact_points_pb2_grpc.ContactPointServiceStub(channel)
        self.heard: list[str] = []
        self.codes: list[grpc.StatusCode] = []

    def call(self, method: Any, request: Any) -> Any:
        """Makes a call; returns its answer, or None where it is refused."""
        try:
            answer = method(request, metadata=by("ada"), timeout=20)
        except grpc.RpcError as error:
            self.codes.append(error.code())
            self.heard.append(f"{error.details()} {error.trailing_metadata()}")
            return None
        self.codes.append(grpc.StatusCode.OK)
        self.heard.append(f"{answer} {answer.SerializeToString()!r}")
        return answer

    def run(self, pair: tuple[str, str]) -> None:
        """Makes, changes, tries, lists and deletes."""
        stub = self.contacts
        made: list[tuple[str, dict[str, Any]]] = []
        for number, kind in enumerate([*kinds(pair), *broken(pair)]):
            asked = Contact(display_name=f"contact {number}", **kind)
            create = contact_points_pb2.CreateContactPointRequest(contact_point=asked, request_id=f"create-{number}")
            answer = self.call(stub.CreateContactPoint, create)
            self.call(stub.CreateContactPoint, create)
            if answer is not None:
                made.append((answer.name, kind))
        assert made
        for number, (name, kind) in enumerate(made):
            self.call(stub.GetContactPoint, contact_points_pb2.GetContactPointRequest(name=name))
            for attempt, other in enumerate([kind, *broken(pair), *kinds(pair)]):
                asked = Contact(name=name, description=f"after {attempt}", **other)
                update = contact_points_pb2.UpdateContactPointRequest(
                    contact_point=asked, request_id=f"update-{number}-{attempt}"
                )
                self.call(stub.UpdateContactPoint, update)
            self.call(stub.TestContactPoint, contact_points_pb2.TestContactPointRequest(name=name))
        self.call(stub.ListContactPoints, contact_points_pb2.ListContactPointsRequest())
        for name, _ in made[1:]:
            self.call(stub.DeleteContactPoint, contact_points_pb2.DeleteContactPointRequest(name=name))
        audit = audit_pb2_grpc.AuditServiceStub(self.channel)
        self.call(audit.ListAuditEntries, audit_pb2.ListAuditEntriesRequest(page_size=1000))
        monitoring = monitoring_pb2_grpc.MonitoringServiceStub(self.channel)
        self.call(monitoring.GetMetrics, monitoring_pb2.GetMetricsRequest())


def leaks(text: str | bytes, pair: tuple[str, str]) -> list[str]:
    """The secrets that are in a text, each by what it is."""
    data = text.encode() if isinstance(text, str) else text
    secrets = SECRETS | {f"webhook.client_key, line {n}": line for n, line in enumerate(_key_lines(pair[1]))}
    return [what for what, secret in secrets.items() if secret.encode() in data]


def test_no_answer_and_no_refusal_tells_a_secret(daemon: RunningDaemon, pair: tuple[str, str]) -> None:
    """Nor do the audit log, the answers kept for repeats, and the figures."""
    courier = stand_in(daemon)
    exercise = Exercise(daemon.channel)

    exercise.run(pair)

    assert exercise.codes.count(grpc.StatusCode.OK) > 10
    assert exercise.codes.count(grpc.StatusCode.INVALID_ARGUMENT) > 20
    assert leaks("\n".join(exercise.heard), pair) == []
    kept = b"".join(zlib.decompress(response) for (response,) in daemon.sql("SELECT response FROM requests"))
    assert b"contactPoints/" in kept
    assert leaks(kept, pair) == []
    assert leaks(everything_in(daemon, "audit_entries"), pair) == []
    assert b"http://127.0.0.1:9/****" in everything_in(daemon, "audit_entries")
    assert courier.errands


def test_only_two_tables_hold_secrets(daemon: RunningDaemon, pair: tuple[str, str]) -> None:
    """Those of contact points and of their calendars."""
    stand_in(daemon)
    for kind in kinds(pair):
        # A calendar at an address where nobody is may be refused.
        with contextlib.suppress(grpc.RpcError):
            make_contact(daemon, **kind)

    found = {table for secret in SECRETS.values() for table in holds(daemon, secret)}

    assert "contact_points" in found
    assert found <= {"contact_points", "calendars"}


def test_a_real_daemon_logs_no_secret_and_its_files_are_closed_to_others(folder: Path, pair: tuple[str, str]) -> None:
    """At its most talkative, with a umask that closes nothing, and after it was killed and came back."""
    processes = Processes()
    data = folder / "data"
    main = "import os, sys; os.umask(0); from tocsind.__main__ import main; sys.exit(main())"
    arguments = ["--data", str(data), "--log-level", "debug", "--webhook-network", "127.0.0.0/8"]
    try:
        for _ in range(2):
            process = processes.start([sys.executable, "-c", main, *arguments], folder / "log")
            with grpc.insecure_channel(f"unix:{data}/tocsind.sock") as channel:
                grpc.channel_ready_future(channel).result(30)
                exercise = Exercise(channel)
                exercise.run(pair)
                seen = _prepare_a_group(channel)
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data.glob("tocsin.db*")}
            assert modes == {"tocsin.db": 0o600, "tocsin.db-wal": 0o600, "tocsin.db-shm": 0o600}
            assert stat.S_IMODE(data.stat().st_mode) == 0o750
            assert leaks("\n".join([*exercise.heard, seen]), pair) == []
            process.kill()
        log = process.log
    finally:
        processes.close()

    assert "ContactPointService.CreateContactPoint" in log
    assert '"level": "debug"' in log
    assert leaks(log, pair) == []


def _prepare_a_group(channel: grpc.Channel) -> str:
    """Has something happen, and returns what timelines say."""
    integrations = integrations_pb2_grpc.IntegrationServiceStub(channel)
    asked = integrations_pb2.Integration(display_name=os.urandom(4).hex(), type="alertmanager")
    made = integrations.CreateIntegration(integrations_pb2.CreateIntegrationRequest(integration=asked))
    integrations.SendDemoAlert(integrations_pb2.SendDemoAlertRequest(name=made.name))
    groups = alert_groups_pb2_grpc.AlertGroupServiceStub(channel)
    listed = groups.ListAlertGroups(alert_groups_pb2.ListAlertGroupsRequest()).alert_groups
    events = [groups.ListEvents(alert_groups_pb2.ListEventsRequest(parent=group.name)) for group in listed]
    return f"{listed} {events}"


def test_files_that_were_left_open_to_others_are_closed_to_them(daemon: RunningDaemon) -> None:
    """As after a backup was copied back."""
    make_contact(daemon)
    copy = daemon.crash()
    copy.close()
    path = copy.folder / "tocsin.db"
    for name in ("tocsin.db", "tocsin.db-wal"):
        (copy.folder / name).touch()
        (copy.folder / name).chmod(0o644)

    again = copy.reopen()

    assert make_contact(again).name
    assert {stat.S_IMODE(p.stat().st_mode) for p in path.parent.glob("tocsin.db*")} == {0o600}


def test_nothing_is_left_of_secrets_that_were_replaced_or_deleted(daemon: RunningDaemon) -> None:
    """Also where they took several pages, and where rows moved: SQLite fills their places with zeros."""

    def hook(mark: str, size: int) -> contact_points_pb2.Webhook:
        headers = {f"X-{n}": f"{mark}-{n}-".ljust(size, "k") for n in range(20)}
        return webhook(f"https://hooks.example/{mark}", headers=headers)

    made = [make_contact(daemon, webhook=hook(f"0ld{n}", 20 + 400 * (n % 10))) for n in range(40)]
    for number, contact in enumerate(made[:30]):
        edit(daemon, contact.name, "webhook", webhook=hook(f"n3w{number}", 4_000 if number % 3 else 5))
    for contact in [*made[:10], *made[35:]]:
        remove(daemon, contact.name)
    daemon.close()

    left = b"".join(path.read_bytes() for path in daemon.folder.glob("tocsin.db*"))
    marks = [*(f"0ld{n}-" for n in (*range(30), *range(35, 40))), *(f"n3w{n}-" for n in range(10))]
    assert [mark for mark in marks if mark.encode() in left] == []
    assert all(mark in left for mark in (b"0ld30-", b"n3w29-"))


def test_a_crash_on_a_terminal_shows_no_variables() -> None:
    """structlog's own way would print the values of all of them beside a traceback."""
    program = """
import sys
sys.stderr.isatty = lambda: True
from tocsind import log
log.configure("info")
import structlog
def fail(key):
    raise ValueError("no")
try:
    fail("s3cret")
except ValueError:
    structlog.get_logger().exception("a call failed")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "ValueError: no" in ran.stderr
    assert "'s3cret'" not in ran.stderr.replace('fail("s3cret")', "")
