"""The REST API while the daemon is away, slow or overloaded, and what the intake of alerts notices of it: nothing."""

import json
from concurrent.futures import ThreadPoolExecutor

from early import early
from gateway_harness import HEARTBEAT, NOTIFY, capture
from oncall_client import Rest
from oncall_daemon import OncallDaemon
from oncall_outages import rest_alone

BODY = capture("firing_partly_resolved_one_of_three")


def test_without_a_daemon_it_says_come_again(own_rest: Rest, own_oncall_daemon: OncallDaemon) -> None:
    """While the daemon is away the answer is 503, at once; when it is back all goes on by itself."""
    for method, path in (("GET", "alert_groups/"), ("POST", "alert_groups/1/resolve/"), ("GET", "routes/x-default/")):
        told = own_rest(method, path)
        assert (told.status, told.headers["retry-after"]) == (503, "1")
        assert "away" in told.body["detail"]

    own_oncall_daemon.start()
    own_oncall_daemon.add_group(1)
    own_oncall_daemon.intake.wait_for(lambda: bool(own_oncall_daemon.intake.pulses))

    # The channel looks for the daemon twice a second.
    while (told := own_rest("GET", "alert_groups/1/")).status == 503:
        pass
    assert told.status == 200


@early
def test_a_daemon_that_hangs_is_given_up() -> None:
    """Who does not get an answer in time is told to come again, and nothing is left behind."""
    with rest_alone() as (daemon, rest):
        daemon.start()
        daemon.intake.wait_for(lambda: bool(daemon.intake.pulses))
        daemon.go_on.clear()

        told = rest("GET", "alert_groups/")

        assert (told.status, told.headers["retry-after"]) == (503, "1")
        assert told.body == {"detail": "the daemon has not answered in time: try again"}
        daemon.go_on.set()
        assert rest("GET", "alert_groups/").status == 200


def test_a_crowd_does_not_hold_up_alerts(rest: Rest, daemon: OncallDaemon) -> None:
    """However many requests wait for a daemon that hangs: it gets few of them at once, those over the limit are told
    to come again at once, and notifications and beats go their way."""
    daemon.add_integration("one")
    daemon.go_on.clear()
    with ThreadPoolExecutor(80) as crowd:
        asked = [crowd.submit(rest, "GET", "integrations/one/") for _ in range(80)]
        refused = []
        while len(refused) < 16:
            refused = [future for future in asked if future.done()]

        daemon.wait_for_calls(16)
        assert rest.gateway.ask("POST", NOTIFY, BODY).status == 200
        assert rest.gateway.ask("GET", HEARTBEAT).status == 200
        assert rest.gateway.ask("GET", "/-/healthy").status == 200
        assert len(daemon.calls) == 16
        daemon.go_on.set()

    answers = [future.result() for future in asked]
    assert sorted(answer.status for answer in answers) == [200] * 64 + [503] * 16
    assert {json.dumps(future.result().body) for future in refused} == {
        '{"detail": "too many requests are being worked on: try again"}'
    }
    assert rest("GET", "integrations/one/").status == 200


def test_a_request_that_is_never_sent_in_full_takes_no_place(rest: Rest, daemon: OncallDaemon) -> None:
    """Bodies are waited for before a place is taken: a hundred that never come hold up nobody."""
    daemon.add_group(1)
    head = f"POST /api/v1/alert_groups/1/silence/ HTTP/1.1\r\nHost: x\r\nAuthorization: {rest.token}\r\n"
    connections = [rest.gateway.connect() for _ in range(100)]
    for connection in connections:
        connection.sendall(f"{head}Content-Length: 20\r\n\r\n".encode())

    assert rest("POST", "alert_groups/1/silence/", {"delay": 60}).status == 200

    for connection in connections:
        connection.close()
