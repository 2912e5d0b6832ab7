"""What a template may be, and what its result means.

Rules
- A slot without a template has its default, which is not rendered but known: a default costs nothing.
- What a template makes is text, cut to its limit. As a condition it is true where it says `1`, `true` or `ok`, in any
  case and with space around it, as in Grafana OnCall; anything else, and nothing at all, is false.
- A template that fails (it cannot be rendered, takes too long, makes too much) has made nothing: the default holds for
  that notification, and the timeline says so.
"""

from enum import Enum

from tocsind.domain.errors import invalid

MAX_SOURCE = 50_000
MAX_RESULT = 50_000
MAX_TITLE = 500
"""Characters; the limits are Grafana OnCall's."""

TOO_LONG = f"must be at most {MAX_SOURCE:,} characters"

_TRUE = ("1", "true", "ok")


class Slot(Enum):
    """What a template is for. The values are the fields of `tocsin.v1.Templates` and the keys in the database."""

    GROUPING_ID = "grouping_id"
    RESOLVE_CONDITION = "resolve_condition"
    ACKNOWLEDGE_CONDITION = "acknowledge_condition"
    SOURCE_LINK = "source_link"
    TITLE = "title"
    MESSAGE = "message"

    @property
    def path(self) -> str:
        """The path of its field in a request that sets it."""
        return f"integration.templates.{self.value}"


def too_long(source: str) -> bool:
    """Whether a template is longer than it may be."""
    return len(source) > MAX_SOURCE


def check_source(source: str, field: str) -> None:
    """Raises TocsinError (INVALID, with this field) where a template is too long. Whether it can be compiled is not
    known here."""
    if too_long(source):
        raise invalid(field, TOO_LONG)


def limit(slot: Slot | None) -> int:
    """Returns how many characters a result may have; None is for the condition of a route."""
    return MAX_TITLE if slot is Slot.TITLE else MAX_RESULT


def is_true(text: str) -> bool:
    """Whether the result of a condition means that it holds."""
    return text.strip().lower() in _TRUE
