"""Terminal output of a test: sentences, then one row a concept with a bar, or all layers and twins."""

from collections.abc import Sequence

from rich.text import Text

import video_tcav as vt
from video_tcav.cli import render
from video_tcav.gram.thresholds import LEVEL
from video_tcav.tcav.summaries import strongest_results
from video_tcav.tcav.wording import comparison_name, is_readable, p_text, region_text, units

_NOT_REPRESENTED = "not represented"
_BAR_CELLS, _BAR = len(_NOT_REPRESENTED), "━"
_RAISES, _LOWERS = "dark_orange", "dodger_blue1"


def print_result(result: "vt.TcavResult", *, every: bool) -> None:
    """A sentence for each concept, a table of effects, and cautions.

    Args:
        result: of a test.
        every: whether the table has every layer and twin, or the strongest layer of each concept.
    """
    for sentence in result.sentences():
        render.paragraph(sentence, bullet="• ")
    first = result[0]
    gradient = f"{first.cav} CAV, {first.space}; gradient at {first.n_class_clips} {first.at} clips"
    render.out.print(f"\n[bold]Effects on {render.escape(first.target)}[/] [dim]({render.escape(gradient)})[/]")
    if every:
        _print_every(result)
    else:
        _print_strongest(result)
    render.paragraph(_footnote(result, every=every), style="dim")
    render.warn(*result.warnings)
    render.skipped(result.skipped)
    sketched = result.provenance.get("sketch", {}).values()
    if sketched:
        worst = max(sketched, key=lambda error: error["rms"])
        render.out.print()
        render.paragraph(
            f"CAV accuracies are estimates from sketched rows: inner products are off by {worst['rms']:.1%} or less of the "
            f"rows' lengths in samples of {worst['rows']} clips ({worst['bound']:.1%} to be expected at most)."
        )


def _print_strongest(result: "vt.TcavResult") -> None:
    rows = strongest_results(result)
    short_layers = render.without_common_prefix([row.layer for row in result])
    numbers = _number_columns(result)
    table = render.table("concept", "layer", "", *numbers, numbers=numbers, unbroken=("",))
    drawn = bars([row.effect if is_readable(row) else 0.0 for row in rows])
    for row, bar in zip(rows, drawn, strict=True):
        table.add_row(
            render.escape(comparison_name(row.concept, row.versus)),
            render.escape(short_layers[row.layer]),
            # no bar for an effect that says nothing
            Text(bar, style=_RAISES if row.effect > 0 else _LOWERS) if is_readable(row) else _NOT_REPRESENTED,
            *_numbers(row),
            style=_style(row),
        )
    render.out.print(table)


def _print_every(result: "vt.TcavResult") -> None:
    """A heading a concept, under it a row a twin and layer; all of one width, so that columns stand under each other."""
    short_layers = render.without_common_prefix([row.layer for row in result])
    numbers = [*_number_columns(result), "TCAV", "AUC"]
    widest = [max(len(_numbers(row)[number]) for row in result) for number in range(3)]
    layer_width = max(map(len, short_layers.values()))
    for name in dict.fromkeys(comparison_name(row.concept, row.versus) for row in result):
        render.line(f"\n{render.one_line(name)}", style="bold")
        table = render.table("twin", "layer", *numbers, numbers=numbers, unbroken=("twin",))
        for column, width in zip(table.columns, (len("reversed"), layer_width, *widest), strict=False):
            column.min_width = min(width, 20)
        for row in (row for row in result if comparison_name(row.concept, row.versus) == name):
            table.add_row(
                "—" if row.twin == "none" else render.escape(row.twin),
                render.escape(short_layers[row.layer]),
                *_numbers(row),
                f"{row.tcav_score:.2f} ± {row.tcav_score_std:.2f}",
                f"{row.cav_auc:.2f}",
                style=_style(row),
            )
        render.out.print(table)


def _number_columns(result: "vt.TcavResult") -> list[str]:
    first = result[0]
    return [units(first.against), "95 %", "p" if first.correction == "none" else f"p ({first.correction})"]


def _numbers(row: "vt.ConceptResult") -> tuple[str, str, str]:
    """Effect, interval, and p; after p a mark for a significant effect, a weak CAV, and a concept that is a region."""
    significant = row.p_adjusted <= LEVEL
    if not is_readable(row):
        p_value = "region " if region_text(row.represented, row.region_auc, row.p_region) else "– "
    else:
        p_value = f"{p_text(row.p_adjusted)}{'*' if significant else ' '}{'' if row.represented else '†'}"
    return *vt.effect_text(row), p_value


def _style(row: "vt.ConceptResult") -> str:
    return "bold" if row.p_adjusted <= LEVEL else "" if row.represented else "dim"


def _footnote(result: "vt.TcavResult", *, every: bool) -> str:
    tests = " or ".join(str(size) for size in sorted({row.family_size for row in result}))
    notes = [f"* adjusted p ≤ {LEVEL}, of {tests} tests."]
    marks = {row_mark for row in result for row_mark in _numbers(row)[2] if row_mark in "–†r"}
    if "–" in marks:
        notes.append("–: not represented, this CAV does not tell these clips from random ones.")
    if "r" in marks:
        notes.append("region: not along one direction, but as a region.")
    if "†" in marks:
        notes.append("† weak CAV: look at the clips.")
    if every:
        notes.append("± over random sets, no error bar. AUC: of unseen clips, 0.5 is chance.")
    sizes = {comparison_name(row.concept, row.versus): row for row in result}
    notes += [
        f"{name}: {row.n_concept_clips} concept and {row.n_random_clips} {row.versus} clips in {row.n_groups} groups."
        for name, row in sizes.items()
    ]
    hidden = len(result) - len(strongest_results(result))
    if hidden and not every:
        notes.append(f"--all prints {render.counted(hidden, 'more row')}: every layer and twin.")
    return " ".join(notes)


def bars(effects: Sequence[float], cells: int = _BAR_CELLS) -> list[str]:
    """Bars from a common zero, to the right for what raises the target, and to the left for what lowers it."""
    right, left = max(0.0, *effects), max(0.0, *(-effect for effect in effects))
    reach = (right + left) or 1.0
    # cells left of zero; one at least on a side that has a bar
    zero = min(cells - (right > 0), max(int(left > 0), round(cells * left / reach)))
    drawn = []
    for effect in effects:
        room = zero if effect < 0 else cells - zero
        bar = _BAR * min(room, max(1, round(cells * abs(effect) / reach)) if effect else 0)
        drawn.append((bar.rjust(zero) if effect < 0 else " " * zero + bar).ljust(cells))
    return drawn
