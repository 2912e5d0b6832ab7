"""The proxies of docs/proxy in front of a real gateway: they add TLS and take nothing away."""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import certificates
import pytest
import tls_proxies
from certificates import Certificate
from neighbours import NEEDS_ALERTMANAGER, Alertmanager, webhook
from processes import Processes, free_port, until
from senders import notification
from stacks import Stack
from tls_proxies import Proxy

MIB = 1024 * 1024


@dataclass(frozen=True)
class Signed:
    """An authority and what it signed."""

    authority: Certificate
    certificate: Certificate


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def tool(request: pytest.FixtureRequest) -> str:
    """Which proxy."""
    if shutil.which(request.param) is None:
        pytest.skip(f"there is no {request.param} in the PATH")
    return str(request.param)


@pytest.fixture(scope="module")
def signed() -> Iterator[Signed]:
    """Certificates for localhost."""
    with tempfile.TemporaryDirectory(prefix="tocsin-") as name:
        authority = certificates.authority(Path(name))
        yield Signed(authority, certificates.signed(authority, Path(name), "proxy"))


@pytest.fixture(scope="module")
def proxy(tool: str, signed: Signed, shared_stack: Stack) -> Iterator[Proxy]:
    """A proxy in front of the shared gateway."""
    processes = Processes()
    with tempfile.TemporaryDirectory(prefix="tocsin-") as name:
        try:
            folder = Path(name) / tool
            yield tls_proxies.start(tool, processes, folder, shared_stack.port, signed.authority, signed.certificate)
        finally:
            processes.close()


@pytest.fixture
def integration(request: pytest.FixtureRequest, shared_stack: Stack) -> Any:
    """One that only this test knows."""
    return shared_stack.client.create(request.node.name)


def path_of(integration: Any) -> str:
    """The path of an integration's URL."""
    return f"/integrations/v1/alertmanager/{integration.token}/"


def test_a_notification_is_stored(shared_stack: Stack, proxy: Proxy, integration: Any) -> None:
    """What is posted to the proxy is a group; requests follow one another on one connection; the id for logs is the
    sender's, or one that is made."""
    sender = proxy.sender()

    answers = [
        sender.ask("POST", path_of(integration), notification("proxy"), {"X-Request-Id": "abc-1"}),
        sender.ask("POST", path_of(integration).rstrip("/"), notification("proxy")),
    ]
    port = sender.connected_from
    answers.append(sender.ask("GET", path_of(integration) + "heartbeat/"))

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert sender.connected_from == port
    assert answers[0].headers["x-request-id"] == "abc-1"
    assert len(answers[1].headers["x-request-id"]) >= 16
    assert [group.title for group in shared_stack.client.groups(integration)] == ["Load (proxy)"]
    sender.close()


def test_a_large_body_passes(shared_stack: Stack, proxy: Proxy, integration: Any) -> None:
    """As far as the gateway takes it. What is larger is refused by the gateway, which says so; Caddy may end the
    connection before its sender has read that."""
    sender = proxy.sender()
    body = notification("large", commonAnnotations={"text": "x" * (31 * MIB)})

    assert sender.ask("POST", path_of(integration), body).status == 200
    with contextlib.suppress(OSError):
        refused = sender.ask("POST", path_of(integration), body.ljust(32 * MIB + 1))
        assert (refused.status, refused.text) == (413, "the body is over the limit of 33554432 bytes\n")

    sender.close()
    assert sender.ask("POST", path_of(integration), notification("small")).status == 200
    titles = [group.title for group in shared_stack.client.groups(integration)]
    assert titles == ["Load (small)", "Load (large)"]
    sender.close()


@pytest.mark.parametrize(
    "path",
    [
        "",
        "heartbeat",
        "nothing",
        "%2e%2e",
        "?x=1&y=%20z",
        "../unknown/",
        "/",
    ],
)
def test_nothing_is_hidden(shared_stack: Stack, proxy: Proxy, integration: Any, path: str) -> None:
    """Each path and method is answered as the gateway itself does, headers for the sender included; never by a
    redirect."""
    token = integration.token
    through, direct = proxy.sender(), shared_stack.sender()
    for method in ("GET", "POST", "PUT", "DELETE"):
        for prefix in (f"/integrations/v1/alertmanager/{token}/", "/integrations/v1/alertmanager/", "/integrations"):
            body = b"{}" if method in ("POST", "PUT") else None
            answer = through.ask(method, prefix + path, body)
            own = direct.ask(method, prefix + path, body)
            assert (answer.status, answer.text) == (own.status, own.text), (method, prefix)
            assert "location" not in answer.headers
            for name in ("allow", "retry-after", "www-authenticate", "content-type"):
                assert answer.headers.get(name) == own.headers.get(name)
    through.close()
    direct.close()


def test_another_name_is_no_success(shared_stack: Stack, proxy: Proxy, integration: Any) -> None:
    """Who is not asked for by its name either delivers, or says that it does not."""
    sender = proxy.sender()

    status = sender.ask("POST", path_of(integration), notification("name"), {"Host": "other.example"}).status

    assert (status == 200) == bool(shared_stack.client.groups(integration))
    assert status in (200, 503)
    sender.close()


def test_the_rest_api_names_itself_as_the_proxy(shared_stack: Stack, proxy: Proxy, integration: Any) -> None:
    """The next page of a list is where the sender found the first."""
    sender = proxy.sender()
    for key in ("first", "second"):
        assert sender.post(path_of(integration), notification(key)) == 200
    command = [sys.executable, "-m", "tocsin_cli", "--target", shared_stack.target, "-o", "json"]
    options = ["tokens", "create", "--role", "viewer", "--name", integration.display_name]
    made = json.loads(subprocess.run([*command, *options], check=True, capture_output=True, text=True).stdout)

    answer = sender.ask("GET", "/api/v1/alert_groups?perpage=1", headers={"Authorization": made["secret"]})

    assert answer.status == 200
    assert json.loads(answer.text)["next"].startswith(f"https://localhost:{proxy.port}/api/v1/alert_groups")
    sender.close()


def test_logs_do_not_hold_the_token(proxy: Proxy, integration: Any) -> None:
    """They have a line for each request, with its status and its id, and nothing that lets alerts in."""
    token = integration.token
    sender = proxy.sender()
    paths = [
        path_of(integration),
        path_of(integration) + "heartbeat/",
        f"//integrations/v1/alertmanager/{token}/",
        f"/integrations//v1/alertmanager/{token}/",
        f"/metrics/{token}/",
        f"/{token}",
        f"/integrations/v1/alertmanager/x/?{token}",
    ]
    for path in paths:
        sender.ask("POST", path, notification("log"), {"X-Request-Id": "trace-7", "Authorization": f"Bearer {token}"})

    until(lambda: proxy.logged().count("trace-7") >= len(paths), "the requests are logged")
    logged = proxy.logged()
    assert token not in logged
    assert "/integrations/v1/alertmanager" in logged
    sender.close()


def test_a_gateway_that_is_away_is_tried_again(tool: str, signed: Signed, processes: Processes, folder: Path) -> None:
    """The sender gets a 5xx, which Alertmanager repeats, and the token is in no log."""
    proxy = tls_proxies.start(tool, processes, folder / tool, free_port(), signed.authority, signed.certificate)
    sender = proxy.sender()
    token = "SECRET0TOKEN"

    answer = sender.ask(
        "POST", f"/integrations/v1/alertmanager/{token}/", notification("away"), {"X-Request-Id": "t-9"}
    )

    assert answer.status in (502, 503)
    until(lambda: "t-9" in proxy.logged(), "the request is logged")
    sender.close()
    proxy.process.stop()
    assert token not in proxy.logged()
    assert str(answer.status) in proxy.logged()


@NEEDS_ALERTMANAGER
def test_alertmanager_finds_its_way(
    shared_stack: Stack, proxy: Proxy, integration: Any, signed: Signed, processes: Processes, folder: Path
) -> None:
    """With the address of the proxy, the authority's file and the token as a Bearer token."""
    url = f"https://localhost:{proxy.port}/integrations/v1/alertmanager/{integration.name.partition('/')[2]}/"
    http_config = {
        "authorization": {"credentials": integration.token},
        "tls_config": {"ca_file": str(signed.authority.certificate)},
        "follow_redirects": False,
    }
    alertmanager = Alertmanager(processes, folder, webhook(url, http_config=http_config)).start()

    alertmanager.fire("ThroughTheProxy", "a")

    group = until(lambda: next(iter(shared_stack.client.groups(integration)), None), "the group is there")
    assert group.title == "ThroughTheProxy"
    assert group.labels["alertname"] == "ThroughTheProxy"
    assert alertmanager.failures() == 0
