"""What of OnCall's templates works here: told by reading, and held against rendering by Jinja2 itself."""

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jinja2.sandbox import SandboxedEnvironment

from tocsin_cli import oncall_templates

_environment = SandboxedEnvironment()
_environment.filters["json_dumps"] = json.dumps
_environment.filters["regex_search"] = lambda text, regex: bool(re.search(regex, text))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
@example('"\\\n\r\r\n\u2028\x00{{ }} {% raw %} {# #} \\" \\n \U0001f600 é')
def test_a_quoted_text_is_what_it_was(text: str) -> None:
    """Whatever a text holds, Jinja2 reads the literal as that text, inside any template."""
    source = "{{ " + oncall_templates.quoted(text) + " }}"
    assert _environment.from_string(source).render() == text
    assert oncall_templates.read(source).problem == ""


@given(st.from_regex(r"[a-z\\\"'.*+?(){}|\[\]\n \u00e9-]{1,12}"), st.dictionaries(st.text(), st.text(), max_size=3))
@example('"severity": "(critical|page)"', {"severity": "page"})
@example("é", {"name": "é"})
@example("\\\\u00e9", {"name": "é"})
def test_a_regex_finds_what_it_found_in_oncall(regex: str, payload: dict[str, str]) -> None:
    """The condition holds where Python's search finds the expression in the JSON of the payload."""
    if oncall_templates.regex_problem(regex):
        return
    condition = oncall_templates.regex_condition(regex)
    rendered = _environment.from_string(condition).render(payload=payload)
    assert rendered == str(bool(re.search(regex, json.dumps(payload))))


@pytest.mark.parametrize("regex", ["(", "*a", "[", "(?P<x>a)(?P<x>b)", "a{2,1}"])
def test_a_wrong_regex_is_noticed(regex: str) -> None:
    """A regular expression that Python refuses, and so matched nothing in OnCall, is named as wrong."""
    assert oncall_templates.regex_problem(regex).startswith("wrong regular expression: ")


@pytest.mark.parametrize(
    ("source", "default"),
    [
        ("{{ payload.groupKey }}", True),
        ("{{payload.groupKey}}\n", True),
        ('{{ payload.status == "resolved" }}', True),
        ("{{ payload.alerts[0].generatorURL }}", True),
        ("{{ payload.externalURL }}", True),
        ("{{ payload.labels }}", True),
        ("{{ payload.groupLabels }}", False),
        ("", False),
    ],
)
def test_defaults_are_recognised(source: str, default: bool) -> None:
    """OnCall's defaults are known, however they are spaced; others are not."""
    assert oncall_templates.is_default(source) is default


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ payload.status", "wrong syntax in line 1: "),
        ("a\n{% if %}", "wrong syntax in line 2: "),
        ("{{ payload | shout }}", "the filter `shout` does not exist here"),
        ("{{ payload is odder }}", "the test `odder` does not exist here"),
        ("{% include 'x' %}", "there are no other templates to include"),
        ("{{ payload.labels.severity }}", "it reads payload.labels, which is of a single alert"),
        ('{{ payload["annotations"] }}', "it reads payload.annotations, which is of a single alert"),
        ("x" * 50_001, "it has 50,001 characters, of 50,000 at most"),
        ("{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}", "it is nested too deeply"),
    ],
)
def test_what_cannot_work_is_told(source: str, problem: str) -> None:
    """A template that would be refused, or could only fail, is named with the reason."""
    assert oncall_templates.read(source).problem.startswith(problem)


def _all_filters() -> str:
    calls = "".join(f"{{{{ payload | {name} }}}}" for name in oncall_templates._FILTERS)
    return calls + "{{ time() }}{{ payload.alerts | length }}{{ payload.get('labels', {}) }}"


@pytest.mark.parametrize(
    ("source", "remarks"),
    [
        (_all_filters(), 0),
        ("{% set mine = payload.commonLabels %}{{ mine.severity }}{{ integration_name }}{{ labels }}", 0),
        ("{{ source_link }}{{ payload.numFiring }}{{ payload.numResolved }}", 0),
        ("{{ grafana_oncall_link }}{{ web_title }}", 2),
        ("{{ payload.custom }}{{ payload['custom'] }}", 1),
        ("{% for alert in payload.alerts %}{{ alert.labels }}{{ loop.index }}{% endfor %}", 0),
    ],
)
def test_what_is_not_there_is_remarked(source: str, remarks: int) -> None:
    """What works and what only renders as nothing is told apart; what the template sets itself is there."""
    reading = oncall_templates.read(source)
    assert (reading.problem, len(reading.remarks)) == ("", remarks)
