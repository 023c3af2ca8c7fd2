"""Results of a run: constants once, one measurement a concept, version and layer, and what is behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any, Self

import pandas as pd

from video_tcav.core.errors import InputError
from video_tcav.core.files import write_json
from video_tcav.core.tables import write_csv, write_parquet
from video_tcav.gram.concept_test import ConceptStatistics, Draws
from video_tcav.gram.corrections import Correction
from video_tcav.media import Skipped
from video_tcav.recording.clip_id import ClipId
from video_tcav.recording.feature_spaces import Space
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.diagnostics.diagnose import Diagnostics


@dataclass(frozen=True, kw_only=True)
class RunConstants:
    """What is the same for every measurement of a run.

    Attributes:
        target: class that is explained.
        against: the target's definition: `log_odds`, `logit` or `contrast:CLASS`.
        at: where the gradient was taken: at clips of the `class`, or at `random` clips set aside for it.
        space: feature space.
        cav: how the CAV was learned.
        correction: how p_adjusted was made.
        significance: the test: `studentised`, the plain `permutation`, the paper's anti-conservative `ttest`, or another
            registered one.
    """

    target: str
    against: str
    at: str
    space: Space
    cav: str
    correction: Correction
    significance: str


@dataclass(frozen=True, kw_only=True)
class MatchedStatistics(ConceptStatistics):
    """The numbers of one concept at one layer, in the family of tests that they belong to.

    Attributes:
        negatives: `as given`, or `frozen` where the concept's clips do not move and the random clips were frozen to match;
            `moving` where it does not move and the random clips were left as they are.
        p_adjusted: after correction over all results of the run with the same `twin` and `versus` kind.
        family_size: how many these are.
    """

    negatives: str
    p_adjusted: float
    family_size: int


@dataclass(frozen=True, kw_only=True)
class Measurement(MatchedStatistics):
    """The numbers of one concept, version and layer.

    Attributes:
        key: which CAV, or which difference of two.
    """

    key: CavKey


@dataclass(frozen=True, kw_only=True)
class ConceptResult(MatchedStatistics, RunConstants):
    """What one concept does to one target at one layer: a row of every table.

    Attributes:
        concept: name of the concept.
        versus: what it is compared with: `random`, or another concept (relative TCAV).
        twin: `none` for the concept's own clips; `frozen`, `reversed`, `shuffled` for twins of concept and random clips;
            `motion` for effect(concept) − effect(frozen twin), `order` for effect(concept) − effect(reversed twin).
        layer: dotted module name.
    """

    concept: str
    versus: str
    twin: str
    layer: str


_KEYS = ("target", "concept", "versus", "twin", "layer")
COLUMNS = (*_KEYS, *(f.name for f in fields(ConceptResult) if f.name not in _KEYS))
"""Of a table of results: what was asked first."""


@dataclass(frozen=True, kw_only=True)
class Detail:
    """What a run knows beside its results.

    Attributes:
        target: class that is explained.
        draws: of each measurement, in the order of the results.
        class_clips: the class clips, in the order of `Draws.by_clip`.
        n_class_groups: how many independent groups they come from.
        diagnostics: how far its CAVs can be trusted.
    """

    target: str
    draws: Mapping[CavKey, Draws]
    class_clips: tuple[ClipId, ...]
    n_class_groups: int
    diagnostics: Diagnostics

    def clip_frame(self) -> pd.DataFrame:
        """Effect of each concept at each class clip: one row a measurement and clip."""
        rows = [
            {"target": self.target, **asdict(key), "clip": clip.source, "window": clip.window, "effect": float(effect)}
            for key, draws in self.draws.items()
            for clip, effect in zip(self.class_clips, draws.by_clip, strict=True)
        ]
        return pd.DataFrame(rows)


@dataclass(frozen=True, kw_only=True)
class TcavResult:
    """All results of a run.

    Attributes:
        constants: what is the same for every measurement.
        measurements: one for each concept, version and layer.
        skipped: files that could not be used, and why.
        warnings: what a reader must know before believing the numbers.
        provenance: versions, settings, digests of model and clips.
        seconds: time spent, by part of the run.
        detail: what is behind the numbers, where it was asked for.
    """

    constants: RunConstants
    measurements: tuple[Measurement, ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]
    provenance: Mapping[str, Any]
    seconds: Mapping[str, float]
    detail: Detail | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of_rows(
        cls,
        rows: Sequence[ConceptResult],
        *,
        skipped: Sequence[Skipped] = (),
        warnings: Sequence[str] = (),
        provenance: Mapping[str, Any] | None = None,
        seconds: Mapping[str, float] | None = None,
    ) -> Self:
        """A result from the rows of one run, such as those of a table that was read again.

        Raises:
            InputError: if there is no row, or their constants differ.
        """
        # a table repeats the constants in every row; of one run they are all the same
        constants = [RunConstants(**{f.name: getattr(row, f.name) for f in fields(RunConstants)}) for row in rows]
        if len(set(constants)) != 1:
            raise InputError(
                "`rows` must be of one run. Got rows of none or several. Give those of one target and test."
            )
        numbers = [f.name for f in fields(Measurement) if f.name != "key"]
        return cls(
            constants=constants[0],
            measurements=tuple(
                Measurement(
                    key=CavKey(**{f.name: getattr(row, f.name) for f in fields(CavKey)}),
                    **{name: getattr(row, name) for name in numbers},
                )
                for row in rows
            ),
            skipped=tuple(skipped),
            warnings=tuple(warnings),
            provenance=provenance or {},
            seconds=seconds or {},
        )

    @cached_property
    def results(self) -> tuple[ConceptResult, ...]:
        """Each measurement with the run's constants: the rows of every table."""
        return join_rows(self.constants, self.measurements)

    def to_frame(self) -> pd.DataFrame:
        """One row a result."""
        return pd.DataFrame([asdict(result) for result in self.results], columns=list(COLUMNS))

    def _repr_html_(self) -> str:
        """How a notebook shows it: the table, and what to beware of."""
        # eight of some thirty columns: what fits a notebook's width
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


def join_rows(constants: RunConstants, measurements: Sequence[Measurement]) -> tuple[ConceptResult, ...]:
    """Rows of a table, from what all have in common and what differs."""
    rows = []
    for measurement in measurements:
        # not `asdict`, which would turn the key into a dict of its own
        numbers = {f.name: getattr(measurement, f.name) for f in fields(measurement) if f.name != "key"}
        rows.append(ConceptResult(**asdict(constants), **asdict(measurement.key), **numbers))
    return tuple(rows)
