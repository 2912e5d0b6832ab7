"""A daemon without gRPC, for tests that kill it: it sends the messages in a folder to a receiver, and puts new ones.

`python sending_program.py FOLDER URL GROUPS MESSAGES`: on a new folder it makes that many groups, and that many
messages for each of them to each of two contact points; on one that exists it goes on with what is there. It says
`ready`, and `done` when nothing is left to be sent.
"""

import logging
import sys
import time
from pathlib import Path

import structlog
from http_courier import HttpCourier
from notices import notice
from posting import compose

from tocsind.clock import SystemClock
from tocsind.domain import backoff
from tocsind.domain.alert_group import Source
from tocsind.domain.contact_point import ContactPoint, Webhook
from tocsind.domain.integration import BUILT_IN
from tocsind.domain.message import Kind
from tocsind.engine import engine as engine_module
from tocsind.engine.engine import Engine
from tocsind.engine.ledger import Ledger
from tocsind.engine.limits import Limits
from tocsind.engine.memory import Memory
from tocsind.engine.telling import bulletins, outbox
from tocsind.sqlite import contact_points
from tocsind.sqlite.writer import Transaction


def fill(transaction: Transaction, memory: Memory, url: str, groups: int, count: int) -> None:
    """Groups, contact points and messages, all in one transaction."""
    ledger = Ledger(transaction, memory)
    integration = memory.by_public_id(transaction.connection, BUILT_IN)
    assert integration is not None
    numbers = []
    for number in range(groups):
        key = number.to_bytes(32, "big")
        effect = ledger.receive(key, integration, Source.ALERTMANAGER, notice("a", key=str(number)))
        assert effect.group is not None
        numbers.append(effect.group.id)
    ledger.write()
    for name in ("a", "b"):
        new = ContactPoint(0, name, name, "", (), Webhook(f"{url}/{name}"))
        contact = contact_points.insert(transaction.connection, new)
        for _ in range(count):
            outbox.put(transaction, memory, [outbox.message(group, contact, Kind.FIRING) for group in numbers])


def main() -> None:
    """Runs until it is killed."""
    folder, url, groups, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    log_level = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=log_level, logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    engine_module.Courier = HttpCourier  # type: ignore[assignment,misc]
    bulletins.compose = compose
    backoff.FIRST = 20_000
    is_new = not (folder / "tocsin.db").exists()
    engine = Engine(folder, SystemClock(), lambda _: None, lambda: None, Limits(0, 0))
    if is_new:
        engine.change(fill, url, groups, count)
    print("ready", flush=True)
    while len(engine.memory.outbox):
        time.sleep(0.01)
    print("done", flush=True)
    time.sleep(60)


if __name__ == "__main__":
    main()
