"""What of a Jinja2 template of Grafana OnCall works here, told by reading it; nothing is rendered.

Rules
- OnCall's own default templates are recognised, with any spacing, in all versions of its Alertmanager integrations:
  Tocsin's defaults do the same and cost nothing.
- A template that Tocsin would refuse, or that could only fail, is no use: wrong syntax, too long, filters and tests
  that do not exist, fields of a single alert. The last is what OnCall's older kind of Alertmanager integration hands to
  templates; its API does not tell that kind from the newer one.
- What does not exist here and renders as nothing is a remark: variables that are OnCall's, fields that Alertmanager
  does not send by itself.
"""

import hashlib
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Environment, TemplateSyntaxError, meta, nodes

MAX_TEMPLATE = 50_000
"""Characters: what the daemon allows (tocsin/v1/templates.proto), for conditions in Jinja2 too."""

_FILTERS = (
    "datetimeformat",
    "datetimeformat_as_timezone",
    "datetimeparse",
    "iso8601_to_time",
    "timestamp_to_datetime",
    "timedeltaparse",
    "tojson_pretty",
    "json_dumps",
    "regex_replace",
    "regex_match",
    "regex_search",
    "b64decode",
    "parse_json",
)
"""Those that OnCall and Tocsin add to Jinja2's own."""

_VARIABLES = {"payload", "labels", "integration", "group", "integration_name", "source_link", "time"}

_OF_ONE_ALERT = {"labels", "annotations", "startsAt", "endsAt", "generatorURL", "fingerprint"}
_OF_A_NOTIFICATION = {
    "receiver",
    "status",
    "alerts",
    "groupLabels",
    "commonLabels",
    "commonAnnotations",
    "externalURL",
    "version",
    "groupKey",
    "truncatedAlerts",
    "notification_reason",
    "routeLabels",
    "numFiring",  # these two are not Alertmanager's: OnCall adds them, and so does Tocsin
    "numResolved",
}
_OF_A_DICT = {name for name in dir(dict) if not name.startswith("_")}

# SHA-256 of the defaults without any space in them, cut to 32 digits: the texts themselves are OnCall's.
_DEFAULTS = {
    "3888511e6533675be936cd5cbfb45400",  # grouping id
    "7dbb51526f6f372a8bb7313de3b684e1",
    "641acc058cf1000dbd2364f7151ce811",  # resolve condition
    "7f535dbf7e3d2ec7985f1cf97db15b94",
    "5a91343ac59fe67740fd1ab6ab38876b",  # source link
    "87c09e737583874f72f8dc5e93203339",
    "99c868ab05cfb4ad637ff62081bce74b",
    "4bbcae5274f7782a8f82253aced73e01",  # title
    "4ddfc433c7a3fe3456b9a08ccc2d5ecd",
    "5c3f47fb2430f6aab1afd77ccbf7538e",
    "765c2b027209e1f3af8487d61fbe37f6",
    "edc24040a7efec91e831059d95e898ee",
    "55d33f89a4b8e89a43b9ac6b19aa163a",  # message
    "76efcf9857201bbc2b09d1207e1a2e30",
    "83341b5a5b8c3786d9f060645d6f4a5f",
    "bd823500b005483126c9a105227fccc1",
}


@dataclass(frozen=True)
class Reading:
    """What was found. `problem`: why the template is no use, or empty; `remarks`: what is not there when it is used."""

    problem: str = ""
    remarks: tuple[str, ...] = ()


def is_default(source: str) -> bool:
    """Return whether a template is one of OnCall's defaults, spelled out."""
    return hashlib.sha256("".join(source.split()).encode("utf-8")).hexdigest()[:32] in _DEFAULTS


def read(source: str) -> Reading:
    """Return what of a template works here."""
    if len(source) > MAX_TEMPLATE:
        return Reading(f"it has {len(source):,} characters, of {MAX_TEMPLATE:,} at most")
    try:
        tree = _environment().parse(source)
    except TemplateSyntaxError as error:
        return Reading(f"wrong syntax in line {error.lineno}: {error.message}")
    except RecursionError:
        return Reading("it is nested too deeply")
    if problem := next(_problems(tree), ""):
        return Reading(problem)
    return Reading(remarks=tuple(_remarks(tree)))


def regex_condition(regex: str) -> str:
    """Return the Jinja2 condition that matches what a route of OnCall's kind `regex` does: its search in the JSON."""
    return "{{ payload | json_dumps | regex_search(" + quoted(regex) + ") }}"


def regex_problem(regex: str) -> str:
    """Return why a regular expression is wrong; empty where it is not. OnCall lets a wrong one match nothing."""
    try:
        with warnings.catch_warnings():  # of what may change in later Pythons; it would stand among our own words
            warnings.simplefilter("ignore")
            re.compile(regex)
    except (re.error, OverflowError, RecursionError) as error:
        return f"wrong regular expression: {error}"
    return ""


def quoted(text: str) -> str:
    """Return a text as a string literal of Jinja2."""
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in ('"', "\\"):
        return "\\" + char
    # Line breaks above all: Jinja2 makes one kind of all of them before it reads anything.
    return char if char.isprintable() else char.encode("unicode_escape").decode("ascii")


def _environment() -> Environment:
    environment = Environment()
    environment.filters.update(dict.fromkeys(_FILTERS, str))
    return environment


def _problems(tree: nodes.Template) -> Iterator[str]:
    """Yield what makes a template useless here."""
    environment = _environment()
    for used in tree.find_all((nodes.Filter, nodes.Test)):
        there = environment.filters if isinstance(used, nodes.Filter) else environment.tests
        if used.name not in there:
            kind = "filter" if isinstance(used, nodes.Filter) else "test"
            yield f"the {kind} `{used.name}` does not exist here"
    if any(True for _ in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends))):
        yield "there are no other templates to include"
    for name in _payload_fields(tree):
        if name in _OF_ONE_ALERT:
            yield (
                f"it reads payload.{name}, which is of a single alert, as OnCall's older Alertmanager integration has "
                "it: here the payload is a whole notification, with alerts[], groupLabels, commonLabels and so on"
            )


def _remarks(tree: nodes.Template) -> Iterator[str]:
    """Yield what renders as nothing here."""
    known = _VARIABLES | set(_environment().globals)
    for name in sorted(meta.find_undeclared_variables(tree) - known):
        yield f"the variable `{name}` does not exist here and is empty"
    for name in _payload_fields(tree):
        if name not in _OF_A_NOTIFICATION:
            yield f"payload.{name} is nothing that Alertmanager sends by itself"


def _payload_fields(tree: nodes.Template) -> list[str]:
    """Return the fields that are read straight from the payload, `payload.x` or `payload["x"]`, each once."""
    found = set()
    for attribute in tree.find_all(nodes.Getattr):
        if isinstance(attribute.node, nodes.Name) and attribute.node.name == "payload":
            found.add(attribute.attr)
    for item in tree.find_all(nodes.Getitem):
        is_payload = isinstance(item.node, nodes.Name) and item.node.name == "payload"
        if is_payload and isinstance(item.arg, nodes.Const) and isinstance(item.arg.value, str):
            found.add(item.arg.value)
    return sorted(found - _OF_A_DICT)
