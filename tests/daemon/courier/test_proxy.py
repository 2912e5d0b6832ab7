"""Webhooks through a proxy of the environment."""

import socket
import threading
from pathlib import Path

import pytest
from certificates import authority, signed
from receivers import Opens, Receiver, answers, request
from test_webhook_tls import speaking

from tocsind.courier import webhook


def tunnels(receiver: Receiver, connection: socket.socket) -> None:
    """A proxy that connects to wherever it is asked to, on this machine, and says that it is at work before that."""
    line = receiver.read(connection).target
    with socket.create_connection(("127.0.0.1", int(line.rpartition(":")[2]))) as there:
        connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 Connection established\r\n\r\n")
        ways = [(connection, there), (there, connection)]
        threads = [threading.Thread(target=_copy, args=way, daemon=True) for way in ways]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _copy(here: socket.socket, there: socket.socket) -> None:
    try:
        while content := here.recv(65536):
            there.sendall(content)
        there.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def test_http_goes_to_the_proxy(opens: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the whole address, and the proxy's own login; names that only it knows work."""
    proxy = opens(answers(body=b"by proxy"))
    monkeypatch.setenv("http_proxy", proxy.url().replace("://", "://ann:pw@"))

    outcome = webhook.send(request("http://inside.invalid:81/x?y=z"))

    assert outcome.answer == "HTTP 200: by proxy"
    received = proxy.received.get()
    assert received.target == "http://inside.invalid:81/x?y=z"
    assert received.headers["host"] == "inside.invalid:81"
    assert received.headers["proxy-authorization"] == "Basic YW5uOnB3"


def test_https_goes_through_a_tunnel(opens: Opens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The proxy sees where to, and nothing else; the certificate is the receiver's."""
    ca = authority(tmp_path)
    receiver = opens(answers(body=b"fine"), tls=speaking(signed(ca, tmp_path, "server")))
    proxy = opens(tunnels)
    monkeypatch.setenv("HTTPS_PROXY", proxy.url().replace("://", "://ann:pw@"))

    outcome = webhook.send(request(receiver.url(host="localhost"), ca_certificates=ca.certificate.read_text()))

    assert outcome.answer == "HTTP 200: fine"
    asked = proxy.received.get()
    assert asked.line == f"CONNECT localhost:{receiver.port} HTTP/1.1"
    assert asked.headers["proxy-authorization"] == "Basic YW5uOnB3"
    assert "proxy-authorization" not in receiver.received.get().headers


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_is_no_way_around(opens: Opens, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """What leads to a private address by what is known here is refused."""
    proxy = opens(answers())
    monkeypatch.setenv(f"{scheme}_proxy", proxy.url())

    outcome = webhook.send(request(f"{scheme}://10.0.0.1/", networks=[]))

    assert "not public" in outcome.answer
    assert proxy.connections.empty()


def test_no_proxy_is_heeded(opens: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it names is reached directly."""
    proxy, receiver = opens(answers()), opens(answers())
    monkeypatch.setenv("http_proxy", proxy.url())
    monkeypatch.setenv("no_proxy", "127.0.0.1")

    assert webhook.send(request(receiver.url())).done
    assert proxy.connections.empty()


@pytest.mark.parametrize(
    ("proxy", "answer"),
    [
        ("http://ann:s3cret@127.0.0.1:1", "the proxy: connection refused"),
        ("socks5://ann:s3cret@127.0.0.1:1", "the proxy of the environment must begin with http://"),
        ("http://ann:s3cret@nothing.invalid", "the proxy: its name cannot be resolved: "),
    ],
)
def test_a_proxy_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, proxy: str, answer: str) -> None:
    """Whose fault it is is said, and its password is not."""
    monkeypatch.setenv("all_proxy", proxy)

    outcome = webhook.send(request("https://hooks.invalid/"))

    assert not outcome.done
    assert outcome.answer.startswith(answer)
    assert "s3cret" not in outcome.answer


def test_a_proxy_that_refuses_is_told(opens: Opens, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its status."""
    monkeypatch.setenv("https_proxy", opens(answers("407 Login")).url())

    assert webhook.send(request("https://hooks.invalid/")).answer == "the proxy refused: HTTP 407"
