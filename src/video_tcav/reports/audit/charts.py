"""Charts of an audit: the bar of shares, and the accuracy of each version with its interval."""

import math
from dataclasses import dataclass

from video_tcav.auditing import AuditResult, Share
from video_tcav.core.wording import percent
from video_tcav.reports.charts import Interval
from video_tcav.reports.effect_charts import Chart, ChartSettings, rows_chart


@dataclass(frozen=True, kw_only=True)
class BarPiece:
    """One player in the bar of shares.

    Attributes:
        player: its name.
        text: its share.
        limits: the 95 % interval of that.
        width: of the piece, in percent of the bar; a share below 0 has none.
    """

    player: str
    text: str
    limits: str
    width: float


def share_bar(shares: tuple[Share, ...]) -> tuple[BarPiece, ...]:
    """The bar, the largest share first; none where there is nothing to share out."""
    if not shares or math.isnan(shares[0].share):
        return ()
    total = sum(max(share.share, 0.0) for share in shares)
    return tuple(
        BarPiece(
            player=share.player,
            text=percent(share.share),
            limits=f"{percent(share.low)} to {percent(share.high)}",
            width=100 * max(share.share, 0.0) / total,
        )
        for share in sorted(shares, key=lambda share: -share.share)
    )


def versions_chart(result: AuditResult) -> Chart:
    """Accuracy of each version over all classes."""
    rows = [row for row in result if row.label is None]
    settings = ChartSettings(
        name="versions",
        title="Accuracy by version",
        label="Share of clips that the model is right about, in percent, by version.",
        axis="clips that it is right about, %",
        models=["right"],
        significance=False,
    )
    return rows_chart(
        settings,
        [
            (
                row.version.replace("_", " "),
                [Interval(value=100 * row.accuracy, low=100 * row.accuracy_low, high=100 * row.accuracy_high)],
            )
            for row in rows
        ],
    )
