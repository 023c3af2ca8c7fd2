"""Result of an effect check: what edits do, what each estimator says that they do, and whether it is to be believed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Self

import pandas as pd

from video_tcav.core.displays import PlainText, html_heading, html_list
from video_tcav.core.errors import InputError
from video_tcav.core.item_sequence import ItemSequence
from video_tcav.gram.agreement import Agreement
from video_tcav.recording.settings import Space
from video_tcav.tcav.effect_check.estimates import EstimateKey, Estimator
from video_tcav.tcav.effect_check.mask_edits import MASK_EDITS
from video_tcav.tcav.settings import At
from video_tcav.tcav.wording import units

ESTIMATOR_NOUNS: Mapping[str, str] = {"slope": "effects", "step": "steps", "clamp": "clamps"}
"""What texts call the numbers of each estimator."""


@dataclass(frozen=True, kw_only=True)
class EditTruth:
    """What an edit does to the clips themselves.

    Attributes:
        edit: its name.
        truth: mean change of the target, in its unit.
        truth_low: lower end of its 95 % interval over groups of clips.
        truth_high: upper end.
        n_clips: clips that it was made of; edits by masks leave out those in which nobody is found.
    """

    edit: str
    truth: float
    truth_low: float
    truth_high: float
    n_clips: int


@dataclass(frozen=True, kw_only=True)
class EstimateAgreement(Agreement):
    """How well one estimator predicts the edits.

    Attributes:
        layer: dotted module name.
        space: feature space.
        at: at which clips it is taken: those of the `class`, or `random` ones.
        estimator: `slope` (the effect of results), `step` or `clamp`.
        predictions: what it says of each edit, in the order of the check's edits.
    """

    layer: str
    space: Space
    at: At
    estimator: Estimator
    predictions: tuple[float, ...]

    @property
    def key(self) -> EstimateKey:
        return EstimateKey(self.layer, self.space, self.at, self.estimator)

    @property
    def name(self) -> str:
        """The estimator and its clips, such as `step at random clips`."""
        return f"{self.estimator} at {self.at} clips"

    @property
    def signs_text(self) -> str:
        return f"{self.right} of {self.counted} signs"

    @property
    def figures(self) -> str:
        """Signs and rank with their intervals."""
        return (
            f"{self.signs_text} [{self.signs_low:.2f}, {self.signs_high:.2f}], rank {self.rank:+.2f} "
            f"[{self.rank_low:+.2f}, {self.rank_high:+.2f}]"
        )

    @property
    def conclusion(self) -> str:
        """What follows, in words."""
        if self.is_above_chance:
            return "predicts edits"
        return "no better than chance" if self.looks_like_chance else "not shown to predict edits"

    @property
    def conclusion_in_short(self) -> str:
        """The same for a column."""
        return "yes" if self.is_above_chance else "no" if self.looks_like_chance else "not shown"


@dataclass(frozen=True, kw_only=True, repr=False)
class EffectCheck(ItemSequence[EstimateAgreement]):
    """How well effects predict what plain edits of the user's own clips do: a sequence of `EstimateAgreement`.

    Attributes:
        target: class that is explained.
        against: the target's definition.
        threshold: signs of changes that are smaller are not counted; in the target's unit.
        edits: what each does.
        agreements: of each estimator at each layer and in each space.
        n_clips: clips that were edited.
        n_groups: independent groups of these.
        n_random_clips: random clips that estimates were taken at.
        n_rerun: clips of each kind, at most, that steps and clamps were taken at.
        target_low: lowest value of the target over all these clips, plain and edited.
        target_high: highest.
        notes: what could not be measured, and why.
        masks: source of the masks that some edits were made by; empty where there was none.
        left_out: clips that edits by masks leave out, and edits that could not be made, with the reason.
    """

    FIELD: ClassVar[str] = "agreements"

    target: str
    against: str
    threshold: float
    edits: tuple[EditTruth, ...]
    agreements: tuple[EstimateAgreement, ...]
    n_clips: int
    n_groups: int
    n_random_clips: int
    n_rerun: int
    target_low: float
    target_high: float
    notes: tuple[str, ...] = ()
    masks: str = ""
    left_out: tuple[str, ...] = ()

    @classmethod
    def not_made(cls, target: str, against: str, reason: str) -> Self:
        """A check that could not be made."""
        return cls(
            target=target,
            against=against,
            threshold=0.0,
            edits=(),
            agreements=(),
            n_clips=0,
            n_groups=0,
            n_random_clips=0,
            n_rerun=0,
            target_low=-math.inf,
            target_high=math.inf,
            notes=(f"effects on {target} were not checked by edits: {reason}",),
        )

    def check_same_target(self, target: str, against: str) -> None:
        """Refuse a check of another target.

        Raises:
            InputError: saying what it is of.
        """
        if (self.target, self.against) != (target, against):
            raise InputError(
                f"`effect_check` must be of the same target. Got one of {self.target} ({self.against}) for {target} ({against})."
                " Call `check_effects` with the target of the run."
            )

    def get(self, layer: str, *, space: str, at: str, estimator: str = "slope") -> EstimateAgreement | None:
        """The agreement of one estimator, if it was measured."""
        return next((each for each in self.agreements if each.key == (layer, space, at, estimator)), None)

    def best(self) -> EstimateAgreement | None:
        """Of the estimators that predict edits the one with the most right signs, then the highest rank; or none."""
        trusted = [each for each in self.agreements if each.is_above_chance]
        return max(trusted, key=lambda each: (each.right / each.counted, each.rank), default=None)

    def warning(self, layer: str, *, space: str, at: str, estimator: str = "slope") -> str | None:
        """What to say beside a number of this estimator; `None` where it predicts edits, or was not measured."""
        agreement = self.get(layer, space=space, at=at, estimator=estimator)
        if agreement is None or agreement.is_above_chance:
            return None
        noun = ESTIMATOR_NOUNS[estimator]
        if not agreement.counted:
            said = f"no edit changes {self.target} by more than {self.threshold:g} {units(self.against)}, so {noun} are unchecked"
        elif agreement.looks_like_chance:
            said = (
                f"{noun} predict edits no better than chance: {agreement.signs_text} right, rank {agreement.rank:+.2f}"
            )
        else:
            said = f"it is not shown that {noun} predict edits: {agreement.figures}"
        best = self.best()
        better = "" if best is None else f"; {best.name} at {best.layer}: {best.right} of {best.counted}"
        return f"at {layer} of this model {said}{better}"

    def range_warning(self, effect: float) -> str | None:
        """What to say beside an effect that is larger than the whole range of the target; `None` beside others."""
        if not abs(effect) > self.target_high - self.target_low:
            return None
        return (
            f"{effect:+.2f} is more than the whole range of {self.target} over all clips, plain and edited: "
            f"{self.target_low:+.2f} to {self.target_high:+.2f}"
        )

    def remarks(self, layer: str, effect: float, *, space: str, at: str, estimator: str = "slope") -> tuple[str, ...]:
        """Everything to say beside an effect, and nothing beside one that is to be believed."""
        texts = (self.warning(layer, space=space, at=at, estimator=estimator), self.range_warning(effect))
        return tuple(text for text in texts if text is not None)

    def sentences(self) -> tuple[str, ...]:
        """What the edits do, then one sentence a layer and space, then the notes."""
        if not self.edits:
            return self.notes
        unit = units(self.against)
        changes = [edit.truth for edit in self.edits]
        counted = [change for change in changes if abs(change) > self.threshold]
        lowering = sum(change < 0 for change in counted)
        first = (
            f"{len(self.edits)} edits of {self.n_clips} clips ({self.n_groups} groups) change {self.target} by "
            f"{min(changes):+.2f} to {max(changes):+.2f} {unit}; {len(counted)} by more than {self.threshold:g}, of which "
            f"{lowering} lower it (always guessing the commoner direction has {max(lowering, len(counted) - lowering)} of "
            f"{len(counted)} signs, and no rank)."
        )
        layer_spaces = dict.fromkeys((each.layer, each.space) for each in self.agreements)
        by_layer = [
            f"{layer}{'' if space == 'flatten' else f' ({space})'}: "
            + "; ".join(
                f"{each.name} {each.conclusion}, {each.figures}"
                for each in self.agreements
                if (each.layer, each.space) == (layer, space)
            )
            + "."
            for layer, space in layer_spaces
        ]
        return first, *self.masks_sentences(), *by_layer, *self.notes

    def masks_sentences(self) -> tuple[str, ...]:
        """Which edits were made by masks, and what these leave out; nothing without masks."""
        if not self.masks:
            return ()
        by_masks = [edit.edit for edit in self.edits if edit.edit in MASK_EDITS]
        made = ", ".join(by_masks) or "none"
        return f"Edits by masks of {self.masks}: {made}.", *(f"{text}." for text in self.left_out)

    def summary(self) -> str:
        """The sentences, as text."""
        return PlainText("\n".join(self.sentences()))

    def to_frame(self) -> pd.DataFrame:
        """One row an estimator, layer and space."""
        rows = []
        for each in self.agreements:
            numbers = asdict(each)
            del numbers["predictions"]
            rows.append({"target": self.target, **numbers, "predicts_edits": each.is_above_chance})
        keys = ("target", *EstimateKey._fields)
        return pd.DataFrame(rows, columns=[*keys, *(name for name in rows[0] if name not in keys)] if rows else None)

    def edits_frame(self) -> pd.DataFrame:
        """One row an edit, estimator, layer and space: the truth beside the prediction."""
        return pd.DataFrame(
            [
                {"target": self.target, **each.key._asdict(), **asdict(edit), "prediction": prediction}
                for each in self.agreements
                for edit, prediction in zip(self.edits, each.predictions, strict=True)
            ]
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in JSON files."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The check that `to_dict` wrote.

        Raises:
            LookupError, TypeError: for other values.
        """
        # checks of before there were masks
        values = {"masks": "", "left_out": (), **values}
        members = {name: values[name] for name in (field.name for field in fields(cls))}
        members["edits"] = tuple(EditTruth(**{"n_clips": values["n_clips"], **edit}) for edit in members["edits"])
        members["notes"], members["left_out"] = tuple(members["notes"]), tuple(members["left_out"])
        members["agreements"] = tuple(_agreement(each) for each in members["agreements"])
        return cls(**members)

    def __repr__(self) -> str:
        trusted = sum(each.is_above_chance for each in self.agreements)
        return f"<EffectCheck for {self.target!r}: {trusted} of {len(self)} estimates predict {len(self.edits)} edits>"

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        return html_heading(f"Do effects on {self.target} predict edits?") + html_list(self.sentences())


def _agreement(values: Mapping[str, Any]) -> EstimateAgreement:
    return EstimateAgreement(**{**values, "predictions": tuple(values["predictions"])})


def ordered(agreements: Sequence[EstimateAgreement], layers: Sequence[str]) -> tuple[EstimateAgreement, ...]:
    """By layer, from the first to the deepest."""
    return tuple(sorted(agreements, key=lambda each: list(layers).index(each.layer)))
