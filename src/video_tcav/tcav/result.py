"""Results of a run: frozen, named, and able to become a table."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from video_tcav.core.files import write_json
from video_tcav.core.tables import write_csv, write_parquet
from video_tcav.gram.cavs import CavKind
from video_tcav.gram.significance import Correction, Significance
from video_tcav.media import Skipped
from video_tcav.recording.feature_spaces import Space

if TYPE_CHECKING:
    from video_tcav.tcav.detail import Detail


@dataclass(frozen=True, kw_only=True)
class ConceptResult:
    """What one concept does to one target at one layer.

    Attributes:
        target: class that is explained.
        concept: name of the concept.
        versus: what it is compared with: `random`, or another concept (relative TCAV).
        twin: `none` for the concept's own clips; `frozen`, `reversed`, `shuffled` for twins of concept and random clips;
            `motion` for effect(concept) − effect(frozen twin), `order` for effect(concept) − effect(reversed twin).
        layer: dotted module name.
        space: feature space.
        cav: how the CAV was learned.
        against: the target's definition: `log_odds`, `logit` or `contrast:CLASS`.
        at: where the gradient was taken: at clips of the `class`, or at `random` clips set aside for it.
        negatives: `as given`, or `frozen` where the concept's clips do not move and the random clips were frozen to match;
            `moving` where it does not move and the random clips were left as they are.
        tcav_score: fraction of class clips whose target rises along the concept; for `motion` and `order` the fraction
            whose target rises more along the concept than along its twin. In [0, 1].
        tcav_score_std: its standard deviation over CAVs against random sets.
        tcav_magnitude: average directional derivative along the unit CAV, in target units per unit of activation; for
            `motion` and `order` the difference of the two.
        effect: first-order change of the target from the average random to the average concept clip, in target units.
        effect_low: lower end of its 95 % bootstrap interval.
        effect_high: upper end.
        z: effect in standard deviations of its permutation null (the t statistic under `ttest`).
        p_value: two-sided.
        p_adjusted: after correction over all results of the run with the same `twin` and `versus` kind.
        p_smallest: the smallest p-value that the groups can give, before correction.
        null_mean: average effect under relabelling, from which p_value and z are measured; near 0 unless groups hold
            concept and random clips in unequal shares.
        correction: how p_adjusted was made.
        significance: `permutation`, or the paper's anti-conservative `ttest`.
        cav_accuracy: cross-validated balanced accuracy of the CAV, groups kept whole; of the concept itself for
            `motion` and `order`.
        cav_p_value: one-sided permutation p of the accuracy.
        represented: whether the layer encodes the concept; if not, a small effect is no sign that it does not matter.
        n_class_clips: clips at which the gradient was taken.
        n_concept_clips: concept clips used.
        n_random_clips: random clips used.
        n_groups: independent groups among concept and random clips: the sample size.
        n_concept_groups: those among the concept clips.
    """

    target: str
    concept: str
    versus: str
    twin: str
    layer: str
    space: Space
    cav: CavKind
    against: str
    at: str
    negatives: str
    tcav_score: float
    tcav_score_std: float
    tcav_magnitude: float
    effect: float
    effect_low: float
    effect_high: float
    z: float
    p_value: float
    p_adjusted: float
    p_smallest: float
    null_mean: float
    correction: Correction
    significance: Significance
    cav_accuracy: float
    cav_p_value: float
    represented: bool
    n_class_clips: int
    n_concept_clips: int
    n_random_clips: int
    n_groups: int
    n_concept_groups: int


@dataclass(frozen=True, kw_only=True)
class TcavResult:
    """All results of a run.

    Attributes:
        results: one for each concept, version and layer.
        skipped: files that could not be used, and why.
        warnings: what a reader must know before believing the numbers.
        provenance: versions, settings, digests of model and clips.
        seconds: time spent, by part of the run.
        detail: what is behind the numbers, where it was asked for.
    """

    results: tuple[ConceptResult, ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]
    provenance: Mapping[str, Any]
    seconds: Mapping[str, float]
    detail: "Detail | None" = field(default=None, repr=False, compare=False)

    def to_frame(self) -> pd.DataFrame:
        """One row a result."""
        return pd.DataFrame(
            [asdict(result) for result in self.results], columns=[f.name for f in fields(ConceptResult)]
        )

    def _repr_html_(self) -> str:
        """How a notebook shows it: the table, and what to beware of."""
        table = self.to_frame()[
            ["concept", "versus", "twin", "layer", "effect", "effect_low", "effect_high", "p_adjusted"]
        ]
        warnings = "".join(f"<li>{escape(text)}</li>" for text in self.warnings)
        return f"{table.to_html(index=False, float_format='{:+.3g}'.format)}<ul>{warnings}</ul>"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file."""
        return {
            "provenance": {**self.provenance, "seconds": dict(self.seconds)},
            "warnings": list(self.warnings),
            "skipped": [asdict(skipped) for skipped in self.skipped],
            "results": [asdict(result) for result in self.results],
        }

    def to_json(self, path: str | Path) -> None:
        """Write everything as JSON."""
        write_json(Path(path), self.to_dict())

    def to_parquet(self, path: str | Path) -> None:
        """Write the table as Parquet."""
        write_parquet(Path(path), self.to_frame())

    def to_csv(self, path: str | Path) -> None:
        """Write the table as CSV."""
        write_csv(Path(path), self.to_frame())
