"""`video-tcav demo`: two models with known causes, explained and compared with the truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table

import video_tcav.demo as demo_engine
import video_tcav.reports as reports
from video_tcav.cli import render
from video_tcav.core.files import check_writable
from video_tcav.gram.thresholds import LEVEL

# Static concepts are given as pictures, see `demo.STILLS`.
CLIP_KINDS = {"swing": "moving clips", "wave": "moving clips", "court": "pictures", "racket": "pictures"}
_TWINS = {"model": "none", "motion,": "motion"}  # by the words of a column
_WIDTH_OF_BOTH = 118


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for clips, tables and the page.")] = Path("demo-out"),
    seed: Annotated[int, typer.Option(min=0, help="Of all clips and draws.")] = 0,
) -> None:
    """Ask two models that both say "playing tennis" what they saw: one reads the swing, one the court. Needs no download."""
    check_writable(out)
    result = demo_engine.run_demo(out, seed=seed, progress=True)
    page = reports.write_demo_page(result, out / "index.html")
    print_result(result)
    render.line(f"\nThe page with clips and plots: {page}")


def print_result(result: "demo_engine.DemoResult") -> None:
    """Print what the models say without the cause, what they rely on, and the false alarms of each test."""
    render.out.print("\nTwo models look at the same 20 clips: a tennis swing, with a racket, on a court.\n")
    render.out.print(_predictions(result))
    render.out.print("\nWhat do they rely on? Video-TCAV at the deepest stage, effects in log-odds:\n")
    render.out.print(_effects(result))
    render.out.print(
        "* adjusted p ≤ 0.05. motion = effect of the clips − effect of the same clips frozen.\n",
        style="dim",
        markup=False,
    )
    for model in result.models:
        render.out.print(f"• {model.verdict.sentence}", markup=False)
    nothing = result.meaningless
    render.out.print(
        f"• A concept that means nothing (random clips, {nothing.draws} draws): the t-test of the source paper calls it "
        f"significant in {nothing.ttest:.0%}, a plain permutation test in {nothing.permutation:.0%}, the default test in "
        f"{nothing.studentised:.0%} (at most 5 % are promised).",
        markup=False,
    )


def _predictions(result: "demo_engine.DemoResult") -> Table:
    table = render.table("model", '"playing tennis"', "swing, but not on a court", "on a court, but no swing")
    for model in result.models:
        called = f"{model.called} of {len(model.predictions)} clips"
        table.add_row(model.letter, called, f"{model.off_court:.0%} still tennis", f"{model.no_swing:.0%} still tennis")
    return table


def _effects(result: "demo_engine.DemoResult") -> Group:
    """Effects of the clips and of their motion beside each other, or below each other where the terminal is narrow."""
    words = ("model", "motion,")
    blocks = [words] if render.out.width >= _WIDTH_OF_BOTH else [(word,) for word in words]
    return Group(*(_effect_table(result, block) for block in blocks))


def _effect_table(result: "demo_engine.DemoResult", words: Sequence[str]) -> Table:
    columns = [f"{word} {model.letter}" for word in words for model in result.models]
    table = render.table("concept", "", *columns, unbroken=columns)
    for concept, clip_kind in CLIP_KINDS.items():
        cells = [_cell(model, concept, _TWINS[word]) for word in words for model in result.models]
        table.add_row(concept, clip_kind, *cells)
    return table


def _cell(model: "demo_engine.DemoModel", concept: str, twin: str) -> str:
    rows = [row for row in model.result.results if row.concept == concept and row.twin == twin]
    if not rows:
        return "–"
    last = rows[-1]  # the deepest stage
    star = "*" if last.p_adjusted <= LEVEL else " "
    return f"{last.effect:+.2f} [dim]{last.effect_low:+.2f} to {last.effect_high:+.2f}[/]{star}"
