"""What parts that must not import one another have to know alike: limits, names, and what a payload says."""

import json
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tocsin.v1 import intake_pb2, templates_pb2
from tocsin_cli import oncall_plan, oncall_templates
from tocsin_gateway import alertmanager
from tocsin_gateway.oncall.alert_groups import LONGEST_SILENCE
from tocsin_gateway.oncall.integrations import LONGEST_MAINTENANCE
from tocsind.domain import alert_group, heartbeat, integration, maintenance, route, template
from tocsind.domain.units import SECOND
from tocsind.rendering.filters import FILTERS
from tocsind.rendering.variables import variables


def test_limits_are_the_daemons() -> None:
    """Those by which the command line and the gateway decide before they ask."""
    assert oncall_templates.MAX_TEMPLATE == template.MAX_SOURCE
    assert oncall_plan._MOST_ROUTES == route.MOST_ROUTES
    assert oncall_plan._LONGEST_NAME == integration.MAX_NAME
    assert oncall_plan._LONGEST_DESCRIPTION == integration.MAX_DESCRIPTION
    intervals = (oncall_plan._SHORTEST_INTERVAL, oncall_plan._LONGEST_INTERVAL)
    assert [each // timedelta(microseconds=1) for each in intervals] == [heartbeat.MIN_INTERVAL, heartbeat.MAX_INTERVAL]
    assert LONGEST_MAINTENANCE * SECOND == maintenance.MAX_DURATION
    assert LONGEST_SILENCE * SECOND == alert_group.MAX_SILENCE


def test_templates_are_called_the_same_everywhere() -> None:
    """The slots are the fields of the contract, and each that OnCall has is one of them; so with the filters."""
    slots = {slot.value for slot in template.Slot}
    assert slots == {field.name for field in templates_pb2.Templates.DESCRIPTOR.fields}
    assert slots == set(oncall_plan._SLOTS.values())
    assert set(oncall_templates._FILTERS) == FILTERS.keys()


ODD = ["", "db", "a\nb", "a\r\n\tb", "\xa0", "\u200d", "\u2028", "\x85", "x" * 600]
TEXT = st.one_of(st.sampled_from(ODD), st.text())
NAMES = st.sampled_from(["alertname", "severity", "zone", "a b", "ß"])
LABELS = st.dictionaries(NAMES, TEXT)


@given(LABELS, LABELS, TEXT, TEXT, st.integers(0, 9))
def test_a_payload_says_the_same_to_the_gateway_and_to_templates(
    own: dict[str, str], common: dict[str, str], receiver: str, url: str, truncated: int
) -> None:
    """The default title, the labels and what else templates see of the group are what a group has without templates."""
    body = json.dumps(
        {
            "status": "firing",
            "groupKey": "k",
            "groupLabels": own,
            "commonLabels": common,
            "receiver": receiver,
            "externalURL": url,
            "truncatedAlerts": truncated,
            "alerts": [{"status": "firing", "fingerprint": "a"}, {"status": "resolved", "fingerprint": "b"}],
        }
    ).encode()
    read = intake_pb2.Notification()
    alertmanager.read_notification(body, read)

    seen = variables(body, compressed=False)["group"]

    assert seen == {
        "grouping_key": read.grouping_key,
        "title": read.title,
        "labels": dict(read.labels),
        "receiver": read.receiver,
        "external_url": read.external_url,
        "firing_count": sum(alert.firing for alert in read.alerts),
        "resolved_count": sum(not alert.firing for alert in read.alerts),
        "truncated_count": read.truncated_alerts,
    }
