"""How results look in a terminal."""

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

PLAIN_WIDTH = 120
SMALLEST_P = 0.0001
out = console(
    soft_wrap=False,
    width=None if sys.stdout.isatty() else max(PLAIN_WIDTH, shutil.get_terminal_size().columns),
)

errors = console(error=True, soft_wrap=True)


def escape(text: str) -> str:
    """A name as markup that shows it: on one line, with nothing that a terminal or a workflow would obey."""
    return markup.escape(one_line(text))


def shortened(path: str, parts: int = 3) -> str:
    """The end of a path, enough to recognise it."""
    pieces = Path(path).parts
    return path if len(pieces) <= parts else str(Path("…", *pieces[-parts:]))


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
        out.print(f"\n[bold]{len(files)} file{'s' if len(files) > 1 else ''} could not be used:[/]")
        for one in files:
            out.print(f"  {one_line(f'{one.path}: {one.reason}')}", markup=False, soft_wrap=True)


def left_out(notes: Sequence[str]) -> None:
    """Say which files of folders were not looked at."""
    for note in notes:
        out.print(f"! {note}", style="yellow", markup=False)


def model_outputs(model: "vt.VideoModel") -> None:
    """Say what the outputs were taken for, where that is anything but the logits of a known network; and the loader's notes."""
    for note in model.remarks():
        out.print(f"! {note}", style="yellow", markup=False)


def random_weights(model: "vt.VideoModel") -> None:
    """Warn where the model's weights are known to be random."""
    if not model.trained:
        text = "The model's weights are random: these numbers mean nothing. Give trained ones with --weights."
        out.print(f"! {text}", style="yellow", markup=False)


def p_text(value: float) -> str:
    """A p-value with four decimals; one that is smaller is never shown as zero."""
    return f"{value:.4f}" if value >= SMALLEST_P else f"<{SMALLEST_P:.4f}"


def without_common_prefix(layers: Sequence[str]) -> dict[str, str]:
    """Layer names that are short enough for a column: what all have in common is left out, but for its last part."""
    names = list(dict.fromkeys(layers))
    parts = [name.split(".") for name in names]
    common = 0
    while all(len(part) > common + 2 and part[common] == parts[0][common] for part in parts):
        common += 1
    return {name: ("…" if common else "") + ".".join(part[common:]) for name, part in zip(names, parts, strict=True)}


def tcav_result(result: "vt.TcavResult") -> None:
    """A table of all results, a sentence for each concept, and what to beware of."""
    first = result.results[0]
    unit = {"log_odds": "log-odds", "number": "units of the output"}.get(first.against, "logits")
    p_name = "p" if first.correction == "none" else f"p ({first.correction})"
    of = f"{escape(first.against)}; {first.cav} CAV, {first.space}; gradient at {first.n_class_clips} {first.at} clips"
    title = f"What moves [bold]{escape(first.target)}[/] ({of})"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for name in ("concept", "twin", "layer"):
        table.add_column(name)
    for name in (f"effect [95 %], {unit}", p_name, "z", "TCAV score", "CAV accuracy"):
        table.add_column(name, justify="right")
    short = without_common_prefix([one.layer for one in result.results])
    last = ("", "")
    for one in result.results:
        name = one.concept if one.versus == "random" else f"{one.concept} vs {one.versus}"
        if last[0] and last[0] != name:
            table.add_section()
        strong = one.p_adjusted <= LEVEL
        style = "bold" if strong else "" if one.represented else "dim"
        weak = "" if one.represented else " (weak)" if strong else " (not represented)"
        table.add_row(
            escape(name) if last[0] != name else "",
            "—" if one.twin == "none" else escape(one.twin),
            escape(short[one.layer]),
            escape(" ".join(vt.effect_text(one))),
            f"{p_text(one.p_adjusted)}{'*' if strong else ' '}",
            f"{one.z:+.1f}",
            f"{one.tcav_score:.2f} ± {one.tcav_score_std:.2f}",
            f"{one.cav_accuracy:.2f}{weak}",
            style=style,
        )
        last = (name, one.twin)
    out.print(table)
    sizes = {(r.concept, r.versus): r for r in result.results}
    counts = "; ".join(
        f"{name}: {r.n_concept_clips} concept and {r.n_random_clips} {'random' if versus == 'random' else versus} clips "
        f"in {r.n_groups} groups"
        for (name, versus), r in sizes.items()
    )
    out.print(f"* adjusted p ≤ 0.05. {one_line(counts)}.\n", style="dim", markup=False)
    for sentence in vt.sentences(result):
        out.print(f"• {one_line(sentence)}", markup=False)
    for warning in result.warnings:
        out.print(f"! {one_line(warning)}", style="yellow", markup=False)
    skipped(result.skipped)
