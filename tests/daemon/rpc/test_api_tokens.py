"""API tokens: made, shown once, used, expired and revoked."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from credentials import bearer, create, refusal, revoke, who
from fake_clock import DAY, MINUTE, SECOND
from google.protobuf.timestamp_pb2 import Timestamp
from running_daemon import RunningDaemon

from tocsin.v1 import (
    access_pb2,
    alert_groups_pb2,
)
from tocsind.domain.access import ApiToken, Role, new_token, parts_of


def test_a_token_is_shown_once_and_kept_as_a_hash(daemon: RunningDaemon) -> None:
    """Neither another answer nor the file holds it."""
    made = create(daemon, Role.VIEWER)
    _, secret = parts_of(made.secret) or ("", "")
    assert len(secret) == 43
    made.secret = ""

    assert daemon.access.GetApiToken(access_pb2.GetApiTokenRequest(name=made.name)) == made
    listed = daemon.access.ListApiTokens(access_pb2.ListApiTokensRequest())
    assert list(listed.api_tokens) == [made]
    daemon.close()
    for path in daemon.folder.glob("tocsin.db*"):
        assert secret.encode() not in path.read_bytes()


def test_a_token_works_after_a_restart(daemon: RunningDaemon) -> None:
    """What is known in memory comes from the file."""
    made = create(daemon, Role.EDITOR, "robot")

    daemon = daemon.crash()

    assert who(daemon, bearer(made.secret)) == access_pb2.Caller(
        actor="robot", role=access_pb2.ApiToken.EDITOR, api_token=made.name
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda secret: "",
        lambda secret: secret[:-1],
        lambda secret: secret + "x",
        lambda secret: secret.upper(),
        lambda secret: secret.replace("tocsin_", "other_"),
        lambda secret: secret.rpartition("_")[0],
        lambda secret: "tocsin_" + "0" * 12 + "_" + secret.rpartition("_")[2],
    ],
)
def test_a_token_that_is_wrong_is_refused_even_where_none_is_needed(
    daemon: RunningDaemon, change: Callable[[str], str]
) -> None:
    """Whoever means to be somebody is not quietly taken for somebody else."""
    made = create(daemon, Role.ADMIN)

    refused = refusal(lambda: who(daemon, bearer(change(made.secret))))

    assert refused == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "tocsin_a_b", ""])
def test_another_scheme_is_refused(daemon: RunningDaemon, value: str) -> None:
    """It must be `Bearer` and the token."""
    refused = refusal(lambda: who(daemon, [("authorization", value)]))

    assert refused == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


def test_who_acts_for_somebody_says_so(daemon: RunningDaemon) -> None:
    """The timeline shows both: who was named, and the token that vouches."""
    made = create(daemon, Role.EDITOR, "chat-bot")
    name = daemon.fire(daemon.integration())
    request = alert_groups_pb2.AcknowledgeAlertGroupRequest(name=name)

    acted = daemon.groups.AcknowledgeAlertGroup(request, metadata=[*bearer(made.secret), ("tocsin-actor", "ada")])

    assert acted.state_actor == "ada via chat-bot"
    assert who(daemon, bearer(made.secret)).actor == "chat-bot"


@pytest.mark.parametrize("actor", ["a" * 200, "a%0Ab"])
def test_an_unfit_name_is_refused(daemon: RunningDaemon, actor: str) -> None:
    """It would stand in timelines."""
    refused = refusal(lambda: who(daemon, [("tocsin-actor", actor)]))

    assert refused == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


def test_a_token_expires(daemon: RunningDaemon) -> None:
    """From that moment on it is refused, with a reason of its own; it stays listed."""
    end = Timestamp()
    end.FromMicroseconds(daemon.clock.wall() + DAY)
    made = create(daemon, Role.VIEWER, expire_time=end)
    daemon.clock.advance(DAY - 1)
    assert who(daemon, bearer(made.secret)).api_token == made.name

    daemon.clock.advance(1)

    refused = refusal(lambda: who(daemon, bearer(made.secret)))
    assert refused == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")
    assert len(daemon.access.ListApiTokens(access_pb2.ListApiTokensRequest()).api_tokens) == 1


def test_a_revoked_token_is_refused_at_once(daemon: RunningDaemon) -> None:
    """The answer to the revocation comes after the last call that it could make."""
    made = create(daemon, Role.ADMIN)
    assert who(daemon, bearer(made.secret)).api_token == made.name

    revoke(daemon, made)

    refused = refusal(lambda: who(daemon, bearer(made.secret)))
    assert refused == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")
    assert refusal(lambda: revoke(daemon, made))[0] == grpc.StatusCode.NOT_FOUND


def test_revoking_ends_the_streams_of_a_token(daemon: RunningDaemon) -> None:
    """Its watcher learns why; one without it watches on."""
    made = create(daemon, Role.VIEWER)
    request = alert_groups_pb2.WatchAlertGroupsRequest()
    watching = daemon.groups.WatchAlertGroups(request, metadata=bearer(made.secret), timeout=30)
    other = daemon.groups.WatchAlertGroups(request, timeout=30)
    next(watching), next(other)

    revoke(daemon, made)

    assert refusal(lambda: next(watching)) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED")
    name = daemon.fire(daemon.integration())
    assert next(other).alert_group.name == name
    other.cancel()


def test_expiring_ends_the_streams_of_a_token(daemon: RunningDaemon) -> None:
    """Within a second."""
    end = Timestamp()
    end.FromMicroseconds(daemon.clock.wall() + MINUTE)
    made = create(daemon, Role.VIEWER, expire_time=end)
    request = alert_groups_pb2.WatchAlertGroupsRequest()
    watching = daemon.groups.WatchAlertGroups(request, metadata=bearer(made.secret), timeout=30)
    next(watching)

    daemon.pass_time(MINUTE + 2 * SECOND)

    assert refusal(lambda: next(watching)) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")


def test_the_last_use_is_noted(daemon: RunningDaemon) -> None:
    """At once for those who ask, within a minute on disk, and at the end of the daemon."""
    made = create(daemon, Role.VIEWER)
    assert not made.HasField("last_use_time")
    who(daemon, bearer(made.secret))
    first = daemon.clock.wall()
    shown = daemon.access.GetApiToken(access_pb2.GetApiTokenRequest(name=made.name))
    assert shown.last_use_time.ToMicroseconds() == first
    daemon.pass_time(2 * MINUTE)
    assert daemon.sql("SELECT last_used FROM api_tokens") == [(first,)]

    who(daemon, bearer(made.secret))
    last = daemon.clock.wall()
    daemon = daemon.reopen()

    assert daemon.sql("SELECT last_used FROM api_tokens") == [(last,)]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"display_name": ""}, "api_token.display_name"),
        ({"display_name": " a"}, "api_token.display_name"),
        ({"display_name": "a\n"}, "api_token.display_name"),
        ({"display_name": "a" * 101}, "api_token.display_name"),
        ({"role": 0}, "api_token.role"),
        ({"role": 9}, "api_token.role"),
        ({"expire_time": Timestamp(seconds=1)}, "api_token.expire_time"),
        ({"expire_time": Timestamp(seconds=2**62)}, "api_token.expire_time"),
        ({"expire_time": Timestamp(nanos=-1)}, "api_token.expire_time"),
    ],
)
def test_a_token_that_cannot_be_is_refused(daemon: RunningDaemon, fields: dict[str, Any], field: str) -> None:
    """With the path of the field, and nothing is made."""
    wanted = access_pb2.ApiToken(**({"display_name": "a", "role": 1} | fields))

    with pytest.raises(grpc.RpcError, match=field) as error:
        daemon.access.CreateApiToken(access_pb2.CreateApiTokenRequest(api_token=wanted))

    assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert daemon.sql("SELECT count(*) FROM api_tokens") == [(0,)]


def test_two_tokens_cannot_have_one_name(daemon: RunningDaemon) -> None:
    """Timelines would not tell them apart; once one is revoked its name is free."""
    made = create(daemon, Role.VIEWER, "robot")
    assert refusal(lambda: create(daemon, Role.ADMIN, "robot")) == (grpc.StatusCode.ALREADY_EXISTS, "NAME_TAKEN")

    revoke(daemon, made)

    assert create(daemon, Role.ADMIN, "robot").name != made.name


def test_tokens_are_listed_in_pages(daemon: RunningDaemon) -> None:
    """Oldest first, each once."""
    names = [create(daemon, Role.VIEWER, f"t{n}").name for n in range(5)]
    first = daemon.access.ListApiTokens(access_pb2.ListApiTokensRequest(page_size=3))
    rest = daemon.access.ListApiTokens(access_pb2.ListApiTokensRequest(page_size=3, page_token=first.next_page_token))

    assert [token.name for token in [*first.api_tokens, *rest.api_tokens]] == names
    assert rest.next_page_token == ""


def test_a_repeat_of_a_creation_makes_no_second_token_and_tells_no_secret(daemon: RunningDaemon) -> None:
    """Who lost the first answer revokes the token and makes another."""
    request = access_pb2.CreateApiTokenRequest(
        api_token=access_pb2.ApiToken(display_name="robot", role=access_pb2.ApiToken.VIEWER), request_id="once-1"
    )
    made = daemon.access.CreateApiToken(request)
    again = daemon.access.CreateApiToken(request)

    assert made.secret
    made.secret = ""
    assert again == made
    assert daemon.sql("SELECT count(*) FROM api_tokens") == [(1,)]


def test_a_token_names_itself_and_fits_its_secret_only() -> None:
    """Its text holds its id and its secret, and no two are alike."""
    pairs = [new_token("a", Role.VIEWER, None, "ada", 0) for _ in range(20)]

    assert len({text for _, text in pairs}) == 20
    for token, text in pairs:
        parts = parts_of(text)
        assert parts is not None
        assert parts[0] == token.public_id
        assert [other.fits(parts[1]) for other, _ in pairs].count(True) == 1
        assert isinstance(token, ApiToken)
        assert len(parts[1]) == 43


@pytest.mark.parametrize("text", ["", "tocsin", "tocsin_", "tocsin__x", "tocsin_a_", "Tocsin_a_b", "x_a_b"])
def test_what_is_no_token_is_seen(text: str) -> None:
    """Without a look at any file."""
    assert parts_of(text) is None
