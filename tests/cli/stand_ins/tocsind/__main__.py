"""A fake daemon as a process. TOCSIND_MODE says how it misbehaves; STAND_IN_LOG takes down what it does."""

import argparse
import os
import signal
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
from fake_daemon import FakeDaemon

parser = argparse.ArgumentParser()
parser.add_argument("--data")
parser.add_argument("--listen")
parser.add_argument("--external-url")
options = parser.parse_args()
mode = os.environ.get("TOCSIND_MODE")


def log(word: str) -> None:
    """Append one line in one write, as others write here too."""
    with open(os.environ["STAND_IN_LOG"], "a") as file:
        file.write(f"tocsind {word}\n")


log("starts")
print("chatter on stdout", flush=True)
if mode == "refuse":
    sys.exit("another tocsind holds the data folder")
# Not an Event: one that is set by a handler while the same thread waits for it may never be.
stopped, stop = os.pipe()
signal.signal(signal.SIGTERM, lambda *_: log("ignores SIGTERM") if mode == "stubborn" else os.write(stop, b"."))
if mode != "mute":
    fake = FakeDaemon(options.listen)
    fake.start()
os.read(stopped, 1)
log("stops")
os._exit(0)
