"""What a run says about completeness: shares of the variance that are explained, and the clips that are explained worst."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from video_tcav.core.escaping import well_formed
from video_tcav.core.tables import write_csv
from video_tcav.gram.completeness import Completeness
from video_tcav.tcav.wording import units

MANIFEST = "unexplained.csv"
UNEXPLAINED = "unexplained"
"""Name of the concept that clips of the manifest are candidates for."""


@dataclass(frozen=True, kw_only=True)
class ShareOfConcept:
    """What one concept adds to what is explained: its Shapley share of R², with its 95 % interval over groups.

    Attributes:
        concept: its name.
        share: on average over all orders in which concepts could be added; the shares of all concepts add up to R².
        share_low: lower end of the interval.
        share_high: upper end.
        sampling_error: standard error from drawing some of the orders; 0 where all were used.
    """

    concept: str
    share: float
    share_low: float
    share_high: float
    sampling_error: float

    @classmethod
    def of_all(cls, measured: Completeness) -> "tuple[ShareOfConcept, ...]":
        """The share of each concept, from arrays."""
        return tuple(
            cls(
                concept=name,
                share=share.share,
                share_low=share.low,
                share_high=share.high,
                sampling_error=share.sampling_error,
            )
            for name, share in measured.shares.items()
        )


@dataclass(frozen=True, kw_only=True)
class UnexplainedClip:
    """A clip of which the model says another thing than the presences of the concepts predict.

    Attributes:
        clip: the source's key.
        window: which clip of the source.
        path: the file; empty for a clip in memory.
        start_s: of the segment, `None` from the start.
        end_s: likewise.
        group: what it belongs to.
        said: the target's value.
        predicted: by a regression on presences that has not seen its group.
        residual: said − predicted.
    """

    clip: str
    window: int
    path: str
    start_s: float | None
    end_s: float | None
    group: str
    said: float
    predicted: float
    residual: float


@dataclass(frozen=True, kw_only=True)
class RunCompleteness:
    """How much of the target over held-out clips the concepts of a run explain together, at the deepest layer.

    Attributes:
        target: class that is explained.
        against: the target's definition.
        layer: dotted module name.
        explained: R² of the presences of all concepts.
        explained_low: lower end of its 95 % interval over groups.
        explained_high: upper end.
        relabelled: R² of concepts whose labels were permuted, on average.
        relabelled_high: 95th percentile of it.
        all_directions: R² of all directions of the layer.
        n_clips: clips with a value.
        n_groups: independent groups of them.
        shares: of the concepts.
        clips: those with the largest residuals, the largest first.
    """

    target: str
    against: str
    layer: str
    explained: float
    explained_low: float
    explained_high: float
    relabelled: float
    relabelled_high: float
    all_directions: float
    n_clips: int
    n_groups: int
    shares: tuple[ShareOfConcept, ...]
    clips: tuple[UnexplainedClip, ...]

    def sentence(self) -> str:
        """What is explained, beside its floor and its ceiling."""
        names = [share.concept for share in self.shares]
        subject = f"{names[0]} alone explains" if len(names) == 1 else f"These {len(names)} concepts explain"
        low, high = (f"{100 * end:.0f}" for end in (self.explained_low, self.explained_high))
        return (
            f"{subject} {_percent(self.explained)} of the {units(self.against)} of {self.target} over {self.n_clips} held-out "
            f"clips at {self.layer} ({low} to {high}), relabelled concepts {_percent(self.relabelled)}, all directions of the "
            f"layer {_percent(self.all_directions)}.{self._caution()}"
        )

    def _caution(self) -> str:
        if self.explained > self.relabelled_high:
            return ""
        return f" One set of relabelled concepts in twenty explains as much ({_percent(self.relabelled_high)})."

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in the JSON file."""
        return {"sentence": self.sentence(), **asdict(self)}

    def write_manifest(self, path: Path) -> None:
        """Write the unexplained clips that are files as a manifest, which `video-tcav bank import` takes."""
        # a manifest names each source once, whichever of its windows is meant
        rows = [
            {**asdict(clip), "label": UNEXPLAINED, "path": str(Path(clip.path).absolute())}
            for clip in self.clips
            if _is_in_manifests(clip.path)
        ]
        write_csv(path, pd.DataFrame(rows).drop_duplicates(["path", "start_s", "end_s"]))

    @property
    def has_files(self) -> bool:
        """Whether there is anything to write into a manifest."""
        return any(_is_in_manifests(clip.path) for clip in self.clips)


@dataclass(frozen=True, kw_only=True)
class NotMeasured:
    """Why a run says nothing about completeness."""

    reason: str
    has_files = False

    def sentence(self) -> str:
        """One line."""
        return f"How much the concepts explain together was not measured: {self.reason}"

    def to_dict(self) -> Mapping[str, Any]:
        """Plain values, as in the JSON file."""
        return {"sentence": self.sentence()}


def _is_in_manifests(path: str) -> bool:
    """Whether a clip is a file that a manifest can name; one whose name is no UTF-8 would not be found again."""
    return bool(path) and well_formed(path) == path


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %".replace("-0 %", "0 %")
