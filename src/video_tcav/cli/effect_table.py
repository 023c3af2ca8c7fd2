"""Terminal output of a test: sentences, then one row a concept with a bar, or all layers and twins; then interventions."""

import math
from collections.abc import Sequence

from rich.text import Text

import video_tcav as vt
from video_tcav.cli import render
from video_tcav.gram.thresholds import LEVEL
from video_tcav.tcav.interventions.effects import InterventionEffect
from video_tcav.tcav.summaries import strongest_results
from video_tcav.tcav.wording import (
    comparison_name,
    is_readable,
    p_text,
    region_text,
    step_disagrees,
    step_words,
    units,
    with_decimals_of,
)

_NOT_REPRESENTED = "not represented"
_BAR_CELLS, _BAR = len(_NOT_REPRESENTED), "━"
_WIDEST, _FEWEST_LETTERS = 20, 4  # of columns
_NARROW, _NARROW_BAR = 90, 11  # below so many columns, a step takes the place of some of the bar and of spaces
_DIFFERS = "≠"
_OPERATIONS = {
    "clamp": "clamp: clips with the concept's coordinate of concept clips, less with that of random clips.",
    "remove": "remove: clips as they are, less with that of random clips; how many get another first class.",
    "restore": "restore: the share of what frozen or reversed clips lose that comes back through the concept alone.",
}
_LOSERS = {"none": "frozen", "order": "reversed"}  # twins of class clips that rows of restore are about
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
    print_interventions(result, every=every)
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
    narrow = _is_narrow(result)
    table = render.table("concept", "layer", "", *numbers, numbers=numbers, unbroken=("",), padding=_padding(narrow))
    effects = [row.effect if is_readable(row) else 0.0 for row in rows]
    drawn = bars(effects, cells=_NARROW_BAR if narrow else _BAR_CELLS)
    absent = "" if narrow else _NOT_REPRESENTED  # as the dash in place of p says, too
    for row, bar in zip(rows, drawn, strict=True):
        table.add_row(
            render.escape(comparison_name(row.concept, row.versus)),
            render.escape(short_layers[row.layer]),
            # no bar for an effect that says nothing
            Text(bar, style=_RAISES if row.effect > 0 else _LOWERS) if is_readable(row) else absent,
            *_numbers(row, step=_has_step(result)),
            style=_style(row),
        )
    render.out.print(table)


def _print_every(result: "vt.TcavResult") -> None:
    """A heading a concept, under it a row a twin and layer; all of one width, so that columns stand under each other."""
    short_layers = render.without_common_prefix([row.layer for row in result])
    numbers = [*_number_columns(result), "TCAV", "AUC"]
    cells = [_numbers(row, step=_has_step(result)) for row in result]
    widest = [max(map(len, column)) for column in zip(_number_columns(result), *cells, strict=True)]
    narrow = _is_narrow(result)
    widths = [len("reversed"), *widest, len("1.00 ± 0.00"), len("0.00")]
    gaps = len(widths) * (1 if narrow else 2)
    room = max(_FEWEST_LETTERS, render.out.width - sum(widths) - gaps)
    layer_width = min(room, _WIDEST, max(map(len, short_layers.values())))
    for name in dict.fromkeys(comparison_name(row.concept, row.versus) for row in result):
        render.line(f"\n{render.one_line(name)}", style="bold")
        table = render.table("twin", "layer", *numbers, numbers=numbers, unbroken=("twin",), padding=_padding(narrow))
        for column, width in zip(table.columns, (len("reversed"), layer_width, *widest), strict=False):
            column.min_width = min(width, _WIDEST)
        for row in (row for row in result if comparison_name(row.concept, row.versus) == name):
            table.add_row(
                "—" if row.twin == "none" else render.escape(row.twin),
                render.escape(short_layers[row.layer]),
                *_numbers(row, step=_has_step(result)),
                f"{row.tcav_score:.2f} ± {row.tcav_score_std:.2f}",
                f"{row.cav_auc:.2f}",
                style=_style(row),
            )
        render.out.print(table)


def _number_columns(result: "vt.TcavResult") -> list[str]:
    first = result[0]
    step = ["step"] * _has_step(result)
    return [units(first.against), "95 %", "p" if first.correction == "none" else f"p ({first.correction})", *step]


def _is_narrow(result: "vt.TcavResult") -> bool:
    return _has_step(result) and render.out.width < _NARROW


def _padding(narrow: bool) -> tuple[int, int, int, int]:
    """Spaces around a cell: above, right, below, left."""
    return (0, 1, 0, 0 if narrow else 1)


def _has_step(result: "vt.TcavResult") -> bool:
    return any(math.isfinite(row.step) for row in result)


def _numbers(row: "vt.ConceptResult", *, step: bool = False) -> tuple[str, ...]:
    """Effect, interval, p, and the effect of a whole step where asked for.

    After p stands a mark for a significant effect, a weak CAV, and a concept that is a region; after the step that it differs.
    """
    significant = row.p_adjusted <= LEVEL
    if not is_readable(row):
        p_value = "region " if region_text(row.represented, row.region_auc, row.p_region) else "– "
    else:
        p_value = f"{p_text(row.p_adjusted)}{'*' if significant else ' '}{'' if row.represented else '†'}"
    return *vt.effect_text(row), p_value, *([_step(row)] if step else [])


def _step(row: "vt.ConceptResult") -> str:
    if not math.isfinite(row.step):
        return "– "
    return f"{with_decimals_of(row, row.step)}{_DIFFERS if step_disagrees(row) else ' '}"


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
    if _has_step(result):
        words = step_words(result.constants.step_at)
        notes.append(f"step: what {words} along the CAV does, run through the rest of the network.")
    if any(map(step_disagrees, result if every else strongest_results(result))):
        notes.append(f"{_DIFFERS} another sign, or not within a factor of two: believe the step.")
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


def print_interventions(result: "vt.TcavResult", *, every: bool) -> None:
    """Operations other than the step, one row each; at the deepest of their layers unless every one is asked for."""
    rows = [row for row in result.interventions if row.operation in _OPERATIONS and _is_own(row)]
    if not rows:
        return
    rows = [row for row in rows if every or row.layer == rows[-1].layer]
    short_layers = render.without_common_prefix([row.layer for row in rows])
    unit = units(result[0].against)
    where = "" if every else f" at {rows[-1].layer}"
    render.out.print(f"\n[bold]What would it say?[/] [dim]({render.escape(f'{unit}{where}')})[/]")
    numbers = ("effect", "95 %", "p")
    columns = ("concept", *(["layer"] if every else []), "operation")
    table = render.table(*columns, *numbers, "", numbers=numbers, unbroken=("operation",))
    for row in rows:
        names = [comparison_name(row.concept, row.versus), *([short_layers[row.layer]] if every else [])]
        table.add_row(*map(render.escape, names), row.operation, *_edited(row), _changed(row))
    render.out.print(table)
    notes = [_OPERATIONS[name] for name in dict.fromkeys(row.operation for row in rows)]
    render.paragraph(" ".join([*notes, "p: against CAVs of permuted labels, not adjusted."]), style="dim")


def _is_own(row: InterventionEffect) -> bool:
    """Whether a row is of the concept itself; restored class clips stand in the rows of what their twins show."""
    return row.twin == "none" or (row.operation == "restore" and row.twin in ("order", "shuffled"))


def _edited(row: InterventionEffect) -> tuple[str, str, str]:
    form = "{:+.0%}" if row.operation == "restore" else "{:+.2f}"
    effect, low, high = (form.format(number) for number in (row.effect, row.effect_low, row.effect_high))
    return effect, f"[{low}, {high}]", p_text(row.p_value)


def _changed(row: InterventionEffect) -> str:
    if row.operation == "restore":
        return f"of {_LOSERS.get(row.twin, row.twin)}"
    return f"{row.changed:.0%} change class" if math.isfinite(row.changed) else ""


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
