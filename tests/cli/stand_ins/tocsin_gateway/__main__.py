"""Answers /-/ready. GATEWAY_MODE says how it misbehaves; STAND_IN_LOG takes down what it does."""

import argparse
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

parser = argparse.ArgumentParser()
parser.add_argument("--http")
parser.add_argument("--target")
options = parser.parse_args()
mode = os.environ.get("GATEWAY_MODE")
host, _, port = options.http.rpartition(":")


def log(word: str) -> None:
    """Append one line in one write, as others write here too."""
    with open(os.environ["STAND_IN_LOG"], "a") as file:
        file.write(f"tocsin-gateway {word}\n")


class Handler(BaseHTTPRequestHandler):
    """Answers readiness; a short-lived one ends after that."""

    def do_GET(self) -> None:
        """Say whether it is ready."""
        self.send_response(503 if mode == "unready" else 200)
        self.end_headers()
        self.wfile.write(b"no daemon yet\n" if mode == "unready" else b"ok\n")
        if mode == "short-lived":
            self.wfile.flush()
            os._exit(7)

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def stop(_number: int, _frame: FrameType | None) -> None:
    """End at once."""
    log("stops")
    os._exit(0)


starts_before = 0
if os.path.exists(os.environ["STAND_IN_LOG"]):
    with open(os.environ["STAND_IN_LOG"]) as file:
        starts_before = file.read().count("tocsin-gateway starts")
log("starts")
if mode == "short-lived" and starts_before:
    sys.exit(7)
signal.signal(signal.SIGTERM, stop)
ThreadingHTTPServer((host, int(port)), Handler).serve_forever()
