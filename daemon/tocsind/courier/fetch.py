"""Fetches a file over HTTP, such as a calendar.

Rules
- Addresses are checked as for webhooks. Calendars are often moved, so up to 5 redirects are followed, each checked
  anew; the login of the address goes along only to the same host and port, and none leads from https to http.
- It is whole or it is a failure: more than was asked for, or one that breaks off, is none.
"""

from urllib.parse import urljoin, urlsplit

from tocsind.courier import scrub
from tocsind.courier.deadline import Deadline
from tocsind.courier.exchange import Failed, exchange
from tocsind.courier.webhook import retry_after, user_agent
from tocsind.courier.wire import Fetch, Outcome

MOST_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def fetch(errand: Fetch) -> Outcome:
    """Fetches, once."""
    deadline = Deadline(errand.timeout)
    url = errand.url
    secrets: list[str] = []
    for _ in range(MOST_REDIRECTS + 1):
        secrets += scrub.of_url(url)
        scrubber = scrub.Scrubber(secrets)
        try:
            reply = exchange(
                url,
                "GET",
                {"User-Agent": user_agent(), "Accept": "text/calendar, */*;q=0.5"},
                None,
                networks=errand.networks,
                deadline=deadline,
                most=errand.most,
            )
        except Failed as failed:
            return Outcome(False, scrubber.line(str(failed)))
        if reply.status in _REDIRECTS and reply.headers.get("Location"):
            try:
                url = _next(url, reply.headers["Location"])
            except (Failed, ValueError):
                return Outcome(False, f"HTTP {reply.status}: it redirects to where it may not")
            continue
        if reply.status != 200:
            said = scrubber.line(reply.body.decode("utf-8", "replace"))
            answer = f"HTTP {reply.status}: {said}" if said else f"HTTP {reply.status}"
            return Outcome(False, answer, retry_after(reply))
        if not reply.complete:
            long = len(reply.body) >= errand.most
            return Outcome(False, f"it is over {errand.most} bytes long" if long else "its answer broke off")
        return Outcome(True, f"HTTP 200: {len(reply.body)} bytes", body=reply.body)
    return Outcome(False, f"it redirects more than {MOST_REDIRECTS} times")


def _next(url: str, location: str) -> str:
    """Where a redirect leads. Failed where it would leave TLS."""
    here, there = urlsplit(url), urlsplit(urljoin(url, location))
    if here.scheme == "https" and there.scheme != "https":
        raise Failed("it leaves TLS")
    at = there.netloc.rpartition("@")[2]
    same = (here.scheme, here.hostname, here.port) == (there.scheme, there.hostname, there.port)
    login = here.netloc.rpartition("@")[0] if same else ""
    return there._replace(netloc=f"{login}@{at}" if login else at).geturl()
