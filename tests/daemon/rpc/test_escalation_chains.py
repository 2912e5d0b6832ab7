"""Escalation chains, over gRPC: made, listed and changed."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from chain_making import (
    FIVE,
    MIDNIGHT,
    NINE,
    TimeOfDay,
    add_contact,
    chain_service,
    chains_of,
    fields_of,
    get_chain,
    lose_contact,
    make_chain,
    more_than,
    notify,
    remove_chain,
    repeat,
    resolve,
    said,
    update_chain,
    wait,
    within,
)
from changing import audit_log
from fake_clock import HOUR, MINUTE, SECOND
from running_daemon import RunningDaemon, details, reason

from tocsin.v1 import escalation_chains_pb2
from tocsind.sqlite import escalation_chains, escalations

Code = grpc.StatusCode


def versions(daemon: RunningDaemon) -> int:
    """How many versions of chains there are."""
    return int(daemon.sql("SELECT count(*) FROM chain_versions")[0][0])


def test_a_chain_is_what_it_was_made_as(daemon: RunningDaemon) -> None:
    """With all kinds of steps, in their order; also for the next daemon."""
    ada, bob = (add_contact(daemon, name) for name in ("ada", "bob"))
    steps = [
        notify(bob, ada),
        wait(SECOND + 500_000),
        within("Europe/Berlin", NINE, FIVE, "TUESDAY", "MONDAY"),
        within("UTC", TimeOfDay(hours=18), MIDNIGHT),
        more_than(0, 24 * HOUR),
        repeat(5),
        resolve(),
    ]
    made = make_chain(daemon, "ops", *steps, description="ours")

    assert list(made.steps) == steps
    assert (made.display_name, made.description, made.is_default) == ("ops", "ours", False)
    assert made.name.startswith("escalationChains/")
    assert made.etag
    assert made.create_time.seconds
    assert made.update_time == made.create_time
    assert get_chain(daemon, made.name) == made
    daemon = daemon.reopen()
    assert get_chain(daemon, made.name) == made


def test_hours_that_are_left_out_are_the_whole_day(daemon: RunningDaemon) -> None:
    """They are told as what they are."""
    (step,) = make_chain(daemon, "ops", within("UTC")).steps

    assert step == within("UTC", TimeOfDay(), TimeOfDay())


def test_a_chain_without_steps_is_one(daemon: RunningDaemon) -> None:
    """It tells nobody."""
    assert list(make_chain(daemon, "quiet").steps) == []


def test_lists_are_by_display_name_and_have_pages(daemon: RunningDaemon) -> None:
    """With all of each chain."""
    ada = add_contact(daemon, "ada")
    made = {name: make_chain(daemon, name, notify(ada)) for name in ("d", "a", "c", "B", "e")}
    request = escalation_chains_pb2.ListEscalationChainsRequest(page_size=2)
    pages = []
    while True:
        page = chain_service(daemon).ListEscalationChains(request)
        pages.append([chain.display_name for chain in page.escalation_chains])
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token

    assert pages == [["B", "a"], ["c", "d"], ["e"]]
    assert chains_of(daemon) == [made[name] for name in ("B", "a", "c", "d", "e")]


def test_only_what_is_named_is_changed(daemon: RunningDaemon) -> None:
    """Without a mask it is everything that is set; what a mask names and the message leaves out is emptied."""
    made = make_chain(daemon, "ops", wait(SECOND), description="old", is_default=True)
    daemon.clock.advance(HOUR)

    changed = update_chain(daemon, made.name, description="new")
    assert (changed.description, changed.steps, changed.display_name) == ("new", made.steps, "ops")
    assert (changed.update_time.seconds, changed.create_time) == (made.create_time.seconds + 3_600, made.create_time)
    assert changed.etag != made.etag
    changed = update_chain(daemon, made.name, "display_name", display_name="dev", description="x", steps=[resolve()])
    assert (changed.display_name, changed.description, changed.steps) == ("dev", "new", made.steps)
    changed = update_chain(daemon, made.name, "steps", "is_default", "description")
    assert (list(changed.steps), changed.is_default, changed.description) == ([], False, "")
    assert get_chain(daemon, made.name) == changed


def test_the_same_again_changes_nothing(daemon: RunningDaemon) -> None:
    """Neither the time of the change nor the audit log."""
    ada = add_contact(daemon, "ada")
    made = make_chain(daemon, "ops", notify(ada), is_default=True)
    daemon.clock.advance(HOUR)
    written = audit_log(daemon)

    assert update_chain(daemon, made.name, display_name="ops", steps=[notify(ada)], is_default=True) == made
    assert update_chain(daemon, made.name) == made
    assert audit_log(daemon) == written


def test_what_has_started_keeps_its_version(daemon: RunningDaemon) -> None:
    """A change of the steps or of the name makes another; what is no part of it, or is as it once was, makes none."""
    chain = make_chain(daemon, "ops", wait(SECOND)).name
    assert versions(daemon) == 1
    update_chain(daemon, chain, description="new", is_default=True)
    assert versions(daemon) == 1
    update_chain(daemon, chain, steps=[wait(2 * SECOND)])
    update_chain(daemon, chain, display_name="dev")
    assert versions(daemon) == 3
    update_chain(daemon, chain, display_name="ops", steps=[wait(SECOND)])
    assert versions(daemon) == 3

    remove_chain(daemon, chain)

    assert versions(daemon) == 3
    with daemon.engine.store.reading() as connection:
        assert escalations.meant_version(connection, None) is None
        assert escalation_chains.version(connection, 2).display_name == "ops"


def test_one_chain_is_the_default(daemon: RunningDaemon) -> None:
    """It is taken from the one that was, whether a new one is to be it or one that was there; nothing else is changed
    of that. Without it none is."""

    def defaults() -> list[str]:
        return [chain.display_name for chain in chains_of(daemon) if chain.is_default]

    a = make_chain(daemon, "a", wait(SECOND), is_default=True)
    daemon.clock.advance(HOUR)
    b = make_chain(daemon, "b", is_default=True)
    assert defaults() == ["b"]
    changed = get_chain(daemon, a.name)
    assert changed.etag != a.etag
    assert changed.update_time == b.create_time
    assert (changed.display_name, changed.steps) == ("a", a.steps)
    update_chain(daemon, a.name, is_default=True)
    assert defaults() == ["a"]
    with daemon.engine.store.reading() as connection:
        present = escalations.meant_version(connection, None)
        assert present is not None
        assert escalation_chains.version(connection, present).chain == a.name.rpartition("/")[2]
    update_chain(daemon, a.name, "is_default")
    assert defaults() == []


def test_every_change_is_audited(daemon: RunningDaemon) -> None:
    """With what differs, in words and seconds; and that another chain is no longer the default."""
    ada = add_contact(daemon, "ada")
    first = make_chain(daemon, "a", wait(1_500_000), notify(ada), is_default=True).name
    hours = within("UTC", NINE, MIDNIGHT, "MONDAY", "SUNDAY")
    second = make_chain(daemon, "b", wait(SECOND), hours, more_than(3, MINUTE), repeat(2), resolve()).name
    update_chain(daemon, second, is_default=True, description="new")
    remove_chain(daemon, first)

    plain = {"display_name": "a", "description": "", "steps": [{"wait": 1.5}, {"notify": [ada]}]}
    assert said(daemon) == [
        ("CreateEscalationChain", first, {}, plain | {"is_default": True}),
        (
            "CreateEscalationChain",
            second,
            {},
            {
                "display_name": "b",
                "description": "",
                "steps": [
                    {"wait": 1},
                    {"within": "09:00-24:00", "weekdays": ["Mon", "Sun"], "time_zone": "UTC"},
                    {"more_than": 3, "duration": 60},
                    {"repeat": 2},
                    {"resolve": True},
                ],
                "is_default": False,
            },
        ),
        ("UpdateEscalationChain", first, {"is_default": True}, {"is_default": False}),
        (
            "UpdateEscalationChain",
            second,
            {"description": "", "is_default": False},
            {"description": "new", "is_default": True},
        ),
        ("DeleteEscalationChain", first, plain | {"is_default": False}, {}),
    ]


def test_a_name_is_given_once(daemon: RunningDaemon) -> None:
    """Another chain does not get it, new or not; when it is free again it can be had."""
    one, other = make_chain(daemon, "ops"), make_chain(daemon, "dev")
    for act in (lambda: make_chain(daemon, "ops"), lambda: update_chain(daemon, other.name, display_name="ops")):
        with pytest.raises(grpc.RpcError, match="is already called 'ops'") as refusal:
            act()
        assert (refusal.value.code(), reason(refusal.value)) == (Code.ALREADY_EXISTS, "NAME_TAKEN")
        assert details(refusal.value)[1].resource_name == one.name
        assert details(refusal.value)[1].resource_type == "tocsin/EscalationChain"
    remove_chain(daemon, one.name)

    assert make_chain(daemon, "ops").name != one.name


def test_who_read_something_else_is_told(daemon: RunningDaemon) -> None:
    """A stale etag changes nothing; the right one does."""
    made = make_chain(daemon, "ops")
    changed = update_chain(daemon, made.name, description="new", etag=made.etag)

    for act in (
        lambda: update_chain(daemon, made.name, description="x", etag=made.etag),
        lambda: remove_chain(daemon, made.name, etag=made.etag),
        lambda: remove_chain(daemon, made.name, etag=made.etag, force=True),
    ):
        with pytest.raises(grpc.RpcError, match="was changed since it was read") as refusal:
            act()
        assert (refusal.value.code(), reason(refusal.value)) == (Code.ABORTED, "ETAG_MISMATCH")
    assert get_chain(daemon, made.name) == changed
    remove_chain(daemon, made.name, etag=changed.etag)


def test_of_those_who_change_it_at_once_one_succeeds(daemon: RunningDaemon) -> None:
    """The others, who have read what it was, are told."""
    made = make_chain(daemon, "ops")

    def change(number: int) -> grpc.StatusCode:
        try:
            update_chain(daemon, made.name, description=f"{number}", etag=made.etag)
        except grpc.RpcError as error:
            return error.code()
        return Code.OK

    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(change, range(16)))

    assert sorted(codes, key=str) == [Code.ABORTED] * 15 + [Code.OK]
    assert get_chain(daemon, made.name).description == f"{codes.index(Code.OK)}"


def test_of_those_who_make_one_the_default_at_once_the_last_does(daemon: RunningDaemon) -> None:
    """There is one in the end."""
    names = [make_chain(daemon, f"{number}").name for number in range(8)]

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: update_chain(daemon, name, is_default=True), names))

    assert sum(chain.is_default for chain in chains_of(daemon)) == 1


def test_a_contact_point_that_goes_stays_named(daemon: RunningDaemon) -> None:
    """What else is changed does not stumble over it; steps that name it are refused."""
    ada, bob = (add_contact(daemon, name) for name in ("ada", "bob"))
    made = make_chain(daemon, "ops", notify(bob, ada))
    lose_contact(daemon, ada)

    assert get_chain(daemon, made.name) == made
    assert update_chain(daemon, made.name, display_name="dev", is_default=True).steps == made.steps
    with pytest.raises(grpc.RpcError, match=f"{ada} does not exist") as refusal:
        update_chain(daemon, made.name, steps=made.steps)
    assert (refusal.value.code(), reason(refusal.value)) == (Code.INVALID_ARGUMENT, "INVALID_FIELD")
    assert fields_of(refusal.value) == ["escalation_chain.steps[0].notify.contact_points[1]"]
