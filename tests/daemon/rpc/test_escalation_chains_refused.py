"""Escalation chains, over gRPC: what is refused, and what is said of it."""

from typing import Any

import grpc
import pytest
from chain_making import (
    FIVE,
    NINE,
    Chain,
    Step,
    TimeOfDay,
    add_contact,
    chain_service,
    chains_of,
    fields_of,
    get_chain,
    make_chain,
    more_than,
    notify,
    remove_chain,
    repeat,
    resolve,
    update_chain,
    wait,
    within,
)
from changing import audit_log
from fake_clock import DAY, MINUTE, SECOND
from running_daemon import RunningDaemon, reason

from tocsin.v1 import escalation_chains_pb2

Code = grpc.StatusCode


def test_all_contact_points_that_are_missing_are_told(daemon: RunningDaemon) -> None:
    """With the places where they are named; nothing is made."""
    ada = add_contact(daemon, "ada")

    with pytest.raises(grpc.RpcError) as refusal:
        make_chain(daemon, "ops", notify("contactPoints/x"), wait(SECOND), notify(ada, "contactPoints/y"))

    assert fields_of(refusal.value) == [
        "escalation_chain.steps[0].notify.contact_points[0]",
        "escalation_chain.steps[2].notify.contact_points[1]",
    ]
    assert chains_of(daemon) == []
    assert audit_log(daemon) == []


DAY_AND_A_BIT = Step(wait={"duration": {"seconds": 86_400 * 7, "nanos": 1_000}})
BAD_STEPS = [
    (Step(), ""),
    (wait(SECOND - 1), "wait.duration"),
    (Step(wait={}), "wait.duration"),
    (Step(wait={"duration": {"seconds": 5, "nanos": -1}}), "wait.duration"),
    (Step(wait={"duration": {"seconds": 2**62}}), "wait.duration"),
    (DAY_AND_A_BIT, "wait.duration"),
    (notify(), "notify.contact_points"),
    (notify(*(f"contactPoints/{n}" for n in range(21))), "notify.contact_points"),
    (notify("contactPoints/"), "notify.contact_points[0]"),
    (notify("ada"), "notify.contact_points[0]"),
    (notify("\0" * 5_000), "notify.contact_points[0]"),
    (resolve(), "resolve"),
    (within(""), "within.time_zone"),
    (within("Mars/Olympus"), "within.time_zone"),
    (within("UTC", TimeOfDay(hours=24)), "within.start"),
    (within("UTC", TimeOfDay(hours=-1)), "within.start"),
    (within("UTC", TimeOfDay(hours=9, seconds=1)), "within.start"),
    (within("UTC", NINE, TimeOfDay(hours=24, minutes=1)), "within.end"),
    (within("UTC", NINE, TimeOfDay(hours=10, minutes=60)), "within.end"),
    (within("UTC", NINE, TimeOfDay(hours=10, minutes=-1)), "within.end"),
    (within("UTC", NINE, TimeOfDay(hours=10, nanos=1)), "within.end"),
    (within("UTC", NINE, FIVE, "MONDAY", "DAY_OF_WEEK_UNSPECIFIED"), "within.weekdays[1]"),
    (within("UTC", NINE, FIVE, 8), "within.weekdays[0]"),
    (within("UTC", NINE, FIVE, "MONDAY", "FRIDAY", "MONDAY"), "within.weekdays[2]"),
    (more_than(-1, MINUTE), "more_than.alerts"),
    (more_than(10_001, MINUTE), "more_than.alerts"),
    (more_than(1, MINUTE - 1), "more_than.duration"),
    (more_than(1, DAY + 1), "more_than.duration"),
    (repeat(0), "repeat.times"),
    (repeat(6), "repeat.times"),
]


@pytest.mark.parametrize(("step", "field"), BAD_STEPS)
def test_a_bad_step_is_refused(daemon: RunningDaemon, step: Step, field: str) -> None:
    """When the chain is made and when it is changed, with the field; nothing is done."""
    kept = make_chain(daemon, "kept")
    steps = [wait(SECOND), step, wait(SECOND)]
    for act in (lambda: make_chain(daemon, "ops", *steps), lambda: update_chain(daemon, kept.name, steps=steps)):
        with pytest.raises(grpc.RpcError) as refusal:
            act()
        assert (refusal.value.code(), reason(refusal.value)) == (Code.INVALID_ARGUMENT, "INVALID_FIELD")
        assert fields_of(refusal.value) == [f"escalation_chain.steps[1]{'.' if field else ''}{field}"]
    assert chains_of(daemon) == [kept]


def test_all_that_is_wrong_is_told_at_once(daemon: RunningDaemon) -> None:
    """Each with its field."""
    with pytest.raises(grpc.RpcError) as refusal:
        make_chain(daemon, " ", repeat(1), notify("x"), within("y"), description="d" * 2_001)

    assert [field.removeprefix("escalation_chain.") for field in fields_of(refusal.value)] == [
        "display_name",
        "description",
        "steps[0].repeat",
        "steps[2].within.time_zone",
        "steps[1].notify.contact_points[0]",
    ]


@pytest.mark.parametrize("wrong", [notify(*(f"x{n}" for n in range(20))), notify("contactPoints/none"), within("ü")])
def test_of_very_much_that_is_wrong_some_is_told(daemon: RunningDaemon, wrong: Step) -> None:
    """As much as an answer has room for: the caller gets the refusal itself, not one for its size."""
    with pytest.raises(grpc.RpcError, match=r"and [0-9,]+ more") as refusal:
        make_chain(daemon, "ops", *[wrong] * 100)

    assert refusal.value.code() is Code.INVALID_ARGUMENT
    assert len(fields_of(refusal.value)) == 12


def test_more_steps_than_there_may_be_are_refused(daemon: RunningDaemon) -> None:
    """Without looking at each; as many as there may be are taken."""
    with pytest.raises(grpc.RpcError, match="must be at most 100") as refusal:
        make_chain(daemon, "ops", *[Step()] * 20_000)

    assert fields_of(refusal.value) == ["escalation_chain.steps"]
    assert len(make_chain(daemon, "ops", *[wait(SECOND)] * 100).steps) == 100


@pytest.mark.parametrize(
    ("call", "request_", "field"),
    [
        ("Create", {}, "escalation_chain.display_name"),
        ("Get", {"name": "escalationChains/"}, "name"),
        ("Get", {"name": "integrations/x"}, "name"),
        ("Update", {"escalation_chain": Chain(name="x")}, "escalation_chain.name"),
        (
            "Update",
            {"escalation_chain": {"name": "escalationChains/x"}, "update_mask": {"paths": ["etag"]}},
            "update_mask",
        ),
        (
            "Update",
            {"escalation_chain": {"name": "escalationChains/x"}, "update_mask": {"paths": ["*"]}},
            "update_mask",
        ),
        ("Delete", {"name": "escalationChains/X"}, "name"),
    ],
)
def test_what_is_malformed_is_refused(daemon: RunningDaemon, call: str, request_: Any, field: str) -> None:
    """With the field that is."""
    request = getattr(escalation_chains_pb2, f"{call}EscalationChainRequest")(**request_)

    with pytest.raises(grpc.RpcError) as refusal:
        getattr(chain_service(daemon), f"{call}EscalationChain")(request)

    assert refusal.value.code() is Code.INVALID_ARGUMENT
    assert fields_of(refusal.value) == [field]


@pytest.mark.parametrize("page", [{"page_size": -1}, {"page_token": "x"}])
def test_a_malformed_page_is_refused(daemon: RunningDaemon, page: Any) -> None:
    """With the field that is."""
    with pytest.raises(grpc.RpcError) as refusal:
        chain_service(daemon).ListEscalationChains(escalation_chains_pb2.ListEscalationChainsRequest(**page))

    assert fields_of(refusal.value) == list(page)


def test_what_is_not_there_is_not_found(daemon: RunningDaemon) -> None:
    """Neither what never was nor what was deleted."""
    gone = make_chain(daemon, "ops").name
    remove_chain(daemon, gone)
    for name in (gone, "escalationChains/never"):
        for act in (
            lambda name=name: get_chain(daemon, name),
            lambda name=name: update_chain(daemon, name, description="x"),
            lambda name=name: remove_chain(daemon, name),
        ):
            with pytest.raises(grpc.RpcError, match=f"{name} does not exist") as refusal:
                act()
            assert refusal.value.code() is Code.NOT_FOUND
