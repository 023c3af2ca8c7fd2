"""Charts of a discovery: the effect of each component with its interval."""

import math

from video_tcav.discovery import Component, DiscoveryResult
from video_tcav.reports.charts import Interval
from video_tcav.reports.effect_charts import Chart, ChartSettings, rows_chart
from video_tcav.tcav.wording import units

MOST_ROWS = 12
"""Of the chart, unless more are confirmed."""


def components_chart(result: DiscoveryResult) -> Chart | None:
    """The confirmed components and the largest of the others; filled where a test confirmed. None if no effect was measured."""
    measured = [component for component in result if not math.isnan(component.effect)]
    rows = measured[: max(MOST_ROWS, len(result.confirmed))]
    if not rows:
        return None
    unit = units(result.against)
    taken_out = any(not math.isnan(component.removed) for component in rows)
    settings = ChartSettings(
        name="components",
        title="Effects of components",
        label=f"Effects of components on “{result.target}”, in {unit}.",
        axis=f"effect on “{result.target}”, {unit}",
        models=["slope", "lost without it"] if taken_out else ["component"],
        significance=False,
    )
    return rows_chart(
        settings, [(_row_name(component), _intervals(component)[: 1 + taken_out]) for component in rows], labels=True
    )


def _intervals(component: Component) -> list[Interval | None]:
    """By slope, and by removal where it was taken out."""
    slope = Interval(
        value=component.effect,
        low=component.effect_low,
        high=component.effect_high,
        filled=component.confirmed_by == "slope",
    )
    if math.isnan(component.removed):
        return [slope, None]
    removal = Interval(
        value=component.removed,
        low=component.removed_low,
        high=component.removed_high,
        filled=component.confirmed_by == "removal",
    )
    return [slope, removal]


def _row_name(component: Component) -> str:
    """Short: a phone has room for half of `component-3@stages.2`, and all would look the same."""
    return component.name.replace("component-", "#", 1)
