"""Section of a target: what the rest of the network says of edited activations, where interventions were made."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from video_tcav.experiments import Analysis
from video_tcav.reports.charts import SERIES, bare_lines, label_axes, panel_grid
from video_tcav.reports.effect_charts import Chart
from video_tcav.reports.run.section import TemplateSection, Values
from video_tcav.reports.run.text import table
from video_tcav.reports.run.view import TargetView, chart_settings
from video_tcav.tcav import ConceptResult
from video_tcav.tcav.cav_key import comparison_name
from video_tcav.tcav.interventions.effects import InterventionEffect
from video_tcav.tcav.interventions.intervene import MOST_FAR
from video_tcav.tcav.wording import interval, p_equals, p_text, percent, signed, step_disagrees

# Operation and row in which it stands: restored class clips stand in the rows of what their twins show.
COLUMNS = {
    ("step", "none"): "Step",
    ("clamp", "none"): "Clamp",
    ("remove", "none"): "Remove",
    ("restore", "none"): "Restored of frozen",
    ("restore", "order"): "Restored of reversed",
    ("restore", "shuffled"): "Restored of shuffled",
}
MEANINGS = {
    "step": "Step: half the difference between a whole step towards the concept and one away from it, at {place} clips.",
    "clamp": "Clamp: with as much of the concept as its clips have, less with as much as random clips have.",
    "remove": "Remove: the clip as it is, less with as much of the concept as random clips have.",
    "restore": "Restored: the share of what twins of the clips lose that comes back through this concept alone.",
}


@dataclass(frozen=True, kw_only=True)
class EditedRow:
    """One concept at one layer of one model.

    Attributes:
        model: short name.
        name: of the concept, or of the comparison.
        result: with the slope.
        cells: by column, what was made.
    """

    model: str
    name: str
    result: ConceptResult
    cells: dict[tuple[str, str], InterventionEffect]

    @property
    def words(self) -> str:
        """What a reader must know about the row."""
        words = "The slope does not tell what the model would say." if step_disagrees(self.result) else ""
        far = max((cell.far for cell in self.cells.values() if not math.isnan(cell.far)), default=0.0)
        return f"{words} Edits lead far from all clips ({percent(far)}).".strip() if far > MOST_FAR else words


class Section(TemplateSection[TargetView]):
    name, title, order, folded = "interventions", "What would it say?", 150, False

    def values(self, view: TargetView) -> Values:
        rows = view.once(edited_rows)
        if not rows:
            return None
        columns = made_columns(rows)
        return {
            "columns": [(key, COLUMNS[key]) for key in columns],
            "meanings": [
                text.format(place=rows[0].result.step_at)
                for name, text in MEANINGS.items()
                if name in {operation for operation, _ in columns}
            ],
            "rows": rows,
            "compared": [each for row in rows for each in _compared(row)],
            "size_and_interval": size_and_interval,
            "changed_text": changed_text,
            "relabellings": view.experiment.interventions.relabellings,
        }

    def markdown(self, view: TargetView) -> str | None:
        rows = view.once(edited_rows)
        if not rows:
            return None
        columns = made_columns(rows)
        heads = ("concept", *(["model"] if view.many_models else []), "layer", f"slope, {view.unit}")
        cells = [
            (
                *(row.name, *([row.model] if view.many_models else []), row.result.layer, signed(row.result.effect)),
                *(cell_text(row.cells.get(key)) for key in columns),
                row.words,
            )
            for row in rows
        ]
        return f"### {self.title}\n\n" + table((*heads, *(COLUMNS[key].lower() for key in columns), "in words"), cells)

    def charts(self, view: TargetView) -> Sequence[Chart]:
        chart = view.once(doses_chart)
        return [] if chart is None else [chart]


def edited_rows(view: TargetView) -> list[EditedRow]:
    """A row a concept, model and layer where any operation was made."""
    return [
        row for model, analysis in zip(view.models, view.analyses, strict=True) for row in _rows_of(model, analysis)
    ]


def _rows_of(model: str, analysis: Analysis) -> Iterator[EditedRow]:
    cells: dict[tuple[str, str, str], dict[tuple[str, str], InterventionEffect]] = {}
    for effect in analysis.interventions:
        if (column := (effect.operation, effect.twin)) in COLUMNS:
            cells.setdefault((effect.concept, effect.versus, effect.layer), {})[column] = effect
    for (concept, versus, layer), of_row in cells.items():
        stored = analysis.get(concept, layer, versus=versus)
        if stored is not None:
            yield EditedRow(model=model, name=comparison_name(concept, versus), result=stored.result, cells=of_row)


def made_columns(rows: Sequence[EditedRow]) -> list[tuple[str, str]]:
    """Columns that any row has something in, in their order."""
    return [column for column in COLUMNS if any(column in row.cells for row in rows)]


def size_and_interval(effect: InterventionEffect) -> tuple[str, str]:
    """The effect and its interval; shares as percentages."""
    if effect.operation == "restore":
        return percent(effect.effect), f"{percent(effect.effect_low)} to {percent(effect.effect_high)}"
    return signed(effect.effect), interval(effect.effect_low, effect.effect_high)


def cell_text(effect: InterventionEffect | None) -> str:
    """Effect, interval, p and share of changed first classes in one cell."""
    if effect is None:
        return "–"
    size, limits = size_and_interval(effect)
    p_value = "" if math.isnan(effect.p_value) else f", p {p_equals(effect.p_value)}"
    return f"{size} ({limits}{p_value})" + changed_text(effect, before="; ")


def changed_text(effect: InterventionEffect, *, before: str = "") -> str:
    """In how many clips the first class changes; nothing where that means nothing."""
    return "" if math.isnan(effect.changed) else f"{before}{percent(effect.changed)} change class"


def _compared(row: EditedRow) -> Iterator[tuple[EditedRow, str, str, str, str, str]]:
    """What operations are compared with: relabelled CAVs, the data's own directions, and how far edits lead."""
    for column, effect in row.cells.items():
        is_share = effect.operation == "restore"
        form = percent if is_share else signed
        relabelled = "–" if math.isnan(effect.null_low) else f"{form(effect.null_low)} to {form(effect.null_high)}"
        manifold = (
            "–" if math.isnan(effect.manifold) else (percent(effect.manifold) if is_share else f"{effect.manifold:.2f}")
        )
        yield row, COLUMNS[column], relabelled, manifold, _changed_with_null(effect), percent(effect.far)


def _changed_with_null(effect: InterventionEffect) -> str:
    if math.isnan(effect.changed):
        return "–"
    limits = f"{percent(effect.changed_low)} to {percent(effect.changed_high)}"
    null = (
        ""
        if math.isnan(effect.changed_null)
        else f"; relabelled {percent(effect.changed_null)}, p {p_text(effect.changed_p)}"
    )
    return f"{percent(effect.changed)} ({limits}{null})"


def doses_chart(view: TargetView) -> Chart | None:
    """The target along the CAV of each concept, where doses were made; at each model's last layer that has them."""
    curves = {
        concept: [_curve(analysis, concept) for analysis in view.analyses]
        for concept in view.concepts
        if any(_curve(analysis, concept) for analysis in view.analyses)
    }
    if not curves:
        return None
    settings = chart_settings(
        view,
        "doses",
        title=f"{view.target}: dose curves",
        label=f"Change of {view.target} along the concept vectors, with 95 % intervals.",
        axis=f"change, {view.unit}",
        significance=False,
        dotted=False,
    )

    def draw(width: float) -> Figure:
        figure, grid = panel_grid(
            list(curves), panel_height=2.1, extra_height=0.8, gap=0.04, width=width, sharex=True, sharey=True
        )
        for axes, lines in zip(grid, curves.values(), strict=True):
            for number, line in enumerate(lines):
                series = SERIES[number % len(SERIES)]
                multiples = [point.multiple for point in line]
                low, high = [point.effect_low for point in line], [point.effect_high for point in line]
                axes.fill_between(multiples, low, high, color=series.colour, alpha=0.16, linewidth=0)
                effects = [point.effect for point in line]
                axes.plot(multiples, effects, color=series.colour, marker=series.marker, markersize=4, linewidth=1.5)
            bare_lines(axes)
        label_axes(figure, across="steps towards the concept", up=settings.axis)
        return figure

    words = [
        f"{model}, {concept}, {point.multiple:g} steps {point.effect:+.2f}"
        for concept, lines in curves.items()
        for model, line in zip(view.models, lines, strict=True)
        for point in line
    ]
    return settings.finished(draw, "; ".join(words))


def _curve(analysis: Analysis, concept: str) -> list[InterventionEffect]:
    doses = [
        effect
        for effect in analysis.interventions
        if (effect.operation, effect.concept, effect.versus, effect.twin) == ("dose", concept, "random", "none")
    ]
    return sorted((each for each in doses if each.layer == doses[-1].layer), key=lambda each: each.multiple)
