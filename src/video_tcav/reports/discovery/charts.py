"""Charts of a discovery: the effect of each component with its interval."""

import math

from video_tcav.discovery import Component, DiscoveryResult
from video_tcav.reports.charts import Interval
from video_tcav.reports.effect_charts import Chart, ChartSettings, rows_chart
from video_tcav.tcav.wording import units

MOST_ROWS = 12
"""Of the chart, unless more are confirmed."""


def components_chart(result: DiscoveryResult) -> Chart | None:
    """The confirmed components and the largest of the others; filled where confirmed. None if no effect was measured."""
    measured = [component for component in result if not math.isnan(component.effect)]
    rows = measured[: max(MOST_ROWS, len(result.confirmed))]
    if not rows:
        return None
    unit = units(result.against)
    settings = ChartSettings(
        name="components",
        title="Effects of components",
        label=f"Effects of components on “{result.target}”, in {unit}.",
        axis=f"effect on “{result.target}”, {unit}",
        models=["component"],
        significance=False,
    )
    return rows_chart(settings, [(_row_name(component), [_interval(component)]) for component in rows], labels=True)


def _interval(component: Component) -> Interval:
    return Interval(
        value=component.effect, low=component.effect_low, high=component.effect_high, filled=component.confirmed
    )


def _row_name(component: Component) -> str:
    """Short: a phone has room for half of `component-3@stages.2`, and all would look the same."""
    return component.name.replace("component-", "#", 1)
