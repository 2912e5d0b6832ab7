"""What docs/monitoring says, held against what two real processes tell of themselves."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from chatty_stack import ChattyStack

FOLDER = Path(__file__).parents[2] / "docs" / "monitoring"
PAGES = ("/metrics", "/metrics/daemon")
NAME = re.compile(r"\b(?:tocsin|process)_[a-z_]+\b")

NEEDS_PROMTOOL = pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool in the PATH")


def promtool(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Runs promtool in the folder of the rules."""
    return subprocess.run(["promtool", *arguments], cwd=FOLDER, input=given, capture_output=True, text=True)


def rules() -> str:
    """The rules without their comments."""
    return re.sub(r"^ *#.*$", "", (FOLDER / "alerts.yml").read_text(), flags=re.MULTILINE)


def families(text: str) -> dict[str, tuple[str, str]]:
    """Type and help of every metric on a page."""
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))
    return {name: (kind, helps[name]) for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)}


def series(text: str) -> set[str]:
    """The names by which a page can be queried, those of histograms' parts included."""
    parts = {"histogram": ("_bucket", "_count", "_sum")}
    return {name + part for name, (kind, _) in families(text).items() for part in parts.get(kind, ("",))}


def labels(name: str, text: str) -> list[str]:
    """The labels of a metric on a page."""
    samples = re.findall(rf"^{name}(?:_bucket|_count|_sum)?{{(.*)}} ", text, re.MULTILINE)
    return sorted({label for sample in samples for label in re.findall(r'(\w+)="', sample)} - {"le"})


def expressions(part: Any) -> list[str]:
    """All queries in a dashboard."""
    if isinstance(part, list):
        return [found for one in part for found in expressions(one)]
    if isinstance(part, dict):
        own = [part[key] for key in ("expr", "definition") if key in part]
        return own + [found for one in part.values() for found in expressions(one)]
    return []


@NEEDS_PROMTOOL
@pytest.mark.parametrize("page", PAGES)
def test_promtool_finds_nothing_wrong_with_the_metrics(chatty: ChattyStack, page: str) -> None:
    """Both pages follow Prometheus' rules for names, units and help texts."""
    text = chatty.page(page)
    assert "tocsin_" in text

    checked = promtool("check", "metrics", given=text)

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@NEEDS_PROMTOOL
def test_the_rules_hold_what_their_tests_say() -> None:
    """Each rule fires where it should, and nothing else does."""
    checked = promtool("test", "rules", "alerts_test.yml")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_rule_is_complete_and_tested() -> None:
    """Each has a severity, a summary and a description, and is seen firing in a test."""
    blocks = rules().split("- alert: ")[1:]
    tests = (FOLDER / "alerts_test.yml").read_text()
    assert len(blocks) >= 15
    for block in blocks:
        name = block.split()[0]
        assert re.search(r"labels: {severity: (critical|warning)}", block), name
        assert "summary: " in block, name
        assert "description: " in block, name
        assert f'alertname="{name}"' in tests, name


def test_rules_ask_for_what_there_is(chatty: ChattyStack) -> None:
    """Every metric in the rules is on one of the two pages, as it is written there."""
    known = series(chatty.page("/metrics")) | series(chatty.page("/metrics/daemon"))
    asked = set(NAME.findall(" ".join(re.findall(r"expr: (.*?)(?=\n +(?:for|labels): )", rules(), re.DOTALL))))

    assert len(asked) > 10
    assert asked - known == set()


def test_the_dashboard_shows_what_there_is_and_all_of_it(chatty: ChattyStack) -> None:
    """Every metric in its queries exists, every metric of ours is in one of them, and all go to the chosen source."""
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    pages = [chatty.page(page) for page in PAGES]
    known = set().union(*map(series, pages))
    asked = {name for query in expressions(dashboard) for name in NAME.findall(query)}
    shown = {re.sub("_(bucket|count|sum)$", "", name) for name in asked}
    ours = {name for page in pages for name in families(page) if name.startswith("tocsin_")}

    assert asked - known == set()
    assert ours - shown == {"tocsin_gateway_attending"}  # The daemon's side of the same is shown.
    for panel in dashboard["panels"]:
        for part in (panel, *panel.get("targets", ())):
            assert part["type" if part.get("type") == "row" else "datasource"] in (
                "row",
                {"type": "prometheus", "uid": "${datasource}"},
            )


def test_the_panels_of_the_dashboard_stand_in_order() -> None:
    """One after the other without gaps, as they are numbered; what several people added is one page."""
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    places = [panel["gridPos"] for panel in panels]

    assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
    assert sorted(places, key=lambda place: (place["y"], place["x"])) == places
    covered = {place["y"] + line for place in places for line in range(place["h"])}
    assert covered == set(range(len(covered)))
    assert sum(place["w"] * place["h"] for place in places) == 24 * len(covered)


def test_the_readme_explains_every_metric(chatty: ChattyStack) -> None:
    """Its tables have a line for each metric of ours, by their names, with the type, the labels and the help
    of the real one."""
    wanted = []
    for page in PAGES:
        text = chatty.page(page)
        for name, (kind, meaning) in sorted(families(text).items()):
            if name.startswith("tocsin_"):
                named = ", ".join(f"`{label}`" for label in labels(name, text))
                wanted.append(f"| `{name}` | {kind} | {named} | {meaning} |")
    written = re.findall(r"^\| `tocsin_.*$", (FOLDER / "README.md").read_text(), re.MULTILINE)

    assert written == wanted


def test_the_readme_names_the_jobs_of_the_rules() -> None:
    """Whoever copies the scrape jobs gets the names that rules and dashboard ask for."""
    jobs = set(re.findall(r"job_name: (\S+)", (FOLDER / "README.md").read_text()))
    text = rules() + (FOLDER / "dashboard.json").read_text()

    assert jobs == {"tocsin-gateway", "tocsin-daemon"}
    assert {job for group in re.findall(r'job=~?\\?"([^"\\]*)', text) for job in group.split("|")} == jobs
