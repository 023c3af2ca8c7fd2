"""Settings and numbers of a target's charts."""

from typing import Any

from video_tcav.reports.charts import Interval, shortened
from video_tcav.reports.effect_charts import ChartSettings
from video_tcav.reports.run.names import slug
from video_tcav.reports.run.view import TargetView
from video_tcav.tcav import ConceptResult


def chart_settings(view: TargetView, kind: str, **texts: Any) -> ChartSettings:
    """Settings of a chart of that kind, such as `effects`, with its title, label and perhaps axis."""
    options = {
        "axis": f"effect on “{shortened(view.target)}”, {view.unit}",
        "level": view.level,
        "dotted": any(not row.represented for row in view.results),
    }
    name = f"{kind}-{view.number}-{slug(view.target)}"
    return ChartSettings(name=name, models=view.models, **{**options, **texts})


def effect_interval(view: TargetView, row: ConceptResult | None) -> Interval | None:
    """A result as it is drawn: filled where it is significant, dotted where the concept is not represented."""
    if row is None:
        return None
    filled, dotted = view.significant(row), not row.represented
    return Interval(value=row.effect, low=row.effect_low, high=row.effect_high, filled=filled, dotted=dotted)


def effect_intervals(view: TargetView, concept: str, twin: str = "none") -> list[Interval | None]:
    """One a model, at its deepest layer."""
    return [effect_interval(view, row) for row in view.per_model(concept, twin)]
