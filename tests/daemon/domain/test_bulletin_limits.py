"""Whatever senders write: what people are told cannot lie, and is never too long."""

import unicodedata

from fake_clock import START
from hypothesis import given
from hypothesis import strategies as st
from told_samples import group, listed, told

from tocsind.domain.alert_group import ResolveReason, Source, State
from tocsind.domain.bulletin import MAX_BODY, MAX_TITLE, Told, body, bundle_body, bundle_title, title
from tocsind.domain.message import Kind
from tocsind.domain.notification import ReportedAlert
from tocsind.domain.plain_text import block, line
from tocsind.domain.snapshot import AlertState


def test_texts_of_senders_cannot_lie() -> None:
    """Line breaks, escapes, turned and unseen characters are gone; joined emoji and letters of any script stay."""
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    assert line("a\nb\x1b[2J\u2028c") == "a b [2J c"
    assert line("\u202egnp.exe\u202c\u2066x\u2069\u200b\ufeff\u00ad\U000e0041") == "gnp.exex"
    assert line(f"{family} \u0639\u200c\u062f \u200d\u200d\u200d") == f"{family} \u0639\u200c\u062f \u200d"
    assert line("half \ud800") == "half"
    assert block("a\r\nb\n\n\n\nc\td", 100) == "a\nb\n\nc d"
    forged = told(title="Fine\n[RESOLVED] all is well", labels={})
    assert title(forged, START) == "[FIRING] Fine [RESOLVED] all is well (prod)"


def test_long_texts_are_cut() -> None:
    """30 kB of an annotation leave room for the rest; how to take the group is always there."""
    alerts = [listed(f"web-{n}", summary=f"{n} " + "s" * 30_000, description="d" * 30_000) for n in range(20)]
    what = told(known=group(firing_count=20), title="t" * 500, labels={"severity": "x" * 9_000}, alerts=alerts)
    assert len(title(what, START)) == MAX_TITLE
    assert title(what, START).endswith("..")
    for main in ("", "m" * 50_000):
        text = body(told(known=what.group, alerts=alerts, message=main, source_link="http://" + "l" * 900), START)
        assert len(text) <= MAX_BODY
        assert ".." in text
        assert text.endswith("\nalertGroups/7: tocsin groups ack 7")
    assert "source:" not in body(told(source_link="http://" + "l" * 9_000), START)


NASTY = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.sampled_from(["", "\u202e", "a\nb", "\x00", "x" * 40_000, "ß (", "InstanceDown (a)", "\n" * 9_000, "\ud800"]),
)
TEXTS = st.dictionaries(st.one_of(st.sampled_from(["alertname", "instance", "summary", "severity"]), NASTY), NASTY)
TIMES = st.one_of(st.none(), st.integers(-(2**62), 2**62))
ALERTS = st.lists(
    st.tuples(
        st.sampled_from(AlertState), st.builds(ReportedAlert, NASTY, st.booleans(), TEXTS, TEXTS, TIMES, TIMES, NASTY)
    ),
    max_size=15,
)
GROUPS = st.builds(
    group,
    source=st.sampled_from(Source),
    state=st.sampled_from(State),
    state_actor=NASTY,
    resolve_reason=st.one_of(st.none(), st.sampled_from(ResolveReason)),
    created=st.integers(0, 2**62),
    firing_count=st.integers(0, 10**9),
)
ANYTHING = st.builds(
    Told, st.sampled_from(Kind), GROUPS, NASTY, NASTY, TEXTS, NASTY, NASTY, ALERTS, st.integers(0, 10**9), NASTY
)


def is_clean(text: str) -> bool:
    """Whether nothing in a text moves the cursor or turns the writing."""
    return not any(unicodedata.category(letter) in ("Cc", "Cs") or letter in "\u2028\u2029\u202e" for letter in text)


@given(ANYTHING)
def test_whatever_senders_write_there_is_a_message(what: Told) -> None:
    """It never fails, stays within its limits, and a title is one clean line that says what it is about."""
    head = title(what, START)
    assert is_clean(head)
    assert len(head) <= MAX_TITLE
    assert what.kind.name in head.split("]")[0]
    text = body(what, START)
    assert len(text) <= MAX_BODY
    assert is_clean(text.replace("\n", ""))
    assert "alertGroups/7" in text.splitlines()[-1]


@given(st.lists(ANYTHING, min_size=2, max_size=4), st.integers(1, 40))
def test_whatever_groups_are_bundled(said: list[Told], times: int) -> None:
    """The same for several."""
    said = said * times
    head = bundle_title(said)
    assert is_clean(head)
    assert len(head) <= MAX_TITLE
    assert f"{len(said)} alert groups" in head
    text = bundle_body(said, START)
    assert len(text) <= MAX_BODY
    assert len(text.splitlines()) <= 52
    assert is_clean(text.replace("\n", ""))
