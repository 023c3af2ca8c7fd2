"""Results of concepts in words: never among those of clip CAVs, and each says whether it was checked against clips."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import pandas as pd

from video_tcav.core.displays import PlainText, html_heading, html_list, html_table
from video_tcav.core.files import check_writable, write_in_turn, write_json
from video_tcav.core.item_sequence import ItemSequence
from video_tcav.core.tables import write_csv, write_parquet
from video_tcav.gram.thresholds import LEVEL
from video_tcav.media import Skipped
from video_tcav.tcav.settings import At
from video_tcav.tcav.text_concepts.measure import TextMeasurement
from video_tcav.tcav.wording import p_equals, signed, units, verb

UNCHECKED = "Not checked against clips."


@dataclass(frozen=True, kw_only=True)
class TextConstants:
    """What is the same for every text of a run.

    Attributes:
        target: name of the class.
        against: what the target is.
        at: where the gradient is taken.
        space: feature space.
        cav: how clip CAVs are learned, where there are clips.
        encoder: name of the encoder.
        template: the sentence around each text.
        words: how many other words there were.
        correction: of p-values.
        n_clips: unlabelled clips that the map is learned from.
        n_groups: their independent groups.
        n_class_clips: clips at which the gradient was taken.
    """

    target: str
    against: str
    at: At
    space: str
    cav: str
    encoder: str
    template: str
    words: int
    correction: str
    n_clips: int
    n_groups: int
    n_class_clips: int


@dataclass(frozen=True, kw_only=True)
class TextConceptResult(TextMeasurement):
    """The numbers of one text at one layer, with the p-value corrected for all texts and layers of the run.

    Attributes:
        p_adjusted: corrected.
        family_size: how many tests it was corrected for.
    """

    p_adjusted: float
    family_size: int

    @property
    def is_checked(self) -> bool:
        """Whether there were clips of the concept to compare the text CAV with."""
        return math.isfinite(self.cosine)

    @property
    def is_borne_out(self) -> bool:
        """Whether clips of the concept lie further along the text CAV than random ones; never without such clips."""
        return self.is_checked and self.cosine > 0 and self.p_clips <= LEVEL

    def check_text(self) -> str:
        """What clips of the same concept say of the text CAV, as a sentence."""
        if not self.is_checked:
            return UNCHECKED
        auc = f"AUC {self.clip_auc:.2f} against random clips (p {p_equals(self.p_clips)})"
        figures = f"cosine {signed(self.cosine)} with their CAV, {auc}"
        return f"Its clips {'bear' if self.is_borne_out else 'do not bear'} it out: {figures}."

    def gate_text(self) -> str:
        """Why the layer does not represent the text, in words."""
        if self.r_squared <= 0:
            return f"embeddings predict nothing of it (R² {self.r_squared:.2f})"
        return (
            "clips that are more like the text are not further along it"
            f" (r {self.correlation:.2f}, p {p_equals(self.p_correlation)})"
        )


@dataclass(frozen=True, kw_only=True, repr=False)
class TextTcavResult(ItemSequence[TextConceptResult]):
    """All results of concepts in words: a sequence with one for each text and layer.

    Attributes:
        constants: what is the same for all.
        results: one for each text and layer.
        skipped: files that could not be used, and why.
        warnings: what a reader must know before believing the numbers.
        provenance: versions, settings, digests of model and clips.
    """

    FIELD: ClassVar[str] = "results"

    constants: TextConstants
    results: tuple[TextConceptResult, ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]
    provenance: Mapping[str, Any]

    def get(self, text: str, layer: str) -> TextConceptResult | None:
        """The result of a text at a layer."""
        return next((row for row in self.results if (row.text, row.layer) == (text, layer)), None)

    def strongest(self) -> tuple[TextConceptResult, ...]:
        """For each text the layer with the smallest p, among those that represent it, if any does."""
        by_text: dict[str, list[TextConceptResult]] = {}
        for result in self.results:
            by_text.setdefault(result.text, []).append(result)
        return tuple(
            min(rows, key=lambda row: (not row.represented, row.p_value, -abs(row.effect))) for rows in by_text.values()
        )

    def sentences(self) -> tuple[str, ...]:
        """One for each text."""
        return tuple(self._sentence(row) for row in self.strongest())

    def _sentence(self, row: TextConceptResult) -> str:
        constants = self.constants
        if not row.represented:
            return f"“{row.text}” in words: {row.layer} does not represent it, {row.gate_text()}, so its effect says nothing."
        size = f"{signed(row.effect)} {units(constants.against)} for one standard deviation of your clips"
        limits = f"[{signed(row.effect_low)}, {signed(row.effect_high)}]"
        compared = f"adjusted p {p_equals(row.p_adjusted)} among {constants.words:,} other words"
        if row.p_adjusted > LEVEL:
            return (
                f"“{row.text}” in words: no effect on {constants.target} is shown at {row.layer}: {size} {limits}, {compared}. "
                f"{row.check_text()}"
            )
        return (
            f"“{row.text}” in words {verb(row.effect)} {constants.target} at {row.layer}: {size} {limits}, {compared}. "
            f"{row.check_text()}"
        )

    def summary(self) -> str:
        """Plain sentences, then what to beware of."""
        return PlainText("\n".join([*self.sentences(), *(f"Caution: {text}" for text in self.warnings)]))

    def to_frame(self) -> pd.DataFrame:
        """One row a text and layer, with the run's constants."""
        return pd.DataFrame([asdict(self.constants) | asdict(result) for result in self.results])

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file."""
        return {
            "provenance": dict(self.provenance),
            "constants": asdict(self.constants),
            "sentences": list(self.sentences()),
            "warnings": list(self.warnings),
            "skipped": [asdict(skipped) for skipped in self.skipped],
            "text_results": [asdict(result) for result in self.results],
        }

    def to_json(self, path: str | Path) -> None:
        """Write everything as JSON."""
        write_json(Path(path), self.to_dict())

    def save(self, folder: str | Path) -> Path:
        """Write `text_results.json`, `.csv` and `.parquet` into a folder.

        Raises:
            OutputError: if any cannot be written.
        """
        writers = {
            "text_results.json": self.to_json,
            "text_results.csv": lambda path: write_csv(path, self.to_frame()),
            "text_results.parquet": lambda path: write_parquet(path, self.to_frame()),
        }
        write_in_turn(check_writable(Path(folder)), writers)
        return Path(folder)

    def __repr__(self) -> str:
        texts = len({row.text for row in self.results})
        return f"<TextTcavResult for {self.constants.target!r}: {len(self)} results, {texts} texts>"

    def _repr_html_(self) -> str:
        """How a notebook shows it: sentences, the strongest layer of each text, and what to beware of."""
        columns = ("in words", "layer", "effect", "adjusted p", "R²", "r", "cosine with clips")
        rows = [
            (
                row.text,
                row.layer,
                signed(row.effect) if row.represented else "–",
                p_equals(row.p_adjusted) if row.represented else "–",
                f"{row.r_squared:.2f}",
                f"{row.correlation:.2f}",
                f"{row.cosine:.2f}" if row.is_checked else "not checked",
            )
            for row in self.strongest()
        ]
        return (
            html_heading(f"Concepts in words and {self.constants.target}")
            + html_list(self.sentences())
            + html_table(columns, rows, numbers=columns[2:])
            + html_list(self.warnings, prefix="⚠ ")
        )
