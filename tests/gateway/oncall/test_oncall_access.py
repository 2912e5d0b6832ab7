"""Who may call the REST API, and what hostile requests come to."""

import json

import grpc
import pytest
from gateway_harness import HEARTBEAT, parse_answer
from oncall_client import Rest
from oncall_daemon import ADMIN, VIEWER, OncallDaemon, State

EVERYTHING = [
    ("GET", "alert_groups/"),
    ("GET", "alert_groups/?state=nonsense"),
    ("GET", "alert_groups/?id=1"),
    ("GET", "alert_groups/?integration_id=IMPOSSIBLE"),
    ("GET", "alert_groups/1/"),
    ("GET", "alert_groups/nonsense/"),
    ("HEAD", "alert_groups/1/"),
    ("DELETE", "alert_groups/1/"),
    *(
        ("POST", f"alert_groups/1/{verb}/")
        for verb in ("acknowledge", "unacknowledge", "resolve", "unresolve", "silence", "unsilence")
    ),
    ("GET", "integrations/"),
    ("GET", "integrations/one/"),
    ("GET", "integrations/NONSENSE/"),
    ("GET", "routes/"),
    ("GET", "routes/?routing_regex=x"),
    ("GET", "routes/one-default/"),
    ("GET", "routes/nonsense/"),
]

NO_TOKENS = [None, " ", "Bearer", "two words", "Bearer two words", "Basic dXNlcjpwdw==", "t\u00f6ken", "x" * 1025]


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
def test_without_a_token_the_daemon_is_not_asked(rest: Rest, daemon: OncallDaemon, method: str, path: str) -> None:
    """On its unix socket a call without a token would be an admin's: what bears none never gets there."""
    daemon.add_group(1)
    daemon.add_integration("one")

    for token in NO_TOKENS:
        if token == "Bearer":
            # It could be a token.
            continue
        told = rest(method, path, token=token)
        assert told.status == 403
        assert method == "HEAD" or told.body == {"detail": "Invalid token."}

    assert daemon.calls == []


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
def test_a_wrong_token_is_refused(rest: Rest, daemon: OncallDaemon, method: str, path: str) -> None:
    """The daemon decides about tokens, each time; a wrong one is a 403 as in OnCall, whatever else is wrong."""
    daemon.add_group(1)

    for token in ("wrong", "Bearer wrong", "Bearer"):
        told = rest(method, path, token=token)
        assert told.status == 403
        assert method == "HEAD" or told.body == {"detail": "Invalid token."}

    assert len(daemon.calls) == 3


@pytest.mark.parametrize("header", [ADMIN, f"Bearer {ADMIN}", f"bearer  {ADMIN} "])
def test_the_token_is_passed_on(rest: Rest, daemon: OncallDaemon, header: str) -> None:
    """Raw, as OnCall has it, or as a Bearer token, it reaches the daemon as a Bearer token with every call."""
    daemon.add_group(1)

    assert rest("POST", "alert_groups/1/acknowledge/", token=header).status == 200

    assert [call.metadata["authorization"] for call in daemon.calls] == [f"Bearer {ADMIN}"] * 2


def test_nobody_can_name_himself(rest: Rest, daemon: OncallDaemon) -> None:
    """Headers are no metadata: the actor is whose the token is."""
    daemon.add_group(1)

    rest("POST", "alert_groups/1/acknowledge/", Tocsin_Actor="alice", Grpc_Metadata_Tocsin_Actor="alice")

    assert all("tocsin-actor" not in call.metadata for call in daemon.calls)


def test_a_request_keeps_its_id(rest: Rest, daemon: OncallDaemon) -> None:
    """X-Request-Id goes on to the daemon; one that no log should have, or none, is replaced."""
    rest("GET", "integrations/", X_Request_Id="from-the-proxy-1")
    rest("GET", "integrations/", X_Request_Id="x" * 129)
    rest("GET", "integrations/")

    first, second, third = (call.metadata["x-request-id"] for call in daemon.calls)
    assert first == "from-the-proxy-1"
    assert len({first, second, third}) == 3
    assert len(second) < 128
    assert third


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("POST", "alert_groups/1/acknowledge/", "AcknowledgeAlertGroup"),
        ("POST", "alert_groups/1/silence/", "SilenceAlertGroup"),
        ("DELETE", "alert_groups/1/", "WipeAlertGroup"),
    ],
)
def test_a_role_that_is_too_small_is_refused(
    rest: Rest, daemon: OncallDaemon, method: str, path: str, call: str
) -> None:
    """Who may only read cannot act."""
    daemon.add_group(1)

    told = rest(method, path, {"delay": 60}, token=VIEWER)

    assert (told.status, told.body) == (403, {"detail": "You do not have permission to perform this action."})
    assert daemon.calls[-1].method == call
    assert daemon.groups[1].state == State.FIRING
    assert rest("GET", "alert_groups/1/", token=VIEWER).status == 200


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["alert_groups/", "alert_groups/1/", "alert_groups/1/acknowledge/", "routes"])
def test_a_wrong_method_is_refused(rest: Rest, daemon: OncallDaemon, method: str, path: str) -> None:
    """A method that a URL does not know is a 405 in JSON that names those which it does."""
    told = rest(method, path)

    assert (told.status, told.body) == (405, {"detail": f'Method "{method}" not allowed.'})
    allowed = {"alert_groups/1/": "DELETE, GET, HEAD", "alert_groups/1/acknowledge/": "POST"}.get(path, "GET, HEAD")
    assert sorted(told.headers["allow"].split(", ")) == allowed.split(", ")
    assert daemon.calls == []


@pytest.mark.parametrize(
    "path",
    [
        "",
        "users/",
        "alert_groups/1/nonsense/",
        "alert_groups/1/acknowledge/x",
        "x" * 4000,
    ],
)
def test_an_unknown_url_is_not_found(rest: Rest, daemon: OncallDaemon, path: str) -> None:
    """What is not served says so in JSON."""
    for method in ("GET", "POST"):
        told = rest(method, path)
        assert (told.status, told.body) == (404, {"detail": "Not found."})


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, 403),
        (grpc.StatusCode.PERMISSION_DENIED, 403),
        (grpc.StatusCode.NOT_FOUND, 404),
        (grpc.StatusCode.INVALID_ARGUMENT, 400),
        (grpc.StatusCode.FAILED_PRECONDITION, 400),
        (grpc.StatusCode.OUT_OF_RANGE, 400),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 429),
        (grpc.StatusCode.UNAVAILABLE, 503),
        (grpc.StatusCode.DEADLINE_EXCEEDED, 503),
        (grpc.StatusCode.UNIMPLEMENTED, 503),
        (grpc.StatusCode.INTERNAL, 503),
        (grpc.StatusCode.ABORTED, 503),
        (grpc.StatusCode.DATA_LOSS, 503),
    ],
)
def test_each_error_of_the_daemon_has_its_status(
    rest: Rest, daemon: OncallDaemon, code: grpc.StatusCode, status: int
) -> None:
    """Every error has a status and says in JSON what is wrong; what may pass says when to come again."""
    daemon.failures["GetIntegration"] = (code, "in the daemon's words")

    told = rest("GET", "integrations/one/")

    assert told.status == status
    assert list(told.body) == ["detail"]
    assert (told.body["detail"] == "in the daemon's words") == (status == 400)
    assert told.headers.get("retry-after") == ("1" if status in (429, 503) else None)
    assert told.headers.get("ratelimit-reset") == ("1" if status == 429 else None)


@pytest.mark.parametrize(
    "query",
    ["%", "%zz", "state=%ff", "label=%ff:%fe", "label=%00:%00", "&&&=&==", "id=%f0%9f%92%a9", "label=a:" + "b" * 4000],
)
def test_odd_queries_are_answered(rest: Rest, daemon: OncallDaemon, query: str) -> None:
    """Whatever stands in a query, there is an answer in JSON, and it is no failure."""
    for path in ("alert_groups/", "integrations/", "routes/"):
        assert rest("GET", f"{path}?{query}").status in (200, 400)


@pytest.mark.parametrize(
    "line",
    [
        b"GET /api/v1/alert_groups/?x=\xff\xfe HTTP/1.1",
        b"GET /api/v1/alert_groups/\xff\xfe/ HTTP/1.1",
        b"GET /api/v1/alert_groups/%ff%fe/ HTTP/1.1",
        b"GET /api/v1/alert_groups/%ed%a0%80/ HTTP/1.1",
        b"GET /api/v1/routes/%00/ HTTP/1.1",
        b"GET /api/v1/alert_groups/?page=2 HTTP/1.0",
    ],
)
@pytest.mark.parametrize(
    "head",
    [b"Host: x", b"Host: \xff\xfe", b'Host: "<x>', b"Forwarded: host=\xff;proto=;;=,", b"X-Forwarded-Host: \xff"],
)
def test_odd_heads_are_answered(rest: Rest, daemon: OncallDaemon, line: bytes, head: bytes) -> None:
    """Bytes that are no text anywhere in the head of a request do no harm."""
    daemon.add_groups(60)
    with rest.gateway.connect() as connection:
        connection.sendall(
            line + b"\r\nConnection: close\r\nAuthorization: " + ADMIN.encode() + b"\r\n" + head + b"\r\n\r\n"
        )
        raw = b"".join(iter(lambda: connection.recv(65536), b""))

    answer = parse_answer(raw)
    assert answer.status in (200, 400, 404)
    if answer.headers["content-type"] == "application/json":
        json.loads(answer.text)


def test_a_body_that_nobody_reads_does_no_harm(rest: Rest, daemon: OncallDaemon) -> None:
    """A large body is refused or passed over without being kept, also where the token is missing."""
    daemon.add_group(1)
    large = b" " * 3_000_000

    assert rest("POST", "alert_groups/1/silence/", large).status == 413
    assert rest("POST", "alert_groups/1/silence/", large, token=None).status == 403
    assert rest("GET", "alert_groups/1/", large).status == 200
    assert rest("POST", "alert_groups/1/acknowledge/", large).status == 200


def test_requests_are_counted(rest: Rest, daemon: OncallDaemon) -> None:
    """The gateway's metrics tell the REST API from the intake."""
    rest("GET", "routes/", token="wrong")
    series = 'tocsin_gateway_requests_total{code="%d",kind="%s"}'
    before = rest.gateway.metric(series % (403, "api")), rest.gateway.metric(series % (200, "heartbeat"))

    rest("GET", "routes/", token="wrong")
    rest.gateway.ask("GET", HEARTBEAT)

    after = rest.gateway.metric(series % (403, "api")), rest.gateway.metric(series % (200, "heartbeat"))
    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)
