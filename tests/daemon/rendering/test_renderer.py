"""Templates rendered by real processes: what they see, what comes of them, and what they cannot reach."""

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rulebooks import LOOPS, PAYLOAD, body, failure, message, rulebook

from tocsind.domain.template import MAX_RESULT, MAX_TITLE, Slot
from tocsind.rendering.renderer import Renderer


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ payload.alerts[0].labels.instance }}", "a"),
        ("{{ payload.numFiring }} {{ payload.numResolved }}", "1 1"),
        ("{{ labels.severity }} {{ labels.disk }}", "critical sda"),
        ("{{ integration.name }} {{ integration.id }} {{ integration.type }}", "integrations/i1 i1 alertmanager"),
        ("{{ integration.display_name }} {{ integration_name }}", "prod prod"),
        ("{{ group.title }}|{{ group.grouping_key }}", 'DiskFull (sda)|{}:{alertname="DiskFull"}'),
        ("{{ group.firing_count }} {{ group.resolved_count }} {{ group.truncated_count }}", "1 1 0"),
        ("{{ group.labels.severity }} {{ group.receiver }} {{ group.external_url }}", "critical tocsin http://am-1"),
        ("{{ source_link }}", "http://am-1"),
        ("{% for n in range(3) %}{{ n }}{% endfor %}", "012"),
        ("{{ grafana_oncall_link }}", ""),
    ],
)
def test_what_templates_see(shared: Renderer, source: str, text: str) -> None:
    """Each variable of docs/templates.md is there."""
    assert message(shared, source) == text


def test_the_link_that_was_made_is_a_variable_of_what_shows_it(shared: Renderer) -> None:
    """`source_link` in title and message is the rendered one."""
    made = rulebook(source_link="http://{{ labels.disk }}", title="see {{ source_link }}", message="{{ source_link }}")
    rendered = shared.render_blocking(made, body())
    assert rendered.texts == {
        Slot.SOURCE_LINK: "http://sda",
        Slot.TITLE: "see http://sda",
        Slot.MESSAGE: "http://sda",
    }


def test_all_of_an_integration_is_rendered_in_one_go(shared: Renderer) -> None:
    """Templates and conditions of routes, each with its own outcome."""
    made = rulebook(
        title="\n {{ labels.alertname }}\n of {{ labels.disk }}\n",
        resolve_condition="{{ 1 == 1 }}",
        conditions=("{{ labels.severity == 'critical' }}", " OK ", "yes", "{{ payload.a.b }}"),
    )
    rendered = shared.render_blocking(made, body())
    assert rendered.texts == {Slot.RESOLVE_CONDITION: "True", Slot.TITLE: "DiskFull of sda"}
    assert rendered.matched == {101: True, 102: True, 103: False, 104: False}
    assert rendered.condition_failures == {104: "integrations/i1/routes/r3: line 1: 'dict object' has no attribute 'a'"}
    assert rendered.rulebook == made.digest
    assert rendered.lasting


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("{{ payload.missing.name }}", "message: line 1: 'dict object' has no attribute 'missing'"),
        ("a\n\n{{ 1 / 0 }}", "message: line 3: division by zero"),
        ("{{ payload | nonsense }}", "message: line 1: No filter named 'nonsense'."),
        ("{{ payload.status + 25 }}", 'message: line 1: can only concatenate str (not "int") to str'),
        ("{% include '/etc/passwd' %}", "message: line 1: /etc/passwd"),
        ("{{ 'x' | regex_search('*') }}", "message: line 1: nothing to repeat at position 0"),
    ],
)
def test_a_failure_says_where_and_why(shared: Renderer, source: str, line: str) -> None:
    """The line names the template, its line and what is wrong."""
    assert failure(shared, source) == line


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b'"text"'])
def test_a_payload_that_is_none(shared: Renderer, payload: bytes) -> None:
    """Without a JSON object every template fails, and says so."""
    (line,) = shared.render_blocking(rulebook(title="t"), payload).failures
    assert line.startswith("title: the payload is not ")


def test_long_results_are_cut(shared: Renderer) -> None:
    """To 500 characters for a title, to 50,000 for anything else, with two dots at the end; preview says so."""
    rendered = shared.render_blocking(rulebook(title="{{ 'x' * 501 }}", message="{{ 'x' * 50001 }}"), body())
    assert rendered.texts[Slot.TITLE] == "x" * (MAX_TITLE - 2) + ".."
    assert rendered.texts[Slot.MESSAGE] == "x" * (MAX_RESULT - 2) + ".."
    assert shared.preview(rulebook(), Slot.TITLE, "{{ 'x' * 501 }}", body()).shortened
    assert not shared.preview(rulebook(), Slot.TITLE, "{{ 'x' * 500 }}", body()).shortened


def test_a_template_works_on_a_copy(shared: Renderer) -> None:
    """What one changes, the next does not see, nor the next rendering."""
    takes = "{{ payload.alerts.pop() and payload.clear() }}{{ labels.clear() }}"
    for _ in range(2):
        rendered = shared.render_blocking(
            rulebook(grouping_id=takes, title="{{ payload.alerts | length }}{{ labels.disk }}", message=takes), body()
        )
        assert rendered.failures == []
        assert rendered.texts[Slot.TITLE] == "2sda"


def test_what_depends_on_the_time_does_not_last(shared: Renderer) -> None:
    """Such results are not to stand for later ones."""
    for source in ("{{ time() }}", "{{ [1, 2] | random }}", "{{ lipsum() }}"):
        assert not shared.render_blocking(rulebook(message=source), body()).lasting
    assert shared.render_blocking(rulebook(message="{{ payload.status }}"), body()).lasting


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ payload.__init__ }}",
        "{{ time.__globals__ }}",
        "{{ payload | attr('__class__') }}",
        "{{ [payload] | map(attribute='__class__') | list }}",
        "{{ '{0.__class__.__mro__}'.format(payload) }}",
        "{{ '%s' | format(payload.__class__) }}",
        "{{ self.__init__.__globals__ }}",
        "{{ cycler.__init__.__globals__.os.environ }}",
        "{{ lipsum.__globals__ }}",
        "{% import 'os' as os %}{{ os }}",
        "{% extends '/etc/passwd' %}",
        "{{ namespace.__init__ }}",
        "{{ payload.update.__self__ }}",
    ],
)
def test_nothing_of_python_can_be_reached(shared: Renderer, source: str) -> None:
    """Neither classes nor modules, files or the environment: it fails, or it is as if it were not there."""
    rendered = shared.render_blocking(rulebook(message=source), body())
    assert rendered.failures or rendered.texts[Slot.MESSAGE] in ("", "[Undefined]", "[<Undefined>]")


def test_checking_tells_the_line(shared: Renderer) -> None:
    """What cannot be compiled is told before it is saved, with its line; what can be is not run."""
    sources = ["fine {{ payload.x.y }}", "{{ a", "a\nb {% if %}", LOOPS, "{{ x | nonsense }}"]
    found = shared.check(sources)
    assert [(bool(made.error), made.line) for made in found] == [
        (False, 0),
        (True, 1),
        (True, 2),
        (False, 0),
        (True, 1),
    ]


def test_the_daemon_knows_nothing_of_jinja() -> None:
    """Whatever it renders, Jinja2 is never imported there."""
    script = """
import sys
from tocsind.main import Main
from tocsind.clock import SystemClock
from tocsind.metrics import Metrics
from tocsind.rendering.renderer import Renderer
renderer = Renderer(SystemClock(), Metrics([], [], []))
assert not renderer.check(["{{ a }}"])[0].error
renderer.close()
print([name for name in sys.modules if "jinja" in name])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SCRAPS = """
{{ }} {% %} {# #} payload . alerts for x in endfor if endif | tojson_pretty pop() [0] 'a' * 9 ** set = macro labels
regex_search('(a+)+$') range(9) update({'a':1}) clear() time() join ~ ( ) ß
"""
WORDS = st.sampled_from([*SCRAPS.split(), "\n", "\0", "\ud800"])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(WORDS, max_size=25))
def test_any_source_gives_a_result_or_an_error(shared: Renderer, words: list[str]) -> None:
    """Never neither, never a hang; and the payload of the next template is as it came."""
    source = " ".join(words).encode("utf-8", "replace").decode()
    book = rulebook(7, grouping_id=source, message="{{ payload | json_dumps }}")
    rendered = shared.render_blocking(book, body())
    assert (Slot.GROUPING_ID in rendered.texts) != any(line.startswith("grouping_id: ") for line in rendered.failures)
    seen = rendered.texts.get(Slot.MESSAGE)
    if seen is not None:
        assert json.loads(seen) == PAYLOAD | {"numFiring": 1, "numResolved": 1}


def test_a_title_is_one_line_and_keeps_what_belongs_to_its_letters(shared: Renderer) -> None:
    """Control characters become space; joined emoji and letters of any script stay as they are."""
    family = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
    rendered = shared.render_blocking(rulebook(title=f"a\nb\x1b[2J {family}\u2028\u0639\u200c"), body())
    assert rendered.texts[Slot.TITLE] == f"a b [2J {family} \u0639\u200c"
