"""The pages for operators: the generated one is fresh, what they quote exists; and links of any page lead somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from programs import program

from tocsin import configuration
from tocsin.settings import SETTINGS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    ROOT / "systemd" / "README.md",
    DOCS / "proxy" / "README.md",
    *(
        DOCS / f"{name}.md"
        for name in ("backup", "configuration", "install", "operating", "sizing", "troubleshooting", "upgrading")
    ),
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
EVERY_PAGE = sorted({*PAGES, ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")})

anchor = program("proto/reference.py").anchor


def without_code(text: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"(?ms)^ *(?:\d+\. )?```.*?^ *```$", "", text)


def headings(page: Path) -> set[str]:
    """What can be linked to in a page."""
    text = without_code(page.read_text(encoding="utf-8"))
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


def links(page: Path) -> list[str]:
    """The targets of a page's links within the repository."""
    found = re.findall(r"\]\(([^)]+)\)", without_code(page.read_text(encoding="utf-8")))
    return [target for target in found if not target.startswith("https://")]


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code of a language in a page, each without its indentation."""
    text = page.read_text(encoding="utf-8")
    found = re.findall(rf"(?ms)^( *)(?:\d+\. )?```{language}\n(.*?)^ *```$", text)
    return [re.sub(r"(?m)^ +", "", block) for _, block in found]


def test_the_configuration_page_is_fresh() -> None:
    """docs/configuration.md is what the table of settings says."""
    fresh = program("docs/write_configuration.py").page()

    assert (DOCS / "configuration.md").read_text(encoding="utf-8") == fresh, "run `make docs`"


def test_every_setting_has_a_section() -> None:
    """With its flag and its variable."""
    page = (DOCS / "configuration.md").read_text(encoding="utf-8")
    for setting in SETTINGS:
        section = page.partition(f"\n### {setting.section}.{setting.key}\n")[2].partition("\n#")[0]
        assert f"`{setting.option}" in section
        assert f"`{setting.name_in_environment}`" in section


@pytest.mark.parametrize("page", EVERY_PAGE, ids=[str(page.relative_to(ROOT)) for page in EVERY_PAGE])
def test_links_of_the_page_lead_somewhere(page: Path) -> None:
    """To a heading of the page, to one of another, or to a file."""
    dead = []
    for target in links(page):
        path, _, heading = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        if not other.exists() or (heading and heading not in headings(other)):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_configurations_in_the_page_are_right(page: Path) -> None:
    """Each block of TOML is a configuration without a mistake, and each setting that is named in the text is one."""
    for block in blocks(page, "toml"):
        found, wrong = configuration.read_text(block, page.name)
        assert wrong == []
        assert found
    known = {f"[{setting.section}] {setting.key}" for setting in SETTINGS}
    named = re.findall(r"`(\[(?:daemon|gateway)\] \w+)`", page.read_text(encoding="utf-8"))
    assert set(named) <= known


def test_variables_in_the_pages_are_known() -> None:
    """TOCSIN_DAEMON_... and TOCSIN_GATEWAY_... are those of settings."""
    known = {setting.name_in_environment for setting in SETTINGS}
    for page in PAGES:
        named = re.findall(r"\bTOCSIN_(?:DAEMON|GATEWAY)_[A-Z_]+", page.read_text(encoding="utf-8"))
        assert set(named) <= known, page.name


SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for folder in ("daemon", "gateway", "proto/tocsin")
    for path in sorted((ROOT / folder).rglob("*.py"))
)
# A text that goes on in the next line of the source.
SOURCES = re.sub(r'"\s*\n\s*f?"', "", SOURCES)


def quoted() -> Iterator[str]:
    """What docs/troubleshooting.md says that Tocsin says: in tables with such a column, between backticks."""
    column = -1
    for line in (DOCS / "troubleshooting.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        said = [index for index, cell in enumerate(cells) if cell.endswith("says") and "`" not in cell]
        if said or not cells:
            column = said[0] if said else -1
        elif column >= 0 and "*" not in cells[column]:
            yield from re.findall(r"`([^`]+)`", cells[column])


@pytest.mark.parametrize("message", sorted(set(quoted())))
def test_messages_in_the_page_are_messages_that_there_are(message: str) -> None:
    """Each part of a message that is not a name or a number stands in the source."""
    # Of an answer about gRPC, the code is gRPC's.
    for part in re.split(r"\.\.\.|(?<=: )[A-Z_]+$|(?<=says )[A-Z_]+$", message):
        assert part.strip() in SOURCES
