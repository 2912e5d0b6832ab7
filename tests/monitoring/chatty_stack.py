"""A stack with logs at the level `debug`, on which a bit of everything happens, with secrets that are known."""

import contextlib
import json
from typing import Any

import grpc
from processes import until
from senders import Sender, notification
from stacks import Stack

from tocsin.v1 import access_pb2, access_pb2_grpc, alert_groups_pb2, heartbeats_pb2, integrations_pb2

UNKNOWN = "an-unknown-token-of-somebody"
WORD = "confidential-word"
TRACE = "trace-of-the-sender"


class ChattyStack(Stack):
    """Both processes, and what was sent to them."""

    def start_daemon(self, **options: Any) -> None:
        """Starts the daemon."""
        arguments = ("--data", str(self.data), "--external-url", f"http://127.0.0.1:{self.port}")
        arguments += ("--log-level", "debug")
        self.daemon = self.processes.python("tocsind", *arguments, log=self.folder / "daemon.log", **options)

    def start_gateway(self) -> None:
        """Starts the gateway."""
        arguments = ("--http", f"127.0.0.1:{self.port}", "--target", self.target, "--log-level", "debug")
        self.gateway = self.processes.python("tocsin_gateway", *arguments, log=self.folder / "gateway.log")

    def live(self) -> None:
        """Has both do a bit of everything, each as often as it can go wrong."""
        client, sender = self.client, self.sender()
        self.integration = client.create("prod")
        token = client.call(
            client.integrations.GetIntegration, integrations_pb2.GetIntegrationRequest(name=self.integration.name)
        ).token
        public_id = self.integration.name.partition("/")[2]
        self.secrets = [token, UNKNOWN]
        body = notification("k", commonAnnotations={"text": WORD})
        trace = {"X-Request-Id": TRACE}
        by_id = f"/integrations/v1/alertmanager/{public_id}/"
        asked = [
            sender.ask("POST", self.integration.url, body, trace),
            sender.ask("POST", self.integration.url + f"?{WORD}", body),
            sender.ask("POST", by_id, body, {"Authorization": f"Bearer {token}"}),
            sender.ask("POST", by_id, body, {"Authorization": f"Bearer {UNKNOWN}"}),
            sender.ask("POST", f"/integrations/v1/alertmanager/{UNKNOWN}/", body),
            sender.ask("POST", self.integration.url.replace("alertmanager", "webhook"), body),
            sender.ask("POST", self.integration.url, f'{{"{WORD}": "{token}"'.encode()),
            sender.ask("GET", self.integration.url),
            sender.ask("GET", self.integration.url + "heartbeat"),
            sender.ask("POST", self.integration.url, notification("k", firing=(), resolved=("a",))),
        ]
        self.statuses = [answer.status for answer in asked]
        with grpc.insecure_channel(self.target) as channel:
            access = access_pb2_grpc.AccessServiceStub(channel)
            wanted = access_pb2.ApiToken(display_name="reader", role=access_pb2.ApiToken.VIEWER)
            created = client.call(access.CreateApiToken, access_pb2.CreateApiTokenRequest(api_token=wanted))
            self.secrets.append(created.secret)
            ask = access_pb2.GetCallerRequest()
            access.GetCaller(ask, metadata=(("authorization", f"Bearer {created.secret}"),))
            with contextlib.suppress(grpc.RpcError):
                access.GetCaller(ask, metadata=(("authorization", f"Bearer {created.secret}x"),))
        client.call(client.alert_groups.ListAlertGroups, alert_groups_pb2.ListAlertGroupsRequest())
        client.call(client.heartbeats.ListHeartbeats, heartbeats_pb2.ListHeartbeatsRequest())
        sender.close()
        refused = sum(400 <= status < 500 for status in self.statuses)
        until(lambda: len(self.refusals()) == refused, "the gateway has logged its answers")

    def refusals(self) -> list[dict[str, Any]]:
        """The lines of the gateway about requests that are wrong in themselves."""
        return [line for line in self.lines("gateway", "answered with an error") if line["status"] < 500]

    def page(self, path: str) -> str:
        """What the gateway serves."""
        sender = Sender(self.port)
        try:
            return sender.ask("GET", path).text
        finally:
            sender.close()

    def lines(self, whose: str, event: str = "") -> list[dict[str, Any]]:
        """The lines of one log, as JSON; of one event, or all."""
        found = [json.loads(line) for line in (self.folder / f"{whose}.log").read_text().splitlines()]
        return [line for line in found if not event or line["event"] == event]
