"""Reading what OnCall's API returned: any arrangement of it, and errors that say where."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oncall_samples import chain, default_route, integration, page, policy, route, schedule, user

from tocsin_cli.oncall_export import ExportError, read

A, B = integration("CA"), integration("CB")
ROUTES = [route("R2", "{{ 2 }}", 1, "CA"), route("R1", "{{ 1 }}", 0, "CA"), default_route("CA"), default_route("CB")]


@pytest.mark.parametrize(
    "texts",
    [
        [json.dumps(page([A, B])), json.dumps(page(ROUTES))],
        [json.dumps([*ROUTES, A, B])],
        [json.dumps({"integrations": [A, B], "routes": ROUTES})],
        [json.dumps({"integrations": page([A, B]), "routes": page(ROUTES)})],
        [json.dumps(page([A], 2)) + "\n" + json.dumps(page([B], 2)) + json.dumps(page(ROUTES)) + "\n"],
        [json.dumps(A), json.dumps(B), *map(json.dumps, ROUTES)],
        ["\ufeff" + json.dumps(page([A, B, A], 2)), json.dumps(page(ROUTES)), json.dumps(page(ROUTES))],
    ],
)
def test_any_arrangement_is_read(texts: list[str]) -> None:
    """Pages, lists, single things, several in a file, and things twice are all the same; routes get their order."""
    export = read({f"file{number}": text for number, text in enumerate(texts)})
    assert [each.id for each in export.integrations] == ["CA", "CB"]
    assert [each.id for each in export.routes["CA"]] == ["R1", "R2", "RCA"]
    assert [each.is_default for each in export.routes["CB"]] == [True]
    assert export.missing == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f: there is nothing in it"),
        (" \n ", "f: there is nothing in it"),
        ("<html>", "f, line 1, column 1: no JSON: Expecting value"),
        ('{"results": [}', "f, line 1, column 14: no JSON: Expecting value"),
        ("[]\n[] ]", "f, line 2, column 4: no JSON: Expecting value"),
        ("17", "f: an integration or a route is wanted, not a number"),
        ("[1]", "f[0]: an integration or a route is wanted, not a number"),
        ('{"detail": "Invalid token."}', "f: OnCall refused: Invalid token."),
        ('{"results": {}}', "f: results: a list is wanted, not an object"),
        ('{"results": null}', "f: results: a list is wanted, not null"),
        ('{"routes": "x"}', "f: routes: a list is wanted, not a text"),
        (
            '[] {"results": [{"id": "CA", "type": "x"}, {"id": "X"}]}',
            "f, document 2: results[1]: neither an integration",
        ),
        ('[{"type": "alertmanager"}]', "f[0]: it has no id"),
        ('[{"type": "alertmanager", "id": 7}]', "f[0]: id: a text is wanted, not a number"),
        ('[{"type": "a", "id": "C", "name": ["x"]}]', "f[0]: name: a text is wanted, not a list"),
        ('[{"type": "a", "id": "C", "templates": []}]', "f[0]: templates: an object is wanted, not a list"),
        (
            '[{"type": "a", "id": "C", "templates": {"web": {"title": 1}}}]',
            "f[0]: templates.web: title: a text is wanted",
        ),
        (
            '[{"type": "a", "id": "C", "heartbeat": {"timeout_seconds": "x"}}]',
            "f[0]: heartbeat: timeout_seconds: a whole",
        ),
        (
            '[{"integration_id": "C", "id": "R", "position": true}]',
            "f[0]: position: a whole number is wanted, not true",
        ),
        ('[{"integration_id": "C", "id": "R", "is_the_last_route": 1}]', "f[0]: is_the_last_route: true or false"),
        (
            '[{"type": "a", "id": "C"}, {"type": "b", "id": "C"}]',
            "f[1]: C was there before, in f[0], and was not the same",
        ),
        ("[" * 100_000, "f: JSON that cannot be read"),
        ('[{"type": "a", "id": "C", "position": ' + "9" * 5_000 + "}]", "f: JSON that cannot be read"),
    ],
)
def test_what_is_no_export_is_an_error_that_says_where(text: str, message: str) -> None:
    """The message names the file, the place in it, and what was wanted there."""
    with pytest.raises(ExportError) as caught:
        read({"f": text})
    assert str(caught.value).startswith(message)


def test_a_page_that_is_missing_is_noticed() -> None:
    """OnCall says how many there are; that there are fewer, and routes of strangers, is said."""
    export = read({"f": json.dumps(page([A], 3)), "g": json.dumps(page(ROUTES))})
    assert export.missing == [
        "the files have 1 of 3 integrations: the pages after the first are missing",
        "there are routes of integrations that are not in the files: CB",
    ]


def test_each_kind_is_known_by_what_it_has() -> None:
    """Chains with their steps in order, and what users, schedules and webhooks are called; teams are none of these."""
    things = [
        chain("F1", " Night "),
        policy("F1", 1, "notify_persons", persons_to_notify=["U1"], important=True),
        policy("F1", 0, "wait", duration=60),
        user("U1", "anna"),
        schedule("S1", "Primary"),
        {"id": "W1", "name": "Hook", "trigger_type": "escalation", "http_method": "POST", "url": "https://x"},
    ]
    export = read({"f": json.dumps({"escalation_chains": things[:1], "users": things[3:4]}), "g": json.dumps(things)})
    (found,) = export.chains
    assert (found.id, found.name, [step.kind for step in found.steps]) == ("F1", "Night", ["wait", "notify_persons"])
    assert (found.steps[0].duration, found.steps[1].targets, found.steps[1].important) == (60, ["U1"], True)
    assert export.called == {"U1": ["anna", "anna@example.org"], "S1": ["Primary"], "W1": ["Hook"]}
    assert not export.integrations
    with pytest.raises(ExportError, match="neither an integration"):
        read({"f": json.dumps([{"id": "T1", "name": "Team", "email": "t@example.org", "avatar_url": ""}])})


def test_half_characters_are_replaced() -> None:
    """JSON can say half of a character of two; nothing after it could carry that."""
    export = read({"f": '[{"type": "a", "id": "C", "name": "x\\ud800"}]'})
    assert export.integrations[0].name == "x\ufffd"


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_fields = st.sampled_from(
    [
        *integration(),
        *route("R", "x"),
        *policy("F", 0, "wait"),
        "persons_to_notify",
        "username",
        "detail",
        "results",
        "integrations",
        "routes",
        "escalation_chains",
        "users",
        "count",
    ]
)


@given(st.lists(st.dictionaries(_fields, _values, max_size=8) | _values, max_size=3) | _values)
def test_whatever_is_in_it_is_read_or_refused(document: Any) -> None:
    """No JSON makes anything else happen than being read, or an error that is for people."""
    with contextlib.suppress(ExportError):
        read({"f": json.dumps(document)})
