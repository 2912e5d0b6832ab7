"""The proxies of docs/proxy, as they stand there but for addresses and files, as processes."""

import http.client
import os
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from certificates import Certificate
from processes import Process, Processes, free_port, until
from senders import Sender

EXAMPLES = Path(__file__).parents[2] / "docs/proxy"


@dataclass(frozen=True)
class Proxy:
    """One that runs. `logs` is the folder with all that it writes."""

    port: int
    authority: Path
    logs: Path
    process: Process

    def sender(self) -> "TlsSender":
        """A sender to it."""
        return TlsSender(self.port, self.authority)

    def logged(self) -> str:
        """All that it wrote so far."""
        return "\n".join(path.read_text(errors="replace") for path in self.logs.iterdir())


class TlsSender(Sender):
    """A sender that speaks TLS and trusts one authority."""

    def __init__(self, port: int, authority: Path) -> None:
        super().__init__(port)
        context = ssl.create_default_context(cafile=str(authority))
        self._connection = http.client.HTTPSConnection("localhost", port, timeout=60, context=context)

    @property
    def connected_from(self) -> int:
        """The port of its connection on this side."""
        return int(self._connection.sock.getsockname()[1])


def _replaced(text: str, words: dict[str, str]) -> str:
    for old, new in words.items():
        assert old in text, f"the example has no {old!r} any more"
        text = text.replace(old, new)
    return text


def _common(folder: Path, gateway_port: int, certificate: Certificate, tool: str) -> dict[str, str]:
    return {
        "127.0.0.1:8080": f"127.0.0.1:{gateway_port}",
        f"/etc/{tool}/tls/alerts.example.pem": str(certificate.certificate),
        f"/etc/{tool}/tls/alerts.example.key": str(certificate.key),
        f"/var/log/{tool}/": f"{folder}/logs/",
    }


def _nginx(processes: Processes, folder: Path, port: int, gateway_port: int, certificate: Certificate) -> Process:
    words = _common(folder, gateway_port, certificate, "nginx")
    words |= {"listen 443 ssl": f"listen 127.0.0.1:{port} ssl", "server_name alerts.example": "server_name localhost"}
    (folder / "site.conf").write_text(_replaced((EXAMPLES / "nginx.conf").read_text(), words))
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"daemon off; {user} pid {folder}/nginx.pid; error_log {folder}/logs/main.log;\n"
        f"events {{}}\nhttp {{ access_log off; {temporary} include {folder}/site.conf; }}\n"
    )
    arguments = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    return processes.start(arguments, folder / "logs/output.log")


def _caddy(processes: Processes, folder: Path, port: int, gateway_port: int, certificate: Certificate) -> Process:
    words = _common(folder, gateway_port, certificate, "caddy")
    words |= {
        "\nalerts.example {": f"\nlocalhost:{port} {{\n\tbind 127.0.0.1",
        "\n:443 {": f"\n:{port} {{\n\tbind 127.0.0.1",
        "auto_https disable_redirects": "auto_https disable_redirects\n\tadmin off",
    }
    (folder / "Caddyfile").write_text(_replaced((EXAMPLES / "Caddyfile").read_text(), words))
    arguments = ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    home = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    return processes.start(arguments, folder / "logs/output.log", env=home)


STARTS: dict[str, Callable[[Processes, Path, int, int, Certificate], Process]] = {"nginx": _nginx, "caddy": _caddy}


def start(
    tool: str, processes: Processes, folder: Path, gateway_port: int, authority: Certificate, certificate: Certificate
) -> Proxy:
    """Starts nginx or caddy in front of a gateway, in a folder of its own, and waits until it answers."""
    (folder / "logs").mkdir(parents=True)
    port = free_port()
    process = STARTS[tool](processes, folder, port, gateway_port, certificate)
    proxy = Proxy(port, authority.certificate, folder / "logs", process)

    def answers() -> bool:
        assert process.running, process.log
        sender = proxy.sender()
        try:
            return sender.ask("GET", "/-/healthy").status > 0
        except OSError:
            return False
        finally:
            sender.close()

    until(answers, f"{tool} answers")
    return proxy
