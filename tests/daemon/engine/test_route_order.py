"""The order of routes under any sequence of changes, some of which are undone or meet with a crash."""

from collections.abc import Callable
from typing import Any

import pytest
from fake_clock import START
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from notices import notice
from running_daemon import RunningDaemon

from tocsind.domain.access import Caller, Role
from tocsind.domain.errors import Reason, TocsinError
from tocsind.domain.route import ConditionKind, Route
from tocsind.engine import routes as jobs
from tocsind.engine.memory import Memory
from tocsind.sqlite import integrations, routes
from tocsind.sqlite.writer import Transaction

ADA = Caller("ada", Role.ADMIN)
PLACES = st.integers(0, 6)
CHANGES = st.lists(
    st.tuples(
        st.one_of(
            st.tuples(st.just("create"), st.none() | PLACES),
            st.tuples(st.just("move"), PLACES, PLACES),
            st.tuples(st.just("delete"), PLACES),
        ),
        st.sampled_from(["done", "done", "done", "undone"]),
    ),
    max_size=25,
)


def wanted(condition: str = "a=b") -> Route:
    """A route to create."""
    return Route(0, 0, "", 0, ConditionKind.MATCHERS, condition)


def undone(job: Callable[..., Any]) -> Callable[..., Any]:
    """The job, which fails when all is written."""

    def run(transaction: Transaction, memory: Memory, *args: Any, **kwargs: Any) -> Any:
        job(transaction, memory, *args, **kwargs)
        own = memory.by_public_id(transaction.connection, args[0])
        assert own is not None
        # It is in memory by now, as it would be once another job of the same transaction has asked for it.
        memory.rulebook(transaction.connection, own)
        raise RuntimeError("undone")

    return run


def order(daemon: RunningDaemon, integration: str) -> list[str]:
    """The routes, by what is in memory and by what is on disk, which are the same."""

    def look(transaction: Transaction, memory: Memory) -> tuple[list[Route], list[Route]]:
        own = memory.by_public_id(transaction.connection, integration)
        assert own is not None
        stored = integrations.by_public_id(transaction.connection, integration)
        assert stored is not None
        on_disk = routes.of_integration(transaction.connection, stored.id)
        return list(memory.rulebook(transaction.connection, own).routes), on_disk

    in_memory, on_disk = daemon.engine.change(look)
    assert in_memory == on_disk
    assert [route.position for route in on_disk] == list(range(len(on_disk)))
    assert all(route.created == START for route in on_disk)
    return [route.public_id for route in on_disk]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(changes=CHANGES)
def test_positions_have_no_gaps(daemon: RunningDaemon, changes: list[Any]) -> None:
    """Whatever is created, moved and deleted, they are 0 to n-1, the order is that of a list, and what is undone has
    left nothing, in memory or on disk; another integration's are never touched."""
    mine, other = (f"{name}{len(daemon.sql('SELECT id FROM integrations'))}" for name in ("mine", "other"))
    mine, other = (daemon.integration(name).name.rpartition("/")[2] for name in (mine, other))
    for _ in range(3):
        daemon.engine.change(jobs.create, other, wanted(), None, by=ADA)
    others, model = order(daemon, other), list[str]()
    for (kind, *args), end in changes:
        job: Any = {"create": jobs.create, "move": jobs.move, "delete": jobs.delete}[kind]
        if kind != "create" and not model:
            continue
        chosen = model[args[0] % len(model)] if kind != "create" else ""
        given = {"create": (wanted(), args[0]), "move": (chosen, args[-1], ""), "delete": (chosen, "")}[kind]
        if end == "undone":
            with pytest.raises(RuntimeError, match="undone"):
                daemon.engine.change(undone(job), mine, *given, by=ADA)
        else:
            answer = daemon.engine.change(job, mine, *given, by=ADA)
            if kind == "create":
                model.insert(len(model) if args[0] is None else args[0], answer.public_id)
            else:
                model.remove(chosen)
                if kind == "move":
                    model.insert(args[1], chosen)
        assert order(daemon, mine) == model
    assert order(daemon, other) == others


def test_a_group_takes_no_route_that_was_undone(daemon: RunningDaemon) -> None:
    """Neither in the same transaction, nor later."""
    integration = daemon.integration()
    own = integration.name.rpartition("/")[2]

    with pytest.raises(RuntimeError, match="undone"):
        daemon.engine.change(undone(jobs.create), own, wanted('alertname=~".*"'), None, by=ADA)

    assert daemon.group(daemon.fire(integration)).route == f"{integration.name}/routes/default"


def test_changes_that_were_answered_survive_a_crash(daemon: RunningDaemon) -> None:
    """With their order, and the next group takes the route."""
    integration = daemon.integration()
    own = integration.name.rpartition("/")[2]
    made = [daemon.engine.change(jobs.create, own, wanted(f'alertname="{n}"'), 0, by=ADA) for n in ("DiskFull", "x")]
    daemon.engine.change(jobs.move, own, made[0].public_id, 0, "", by=ADA)

    daemon = daemon.crash()

    assert order(daemon, own) == [made[0].public_id, made[1].public_id]
    (receipt,) = daemon.deliver([daemon.delivery(integration, notice("a"))])
    assert daemon.group(receipt.alert_group).route == f"{integration.name}/routes/{made[0].public_id}"


def test_of_two_that_read_the_same_one_is_told(daemon: RunningDaemon) -> None:
    """The second change with an etag is refused, and changes nothing."""
    own = daemon.integration().name.rpartition("/")[2]
    made = daemon.engine.change(jobs.create, own, wanted(), None, by=ADA)
    daemon.engine.change(jobs.update, own, made.public_id, {"description": "1"}, made.etag, by=ADA)

    with pytest.raises(TocsinError) as refusal:
        daemon.engine.change(jobs.update, own, made.public_id, {"description": "2"}, made.etag, by=ADA)

    assert refusal.value.reason is Reason.ETAG_MISMATCH
    assert daemon.sql("SELECT description FROM routes") == [("1",)]
