"""A courier that really sends, with a thread for each request; and a receiver that really gets it."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tocsind.courier.wire import Errand, HttpRequest, Outcome

PATIENCE = 30.0
TIMEOUT = 1.0


class HttpCourier:
    """Sends webhooks. It has room for all that may be under way."""

    def __init__(self, *_: Any) -> None:
        self._threads = ThreadPoolExecutor(200)

    def send(self, errand: Errand) -> "Future[Outcome]":
        """Sends an errand."""
        assert isinstance(errand, HttpRequest)
        return self._threads.submit(self._send, errand)

    def _send(self, errand: HttpRequest) -> Outcome:
        headers = {"webhook-id": errand.key}
        request = urllib.request.Request(errand.url, errand.body, headers, method=errand.method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
                return Outcome(True, f"{response.status}")
        except urllib.error.HTTPError as error:
            with error:
                return Outcome(False, f"{error.code}", float(error.headers.get("Retry-After", 0)))
        except OSError as error:
            return Outcome(False, str(error))

    def pids(self) -> list[int]:
        """There are no processes."""
        return []

    def close(self) -> None:
        """What is under way is answered."""
        self._threads.shutdown(cancel_futures=True)


class Receiver:
    """An HTTP server. `got`: the path, the key and the body of each request, in order. `answer` returns a status, or
    None to say nothing before `release`."""

    def __init__(self, answer: Callable[[str, bytes], int | None] = lambda path, body: 200) -> None:
        self.answer = answer
        self.got: list[tuple[str, str, bytes]] = []
        self.release = threading.Event()
        self._changed = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if len(body) < length:
                    # Who sent it was killed meanwhile.
                    return
                with receiver._changed:
                    receiver.got.append((self.path, self.headers["webhook-id"], body))
                    status = receiver.answer(self.path, body)
                    receiver._changed.notify_all()
                if status is None:
                    receiver.release.wait(PATIENCE)
                    status = 200
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

            def handle_error(self, *_: Any) -> None:
                """Who sent it was killed."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def wait_for(self, condition: Callable[[list[tuple[str, str, bytes]]], bool]) -> None:
        """Waits until what it got is so."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self.got), PATIENCE), json.dumps(len(self.got))

    def close(self) -> None:
        """No server."""
        self.release.set()
        self._server.shutdown()
        self._server.server_close()
