"""Agreement of estimators with interventions on pixels: correlation, rank, size and signs over class × value cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from benchmarks.interventions.cells import ESTIMATORS
from scipy import stats

SURE_SIGN = 0.5
"""Log-odds: signs of truths beyond this are counted."""


@dataclass(frozen=True, kw_only=True)
class AgreementRow:
    """One estimator over the cells of all models, averaged over drawings.

    Attributes:
        estimator: `baseline`, or what is estimated and at which clips.
        behind: stages that follow the layer; 0 at the deepest.
        drawings: how many.
        cells: of one drawing.
        pearson: correlation with the intervention on pixels, over all cells.
        rank: of Spearman, over cells whose intervention is not nil.
        size: slope of the regression on the intervention, through 0; 1 is right.
        least_pearson: of the drawings.
        least_rank: likewise.
        signs: share of right ones where the intervention is beyond 0.5 log-odds.
        other_error: mean size of what is said of values of factors that do not decide the class, less the intervention.
    """

    estimator: str
    behind: int
    drawings: int
    cells: int
    pearson: float
    rank: float
    size: float
    least_pearson: float
    least_rank: float
    signs: float
    other_error: float


def agreement_table(cells: pd.DataFrame) -> tuple[AgreementRow, ...]:
    """A row an estimator and stage, from the rows of `Cell`."""
    return tuple(
        _row(estimator, behind, [drawing for _, drawing in stage.groupby("drawing")])
        for behind, stage in ((int(str(behind)), stage) for behind, stage in cells.groupby("behind"))
        for estimator in ESTIMATORS
    )


def model_table(cells: pd.DataFrame) -> pd.DataFrame:
    """Rank correlation over cells that are not nil of each model and estimator, at each stage, averaged over drawings."""
    rows = [
        {"model": str(model).rpartition(":")[2], "behind": behind}
        | {name: _mean(_rank, name, [drawing for _, drawing in group.groupby("drawing")]) for name in ESTIMATORS}
        for (behind, model), group in cells.groupby(["behind", "model"])
    ]
    return pd.DataFrame(rows)


def sign_table(edits: pd.DataFrame) -> pd.DataFrame:
    """Right signs where the truth is beyond 0.5, and rank over all edits, of each estimator at each place and layer."""
    rows = []
    for keys, group in edits.groupby(["target", "at", "layer", "space"], sort=False):
        sure = group[group["truth"].abs() > SURE_SIGN]
        row = dict(zip(("target", "at", "layer", "space"), keys, strict=True)) | {"edits": len(sure)}
        for name in ("slope", "step", "clamp"):
            row[f"{name}_signs"] = int((np.sign(sure[name]) == np.sign(sure["truth"])).sum())
            row[f"{name}_rank"] = float(stats.spearmanr(group[name], group["truth"]).statistic)
        # a share of what was lost: its sign does not follow the truth's
        row["restored"] = int((sure["restore"] > 0).sum())
        rows.append(row)
    return pd.DataFrame(rows)


def _row(estimator: str, behind: int, drawings: Sequence[pd.DataFrame]) -> AgreementRow:
    return AgreementRow(
        estimator=estimator,
        behind=behind,
        drawings=len(drawings),
        cells=len(drawings[0]),
        pearson=_mean(_pearson, estimator, drawings),
        rank=_mean(_rank, estimator, drawings),
        size=_mean(_size, estimator, drawings),
        least_pearson=min(_pearson(estimator, drawing) for drawing in drawings),
        least_rank=min(_rank(estimator, drawing) for drawing in drawings),
        signs=_mean(_signs, estimator, drawings),
        other_error=_mean(_other_error, estimator, drawings),
    )


def _mean(measure: Callable[[str, pd.DataFrame], float], estimator: str, drawings: Sequence[pd.DataFrame]) -> float:
    return float(np.mean([measure(estimator, drawing) for drawing in drawings]))


def _pearson(estimator: str, cells: pd.DataFrame) -> float:
    return float(stats.pearsonr(cells[estimator], cells["truth"]).statistic)


def _rank(estimator: str, cells: pd.DataFrame) -> float:
    real = cells[~cells["nil"]]
    return float(stats.spearmanr(real[estimator], real["truth"]).statistic)


def _size(estimator: str, cells: pd.DataFrame) -> float:
    effects, truths = cells[estimator].to_numpy(), cells["truth"].to_numpy()
    return float(effects @ truths / (truths @ truths))


def _signs(estimator: str, cells: pd.DataFrame) -> float:
    sure = cells[cells["truth"].abs() > SURE_SIGN]
    return float((np.sign(sure[estimator]) == np.sign(sure["truth"])).mean())


def _other_error(estimator: str, cells: pd.DataFrame) -> float:
    others = cells[~cells["is_cause"]]
    return float((others[estimator] - others["truth"]).abs().mean())
