"""Forwards what happens to a chat: `python forward_to_chat.py WEBHOOK_URL REVISION_FILE`.

It finds the daemon as `tocsin` does: by TOCSIN_TARGET, TOCSIN_TOKEN and TOCSIN_CA_FILE. The file keeps the last
revision that the chat has, so nothing is missed while this program is away; after a crash the last message may come
twice. The chat takes `{"text": ...}`, as those of Slack, Mattermost and Rocket.Chat do; while it does not answer, it is
tried again.
"""

import json
import os
import sys
import time
import urllib.request
from pathlib import Path

import tocsin
from tocsin.v1.alert_groups_pb2 import Event, WatchAlertGroupsRequest

TARGET = os.environ.get("TOCSIN_TARGET", "unix:/run/tocsin/tocsind.sock")
TOKEN, CA_FILE = os.environ.get("TOCSIN_TOKEN"), os.environ.get("TOCSIN_CA_FILE")
WORTH_TELLING = {Event.Kind.OPENED, Event.Kind.REOPENED, Event.Kind.ACKNOWLEDGED, Event.Kind.RESOLVED}


def tell(url: str, text: str) -> None:
    """Sends one line, and does not return before the chat has it."""
    request = urllib.request.Request(url, json.dumps({"text": text}).encode(), {"Content-Type": "application/json"})
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10):
                return
        except OSError as error:
            print(f"the chat did not take it ({error}); trying again", file=sys.stderr)
            time.sleep(5)


def forward(client: tocsin.Client, url: str, file: Path) -> None:
    """Forwards for ever, from where the file says on, or from now on."""
    revision = int(file.read_text()) if file.exists() else None
    for message in client.watch(WatchAlertGroupsRequest(revision=revision)):
        event = message.event
        if event.kind in WORTH_TELLING:
            who = f" by {event.actor}" if event.actor else ""
            what = Event.Kind.Name(event.kind).lower()
            tell(url, f"#{message.alert_group.number} {what}{who}: {message.alert_group.title}")
        scratch = file.with_name(file.name + ".new")
        scratch.write_text(str(message.revision))
        scratch.replace(file)  # never half a number


def main() -> None:
    """Runs the program."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    url, file = sys.argv[1], Path(sys.argv[2])
    with tocsin.connect(TARGET, token=TOKEN, ca_file=CA_FILE) as client:
        while True:
            try:
                forward(client, url, file)
            except tocsin.RevisionTooOld:
                tell(url, "This chat was not told everything: it was away for too long.")
                file.unlink()


if __name__ == "__main__":
    try:
        main()
    except tocsin.Error as error:
        sys.exit(f"forward_to_chat: {error}")
    except KeyboardInterrupt:
        pass
