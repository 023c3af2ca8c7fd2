"""Terminal output: tables of results, notes and warnings."""

import itertools
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import markup
from rich.table import Table

import video_tcav as vt
from video_tcav.core.escaping import one_line
from video_tcav.core.terminal import console
from video_tcav.gram.thresholds import LEVEL
from video_tcav.tcav.wording import comparison_name, p_text, region_text, units

# Columns where the output is no terminal, as in a log: rich would take 80, and break the table of results.
PLAIN_WIDTH = 120
out = console(
    soft_wrap=False,
    width=None if sys.stdout.isatty() else max(PLAIN_WIDTH, shutil.get_terminal_size().columns),
)

errors = console(error=True, soft_wrap=True)


def line(text: str, style: str | None = None) -> None:
    """Print a line that may hold a path: no markup is read in it, and it is not broken."""
    out.print(text, markup=False, soft_wrap=True, style=style)


def warn(*texts: str) -> None:
    """Print warnings."""
    for text in texts:
        out.print(f"! {one_line(text)}", style="yellow", markup=False)


def table(*columns: str, numbers: Sequence[str] = (), **options: Any) -> Table:
    """A table without lines, whose columns of numbers are aligned on the right; `options` are rich's."""
    # Without a box, columns can be copied, and cut by other programs.
    lineless = Table(*columns, box=None, pad_edge=False, **options)
    for name in numbers:
        lineless.add_column(name, justify="right")
    return lineless


def counted(count: int, noun: str) -> str:
    """A number of things: `1 clip`, `2 clips`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def escape(text: str) -> str:
    """A name as rich markup that prints it literally: on one line, without control sequences or workflow commands."""
    return markup.escape(one_line(text))


def shortened(path: str, longest: int = 3) -> str:
    """The last folders and the file of a path, enough to recognise it."""
    pieces = Path(path).parts
    return path if len(pieces) <= longest else str(Path("…", *pieces[-longest:]))


def tokens(axes: Any) -> str:
    """How a layer's tokens are laid out, if it has any."""
    if not axes.token_order:
        return ""
    grid = " × ".join(map(str, axes.grid))
    prefix = f", after {axes.prefix_tokens} class token" if axes.prefix_tokens else ""
    return f" (time, height, width {grid}, in the order {', '.join(axes.token_order)}{prefix})"


def skipped(files: Sequence[Any]) -> None:
    """List files that were not used."""
    if files:
        out.print(f"\n[bold]{counted(len(files), 'file')} could not be used:[/]")
        for file in files:
            line(f"  {one_line(f'{file.path}: {file.reason}')}")


def random_weights(model: "vt.VideoModel") -> None:
    """Warn where the model's weights are known to be random."""
    if not model.trained:
        warn("The model's weights are random: these numbers mean nothing. Give trained ones with --weights.")


def without_common_prefix(layers: Sequence[str]) -> dict[str, str]:
    """Layer names that are short enough for a column: the dotted prefix that all share is an ellipsis."""
    pieces = {name: name.split(".") for name in layers}
    # The last two pieces always stay: `…blocks.3` says more than `…3`.
    prefixes = zip(*(name_pieces[:-2] for name_pieces in pieces.values()), strict=False)
    common = sum(1 for _ in itertools.takewhile(lambda column: len(set(column)) == 1, prefixes))
    ellipsis = "…" if common else ""
    return {name: ellipsis + ".".join(name_pieces[common:]) for name, name_pieces in pieces.items()}


def tcav_result(result: "vt.TcavResult") -> None:
    """A table of all results, a sentence for each concept, and cautions."""
    out.print(_result_table(result))
    sizes = {comparison_name(row.concept, row.versus): row for row in result.results}
    counts = "; ".join(
        f"{name}: {row.n_concept_clips} concept and {row.n_random_clips} {row.versus} clips in {row.n_groups} groups"
        for name, row in sizes.items()
    )
    notes = "tests: for which p is corrected. ± over random sets, no error bar. AUC: of unseen clips, 0.5 is chance"
    out.print(f"* adjusted p ≤ {LEVEL}. {notes}. {one_line(counts)}.\n", style="dim", markup=False)
    for sentence in vt.sentences(result):
        out.print(f"• {one_line(sentence)}", markup=False)
    warn(*result.warnings)
    skipped(result.skipped)


def _result_table(result: "vt.TcavResult") -> Table:
    first = result.results[0]
    gradient = f"{first.cav} CAV, {first.space}; gradient at {first.n_class_clips} {first.at} clips"
    title = f"What moves [bold]{escape(first.target)}[/] ({escape(first.against)}; {gradient})"
    p_name = "p" if first.correction == "none" else f"p ({first.correction})"
    numbers = (f"effect [95 %], {units(first.against)}", p_name, "tests", "z", "TCAV score", "AUC")
    rows = table("concept", "twin", "layer", numbers=numbers, title=title, title_justify="left")
    short_layers = without_common_prefix([row.layer for row in result.results])
    previous = ""
    for row in result.results:
        name = comparison_name(row.concept, row.versus)
        if previous not in ("", name):
            rows.add_section()
        significant = row.p_adjusted <= LEVEL
        # A significant effect of a weak CAV is to be doubted; no effect of one means nothing.
        weak = "" if row.represented else " (weak)" if significant else " (not represented)"
        if region_text(row.represented, row.region_auc, row.p_region):
            weak = f" (as a region {row.region_auc:.2f})"
        rows.add_row(
            escape(name) if name != previous else "",
            "—" if row.twin == "none" else escape(row.twin),
            escape(short_layers[row.layer]),
            escape(" ".join(vt.effect_text(row))),
            f"{p_text(row.p_adjusted)}{'*' if significant else ' '}",
            str(row.family_size),
            f"{row.z:+.1f}",
            f"{row.tcav_score:.2f} ± {row.tcav_score_std:.2f}",
            f"{row.cav_auc:.2f}{weak}",
            style="bold" if significant else "" if row.represented else "dim",
        )
        previous = name
    return rows
