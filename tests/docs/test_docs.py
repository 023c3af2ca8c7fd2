"""What the documents say is there: names, commands, options, links, code that runs."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest
import typer
import yaml
from benchmarks.attribution_table.__main__ import attribution
from benchmarks.calibration.__main__ import app as calibration_app
from benchmarks.calibration.experiments import Agreement, Rejections
from benchmarks.foreign.__main__ import app as foreign_app
from benchmarks.interventions.__main__ import app as interventions_app
from benchmarks.speed.__main__ import speed
from PIL import Image

import video_tcav as vt
from docs import tables
from tests.docs.blocks import DOCS, FENCE, PAGES, ROOT, blocks, commands_in, page_id
from video_tcav import attribution as attribution_package
from video_tcav import (
    auditing,
    benchmark,
    concepts,
    demo,
    experiments,
    gram,
    integrations,
    masks,
    proposals,
    rendered,
    reports,
    studio,
)
from video_tcav.attribution import metrics
from video_tcav.cli.app import app
from video_tcav.experiments import json_schema
from video_tcav.rendered.factors import FACTORS
from video_tcav.rendered.models import rendered_names
from video_tcav.rendered.rules import RULES

WORLD = DOCS / "rendered-world.md"
EXPERIMENTS = DOCS / "experiments.md"
LINK = re.compile(r"\]\((?!https?:|mailto:)(?P<file>[^)#\s]*)(?:#(?P<anchor>[^)\s]+))?\)")


def commands(group: object, prefix: str = "") -> Mapping[str, object]:
    """Every command by its full name: `test`, `benchmark world`. A group holds commands and is none itself."""
    found: dict[str, object] = {}
    for name, command in getattr(group, "commands").items():  # noqa: B009  a group's; the type says command
        inner = hasattr(command, "commands")
        found |= commands(command, f"{prefix}{name} ") if inner else {f"{prefix}{name}": command}
    return found


COMMANDS = commands(typer.main.get_command(app))


def laboratory_options() -> set[str]:
    """Options of the benchmarks that are commands, `python -m benchmarks.NAME`."""
    found: set[str] = set()
    for function in (attribution, speed):
        one = typer.Typer()
        one.command()(function)
        found |= {option for parameter in typer.main.get_command(one).params for option in parameter.opts}
    groups = [typer.main.get_command(app) for app in (calibration_app, foreign_app, interventions_app)]
    for command in (command for group in groups for command in (group, *commands(group).values())):
        found |= {option for parameter in command.params for option in parameter.opts}  # pyright: ignore
    return found


LABORATORY = laboratory_options()
PROGRAM = {"--help", "--version", "--install-completion", "--show-completion"}
"""Options that stand before any command."""


def split_command(line: str) -> tuple[str, list[str]]:
    """The command of a line that starts with `video-tcav`, and its arguments."""
    words = shlex.split(line)[1:]
    length = next((count for count in (2, 1) if " ".join(words[:count]) in COMMANDS), 1)
    return " ".join(words[:length]), words[length:]


def options(name: str) -> set[str]:
    given = [parameter.opts + parameter.secondary_opts for parameter in COMMANDS[name].params]
    return {option for some in given for option in some if option.startswith("-")}


def inline_commands(page: Path) -> list[str]:
    outside = FENCE.sub("", page.read_text())
    return re.findall(r"`(video-tcav [^`]+)`", outside)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    words = [re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings]
    return {re.sub(r"[-\s]+", "-", word) for word in words}


def test_the_patterns_find_something():
    assert sum(len(commands_in(blocks(page))) for page in PAGES) >= 50
    assert any(inline_commands(page) for page in PAGES)


def api_pages() -> str:
    """The API reference: its overview and a page for each topic."""
    return "\n".join(page.read_text() for page in (DOCS / "api.md", *sorted((DOCS / "api").glob("*.md"))))


def test_the_overview_of_the_api_links_every_topic_which_is_in_the_navigation():
    overview, navigation = (DOCS / "api.md").read_text(), (ROOT / "mkdocs.yml").read_text()
    topics = [f"api/{page.name}" for page in (DOCS / "api").glob("*.md")]
    assert [topic for topic in topics if f"]({topic})" not in overview or f" {topic}\n" not in navigation] == []
    documented = re.findall(r"^::: (\S+)$", api_pages(), re.MULTILINE)
    assert len(documented) == len(set(documented))


def test_every_public_name_is_in_the_api_page():
    page = api_pages()
    shown = set(re.findall(r"^::: video_tcav\.(\w+)$", page, re.MULTILINE))
    assert set(vt.__all__) - {"__version__", "attribution"} == shown
    assert "vt.__version__" in page


@pytest.mark.parametrize(
    "package",
    [
        attribution_package,
        auditing,
        metrics,
        benchmark,
        concepts,
        demo,
        experiments,
        gram,
        integrations,
        masks,
        proposals,
        rendered,
        reports,
        studio,
    ],
    ids=lambda package: package.__name__,
)
def test_every_public_name_of_a_package_is_in_the_api_page(package):
    page = api_pages()
    shown = re.findall(rf"^::: {re.escape(package.__name__)}\.(?:[\w.]+\.)?(\w+)$", page, re.MULTILINE)
    # what is imported from `video_tcav` itself is shown under that name
    assert set(package.__all__) - set(vt.__all__) <= set(shown)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_command_lines_parse(page):
    for line in commands_in(blocks(page)):
        name, arguments = split_command(line)
        assert name in COMMANDS, line
        COMMANDS[name].make_context(name, arguments)  # raises where the line does not parse; runs nothing


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_in_the_text_exist(page):
    for line in inline_commands(page):
        name, rest = split_command(line)
        if name in PROGRAM or any(other.startswith(f"{name} ") for other in COMMANDS):
            assert set(rest) <= {"--help"}, line
            continue
        assert name in COMMANDS, line
        assert {word for word in rest if word.startswith("-")} <= options(name) | {"--help"}, line


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_options_in_the_text_exist(page):
    """Words such as `--twin frozen` stand alone in a sentence; they must be an option of some command."""
    known = set().union(*(options(name) for name in COMMANDS)) | PROGRAM | LABORATORY
    named = re.findall(r"(?<![\w`-])`(--[\w-]+)", FENCE.sub("", page.read_text()))
    assert set(named) <= known


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_commands_page_names_every_option(name):
    page = (DOCS / "commands.md").read_text()
    start = page.index(f"## `video-tcav {name}`")
    section = page[start:].split("\n## ", 1)[0] + page.split("\n## ", 1)[0]  # options of every command stand at the top
    shared = {
        "--device": "Shared options",
        "--threads": "Settings of the passes",
        "--cav": "Settings of the statistics",
        "--relabellings": "Settings of interventions",
    }
    for option, title in shared.items():  # commands that have one of these have all
        if option in options(name):
            section += page[page.index(f"## {title}") :].split("\n## ", 1)[0]
    assert {option for option in options(name) if f"`{option}`" not in section} == set()


def section(page: str, heading: str) -> str:
    """From a heading to the next one."""
    return re.split(r"^#+ ", page.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


PARTS = {
    "A model": ("Model",),
    "Clips": ("Rendered", "RenderedSource"),
    "A concept in two versions": ("Pair",),
    "Pairs": ("PairedClips",),
    "Statistics": ("Statistics",),
    "Interventions": ("Interventions",),
    "The audit": ("Audit",),
    "Concepts in words": ("Words",),
    "Hypotheses": (
        *("Hypothesis", "About", "MoreThan", "Bounded", "SameIn", "WouldChange", "Needed", "Carries"),
        *("AuditClaim", "OrderClaim", "TextClaim"),
    ),
}
"""Headings of the page on experiments, and the parts of the file that are explained below each."""


def test_the_page_on_experiments_explains_every_key_with_its_default():
    page, schema = EXPERIMENTS.read_text(), json_schema()
    assert set(schema["$defs"]) == {name for names in PARTS.values() for name in names}
    parts = [("The file", schema), *((heading, schema["$defs"][name]) for heading in PARTS for name in PARTS[heading])]
    for heading, part in parts:
        rows = {match[1]: match[0] for match in re.finditer(r"^\| `(\w+)` \|.*$", section(page, heading), re.MULTILINE)}
        assert set(part["properties"]) <= set(rows), heading
        for key, about in part["properties"].items():
            default = about.get("default")
            first = default[0] if isinstance(default, list) and default else default
            if isinstance(first, str | float | int) and first != "":
                assert f"{first}".lower().removesuffix(".0") in rows[key].lower(), key
            assert key not in part.get("required", ()) or "required" in rows[key] or heading == "Clips", key


@pytest.mark.parametrize("page", [EXPERIMENTS, *sorted(DOCS.glob("how-to/*.md")), DOCS / "tutorial.md"], ids=page_id)
def test_pieces_of_experiments_fit_the_schema(page):
    """A piece is completed by the file on the page on experiments; one with keys of its own is no experiment."""
    base = yaml.safe_load(next(block.body for block in blocks(EXPERIMENTS) if block.file))
    for block in blocks(page):
        if block.language == "yaml" and set(piece := yaml.safe_load(block.body)) <= set(
            experiments.Experiment.model_fields
        ):
            experiments.Experiment.model_validate({**base, **piece})


def test_the_page_on_results_explains_every_column():
    page = (DOCS / "reading-results.md").read_text()
    assert [field.name for field in fields(vt.ConceptResult) if f"`{field.name}`" not in page] == []


def test_the_page_on_the_rendered_world_is_complete():
    page = WORLD.read_text()
    words = {value for values in FACTORS.values() for value in values} | {"boxes", *FACTORS, *RULES, "mixed"}
    words |= {field.name for field in fields(rendered.Nuisance)} | set(rendered_names())
    words |= {field.name for kind in (Rejections, Agreement) for field in fields(kind)}
    assert {word for word in words if f"`{word}`" not in page} == set()
    assert {name for rule in RULES.values() for name in rule.labels if f'"{name}"' not in page} == set()


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=page_id)
def test_links_lead_somewhere(page):
    for link in LINK.finditer(FENCE.sub("", page.read_text())):
        target = page.parent / link["file"] if link["file"] else page
        assert target.exists(), link.group()
        if link["anchor"]:
            assert link["anchor"] in anchors(target), link.group()


def test_the_readme_is_short_and_its_picture_moves_in_true_colours():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200
    path = DOCS / "images" / "demo.png"
    assert path.stat().st_size < 1.5e6
    with Image.open(path) as picture:
        assert (picture.mode, getattr(picture, "n_frames", 1)) == ("RGB", 16)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_python_compiles(page):
    for block in blocks(page):
        if block.language == "python":
            compile(block.body, page_id(page), "exec")


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_tables_of_settings_are_those_of_the_settings_classes(page):
    """`python docs/tables.py` writes them."""
    assert tables.with_tables(page.read_text()) == page.read_text()
