"""A finished run as one page: the question, the verdicts, and everything that they rest on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from video_tcav.core.files import check_file_writable, write_text
from video_tcav.experiments import Run
from video_tcav.reports.charts import write_figure
from video_tcav.reports.page import render_page
from video_tcav.reports.run.charts import Chart, effects_chart, layers_chart, pairs_chart, twins_chart
from video_tcav.reports.run.clip_budget import fitting_clips, no_clips
from video_tcav.reports.run.clips import heat_table
from video_tcav.reports.run.diagnostics import Diagnostic, diagnostics
from video_tcav.reports.run.markdown import markdown
from video_tcav.reports.run.methods_text import bibtex, methods
from video_tcav.reports.run.provenance import commands, experiment_file, provenance_facts
from video_tcav.reports.run.summaries import (
    TTEST,
    TestReading,
    cautions,
    count_words,
    meanings,
    pair_readings,
    test_readings,
    twin_readings,
)
from video_tcav.reports.run.timeline import line_look
from video_tcav.reports.run.verdicts import cards
from video_tcav.reports.run.view import TargetView, layers_of, model_words, target_views
from video_tcav.tcav import ConceptResult
from video_tcav.tcav.summaries import units

MOST_BYTES, MOST_ROWS = 15_000_000, 1000


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """What the page shows of one target."""

    view: TargetView
    effects: Chart
    layers: Chart | None
    layer_names: list[tuple[str, str]]
    pairs: Chart | None
    pair_readings: list[Any]
    twins: Chart | None
    twin_readings: list[Any]
    comparisons: list[tuple[str, ConceptResult]]
    frozen: bool
    spaces: list[tuple[str, str, list[ConceptResult | None]]]
    tests: list[TestReading]
    differ: int
    faint: bool

    def charts(self) -> list[tuple[str, Chart]]:
        """Each with its title."""
        target = self.view.target
        named = {
            f"What moves {target}": self.effects,
            f"{target}: where in the network": self.layers,
            f"{target}: static against dynamic": self.pairs,
            f"{target}: motion, or picture": self.twins,
        }
        return [(title, chart) for title, chart in named.items() if chart is not None]


def write_report(run: Run, path: str | Path, *, most_bytes: int = MOST_BYTES) -> Path:
    """Write a run's report: one HTML page that opens offline and asks for nothing else.

    Beside it go the same as Markdown, under the same name, and the folder `figures` with each chart as SVG and PNG. It is
    made from the run alone, so that the same run gives the same bytes.

    Args:
        run: from `load_run`.
        path: of the page; ends in .html.
        most_bytes: size of the page. Clips that go beyond are made smaller, and then left out, and the page says so.

    Returns:
        `path`.

    Raises:
        ExperimentError: if a file of the run is missing or damaged.
        OutputError: if a file cannot be written.
    """
    path = Path(path)
    check_file_writable(path)
    parts, found = [_part(run, view) for view in target_views(run)], diagnostics(run)
    charts = [chart for part in parts for chart in part.charts()]
    charts += [(one.title, chart) for one in found for chart in one.charts]
    for _, chart in charts:
        for ending in (".svg", ".png"):
            write_figure(chart.figure, path.parent / "figures" / f"{chart.name}{ending}", name=chart.name)
    write_text(path.with_suffix(".md"), markdown(run, charts, folder="figures"))
    values = _values(run, parts, found)
    bare = len(render_page("report.html.j2", **values, **no_clips()).encode())
    write_text(path, render_page("report.html.j2", **values, **fitting_clips(run, most_bytes - bare)))
    return path


def _part(run: Run, view: TargetView) -> Part:
    experiment = run.experiment
    tests = experiment.statistics.tests
    other = next((name for name in tests if name != tests[0]), None)
    readings: list[TestReading] = []
    if other is not None:
        views = {test: target_views(run, test=test)[view.number - 1] for test in tests}
        readings = test_readings(views["permutation"], views["ttest"])
    by_space = [target_views(run, space=space)[view.number - 1] for space in experiment.spaces]
    spaces = [
        (concept, model, [one.find(one.analyses[place], concept) for one in by_space])
        for place, model in enumerate(view.models)
        for concept in view.concepts
    ]
    names: dict[str, list[str]] = {}
    for analysis in view.analyses:
        names.setdefault(_numbered(layers_of(analysis)), []).append(model_words(analysis.which.model))
    return Part(
        view=view,
        effects=effects_chart(view),
        layers=layers_chart(view),
        layer_names=[(layers, ", ".join(models)) for layers, models in names.items()],
        pairs=pairs_chart(view),
        pair_readings=pair_readings(view),
        twins=twins_chart(view),
        twin_readings=twin_readings(view),
        comparisons=list(view.comparisons()),
        frozen=any(one.negatives == "frozen" for _, one in view.comparisons()),
        spaces=spaces if len(by_space) > 1 else [],
        tests=readings,
        differ=sum(one.differ for one in readings),
        faint=any(not found.result.represented for one in view.analyses for found in one.found),
    )


def _numbered(layers: Sequence[str]) -> str:
    return ", ".join(f"{place} {layer}" for place, layer in enumerate(layers, start=1))


def _values(run: Run, parts: Sequence[Part], found: Sequence[Diagnostic]) -> dict[str, Any]:
    """Everything but the clips."""
    experiment = run.experiment
    names, results = _results(run)
    return {
        "title": experiment.title,
        "description": [text.strip() for text in experiment.description.split("\n\n") if text.strip()],
        "count_words": count_words(run),
        "tally": [(word, count) for word, count in run.counts().items() if count],
        "unit": units(experiment.against),
        "level": f"{experiment.statistics.level:g}",
        "alpha": experiment.statistics.level,
        "cards": cards(run),
        "meanings": meanings(run),
        "cautions": cautions(run),
        "parts": parts,
        "spaces": experiment.spaces,
        "ttest_words": TTEST,
        "diagnostics": found,
        "remarks": run.remarks(),
        "methods": methods(run),
        "bibtex": bibtex(run),
        "commands": commands(run),
        "result_names": names,
        "results": results[:MOST_ROWS],
        "left_out_rows": max(0, len(results) - MOST_ROWS),
        "provenance": provenance_facts(run),
        "experiment_file": experiment_file(run),
        "heat": heat_table(),
        "looks": line_look,
        "many_models": len(experiment.all_models()) > 1,
        "many_targets": len(experiment.targets) > 1,
        "created": run.record["provenance"]["created"],
        "version": run.record["provenance"]["video_tcav"],
    }


def _results(run: Run) -> tuple[list[str], list[tuple[list[str], ConceptResult]]]:
    """Names of the columns that tell results apart, and every result with what stands there."""
    columns = ["Concept", "Twin", "Layer"]
    which = {"Model": "model", "Target": "target", "Space": "space", "Test": "test"}
    told = {
        name: field for name, field in which.items() if len({getattr(one.which, field) for one in run.analyses}) > 1
    }
    rows = []
    for analysis in run.analyses:
        for found in analysis.found:
            one = found.result
            concept = one.concept if one.versus == "random" else f"{one.concept} rather than {one.versus}"
            own = [concept, "–" if one.twin == "none" else one.twin, one.layer]
            rows.append((own + [str(getattr(analysis.which, field)) for field in told.values()], one))
    return columns + list(told), rows
