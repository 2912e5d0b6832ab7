"""How a notification is read with what its integration's templates made of it.

Rules
- The grouping id takes the place of the source's own group key. Where it is empty or failed, that key holds.
- A resolve condition decides in place of the source: true resolves. False leaves the group as it is: it fires where the
  source says so, and where the source says that it is resolved, nothing is known. So nobody is woken by what is over,
  and nothing that was to stay open is closed.
- The acknowledge condition can only acknowledge, never take that back.
- Title, message and link are what was made, where that is anything; else the default. OnCall takes the text `None` for
  nothing, and so is it taken here.
- What was made is part of the content: where a template, or the time, makes something else of the same payload, that
  shows. Failures are not: they are told when something else is new.
"""

import hashlib
from dataclasses import replace

from tocsind.domain.notification import Notification
from tocsind.domain.rulebook import Rendered, Rulebook
from tocsind.domain.template import Slot, is_true

MOST_LINES = 10
"""Failures that are told of for one notification."""


def read(notification: Notification, rendered: Rendered) -> Notification:
    """Returns a notification as its integration's templates have it."""
    resolve = rendered.texts.get(Slot.RESOLVE_CONDITION)
    return replace(
        notification,
        grouping_key=_text(rendered, Slot.GROUPING_ID) or notification.grouping_key,
        title=_text(rendered, Slot.TITLE) or notification.title,
        message=_text(rendered, Slot.MESSAGE),
        source_link=_text(rendered, Slot.SOURCE_LINK),
        resolves=None if resolve is None else is_true(resolve),
        acknowledges=is_true(rendered.texts.get(Slot.ACKNOWLEDGE_CONDITION, "")),
        failures=_lines(rendered.failures),
        condition_failures=rendered.condition_failures,
        digest=_digest(notification, rendered),
    )


def key(rulebook: Rulebook, notification: Notification) -> bytes:
    """Returns what is equal where the same would come of rendering, but for what depends on the time."""
    beyond = notification.payload if rulebook.looks_beyond_content else b""
    return b"".join(hashlib.sha256(part).digest() for part in (rulebook.digest, notification.digest, beyond))


def _text(rendered: Rendered, slot: Slot) -> str:
    text = rendered.texts.get(slot, "").strip()
    return "" if text == "None" else text


def _digest(notification: Notification, rendered: Rendered) -> bytes:
    if not rendered.texts:
        return notification.digest
    texts = sorted((slot.value, text) for slot, text in rendered.texts.items())
    return hashlib.sha256(notification.digest + repr(texts).encode("utf-8", "surrogatepass")).digest()


def _lines(failures: list[str]) -> list[str]:
    more = len(failures) - MOST_LINES
    return failures if more <= 0 else [*failures[:MOST_LINES], f"and {more} more"]
