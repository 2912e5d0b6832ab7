"""How a notification is read with what templates made of it."""

from dataclasses import replace

import pytest
from notices import notice

from tocsind.domain import reading
from tocsind.domain.integration import Integration
from tocsind.domain.notification import Notification, Report
from tocsind.domain.rulebook import Rendered, Rulebook
from tocsind.domain.template import Slot


def read(notification: Notification, **texts: str) -> Notification:
    """The notification with these results."""
    return reading.read(notification, Rendered(b"", {Slot(slot): text for slot, text in texts.items()}))


@pytest.mark.parametrize(
    ("given", "resolve", "report"),
    [
        (notice("a"), None, Report.FIRING),
        (notice("a"), "1", Report.RESOLVED),
        (notice("a"), " True\n", Report.RESOLVED),
        (notice("a"), "", Report.FIRING),
        (notice("a"), "yes", Report.FIRING),
        (notice("", "a"), None, Report.RESOLVED),
        (notice("", "a"), "ok", Report.RESOLVED),
        (notice("", "a"), "0", Report.UNCERTAIN),
        (notice("", "a", truncated=2), "0", Report.UNCERTAIN),
        (notice("", "a", truncated=2, reason="repeat interval elapsed"), "0", Report.FIRING),
        (notice("", "a", truncated=2), "true", Report.RESOLVED),
    ],
)
def test_a_resolve_condition(given: Notification, resolve: str | None, report: Report) -> None:
    """True resolves whatever the source says; false never does, and makes nothing fire that does not."""
    texts = {} if resolve is None else {"resolve_condition": resolve}
    assert read(given, **texts).report is report


@pytest.mark.parametrize("nothing", ["", " \n", "None", " None "])
def test_what_is_nothing_leaves_the_default(nothing: str) -> None:
    """Also what OnCall takes for nothing."""
    given = notice("a")
    seen = read(given, grouping_id=nothing, title=nothing, message=nothing, source_link=nothing)
    assert (seen.grouping_key, seen.title, seen.message, seen.source_link) == (given.grouping_key, given.title, "", "")


def test_what_was_made_is_content() -> None:
    """Other texts make another digest, and so does another content; failures do not, nor does having no templates."""
    given = notice("a")
    digests = {
        read(given).digest,
        read(given, title="x").digest,
        read(given, title="y").digest,
        read(given, message="x").digest,
        read(notice("b"), title="x").digest,
    }
    assert len(digests) == 5
    assert read(given).digest == given.digest
    failed = Rendered(b"", failures=["title: no"])
    assert reading.read(given, failed).digest == given.digest


def test_many_failures_are_told_in_few_lines() -> None:
    """So that a timeline stays readable."""
    seen = reading.read(notice("a"), Rendered(b"", failures=[f"line {n}" for n in range(40)]))
    assert seen.failures == [*(f"line {n}" for n in range(10)), "and 30 more"]


@pytest.mark.parametrize(
    ("source", "same"),
    [
        ("{{ payload.alerts[0].labels.a }} {{ payload.commonLabels.b }} {{ labels.c }}", True),
        ("no variable at all", True),
        ("{{ payload.externalURL }}", False),
        ("{{ payload }}", False),
        ("{{ payload['externalURL'] }}", False),
        ("{{ payload . orgId }}", False),
        ("{{ group.external_url }}", False),
        ("{{ source_link }}", False),
    ],
)
def test_a_duplicate_of_a_peer_is_the_same_unless_templates_could_tell(source: str, same: bool) -> None:
    """Peers of an HA pair differ in the payload only; what looks at more than the content must see each."""
    integration = Integration(1, "i", "alertmanager", "prod", "", "secret", templates={Slot.TITLE: source})
    rulebook = Rulebook(integration, [])
    one, two = notice("a"), replace(notice("a"), payload=b"another")
    assert (reading.key(rulebook, one) == reading.key(rulebook, two)) is same
    assert reading.key(rulebook, one) != reading.key(rulebook, notice("b"))
    changed = Rulebook(replace(integration, templates={Slot.TITLE: source + "!"}), [])
    assert reading.key(changed, one) != reading.key(rulebook, one)
