"""Results of a run: constants once, one measurement a concept, version and layer, and what is behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import pandas as pd

from video_tcav.core.displays import PlainText, draw, html_heading, html_list, html_table
from video_tcav.core.errors import InputError
from video_tcav.core.files import write_json
from video_tcav.core.item_sequence import ItemSequence
from video_tcav.core.tables import write_csv, write_parquet
from video_tcav.gram.concept_test import Draws
from video_tcav.media import Skipped
from video_tcav.recording.clip_id import ClipId
from video_tcav.tcav.cav_key import CavKey
from video_tcav.tcav.completeness.results import NotMeasured, RunCompleteness
from video_tcav.tcav.concept_result import COLUMNS, ConceptResult, Measurement, RunConstants, join_rows
from video_tcav.tcav.diagnostics.diagnose import Diagnostics
from video_tcav.tcav.effect_check.result import EffectCheck
from video_tcav.tcav.interventions.effects import InterventionEffect
from video_tcav.tcav.summaries import sentences, strongest_results
from video_tcav.tcav.wording import comparison_name, effect_text, is_readable, p_text, represented_text, units

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Detail:
    """What a run knows beside its results.

    Attributes:
        target: class that is explained.
        draws: of each measurement, in the order of the results.
        class_clips: the class clips, in the order of `Draws.by_clip`.
        n_class_groups: how many independent groups they come from.
        diagnostics: how far its CAVs can be trusted.
        completeness: how much of the target its concepts explain together.
    """

    target: str
    draws: Mapping[CavKey, Draws]
    class_clips: tuple[ClipId, ...]
    n_class_groups: int
    diagnostics: Diagnostics
    completeness: RunCompleteness | NotMeasured

    def clip_frame(self) -> pd.DataFrame:
        """Effect of each concept at each class clip: one row a measurement and clip."""
        rows = [
            {"target": self.target, **asdict(key), "clip": clip.source, "window": clip.window, "effect": float(effect)}
            for key, draws in self.draws.items()
            for clip, effect in zip(self.class_clips, draws.by_clip, strict=True)
        ]
        return pd.DataFrame(rows)


@dataclass(frozen=True, kw_only=True, repr=False)
class TcavResult(ItemSequence[ConceptResult]):
    """All results of a run: a sequence of `ConceptResult`, one for each measurement.

    A slice is a result with those measurements alone; their p-values stay those of the whole run.

    Attributes:
        constants: what is the same for every measurement.
        measurements: one for each concept, version and layer.
        skipped: files that could not be used, and why.
        warnings: what a reader must know before believing the numbers.
        provenance: versions, settings, digests of model and clips.
        seconds: time spent, by part of the run.
        interventions: every operation on activations, with what it is compared with.
        effect_check: how far effects predict edits of the clips themselves, where that was measured.
        detail: what is behind the numbers, where it was asked for.
    """

    FIELD: ClassVar[str] = "measurements"

    constants: RunConstants
    measurements: tuple[Measurement, ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]
    provenance: Mapping[str, Any]
    seconds: Mapping[str, float]
    interventions: tuple[InterventionEffect, ...] = ()
    effect_check: EffectCheck | None = field(default=None, repr=False)
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

    @property
    def _items(self) -> tuple[ConceptResult, ...]:
        return self.results

    def summary(self) -> str:
        """Plain sentences: those of `sentences`, then what to beware of."""
        cautions = [f"Caution: {text}" for text in self.warnings]
        return PlainText("\n".join([*self.sentences(), *cautions]))

    def sentences(self) -> tuple[str, ...]:
        """One for each concept; with `detail`, the last says how much they explain together."""
        together = () if self.detail is None else (self.detail.completeness.sentence(),)
        return (*sentences(self), *together)

    def plot(self) -> "Figure":
        """Effects of all concepts by layer with their intervals, as a matplotlib figure.

        Filled points are significant; a dotted interval is of a concept that the layer does not represent.
        """
        return draw("effects_figure", self)

    def __repr__(self) -> str:
        concepts = len({(row.concept, row.versus) for row in self.results})
        layers = len({row.layer for row in self.results})
        return f"<TcavResult for {self.constants.target!r}: {len(self)} results, {concepts} concepts, {layers} layers>"

    def _repr_html_(self) -> str:
        """How a notebook shows it: sentences, the strongest layer of each concept, and what to beware of."""
        columns = ("concept", "layer", f"effect, {units(self.constants.against)}", "95 %", "adjusted p", "represented")
        rows = [
            (
                comparison_name(row.concept, row.versus),
                row.layer,
                *effect_text(row),
                p_text(row.p_adjusted) if is_readable(row) else "–",
                represented_text(row.represented, row.region_auc, row.p_region),
            )
            for row in strongest_results(self)
        ]
        return (
            html_heading(f"What moves {self.constants.target}")
            + html_list(self.sentences())
            + html_table(columns, rows, numbers=columns[2:5])
            + html_list(self.warnings, prefix="⚠ ")
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file; `completeness` only where there is a detail."""
        together = {} if self.detail is None else {"completeness": self.detail.completeness.to_dict()}
        return {
            "provenance": {**self.provenance, "seconds": dict(self.seconds)},
            "warnings": list(self.warnings),
            "skipped": [asdict(skipped) for skipped in self.skipped],
            "results": [asdict(result) for result in self.results],
            "interventions": [asdict(effect) for effect in self.interventions],
            "effect_check": None if self.effect_check is None else self.effect_check.to_dict(),
            **together,
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
