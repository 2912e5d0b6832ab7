"""docs/oncall-api.yaml tells the truth: what it says is sent to a real gateway, and what comes back is compared.

What a request may say wrong is not checked here: OnCall ignores more than it refuses, and so do we. The other tests of
this folder say what is refused.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import schemathesis
import yaml
from hypothesis import HealthCheck, settings
from oncall_client import Rest
from oncall_daemon import START, OncallDaemon, State
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from tocsin.v1.integrations_pb2 import Maintenance
from tocsin_gateway.oncall.alert_groups import ACTIONS
from tocsin_gateway.oncall.integrations import LONGEST_MAINTENANCE
from tocsin_gateway.oncall.resource import BODY_LIMIT

DOCUMENT = Path(__file__).parents[3] / "docs/oncall-api.yaml"

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]

schema = schemathesis.openapi.from_path(DOCUMENT)


def stock(daemon: OncallDaemon) -> None:
    """Gives the daemon some of everything."""
    daemon.reset()
    for id_ in ("one", "two"):
        daemon.add_integration(id_, description="" if id_ == "one" else "What it is for")
    two = daemon.integrations["integrations/two"]
    two.templates.title, two.templates.grouping_id = "{{ payload.title }}", "{{ payload.id }}"
    daemon.maintain(two, Maintenance.MAINTENANCE, START, timedelta(days=36_500))
    daemon.add_integration("self", type="tocsin")
    daemon.add_route("one", "r1", jinja="{{ 1 }}")
    daemon.add_route("one", "r2", matchers="a=b")
    for number in range(1, 41):
        state = State.Name(1 + number % 4)
        daemon.add_group(number, State.Value(state), labels={"severity": "critical"}, state_actor="alice")
    del daemon.payloads["alertGroups/2/payloads/latest"]


@schema.parametrize()
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_answers_are_as_the_document_says(case: Any, rest: Rest, daemon: OncallDaemon) -> None:
    """Whatever fits the document, and much that does not, is answered as the document says and never with a failure."""
    stock(daemon)
    aim(case)

    case.call_and_validate(
        base_url=f"http://127.0.0.1:{rest.gateway.port}",
        headers={"Authorization": rest.token},
        checks=CHECKS,
        timeout=20,
        allow_redirects=False,
    )

    assert daemon.without_token == []


def aim(case: Any) -> None:
    """Lets two of three requests be about something that exists."""
    id_ = case.path_parameters.get("id")
    if id_ is None or len(id_) % 3 == 0:
        return
    if "alert_groups" in case.path:
        case.path_parameters["id"] = str(1 + sum(map(ord, id_)) % 40)
    else:
        some = "two" if len(id_) % 2 else "one"
        case.path_parameters["id"] = f"{some}-default" if "routes" in case.path else some


def test_the_document_has_every_url(rest: Rest, daemon: OncallDaemon) -> None:
    """What is served is in the document, and what is in the document is served."""
    paths: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())["paths"]

    kinds = {f"/api/v1/{kind}/{id_}" for kind in ("alert_groups", "integrations", "routes") for id_ in ("", "{id}/")}
    actions = {f"/api/v1/alert_groups/{{id}}/{verb}/" for verb in ACTIONS}
    maintenance = {f"/api/v1/integrations/{{id}}/maintenance_{verb}/" for verb in ("start", "stop")}
    assert set(paths) == kinds | actions | maintenance
    for path, operations in paths.items():
        served = rest("OPTIONS", path.removeprefix("/api/v1/").replace("{id}", "1")).headers["allow"].lower()
        assert set(operations) - {"parameters"} == set(served.split(", ")) - {"head"}, path


def test_the_document_has_the_limits() -> None:
    """Numbers that stand in the document and in the program are the same."""
    text = DOCUMENT.read_text()

    assert f"over {BODY_LIMIT // 1024} KiB" in text
    assert "maximum: 31622400" in text
    assert 31622400 == 366 * 86_400
    assert "maximum: 2592000" in text
    assert LONGEST_MAINTENANCE == 2592000
