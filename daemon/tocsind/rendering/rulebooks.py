"""What is rendered of an integration's rulebook, in which order, and what is made of the results.

Rules
- What decides (grouping, conditions, routes) comes before what only describes: a template that takes too long takes the
  time of those after it.
- The link is known to the title and to the message, so it comes before them.
- One that failed has no text, and a line says so; the defaults are somebody else's.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from tocsind.domain.route import name_of
from tocsind.domain.rulebook import Rendered, Rulebook
from tocsind.domain.template import Slot, limit
from tocsind.rendering.wire import Made, Piece, Task

Part = Slot | int
"""A template of an integration, or the condition of one of its routes, by the id of that."""

_FIRST: Final = (Slot.GROUPING_ID, Slot.RESOLVE_CONDITION, Slot.ACKNOWLEDGE_CONDITION)
_LAST: Final = (Slot.SOURCE_LINK, Slot.TITLE, Slot.MESSAGE)


def pieces_of(rulebook: Rulebook) -> dict[Part, Piece]:
    """Returns all that a rulebook has to be rendered, in its order."""
    owner = rulebook.integration.public_id
    conditions: dict[Part, Piece] = {
        route.id: Piece(name_of(owner, route.public_id), route.condition, 0, condition=True)
        for route in rulebook.routes
        if route.id in rulebook.conditions
    }
    return {**_templates(rulebook, _FIRST), **conditions, **_templates(rulebook, _LAST)}


def trial_of(rulebook: Rulebook, slot: Slot | None, source: str) -> list[Piece]:
    """Returns what is rendered, the last of it being one template that need not be the rulebook's; `slot` is what it is
    for, None for the condition of a route."""
    link = _templates(rulebook, [Slot.SOURCE_LINK]) if slot in (Slot.TITLE, Slot.MESSAGE) else {}
    return [*link.values(), _piece("template", slot, source)]


def task(pieces: list[Piece], rulebook: Rulebook, payload: bytes, now: int, *, compressed: bool = False) -> Task:
    """Returns the task of rendering pieces with a payload at a time; what they see of the integration is its own."""
    integration = rulebook.integration
    seen = {
        "name": integration.name,
        "id": integration.public_id,
        "display_name": integration.display_name,
        "type": integration.type,
    }
    return Task(pieces, now, payload, compressed, seen)


def rendered(rulebook: Rulebook, results: Mapping[Part, Made]) -> Rendered:
    """Returns what came of a rulebook."""
    found = Rendered(rulebook.digest)
    routes = {route.id: name_of(rulebook.integration.public_id, route.public_id) for route in rulebook.routes}
    for part, made in results.items():
        found.lasting = found.lasting and made.lasting
        where = f"line {made.line}: " if made.line else ""
        if isinstance(part, int):
            found.matched[part] = made.is_true and not made.error
            if made.error:
                found.condition_failures[part] = f"{routes[part]}: {where}{made.error}"
        elif made.error:
            found.failures.append(f"{part.value}: {where}{made.error}")
        else:
            found.texts[part] = made.text
    return found


def _templates(rulebook: Rulebook, slots: Iterable[Slot]) -> dict[Part, Piece]:
    return {slot: _piece(slot.value, slot, rulebook.templates[slot]) for slot in slots if slot in rulebook.templates}


def _piece(name: str, slot: Slot | None, source: str) -> Piece:
    return Piece(name, source, limit(slot), line=slot in (Slot.TITLE, Slot.SOURCE_LINK))
