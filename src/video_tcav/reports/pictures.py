"""Figures of results for notebooks and scripts: behind `TcavResult.plot`, `Explanation.show` and others."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from video_tcav.auditing import AuditResult
from video_tcav.core.errors import InputError
from video_tcav.discovery import DiscoveryResult
from video_tcav.explanation import Explanation
from video_tcav.gram.thresholds import LEVEL
from video_tcav.reports.audit.charts import versions_chart
from video_tcav.reports.charts import Interval, Rows, StyledFigure
from video_tcav.reports.discovery.charts import components_chart
from video_tcav.reports.effect_charts import ChartSettings, panels_chart, rows_chart
from video_tcav.reports.intervention_charts import dose_figure as dose_figure
from video_tcav.reports.intervention_charts import edited_clips_figure as edited_clips_figure
from video_tcav.reports.intervention_charts import removal_matrix_figure as removal_matrix_figure
from video_tcav.reports.maps.contact_sheet import sheet_picture
from video_tcav.reports.maps.files import map_title, on_video
from video_tcav.reports.pair_charts import pairs_figure as pairs_figure
from video_tcav.tcav import ConceptResult, TcavResult
from video_tcav.tcav.wording import comparison_name, units

_SERIES = {"none": "effect", "motion": "motion effect", "order": "order effect"}
_SHEET_DPI = 100


def effects_figure(result: TcavResult) -> Figure:
    """Effects with intervals: a panel a concept with a row a layer, or, of a single layer, a row a concept."""
    twins = [twin for twin in _SERIES if any(row.twin == twin for row in result)]
    settings = ChartSettings(
        name="effects",
        label="",
        axis=f"effect on “{result.constants.target}”, {units(result.constants.against)}",
        models=[_SERIES[twin] for twin in twins],
        level=LEVEL,
        dotted=any(not row.represented for row in result),
    )
    concepts: dict[str, Rows] = {}
    layers = list(dict.fromkeys(row.layer for row in result))
    for name in dict.fromkeys(comparison_name(row.concept, row.versus) for row in result):
        rows = [row for row in result if comparison_name(row.concept, row.versus) == name]
        concepts[name] = [(layer, _intervals(rows, layer, twins)) for layer in layers]
    if len(layers) == 1:
        return rows_chart(settings, [(name, rows[0][1]) for name, rows in concepts.items()], labels=True).figure
    return panels_chart(settings, concepts).figure


def _intervals(rows: Sequence[ConceptResult], layer: str, twins: Sequence[str]) -> list[Interval | None]:
    """One a twin, filled where it is significant, dotted where the layer does not represent the concept."""
    at_layer = {row.twin: row for row in rows if row.layer == layer}
    return [
        Interval(
            value=row.effect,
            low=row.effect_low,
            high=row.effect_high,
            filled=row.p_adjusted <= LEVEL,
            dotted=not row.represented,
        )
        if (row := at_layer.get(twin)) is not None
        else None
        for twin in twins
    ]


def components_figure(result: DiscoveryResult) -> Figure:
    """Effects of the components of a discovery, filled where confirmed."""
    chart = components_chart(result)
    if chart is None:
        raise InputError("`result` must hold an effect. Got components that too few clips have. Give more clips.")
    return chart.figure


def versions_figure(result: AuditResult) -> Figure:
    """Accuracy of each version of an audit."""
    return versions_chart(result).figure


def explanation_figure(explanation: Explanation, *, signed: bool) -> Figure:
    """The contact sheet of a map."""
    signed = signed or bool(explanation.concept)
    shown_map = on_video(explanation)
    sheet = sheet_picture(
        shown_map.frames,
        shown_map.heat if signed else shown_map.heat.clamp(min=0),
        times_s=shown_map.times_s,
        title=map_title(explanation),
        signed=signed,
        seen=None if bool(shown_map.seen.all()) else shown_map.seen,
    )
    # A picture on axes, since the sheet's own pixels fit one resolution alone, and a figure may be saved at any.
    height, width = sheet.shape[-2:]
    figure = StyledFigure(figsize=(width / _SHEET_DPI, height / _SHEET_DPI), dpi=_SHEET_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(sheet.permute(1, 2, 0).numpy())
    axes.set_axis_off()
    return figure
