"""Results of the benchmark for methods of this package, of others, and for baselines of discovery, as a page.

python -m benchmarks.foreign page --out benchmark-out
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from benchmarks.foreign.freeze import freeze as freeze_versions
from benchmarks.foreign.rows import attribution_rows, concept_rows
from benchmarks.foreign.tables import attribution_table, concept_table

from video_tcav.benchmark.versions import ATTRIBUTION, CONCEPTS
from video_tcav.cli import render
from video_tcav.cli.app import ending
from video_tcav.core.files import check_writable, write_text

app = typer.Typer(help="Results page of the benchmark of foreign methods.", no_args_is_help=True, add_completion=False)
PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmark.md"
_TABLE = "(<!-- scores: {} -->\n).*?(<!-- end -->)"


@app.command()
def page(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Folder of measured rows; those that it holds are not measured again.")
    ] = Path("benchmark-out"),
    write: Annotated[bool, typer.Option(help="Write the tables into docs/benchmark.md.")] = False,
    slow: Annotated[bool, typer.Option(help="Also methods of many passes: half an hour more.")] = False,
    quick: Annotated[
        bool, typer.Option(help="With few clips, under another name; never written into the page.")
    ] = False,
) -> None:
    """Measure and print all tables; about half an hour on two cores."""
    tables = {
        "concepts": concept_table(list(concept_rows(check_writable(out / CONCEPTS[quick].name), quick=quick))),
        "attribution": attribution_table(
            list(attribution_rows(check_writable(out / ATTRIBUTION[quick].name), quick=quick, slow=slow))
        ),
    }
    for name, lines in tables.items():
        render.line(f"\n{name}\n")
        render.line("\n".join(lines))
    if write and not quick:
        text = PAGE.read_text(encoding="utf-8")
        for name, lines in tables.items():
            text = with_table(text, name, lines)
        write_text(PAGE, text)


@app.command()
def freeze() -> None:
    """Write digests of new versions beside those that are frozen; refuses where a frozen one has changed."""
    freeze_versions()


def with_table(text: str, name: str, lines: Sequence[str]) -> str:
    """The page with the lines of one table between its marks."""
    return re.sub(
        _TABLE.format(name), lambda marks: f"{marks[1]}{chr(10).join(lines)}\n{marks[2]}", text, flags=re.DOTALL
    )


if __name__ == "__main__":
    ending(app)
