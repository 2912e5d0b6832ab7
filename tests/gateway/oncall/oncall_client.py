"""A client of the gateway's REST API."""

import json
import uuid
from typing import Any, NamedTuple

from gateway_harness import Gateway
from oncall_daemon import ADMIN


class Told(NamedTuple):
    """What the REST API answered."""

    status: int
    headers: dict[str, str]
    body: Any


class Rest:
    """A client of the REST API."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.token = f"{ADMIN}-{uuid.uuid4().hex}"

    def __call__(self, method: str, path: str, body: Any = None, *, token: str | None = "", **headers: str) -> Told:
        """Makes a request, as an admin unless `token` says otherwise. `body` is sent as JSON; bytes, as they are."""
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Content-Type": "application/json"} if body is not None else {}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent.setdefault("Authorization", token or self.token)
        path = path if path.startswith("http") else f"/api/v1/{path}"
        answer = self.gateway.ask(method, path.removeprefix(f"http://127.0.0.1:{self.gateway.port}"), content, sent)
        if answer.text:
            assert answer.headers["content-type"] == "application/json", answer
        return Told(answer.status, answer.headers, json.loads(answer.text) if answer.text else None)

    def numbers(self, path: str) -> list[str]:
        """The ids of the groups in a list."""
        told = self("GET", path)
        assert told.status == 200, told
        return [group["id"] for group in told.body["results"]]
