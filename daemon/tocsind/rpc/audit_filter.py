"""The filter of audit entries, in the grammar that filters have in common.

`resource = "integrations/{id}"`, `actor = "ada"`, and `create_time` with <, <=, > and >=. What is compared twice, with
two values, leaves nothing over.
"""

from tocsind.domain.span import ALWAYS, Span
from tocsind.rpc.filter_grammar import comparisons, refusal, span
from tocsind.sqlite.audit import AuditFilter

_NEVER = Span(1, 0)


def parse(text: str) -> AuditFilter:
    """Reads a filter; TocsinError (INVALID) where it cannot be read."""
    equal: dict[str, str] = {}
    times = ALWAYS
    for comparison in comparisons(text):
        match comparison.field:
            case "resource" | "actor" as field:
                comparison.demand("=")
                if equal.setdefault(field, comparison.value.text) != comparison.value.text:
                    times = _NEVER
            case "create_time":
                times &= span(comparison)
            case _:
                raise refusal(comparison.path[0], "is not a field; resource, actor and create_time are")
    return AuditFilter(equal.get("resource"), equal.get("actor"), times)
