"""`tocsin audit`: who changed what, and how it was before.

What was changed is shown as `field: before -> after`; a field that had no value is `none`. Of what is new, the values
alone are shown.
"""

import json
from datetime import datetime
from typing import Any

import click

from tocsin.v1.audit_pb2 import AuditEntry, ListAuditEntriesRequest

from . import filters, names, output, pages, times
from .commands import Group, Settings, pass_settings

_COLUMNS = (
    output.Column("TIME"),
    output.Column("WHO", folds=True),
    output.Column("METHOD", folds=True),
    output.Column("RESOURCE"),
    output.Column("WHAT CHANGED", folds=True),
)


@click.group(cls=Group)
def audit() -> None:
    """The audit log: who changed what."""


@audit.command("list")
@click.option("--resource", type=names.ANY_RESOURCE, help="Only changes of this: alertGroups/42, integrations/ID.")
@click.option("--actor", metavar="TEXT", help="Only changes by this one, as WHO has it.")
@click.option("--since", type=times.AGO, help="Only what came then or later: 1d, a day ago, or 2026-11-23T10:00.")
@click.option("--until", type=times.AGO, help="Only what came before: 1h, an hour ago, or 2026-11-24.")
@pages.page_options
@pass_settings
def list_(
    settings: Settings,
    resource: str | None,
    actor: str | None,
    since: datetime | None,
    until: datetime | None,
    page_size: int,
    page_token: str,
    everything: bool,
) -> None:
    """List changes, newest first."""
    conditions = [f"resource = {filters.quoted(resource)}"] if resource is not None else []
    if actor is not None:
        conditions.append(f"actor = {filters.quoted(actor)}")
    conditions += filters.created(since, until)
    request = ListAuditEntriesRequest(page_size=page_size, page_token=page_token, filter=filters.all_of(conditions))
    with settings.connect() as daemon:
        fetch = daemon.all_pages if everything else daemon.call
        response = fetch(daemon.audit.ListAuditEntries, request)
    if settings.json:
        output.print_json(response, "auditEntries")
    else:
        pages.print_page(_COLUMNS, map(_row, response.audit_entries), response)


def _row(entry: AuditEntry) -> list[str]:
    return [
        output.local_time(entry, "create_time"),
        entry.actor,
        entry.method,
        entry.resource,
        changes(entry),
    ]


def changes(entry: AuditEntry) -> str:
    """Return what an entry says has changed, in one line."""
    before, after = output.message_dict(entry.before), output.message_dict(entry.after)
    fields = list(before) + [field for field in after if field not in before]
    return ", ".join(
        f"{field}: {_shown(after, field)}"
        if not before
        else f"{field}: {_shown(before, field)} -> {_shown(after, field)}"
        for field in sorted(fields)
    )


def _shown(values: dict[str, Any], field: str) -> str:
    """Return the value of a field as it is, or as JSON where it would not be seen or is no text."""
    value = values.get(field)
    if value is None:
        return "none"
    if isinstance(value, str) and value:
        return value
    return json.dumps(_with_whole_numbers(value), ensure_ascii=False, separators=(",", ":"))


def _with_whole_numbers(value: Any) -> Any:
    """Return the value with 3 for each 3.0: a Struct has floating point numbers only."""

    def number(text: str) -> int | float:
        return int(float(text)) if float(text).is_integer() else float(text)

    return json.loads(json.dumps(value), parse_float=number)
