"""Acknowledges every firing group of a team: `python acknowledge_team.py TEAM [NOTE]`.

It finds the daemon as `tocsin` does: by TOCSIN_TARGET, TOCSIN_TOKEN and TOCSIN_CA_FILE. The exit status is 1 where a
group could not be acknowledged: somebody else may have been faster.
"""

import json
import os
import sys

import tocsin
from tocsin.errors import of_status
from tocsin.v1.alert_groups_pb2 import BatchAcknowledgeAlertGroupsRequest, ListAlertGroupsRequest

TARGET = os.environ.get("TOCSIN_TARGET", "unix:/run/tocsin/tocsind.sock")
TOKEN, CA_FILE = os.environ.get("TOCSIN_TOKEN"), os.environ.get("TOCSIN_CA_FILE")


def acknowledge(client: tocsin.Client, team: str, note: str) -> int:
    """Acknowledges; returns how many groups could not be."""
    # A string in a filter is quoted as in JSON.
    wanted = ListAlertGroupsRequest(filter=f"state = FIRING AND labels.team = {json.dumps(team)}", page_size=1000)
    pages = client.pages(client.alert_groups.ListAlertGroups, wanted)
    names = [group.name for page in pages for group in page.alert_groups]
    failures = 0
    for start in range(0, len(names), 1000):  # the most that one request may name
        request = BatchAcknowledgeAlertGroupsRequest(names=names[start : start + 1000], note=note)
        for result in client.alert_groups.BatchAcknowledgeAlertGroups(request).results:
            if result.HasField("error"):
                failures += 1
                print(f"{result.name}: {of_status(result.error)}", file=sys.stderr)
            else:
                print(f"{result.name}  {result.alert_group.title}")
    return failures


def main() -> int:
    """Runs the program; returns its exit status."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    team, note = sys.argv[1], " ".join(sys.argv[2:])
    with tocsin.connect(TARGET, token=TOKEN, ca_file=CA_FILE) as client:
        return 1 if acknowledge(client, team, note) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except tocsin.Error as error:
        sys.exit(f"acknowledge_team: {error}")
