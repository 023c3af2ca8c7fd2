"""How much of the target the confirmed components explain, and what they leave: figures and sentences."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from video_tcav.tcav.completeness import ShareOfConcept
from video_tcav.tcav.wording import percent, signed, units


@dataclass(frozen=True, kw_only=True)
class ExplainedShare:
    """How much of the target, over class and random clips of the half that confirms, confirmed components explain together.

    Attributes:
        target: class that is explained.
        against: the target's definition.
        layer: the deepest, whose directions are compared with the components.
        explained: R² of a regression on the components' presences, out of fold by groups.
        explained_low: lower end of its 95 % interval over groups.
        explained_high: upper end.
        exchanged: R² of the same presences in other clips, on average.
        exchanged_high: 95th percentile of it.
        all_directions: R² of all directions of the layer.
        difference: mean target of class clips less that of random clips.
        predicted_difference: the same of what the presences predict.
        n_clips: clips of the half that confirms.
        n_groups: independent groups of them.
        shares: of each component, which add up to `explained`.
    """

    target: str
    against: str
    layer: str
    explained: float
    explained_low: float
    explained_high: float
    exchanged: float
    exchanged_high: float
    all_directions: float
    difference: float
    predicted_difference: float
    n_clips: int
    n_groups: int
    shares: tuple[ShareOfConcept, ...]

    @property
    def left(self) -> float:
        """Share that is not explained; at most 1, where components mislead."""
        return min(1.0, 1.0 - self.explained)

    def renamed(self, names: Mapping[str, str]) -> Self:
        """With other names for some components."""
        return replace(
            self, shares=tuple(replace(each, concept=names.get(each.concept, each.concept)) for each in self.shares)
        )

    def sentence(self) -> str:
        """What is explained and left, beside floor and ceiling."""
        count, unit = len(self.shares), units(self.against)
        subject = "The confirmed component explains" if count == 1 else f"The {count} confirmed components explain"
        limits = f"{percent(self.explained_low)} to {percent(self.explained_high)}"
        return (
            f"{subject} {percent(self.explained)} ({limits}) of the {unit} of {self.target} over {self.n_clips} clips that found "
            f"nothing, and {'leaves' if count == 1 else 'leave'} {percent(self.left)}; in other clips the same presences explain "
            f"{percent(self.exchanged)}, all directions of {self.layer} {percent(self.all_directions)}.{self._caution()}"
        )

    def difference_sentence(self) -> str:
        """What they predict of the difference between class and random clips."""
        return (
            f"Between class and random clips they account for {signed(self.predicted_difference)} of "
            f"{signed(self.difference)} {units(self.against)}."
        )

    def _caution(self) -> str:
        if self.explained > self.exchanged_high:
            return ""
        return f" In one of twenty draws, presences of other clips explain as much ({percent(self.exchanged_high)})."

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file."""
        return {"sentence": self.sentence(), **asdict(self), "left": self.left}


@dataclass(frozen=True, kw_only=True)
class NothingExplained:
    """Why a discovery does not say how much its components explain."""

    reason: str

    def renamed(self, names: Mapping[str, str]) -> Self:
        """Names no component."""
        return self

    def sentence(self) -> str:
        """One line."""
        return f"How much the confirmed components explain was not measured: {self.reason}"

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file."""
        return {"sentence": self.sentence(), "reason": self.reason}


NOTHING_CONFIRMED = NothingExplained(reason="none is confirmed.")
EARLIER_VERSION = NothingExplained(reason="an earlier version made this discovery.")


def explained_of(content: Mapping[str, Any] | None) -> ExplainedShare | NothingExplained:
    """What the JSON file has; files of earlier versions have nothing."""
    if content is None:
        return EARLIER_VERSION
    if "reason" in content:
        return NothingExplained(reason=content["reason"])
    values = {name: value for name, value in content.items() if name not in ("sentence", "left")}
    shares = tuple(ShareOfConcept(**share) for share in values.pop("shares"))
    return ExplainedShare(**values, shares=shares)
