"""Result of `intervene`: effects of operations, the target of every clip before and after, sentences, tables and figures."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd

from video_tcav.core.displays import PlainText, draw, html_heading, html_list, html_table
from video_tcav.core.files import write_json
from video_tcav.core.item_sequence import ItemSequence
from video_tcav.media import Skipped
from video_tcav.recording.clip_id import ClipId
from video_tcav.recording.settings import Space
from video_tcav.tcav.cav_key import CavKey, comparison_name
from video_tcav.tcav.interventions.effects import InterventionEffect, OperationDraws, effects_frame
from video_tcav.tcav.interventions.operations import UNEDITED
from video_tcav.tcav.interventions.sentences import sentences_of
from video_tcav.tcav.wording import effect_text, p_text, percent, units

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class EditedClip:
    """One class clip, with its activation at one layer as it is and edited along one CAV.

    Attributes:
        concept: whose CAV; the names of several with ` + ` between, where their span is removed.
        versus: what it was learned against.
        twin: as in `ConceptResult`.
        layer: dotted module name.
        edit: `random`: with the coordinate of random clips, so without the concept; `concept`: with that of concept clips;
            `+1 d`: moved by so many steps from the mean random to the mean concept clip; `clean`: a twin of the clip that has
            the coordinate of the clip itself back.
        path: the video, and its segment if it is one.
        window: which clip of the video.
        target_before: the target as the clip (for `clean`: the twin) is.
        target_after: the target when it is edited.
        predicted_before: the class that the model calls it; none for a regression.
        predicted_after: likewise when it is edited.
    """

    concept: str
    versus: str
    twin: str
    layer: str
    edit: str
    path: str
    window: int
    target_before: float
    target_after: float
    predicted_before: str | None
    predicted_after: str | None


@dataclass(frozen=True, kw_only=True, repr=False)
class InterventionResult(ItemSequence[InterventionEffect]):
    """What a model would say: a sequence of `InterventionEffect`, one an operation, concept, twin and layer.

    Attributes:
        target: class that is explained.
        against: the target's definition.
        space: feature space that activations are edited in.
        cav: how CAVs were learned.
        effects: every operation, the slope (the effect of `run_tcav`), and every dose.
        clips: every class clip before and after every edit.
        skipped: files that could not be used, and why.
        warnings: what a reader must know before believing the numbers.
        provenance: versions, settings, digests of model and clips.
        seconds: time spent, by stage of the run.
    """

    FIELD: ClassVar[str] = "effects"

    target: str
    against: str
    space: Space
    cav: str
    effects: tuple[InterventionEffect, ...]
    clips: tuple[EditedClip, ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]
    provenance: Mapping[str, Any]
    seconds: Mapping[str, float]

    def to_frame(self) -> pd.DataFrame:
        """One row an effect."""
        return effects_frame(self.effects)

    def clip_frame(self) -> pd.DataFrame:
        """One row a clip and edit."""
        return pd.DataFrame(
            [asdict(clip) for clip in self.clips], columns=[column.name for column in fields(EditedClip)]
        )

    def summary(self) -> str:
        """Plain sentences: one for each concept and layer, then what to beware of."""
        cautions = [f"Caution: {text}" for text in self.warnings]
        return PlainText("\n".join([*self.sentences(), *cautions]))

    def sentences(self) -> tuple[str, ...]:
        """One for each concept and layer."""
        return sentences_of(self.effects, self.target, units(self.against))

    def plot_doses(self) -> "Figure":
        """Target along each concept, from one step d against it to two steps with it, as a matplotlib figure.

        The band is the 95 % interval, the dashed line the slope at 0.

        Raises:
            InputError: where no `dose` was asked for.
        """
        return draw("dose_figure", self)

    def plot_clips(self) -> "Figure":
        """Target of every class clip as it is and with the coordinates of random and of concept clips, as a matplotlib figure.

        Raises:
            InputError: where neither `remove` nor `clamp` was asked for.
        """
        return draw("edited_clips_figure", self)

    def __repr__(self) -> str:
        concepts = len({(effect.concept, effect.versus) for effect in self.effects})
        layers = len({effect.layer for effect in self.effects})
        return f"<InterventionResult for {self.target!r}: {len(self)} effects, {concepts} concepts, {layers} layers>"

    def _repr_html_(self) -> str:
        """How a notebook shows it: sentences, every operation, and what to beware of."""
        unit = units(self.against)
        columns = ("concept", "layer", "operation", f"effect, {unit}", "95 %", "p", "first class changes")
        rows = [
            (
                comparison_name(effect.concept, effect.versus),
                effect.layer,
                effect.operation,
                *effect_text(effect),
                p_text(effect.p_value),
                percent(effect.changed),
            )
            for effect in self.effects
            if effect.twin == "none" and effect.operation != "dose"
        ]
        return (
            html_heading(f"What a model would say of {self.target}")
            + html_list(self.sentences())
            + html_table(columns, rows, numbers=columns[3:])
            + html_list(self.warnings, prefix="⚠ ")
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file."""
        return {
            "provenance": {**self.provenance, "seconds": dict(self.seconds)},
            "warnings": list(self.warnings),
            "skipped": [asdict(skipped) for skipped in self.skipped],
            "effects": [asdict(effect) for effect in self.effects],
            "clips": [asdict(clip) for clip in self.clips],
        }

    def to_json(self, path: str | Path) -> None:
        """Write everything as JSON."""
        write_json(Path(path), self.to_dict())


def plot_removal_matrix(results: Sequence[InterventionResult]) -> "Figure":
    """What removing each concept does to each of several classes, as a matplotlib figure: concepts in rows, classes in columns.

    A cell has the change of the class's target over its own clips, bold where it is more than CAVs of permuted labels do and its
    interval leaves out 0, and below it the share of clips that get another first class.

    Args:
        results: one a class, with the operation `remove`.

    Raises:
        InputError: if a result has no removal, or two are of one target or of different kinds of target.
    """
    return draw("removal_matrix_figure", results)


def edited_clips(
    draws: Mapping[CavKey, Sequence[OperationDraws]], clips: Sequence[ClipId], classes: Sequence[str]
) -> Iterator[EditedClip]:
    """Every clip before and after every edit.

    Args:
        draws: of each CAV, what was drawn for its operations and doses.
        clips: the class clips.
        classes: names of the model's classes.
    """

    def name(index: int) -> str | None:
        return classes[index] if index >= 0 else None

    for key, operations in draws.items():
        # remove and clamp share a point, as do step and dose
        reruns = {point: (each.reruns[UNEDITED], after) for each in operations for point, after in each.reruns.items()}
        for point, (before, after) in reruns.items():
            if point.is_unedited:
                continue
            for index, clip in enumerate(clips):
                yield EditedClip(
                    **asdict(key),
                    edit=point.edit,
                    path=clip.source,
                    window=clip.window,
                    target_before=float(before.targets[index]),
                    target_after=float(after.targets[index]),
                    predicted_before=name(int(before.predicted[index])),
                    predicted_after=name(int(after.predicted[index])),
                )
