"""What the sender is told.

One table says which HTTP answer each receipt of the daemon means, and one line which answer "could not be asked" means.

The rules: Alertmanager tries again at once after a 5xx but not after a 4xx, follows a 301 with a GET, and puts
the text of a refusal into its log. So: whatever may pass is a 503 (never a 429), nothing is a redirect, and a text is
one short line without secrets.
"""

from typing import Final, NamedTuple

import falcon
import falcon.asgi

from tocsin.v1 import intake_pb2
from tocsin_gateway.alertmanager import one_line


class Answer(NamedTuple):
    """An HTTP answer: its status and its one line of text."""

    status: int
    text: str
    headers: tuple[tuple[str, str], ...] = ()


OK: Final = Answer(200, "ok")

_AGAIN: Final = (("Retry-After", "1"),)
_RECEIPT: Final = intake_pb2.Receipt

BY_OUTCOME: Final[dict[int, Answer]] = {
    _RECEIPT.APPLIED: OK,
    _RECEIPT.UNCHANGED: OK,
    _RECEIPT.LATE: OK,
    _RECEIPT.NOTHING_KNOWN: OK,
    _RECEIPT.CREDENTIAL_UNKNOWN: Answer(
        404, "no integration has this URL: it may have been deleted or its token renewed"
    ),
    _RECEIPT.CREDENTIAL_REFUSED: Answer(
        401, "the integration's token is missing or wrong: send it as a Bearer token", (("WWW-Authenticate", "Bearer"),)
    ),
    _RECEIPT.EXPIRED: Answer(503, "not taken in time: try again", _AGAIN),
    _RECEIPT.FAILED: Answer(503, "the daemon could not apply this: see its log", _AGAIN),
}
"""What a receipt means. Those that are missing here depend on more than that: see `for_receipt`."""

NOT_READABLE_HERE: Final = "this gateway cannot read what integrations of this type send"


OVER_LIMIT: Final = {
    False: "over the rate limit of notifications, this integration's or the one over all: an alert group says which",
    True: "over the rate limit of this integration's heartbeats",
}
"""What is told where too much came, by whether it is a beat."""


def for_receipt(receipt: intake_pb2.Receipt, asked_type: str, if_accepted: Answer, *, is_beat: bool = False) -> Answer:
    """The answer to a delivery that the daemon has judged.

    `asked_type` is the type in the URL; `if_accepted` the answer where good credentials are all that was asked for.
    """
    outcome = receipt.outcome
    answer = BY_OUTCOME.get(outcome)
    if answer is not None:
        return answer
    if outcome == _RECEIPT.RATE_LIMITED:
        again = (("Retry-After", str(max(1, receipt.retry_after_seconds))),)
        return Answer(503, OVER_LIMIT[is_beat], again)
    if outcome == _RECEIPT.CREDENTIAL_ACCEPTED:
        return if_accepted
    if outcome == _RECEIPT.WRONG_TYPE:
        own, asked = one_line(receipt.integration_type, 50), one_line(asked_type, 50)
        return Answer(400, f"the integration is of type {own}, the URL is for type {asked}")
    return unavailable(f"the daemon gave an answer that this gateway does not know ({outcome})")


def unavailable(reason: str) -> Answer:
    """The answer where the daemon could not be asked, or has not answered: try again."""
    return Answer(503, reason, _AGAIN)


def refusal(reason: str) -> Answer:
    """The answer to a body that is wrong in itself."""
    return Answer(400, reason)


def give(resp: falcon.asgi.Response, answer: Answer) -> None:
    """Sets the response to the answer."""
    resp.status = answer.status
    resp.content_type = falcon.MEDIA_TEXT
    resp.text = answer.text + "\n"
    for name, value in answer.headers:
        resp.set_header(name, value)
