"""Integrations with templates, written into a daemon as if somebody had saved them: whatever they are, unchecked."""

import json
import zlib
from dataclasses import replace
from typing import Any

from notices import notice
from running_daemon import Integration, RunningDaemon

from tocsind.domain.notification import Notification
from tocsind.domain.template import Slot
from tocsind.engine.memory import Memory
from tocsind.sqlite import integrations
from tocsind.sqlite.writer import Transaction


def template(daemon: RunningDaemon, integration: Integration, **templates: str) -> None:
    """Gives an integration these templates, by the names of their slots, and no others."""

    def job(transaction: Transaction, memory: Memory) -> None:
        found = integrations.by_token(transaction.connection, integration.token)
        assert found is not None
        wanted = {Slot(name): source for name, source in templates.items()}
        integrations.update(transaction.connection, replace(found, templates=wanted))
        memory.forget()

    daemon.engine.change(job)


def said(firing: str = "", resolved: str = "", payload: dict[str, Any] | None = None, **options: Any) -> Notification:
    """A notification with the payload that Alertmanager would send, and more in it."""
    made = notice(firing, resolved, **options)
    body = {
        "status": "firing" if made.firing else "resolved",
        "groupKey": made.grouping_key,
        "commonLabels": made.labels,
        "groupLabels": made.labels,
        "externalURL": made.external_url,
        "alerts": [
            {"status": "firing" if alert.firing else "resolved", "labels": alert.labels} for alert in made.alerts
        ],
    }
    return replace(made, payload=zlib.compress(json.dumps(body | (payload or {})).encode()))
