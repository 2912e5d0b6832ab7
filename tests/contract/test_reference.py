"""The pages that are generated are fresh, hold everything, and lead nowhere that does not exist."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from contract_methods import METHODS, SERVICES
from google.protobuf.descriptor import Descriptor, EnumDescriptor
from markdown_it import MarkdownIt
from programs import program

from tocsind.domain.errors import Reason

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MESSAGES: list[Descriptor] = [
    message
    for file in {service.file.name: service.file for service in SERVICES.values()}.values()
    for message in file.message_types_by_name.values()
]
# Pages that are linked to, and are being written.

reference = program("proto/reference.py")
INTRODUCTION = (ROOT / "proto" / "reference_introduction.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def api() -> str:
    """docs/api.md."""
    return (DOCS / "api.md").read_text(encoding="utf-8")


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    """A copy of the .proto files, to be changed."""
    shutil.copytree(ROOT / "proto" / "tocsin", tmp_path / "tocsin", ignore=shutil.ignore_patterns("*.py*"))
    return tmp_path


def page_of(contract: Path, roles: dict[str, str] | None = None) -> str:
    """The reference of a changed contract."""
    return str(reference.reference(reference.Contract(contract), INTRODUCTION, roles or {}))


def test_the_reference_is_fresh(api: str) -> None:
    """docs/api.md is what the .proto files, the introduction and the table of roles say."""
    fresh = reference.reference(reference.Contract(), INTRODUCTION, reference.roles_of())

    assert api == fresh, "run `make proto`"


def test_the_errors_are_fresh() -> None:
    """docs/errors.md is what the table of reasons says."""
    fresh = program("docs/write_errors.py").page()

    assert (DOCS / "errors.md").read_text(encoding="utf-8") == fresh, "run `make docs`"


def test_a_changed_comment_changes_the_page(contract: Path) -> None:
    """The test of freshness above could fail."""
    path = contract / "tocsin" / "v1" / "intake.proto"
    path.write_text(path.read_text().replace("// One beat.\n", "// A single beat.\n"))

    assert "  - `beat` ([Beat](#beat)): A single beat.\n" in page_of(contract)


def test_comments_stay_what_they_are_in_markdown(contract: Path) -> None:
    """Paragraphs, lists and code in a comment come out as such, also within the list of fields; what is meant for the
    linter does not come out."""
    path = contract / "tocsin" / "v1" / "intake.proto"
    comment = (
        "// One.\n//\n// Two:\n// - first\n//   goes on\n// - second\n//\n//     code  here\n// buf:lint:ignore X\n"
    )
    path.write_text(
        path.read_text()
        .replace("// A batch of deliveries.\n", comment)
        .replace("    // One beat.\n", re.sub("^", "    ", comment, flags=re.M).rstrip(" "))
    )

    page = page_of(contract)

    assert "\n\nOne.\n\nTwo:\n- first goes on\n- second\n\n    code  here\n\n" in page
    assert (
        "  - `beat` ([Beat](#beat)): One.\n\n    Two:\n    - first goes on\n    - second\n\n        code  here\n"
        in page
    )
    assert "buf:lint" not in page


def test_lines_do_not_become_something_else_when_they_are_filled() -> None:
    """No line begins with what would make it an item, a heading or a quotation, and code stays in one piece."""
    lines = list(reference.wrapped("- a sum: 1 + 2 - 3 > 4 # 5 then `a  b` and 6. the end", 12))

    assert lines == ["- a sum: 1 +", "2 - 3 > 4 #", "5 then `a b`", "and 6. the", "end"]
    assert list(reference.wrapped("one two - three", 8)) == ["one two -", "three"]


def test_roles_stand_with_the_calls_and_in_the_table(contract: Path) -> None:
    """Each call says who may make it, and the list who may make which."""
    page = page_of(contract, {"NoteService.GetNote": "`VIEWER`, `EDITOR`", "NoteService.CreateNote": "`EDITOR`"})

    assert "`tocsin.v1.NoteService/GetNote`, for `VIEWER`, `EDITOR`\n" in page
    assert "\n- `VIEWER`, `EDITOR`: GetNote\n- `EDITOR`: CreateNote\n" in page


def test_everybody_knows_what_to_call(api: str) -> None:
    """Each method of the contract is in the table of roles, and no other is."""
    ours = {name.removeprefix("/tocsin.v1.").replace("/", ".") for name in METHODS}

    assert set(reference.roles_of()) == ours
    assert reference.ROLES_HERE not in api
    assert ", for nobody" not in api


def headings(page: str) -> list[str]:
    """The headings of a page, outside of code."""
    return [heading[2] for heading in re.finditer(r"^(#+) (.*)$", re.sub(r"(?s)```.*?```", "", page), re.MULTILINE)]


def test_everything_in_the_contract_is_in_the_reference(api: str) -> None:
    """Each service, method, message, field, enumeration and value."""
    there = headings(api)
    for service in SERVICES.values():
        assert service.name in there
        for method in service.methods:
            assert method.name in there
            assert f"`{service.full_name}/{method.name}`" in api
    for message in MESSAGES:
        text = about(message, api)
        assert text, message.name
        for field in message.fields:
            assert f"- `{field.name}` (" in text, field.full_name
        for enum in message.enum_types:
            assert f"{message.name}.{enum.name}" in there
            assert [value for value in values(enum) if value not in api] == []


def about(message: Descriptor, api: str) -> str:
    """What the page says of a message, up to the next one."""
    for start in (f"### {message.name}\n", f"Takes `{message.name}`", f"Answers `{message.name}`"):
        found = api.partition(start)[2] or api.partition(start.replace("`", "a stream of `", 1))[2]
        if found:
            return re.split(r"\n#|\nAnswers ", found)[0]
    return ""


def values(enum: EnumDescriptor) -> Iterator[str]:
    """How the values of an enumeration are written."""
    return (f"- `{value.name}` = {value.number}: " for value in enum.values)


def test_every_reason_has_a_section() -> None:
    """So that a link to errors.md#reason finds it."""
    there = headings((DOCS / "errors.md").read_text(encoding="utf-8"))

    assert [reason.name for reason in Reason if reason.name not in there] == []


@pytest.mark.parametrize("name", ["api.md", "errors.md"])
def test_links_lead_somewhere(name: str) -> None:
    """To a heading of the page, to one of another, or to a file."""
    page = (DOCS / name).read_text(encoding="utf-8")
    assert len(headings(page)) == len(set(headings(page)))
    dead = []
    for target in re.findall(r"\]\(([^)]+)\)", page):
        path, _, heading = target.partition("#")
        if path.startswith("https://"):
            continue
        other = DOCS / path if path else DOCS / name
        there = {"", *map(reference.anchor, headings(other.read_text(encoding="utf-8")))} if other.is_file() else {""}
        if not other.exists() or heading not in there:
            dead.append(target)

    assert dead == []


@pytest.mark.parametrize("name", ["api.md", "errors.md"])
def test_pages_are_markdown(name: str) -> None:
    """No text is taken for HTML, and no line of a list falls out of it as code."""
    tokens = MarkdownIt("commonmark").parse((DOCS / name).read_text(encoding="utf-8"))
    inline = [child for token in tokens for child in token.children or []]

    assert [token.content for token in tokens if token.type == "html_block" and "<!--" not in token.content] == []
    assert [child.content for child in inline if child.type == "html_inline"] == []
    assert [token.content for token in tokens if token.type == "code_block"] == []
