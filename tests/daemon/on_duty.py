"""People and schedules as rows of a running daemon, and a courier and a server of calendars for them."""

import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, wait
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from running_daemon import RunningDaemon

from tocsind.courier.wire import Errand, Fetch, Outcome
from tocsind.domain.contact_point import Apprise, CalendarRole, CalendarSource, ContactPoint, OnCall, Settings, Webhook
from tocsind.engine.memory import Memory
from tocsind.engine.telling import calendars
from tocsind.sqlite import contact_points
from tocsind.sqlite.writer import Transaction

FIELD = "contact_point.on_call.schedule"
GIVEN = CalendarSource()


def _insert(daemon: RunningDaemon, name: str, settings: Settings, aliases: tuple[str, ...] = ()) -> ContactPoint:
    public_id = f"c{daemon.sql('SELECT count(*) FROM contact_points')[0][0]}"
    new = ContactPoint(0, public_id, name, "", aliases, settings)

    def insert(transaction: Transaction, memory: Memory) -> None:
        new.id = contact_points.insert(transaction.connection, new)

    daemon.engine.change(insert)
    return new


def person(daemon: RunningDaemon, name: str, *aliases: str, webhook: bool = False) -> ContactPoint:
    """Somebody who can be told."""
    return _insert(daemon, name, Webhook("http://a.example") if webhook else Apprise("json://a.example"), aliases)


def schedule(
    daemon: RunningDaemon,
    name: str,
    text: str = "",
    source: CalendarSource = GIVEN,
    overrides: str = "",
) -> ContactPoint:
    """A contact point that is on call, its calendars read as a request has them read."""
    copies = [(CalendarRole.SCHEDULE, calendars.admit(daemon.engine, FIELD, source, text))]
    if overrides:
        copies.append((CalendarRole.OVERRIDES, calendars.admit(daemon.engine, FIELD, GIVEN, overrides)))
    new = _insert(daemon, name, OnCall(source, GIVEN if overrides else None))
    for role, copy in copies:
        daemon.engine.change(_store, new.id, role, copy)
    return new


def _store(
    transaction: Transaction, memory: Memory, contact_id: int, role: CalendarRole, copy: calendars.CalendarCopy
) -> None:
    calendars.store(transaction, contact_id, role, copy)


def change_source(daemon: RunningDaemon, contact: ContactPoint, source: CalendarSource, text: str = "") -> None:
    """Sets where a schedule comes from, as a request does."""
    copy = calendars.admit(daemon.engine, FIELD, source, text)

    def change(transaction: Transaction, memory: Memory) -> None:
        settings = msgspec.json.encode(OnCall(source)).decode()
        transaction.connection.execute("UPDATE contact_points SET settings = ? WHERE id = ?", (settings, contact.id))
        calendars.store(transaction, contact.id, CalendarRole.SCHEDULE, copy)

    daemon.engine.change(change)


def refresh(daemon: RunningDaemon, span: int = 0) -> None:
    """Lets time pass, and returns when everything is done that is due then."""
    daemon.clock.advance(span)
    wait(daemon.engine.refresher.look())


def held(daemon: RunningDaemon, contact: ContactPoint) -> tuple[int, int, str]:
    """When a schedule was read and checked, and its error."""
    query = "SELECT read_at, checked_at, error FROM calendars WHERE contact_id = ? AND role = 1"
    (found,) = daemon.sql(query, contact.id)
    return found  # type: ignore[no-any-return]  # a row of SQLite


def names_on_shift(daemon: RunningDaemon, contact: ContactPoint) -> set[str]:
    """Everybody who is on call at any time."""
    rows = daemon.sql("SELECT people FROM shifts WHERE contact_id = ?", contact.id)
    return {name for (people,) in rows for name in msgspec.json.decode(people)}


def changes(daemon: RunningDaemon) -> int:
    """How often rows were written."""
    seen: list[int] = []
    daemon.engine.change(lambda transaction, memory: seen.append(transaction.connection.total_changes))
    return seen[0]


class StandInCourier:
    """Fetches by HTTP as the courier does, in this process: no redirects, and no address in what it answers."""

    def __init__(self) -> None:
        self.fetched: list[Fetch] = []

    def run(self, errand: Errand) -> Outcome:
        """Fetches what is there."""
        assert isinstance(errand, Fetch)
        self.fetched.append(errand)
        try:
            opener = urllib.request.build_opener(_NoRedirects, urllib.request.ProxyHandler({}))
            with opener.open(errand.url, timeout=errand.timeout) as response:
                return Outcome(True, "200 OK", body=response.read(errand.most + 1))
        except urllib.error.HTTPError as error:
            return Outcome(False, f"{error.code} {error.reason}")
        except OSError:
            return Outcome(False, "connection refused")

    def send(self, errand: Errand) -> "Future[Outcome]":
        """The same, answered already."""
        done: Future[Outcome] = Future()
        done.set_result(self.run(errand))
        return done

    def pids(self) -> list[int]:
        """None."""
        return []

    def close(self) -> None:
        """Nothing is left."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        """Not followed: the answer is that it is one."""


class CalendarServer:
    """Serves calendars on a port of its own: what stands in `texts`, or what `status` says instead. While `hold` is not
    set, `/slow` waits; `asked` is released whenever it does."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.status = 200
        self.hold = threading.Event()
        self.asked = threading.Semaphore(0)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, path: str = "/secret-key/basic.ics") -> str:
        """Where something is."""
        return f"http://127.0.0.1:{self.port}{path}"

    def close(self) -> None:
        """Ends it: connections are refused from now on."""
        self.hold.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> Callable[..., BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/slow":
                    server.asked.release()
                    server.hold.wait(60)
                body = server.texts.get(self.path, "").encode()
                self.send_response(server.status)
                if server.status == 302:
                    self.send_header("Location", server.url("/elsewhere"))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: Any) -> None:
                pass

        return Handler
