"""What the documents say is there: names, commands, options, links, code that runs."""

import re
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
import typer

import video_tcav as vt
from video_tcav.cli.app import app

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("**/*.md"))]
COMMANDS = getattr(typer.main.get_command(app), "commands")  # noqa: B009  a group's; the type says command
FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
RUNNABLE = re.compile(r"<!-- runnable -->\n```python\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<file>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def options(name: str) -> set[str]:
    return {option for parameter in COMMANDS[name].params for option in parameter.opts if option.startswith("-")}


def console_lines(page: Path) -> list[str]:
    """The commands in the page's console blocks, continued lines joined."""
    blocks = [match["body"] for match in FENCE.finditer(page.read_text()) if match["language"] == "console"]
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ video-tcav ")]


def inline_commands(page: Path) -> list[str]:
    outside = FENCE.sub("", page.read_text())
    return re.findall(r"`(video-tcav [^`]+)`", outside)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    words = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"[-\s]+", "-", word) for word in words}


def test_the_patterns_find_something():
    assert sum(len(console_lines(page)) for page in PAGES) >= 10
    assert any(inline_commands(page) for page in PAGES)
    assert RUNNABLE.search((ROOT / "README.md").read_text())


def test_every_public_name_is_in_the_api_page():
    page = (DOCS / "api.md").read_text()
    shown = set(re.findall(r"^::: video_tcav\.(\w+)$", page, re.MULTILINE))
    assert set(vt.__all__) - {"__version__"} == shown
    assert "vt.__version__" in page


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_command_lines_parse(page):
    for line in console_lines(page):
        name, *arguments = shlex.split(line)[1:]
        assert name in COMMANDS, line
        COMMANDS[name].make_context(name, arguments)  # raises where the line does not parse; runs nothing


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_in_the_text_exist(page):
    for line in inline_commands(page):
        first, *rest = line.split()[1:]
        if first in ("--help", "--version"):
            continue
        assert first in COMMANDS, line
        assert {word for word in rest if word.startswith("-")} <= options(first) | {"--help"}, line


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_options_in_the_text_exist(page):
    """Words such as `--twin frozen` stand alone in a sentence; they must be an option of some command."""
    known = set().union(*(options(name) for name in COMMANDS)) | {"--help", "--version"}
    named = re.findall(r"(?<![\w`-])`(--[\w-]+)", FENCE.sub("", page.read_text()))
    assert set(named) <= known


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_commands_page_names_every_option(name):
    page = (DOCS / "commands.md").read_text()
    start = page.index(f"## `video-tcav {name}`")
    section = page[start:].split("\n## ", 1)[0]
    common = page[page.index("## Options of all commands") :].split("\n## ", 1)[0]
    assert {option for option in options(name) if f"`{option}`" not in section + common} == set()


def test_the_page_on_results_explains_every_column():
    page = (DOCS / "reading-results.md").read_text()
    assert [field.name for field in fields(vt.ConceptResult) if f"`{field.name}`" not in page] == []


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=page_id)
def test_links_lead_somewhere(page):
    for link in LINK.finditer(FENCE.sub("", page.read_text())):
        target = page.parent / link["file"] if link["file"] else page
        assert target.exists(), link.group()
        if link["anchor"]:
            assert link["anchor"] in anchors(target), link.group()


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_python_compiles(page):
    for block in FENCE.finditer(page.read_text()):
        if block["language"] == "python":
            compile(block["body"], page_id(page), "exec")


@pytest.fixture
def demo(tmp_path, monkeypatch, shapes_weights, shapes_clips) -> Path:
    """A folder that looks like the project's after `make demo`, with fewer clips."""
    (tmp_path / "demo-out/clips").mkdir(parents=True)
    (tmp_path / "demo-out/concepts").mkdir()
    for name, target in {
        "examples": ROOT / "examples",
        "demo-out/network.safetensors": shapes_weights,
        "demo-out/clips/right": shapes_clips / "right",
        "demo-out/concepts/moves-right": shapes_clips / "moves-right",
        "demo-out/random": shapes_clips / "random",
    }.items():
        (tmp_path / name).symlink_to(target)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_readme_runs(demo, capsys):
    for block in RUNNABLE.finditer((ROOT / "README.md").read_text()):
        names: dict[str, object] = {}
        exec(compile(block["body"], "README.md", "exec"), names)
        printed = capsys.readouterr().out
        assert "moves-right: speaks for right" in printed
        result = names["result"]
        assert isinstance(result, vt.TcavResult)
        assert {one.twin for one in result.results} == {"none", "frozen", "motion"}
