"""What messages say: from groups and messages to errands for the courier."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from tocsind.courier.wire import Bulletin, HttpRequest
from tocsind.domain.contact_point import ContactPoint
from tocsind.domain.message import Message
from tocsind.rendering.renderer import Renderer


@dataclass(frozen=True, slots=True)
class Composed:
    """An errand that says what messages have to. `failures`: a line for each template that failed, for the timelines;
    the default was taken."""

    errand: HttpRequest | Bulletin
    failures: tuple[str, ...] = field(default=())


def compose(
    connection: sqlite3.Connection,
    renderer: Renderer,
    contact: ContactPoint,
    messages: Sequence[Message],
    now: int,
    networks: Sequence[str],
) -> Composed:
    """Returns the errand for messages to one contact point, more than one where they are bundled. Reads what groups say
    now; must not be called by who has the pen. `now` in microseconds since 1970."""
    raise NotImplementedError


def compose_test(renderer: Renderer, contact: ContactPoint, now: int, networks: Sequence[str]) -> Composed:
    """The same for a message that somebody tries out a contact point with."""
    raise NotImplementedError


def try_templates(renderer: Renderer, contact: ContactPoint) -> list[tuple[str, str]]:
    """Renders the templates of a contact point with a made-up group, before they are saved; returns the path of each
    that cannot be used, such as `contact_point.title_template`, and why."""
    return []
