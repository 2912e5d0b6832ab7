"""The part of `tocsin import oncall` that creates escalation chains.

A chain is known by its name. One that has the steps that would be created, or those but for some whom nobody here could
be found for in an earlier run, gets the rest; any other is somebody's work, and is left alone. Routes get it all the
same: it bears the name of the one that they had.
"""

from collections.abc import Callable, Mapping, Sequence

from google.protobuf.field_mask_pb2 import FieldMask

from tocsin.v1.contact_points_pb2 import ContactPoint
from tocsin.v1.escalation_chains_pb2 import (
    CreateEscalationChainRequest,
    EscalationChain,
    EscalationStep,
    UpdateEscalationChainRequest,
)

from . import names
from .commands import notice
from .connection import NOT_FOUND, USAGE, CommandError, Connection
from .import_outcome import Outcome, raise_if_hopeless
from .oncall_chains import ChainPlan, Directory, plan
from .oncall_export import Export
from .oncall_plan import Chain
from .output import visible

_NOT_YET = "escalationChains/-"  # stands for what a dry run does not create


def take_over(
    daemon: Connection, export: Export, chosen: Sequence[str], dry_run: bool, tell: Callable[[Outcome], None]
) -> Mapping[str, Chain]:
    """Create the chains that the files have; return what became of them, by OnCall's ids.

    `chosen`: OLD=NAME, which contact point is whom; `tell` gets each outcome when it begins. Raises CommandError for a
    contact point that is not there, and where going on is no use.
    """
    there = list(names.all_contact_points(daemon)) if export.chains or chosen else []
    called = {point.name: point.display_name for point in there}
    directory = Directory(export.called, there, dict(_choice(text, there) for text in chosen))
    taken_names: set[str] = set()
    plans = [plan(chain, directory, lambda name: called.get(name, ""), taken_names) for chain in export.chains]
    existing = {chain.display_name: chain for chain in names.all_chains(daemon)} if plans else {}
    became: dict[str, Chain] = {}
    for made in plans:
        outcome = Outcome(made.title, made.oncall_id, taken=list(made.taken), left=list(made.left))
        tell(outcome)
        if (found := existing.get(made.title)) is not None:
            _complete(daemon, found, made, outcome, dry_run)
        else:
            _create(daemon, made, outcome, dry_run)
        if outcome.word != "refused":
            became[made.oncall_id] = Chain(outcome.name or _NOT_YET, made.title)
        if made.tells_nobody and outcome.word in ("created", "completed", "exists"):
            notice(visible(f"{made.title}: NOBODY is told by this chain: none of those whom it told is here"))
    for text in chosen:
        if (old := text.partition("=")[0]).casefold() not in directory.used:
            notice(visible(f"--contact {text}: no chain in the files tells {old!r}"))
    return became


def _choice(text: str, there: Sequence[ContactPoint]) -> tuple[str, str]:
    old, equals, new = text.partition("=")
    if not old or not equals:
        raise CommandError(f"--contact {text!r}: write OLD=NAME, whom OnCall told and the contact point here", USAGE)
    if (found := names.CONTACT_POINTS.find(new, there)) is None:
        raise CommandError(f"--contact {text!r}: no contact point is called {new!r}", NOT_FOUND)
    return old, found


def _create(daemon: Connection, made: ChainPlan, outcome: Outcome, dry_run: bool) -> None:
    if dry_run:
        outcome.became("created", "chain, would be created")
        return
    chain = EscalationChain(display_name=made.title, description=f"from OnCall: {made.oncall_id}", steps=made.steps)
    try:
        created = daemon.call(daemon.chains.CreateEscalationChain, CreateEscalationChainRequest(escalation_chain=chain))
    except CommandError as error:
        outcome.refused(error)
        raise_if_hopeless(error)
        return
    outcome.became("created", f"chain, created as {created.name}", created.name)


def _complete(daemon: Connection, found: EscalationChain, made: ChainPlan, outcome: Outcome, dry_run: bool) -> None:
    """Add the steps and contact points that are missing from a chain that an earlier run created."""
    if list(found.steps) == made.steps:
        outcome.became("exists", f"chain, exists already as {found.name}, left alone", found.name)
        return
    if not is_part(found.steps, made.steps):
        outcome.became("differs", f"chain, left alone: {found.name} has other steps", found.name)
        outcome.taken = []
        outcome.left.append(f"the steps: {found.name} has other ones")
        return
    would = "would get" if dry_run else "got"
    outcome.became("completed", f"chain, exists already as {found.name}, {would} who was missing", found.name)
    if dry_run:
        return
    chain = EscalationChain(name=found.name, steps=made.steps, etag=found.etag)
    request = UpdateEscalationChainRequest(escalation_chain=chain, update_mask=FieldMask(paths=["steps"]))
    try:
        daemon.call(daemon.chains.UpdateEscalationChain, request)
    except CommandError as error:
        outcome.became("differs", f"chain, left as it was: {found.name}", found.name)
        outcome.left.append(f"who was missing: {error.message}")
        raise_if_hopeless(error)


def is_part(there: Sequence[EscalationStep], wanted: Sequence[EscalationStep]) -> bool:
    """Return whether steps are the wanted ones but for contact points, and steps that tell only such; and but for
    resolving, where they tell nobody."""
    rest = list(there)
    tell = any(step.HasField("notify") for step in there)
    for step in wanted:
        if rest and rest[0] == step:
            del rest[0]
        elif step.HasField("notify"):
            if rest and rest[0].HasField("notify"):
                told = set(rest[0].notify.contact_points)
                if told <= set(step.notify.contact_points):
                    del rest[0]
        elif tell or not step.HasField("resolve"):
            return False
    return not rest
