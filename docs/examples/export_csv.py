"""Writes alert groups as CSV: `python export_csv.py [FILTER] > groups.csv`.

It finds the daemon as `tocsin` does: by TOCSIN_TARGET, TOCSIN_TOKEN and TOCSIN_CA_FILE. The filter is that of the API,
such as `state != RESOLVED`; without one it is everything that is kept. Times are UTC.
"""

import csv
import os
import sys
from typing import TextIO

from google.protobuf.timestamp_pb2 import Timestamp

import tocsin
from tocsin.v1.alert_groups_pb2 import AlertGroup, ListAlertGroupsRequest

TARGET = os.environ.get("TOCSIN_TARGET", "unix:/run/tocsin/tocsind.sock")
TOKEN, CA_FILE = os.environ.get("TOCSIN_TOKEN"), os.environ.get("TOCSIN_CA_FILE")
COLUMNS = ("number", "state", "title", "integration", "opened", "acknowledged", "acknowledged by", "resolved", "labels")


def shown(time: Timestamp) -> str:
    """Returns a time as spreadsheets read it; one that is not set is empty."""
    return time.ToDatetime().isoformat(" ", "seconds") if time.seconds else ""


def text(value: str) -> str:
    """Returns a text that no spreadsheet takes for a formula: titles and labels come from outside."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def row(group: AlertGroup) -> list[str]:
    """Returns the line of a group."""
    return [
        str(group.number),
        AlertGroup.State.Name(group.state),
        text(group.title),
        group.integration,
        shown(group.create_time),
        shown(group.acknowledge_time),
        text(group.acknowledge_actor),
        shown(group.resolve_time),
        text(" ".join(f"{name}={value}" for name, value in sorted(group.labels.items()))),
    ]


def export(client: tocsin.Client, wanted: str, file: TextIO) -> None:
    """Writes a head and a line for each group, page by page."""
    table = csv.writer(file)
    table.writerow(COLUMNS)
    request = ListAlertGroupsRequest(filter=wanted, page_size=1000)
    for page in client.pages(client.alert_groups.ListAlertGroups, request):
        table.writerows(row(group) for group in page.alert_groups)


if __name__ == "__main__":
    try:
        with tocsin.connect(TARGET, token=TOKEN, ca_file=CA_FILE) as client:
            export(client, " ".join(sys.argv[1:]), sys.stdout)
    except tocsin.Error as error:
        sys.exit(f"export_csv: {error}")
