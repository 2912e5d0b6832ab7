"""What `tocsin up` prints once everything runs: the URLs, and configuration ready to paste.

Pure text. The two files in it are checked in the tests by Alertmanager's and Prometheus's own tools.
"""

import shlex

from tocsin.v1.integrations_pb2 import Integration

ALERTMANAGER_HEADING = "--- alertmanager.yml: what to add (or the whole file, for a first try)"
RULES_HEADING = "--- tocsin-rules.yml: a rule file for Prometheus, which makes the heartbeat"
NEXT_HEADING = "--- and then"

# group_interval is what sets the pace of the heartbeat. repeat_interval has to be shorter, or else Alertmanager skips
# every other one. send_resolved is off for it: that it stops is what a heartbeat has to say.
_ALERTMANAGER = """\
route:
  receiver: tocsin
  group_by: [alertname]
  routes:
    - receiver: tocsin-heartbeat
      matchers: [alertname="heartbeat"]
      group_wait: 0s
      group_interval: 1m
      repeat_interval: 50s
receivers:
  - name: tocsin
    webhook_configs:
      - url: "{url}"
        send_resolved: true
  - name: tocsin-heartbeat
    webhook_configs:
      - url: "{heartbeat_url}"
        send_resolved: false
"""

_RULES = """\
groups:
  - name: tocsin
    rules:
      - alert: heartbeat
        expr: vector(1)
"""

_NEXT = """\
tocsin integrations demo {name}
                                    make up an alert, and see what happens to it
tocsin groups list                  what fires, and what fired
tocsin groups watch                 the same as it happens
tocsin groups ack 1                 you are on it
tocsin heartbeats set {name} --interval 3m
                                    a group opens when no heartbeat came for three minutes
tocsin contacts create Me --apprise-file -
                                    where you are told: a line like mailtos://user:password@mail.example?to=me@mail.example
tocsin contacts test Me             whether that works
tocsin chains create Everything --notify Me --default
                                    and be told of every group, at once
tocsin routes update {name}/default --notify-on-resolve
                                    and that it is over; docs/notifying.md has the rest
tocsin --help                       everything else
"""


def alertmanager_yaml(integration: Integration) -> str:
    """Return an alertmanager.yml that sends alerts and heartbeats to this integration."""
    return _ALERTMANAGER.format(url=integration.url, heartbeat_url=integration.heartbeat_url)


def rules_yaml() -> str:
    """Return a rule file for Prometheus with the alert that always fires."""
    return _RULES


def sheet(integration: Integration, target: str, data: str) -> str:
    """Return the whole sheet: for the integration, the daemon's gRPC target and the data folder."""
    return "\n".join(
        [
            f"Tocsin is up; its data is in {data}. Ctrl-C stops it.",
            "",
            f"url: {integration.url}",
            f"heartbeatUrl: {integration.heartbeat_url}",
            "Whoever knows these URLs can send alerts: keep them to yourself.",
            "",
            ALERTMANAGER_HEADING,
            alertmanager_yaml(integration),
            RULES_HEADING,
            rules_yaml(),
            NEXT_HEADING,
            f"export TOCSIN_TARGET={shlex.quote(target)}",
            _NEXT.format(name=integration.name),
        ]
    )
