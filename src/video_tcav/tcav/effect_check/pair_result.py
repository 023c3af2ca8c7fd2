"""Result of pairs: what the concept does to the target, what each estimate says that it does, and every pair."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import pandas as pd

from video_tcav.core.displays import PlainText, draw, html_heading, html_list, html_table
from video_tcav.core.item_sequence import ItemSequence
from video_tcav.media import Skipped
from video_tcav.recording.settings import Space
from video_tcav.tcav.effect_check.estimates import Estimator, PairEnd, PairEstimator
from video_tcav.tcav.wording import units

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_LAYER = ""
"""The layer of a difference of mean targets."""
_PLACES: Mapping[str, str] = {
    "without": "clips without",
    "with": "clips with",
    "both": "both clips",
    "random": "random clips",
}
NUMBERS = ("effect", "95 %", "size", "sign")


@dataclass(frozen=True, kw_only=True)
class MeasuredPair:
    """What the model says of the two clips of a pair.

    Attributes:
        pair: its name.
        with_concept: the clip with the concept.
        without: the clip without it.
        target_with: the target of the clip with the concept.
        target_without: of the clip without it.
        predicted_with: the first class of the clip with it; `None` where the model has none.
        predicted_without: of the clip without it.
    """

    pair: str
    with_concept: str
    without: str
    target_with: float
    target_without: float
    predicted_with: str | None
    predicted_without: str | None

    @property
    def change(self) -> float:
        """What the concept does to the target of this clip."""
        return self.target_with - self.target_without

    @property
    def changes_class(self) -> bool:
        return self.predicted_with != self.predicted_without


@dataclass(frozen=True, kw_only=True)
class PairEstimate:
    """What one estimate says of the change that the pairs show.

    Attributes:
        layer: dotted module name; empty for a `difference`, which needs no layer.
        space: feature space.
        estimator: `paired` is the slope at each clip times its own shift; `slope`, `step` and `clamp` take the mean shift, as a
            test does; `difference` is that of the mean target, without pairing.
        at: where it is taken: at clips `without` the concept, `with` it, the mean of `both`, or `random` clips; for a
            `difference`, what is subtracted from the clips with the concept.
        effect: the estimate, in the target's unit.
        effect_low: lower end of its 95 % interval over groups.
        effect_high: upper end.
        size: of the true change, 1 is right; `None` where that is too small for it.
        right_sign: whether the sign is that of the true change; `None` likewise.
    """

    layer: str
    space: Space
    estimator: Estimator | PairEstimator
    at: PairEnd | Literal["random"]
    effect: float
    effect_low: float
    effect_high: float
    size: float | None
    right_sign: bool | None

    @property
    def name(self) -> str:
        """The estimator and its clips, such as `paired at clips without`."""
        return f"{self.estimator} {'from' if self.estimator == 'difference' else 'at'} {_PLACES[self.at]}"

    @property
    def numbers(self) -> tuple[str, str, str, str]:
        """Effect, interval, size and sign, as texts."""
        sign = {True: "right", False: "wrong", None: "–"}[self.right_sign]
        size = "–" if self.size is None else f"{self.size:.2f}"
        return f"{self.effect:+.2f}", f"[{self.effect_low:+.2f}, {self.effect_high:+.2f}]", size, sign

    @property
    def figures(self) -> str:
        """The same in a sentence."""
        effect, limits, size, sign = self.numbers
        judged = "" if self.size is None else f" ({size} of the truth{', wrong sign' if sign == 'wrong' else ''})"
        return f"{effect} {limits}{judged}"


@dataclass(frozen=True, kw_only=True, repr=False)
class PairedEffects(ItemSequence[PairEstimate]):
    """What a concept does to a class, measured on pairs of clips with and without it: a sequence of `PairEstimate`.

    Attributes:
        target: class that is explained.
        against: the target's definition.
        truth: mean over pairs of the target with the concept less that without it.
        truth_low: lower end of its 95 % interval over groups of pairs.
        truth_high: upper end.
        threshold: a truth smaller than this has no sign or size that estimates are judged by; in the target's unit.
        estimates: at each layer, in each space, and the plain differences first.
        pairs: each of those measured.
        n_groups: independent groups of pairs.
        n_random_clips: random clips that estimates were taken at.
        n_rerun: clips of each kind, at most, that steps and clamps were taken at.
        skipped: files that could not be used.
        notes: what was left out or could not be measured, and why.
    """

    FIELD: ClassVar[str] = "estimates"

    target: str
    against: str
    truth: float
    truth_low: float
    truth_high: float
    threshold: float
    estimates: tuple[PairEstimate, ...]
    pairs: tuple[MeasuredPair, ...]
    n_groups: int
    n_random_clips: int
    n_rerun: int
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def has_classes(self) -> bool:
        """Whether the model predicts classes, so that they can change."""
        return any(pair.predicted_with or pair.predicted_without for pair in self.pairs)

    @property
    def changed(self) -> int:
        """Pairs of which the concept changes the first class."""
        return sum(pair.changes_class for pair in self.pairs)

    def get(
        self, layer: str, *, estimator: str = "paired", at: str = "both", space: str = "flatten"
    ) -> PairEstimate | None:
        """One estimate, if it was made."""
        key = (layer, estimator, at, space)
        return next((each for each in self if (each.layer, each.estimator, each.at, each.space) == key), None)

    @property
    def truth_text(self) -> str:
        """What the pairs show, with its interval: `12 pairs show +15.71 log-odds [+15.24, +16.07]`."""
        interval = f"[{self.truth_low:+.2f}, {self.truth_high:+.2f}]"
        return f"{len(self.pairs)} pairs show {self.truth:+.2f} {units(self.against)} {interval}"

    def remark(self, effect: float) -> str | None:
        """That an estimate of the effect, from whichever clips, is not what pairs show; `None` where it is, or is NaN.

        It is not where it lies outside of the interval of the truth and has another sign, or is less than half or more than
        twice as large. Where both are small there is nothing to tell apart.
        """
        sizes = abs(effect), abs(self.truth)
        if not max(sizes) > self.threshold or self.truth_low <= effect <= self.truth_high:
            return None
        if min(sizes) > self.threshold and effect * self.truth < 0:
            return f"{self.truth_text}: the sign of {effect:+.2f} is wrong"
        if effect * self.truth < 0 or max(sizes) > 2 * min(sizes):
            return f"{self.truth_text}: the size of {effect:+.2f} is wrong"
        return None

    def headline(self) -> str:
        """What the concept does, as a sentence."""
        interval = f"[{self.truth_low:+.2f}, {self.truth_high:+.2f}]"
        text = (
            f"{len(self.pairs)} pairs ({self.n_groups} groups): the concept changes {self.target} by {self.truth:+.2f} "
            f"{units(self.against)} {interval}"
        )
        if not self.has_classes:
            return f"{text}."
        with_it, without = (
            sum(name == self.target for name in names)
            for names in (
                [pair.predicted_with for pair in self.pairs],
                [pair.predicted_without for pair in self.pairs],
            )
        )
        return (
            f"{text}, and the first class of {self.changed} clips ({self.target} is that of {without} without it and of "
            f"{with_it} with it)."
        )

    def sentences(self) -> tuple[str, ...]:
        """What the concept does, then one sentence a layer and space, then the notes."""
        layer_spaces = dict.fromkeys((each.layer, each.space) for each in self)
        by_layer = [
            f"{place_text(*layer_space)}: "
            + "; ".join(f"{each.name} {each.figures}" for each in self if (each.layer, each.space) == layer_space)
            + "."
            for layer_space in layer_spaces
        ]
        return self.headline(), *by_layer, *self.notes

    def summary(self) -> str:
        """The sentences, as text."""
        return PlainText("\n".join(self.sentences()))

    def to_frame(self) -> pd.DataFrame:
        """One row an estimate, the truth beside it."""
        truth = {"truth": self.truth, "truth_low": self.truth_low, "truth_high": self.truth_high}
        return pd.DataFrame([{"target": self.target, **asdict(each), **truth} for each in self])

    def pairs_frame(self) -> pd.DataFrame:
        """One row a pair: the target and the first class of both clips."""
        return pd.DataFrame([{**asdict(pair), "change": pair.change} for pair in self.pairs])

    def plot(self, *, space: Space | None = None) -> "Figure":
        """Both clips of each pair, and the truth beside paired estimate and slope at each layer, as a matplotlib figure.

        Args:
            space: feature space of the estimates; the first if not given.
        """
        return draw("pairs_figure", self, space)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in JSON files."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The result that `to_dict` wrote.

        Raises:
            LookupError, TypeError: for other values.
        """
        members = {name: values[name] for name in (field.name for field in fields(cls))}
        members["notes"] = tuple(members["notes"])
        for name, kind in (("estimates", PairEstimate), ("pairs", MeasuredPair), ("skipped", Skipped)):
            members[name] = tuple(kind(**each) for each in members[name])
        return cls(**members)

    def __repr__(self) -> str:
        return f"<PairedEffects on {self.target!r} of {len(self.pairs)} pairs: {self.truth:+.2f}>"

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        rows = [(place_text(each.layer, each.space), each.name, *each.numbers) for each in self]
        table = html_table(("layer", "estimate", *NUMBERS), rows, numbers=NUMBERS)
        return (
            html_heading(f"What does the concept do to {self.target}?")
            + html_list([self.headline()])
            + table
            + html_list(self.notes)
        )


def place_text(layer: str, space: str) -> str:
    """Where an estimate was made, in words."""
    if not layer:
        return "no layer"
    return layer if space == "flatten" else f"{layer} ({space})"
