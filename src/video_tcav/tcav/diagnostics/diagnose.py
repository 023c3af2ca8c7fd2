"""All diagnostics of a run at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import pandas as pd

from video_tcav.gram.cavs.fitter import CavFitter
from video_tcav.gram.gram import Gram
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.diagnostics.consistency import Consistency, consistency
from video_tcav.tcav.diagnostics.entanglement import Entanglement, entanglement
from video_tcav.tcav.diagnostics.place_and_time import Layout, PlaceAndTime, dependence_on_place_and_time
from video_tcav.tcav.diagnostics.stability import (
    EffectByClips,
    PoolSensitivity,
    SplitHalf,
    effect_by_clips,
    pool_sensitivity,
    split_half,
)

_KEY_COLUMNS = ("concept", "versus", "layer")
_ROWS = {
    "consistency": Consistency,
    "entanglement": Entanglement,
    "place_and_time": PlaceAndTime,
    "split_half": SplitHalf,
    "effect_by_clips": EffectByClips,
    "pool_sensitivity": PoolSensitivity,
}


@dataclass(frozen=True, kw_only=True)
class Diagnostics:
    """What can be wrong with the CAVs of a run.

    Attributes:
        consistency: whether a concept is the same at each pair of layers.
        entanglement: whether two concepts have the same CAV.
        place_and_time: whether a CAV is tied to places or times; empty where no layer has positions.
        split_half: whether half of the clips give the same CAV and effects.
        effect_by_clips: how the effect settles as concept clips are added.
        pool_sensitivity: how the effect depends on the choice of random clips.
    """

    consistency: tuple[Consistency, ...]
    entanglement: tuple[Entanglement, ...]
    place_and_time: tuple[PlaceAndTime, ...]
    split_half: tuple[SplitHalf, ...]
    effect_by_clips: tuple[EffectByClips, ...]
    pool_sensitivity: tuple[PoolSensitivity, ...]

    def to_frames(self) -> dict[str, pd.DataFrame]:
        """One table a diagnostic, by its name; one without rows has its columns still."""
        return {
            name: pd.DataFrame([_cells(row) for row in getattr(self, name)], columns=_columns(kind))
            for name, kind in _ROWS.items()
        }


def _columns(kind: type) -> list[str]:
    # keys are spelled out without the twin: diagnostics look at the clips themselves
    names = [field.name for field in fields(kind)]
    return [column for name in names for column in (_KEY_COLUMNS if name == "key" else (name,))]


def _cells(row: Any) -> list[Any]:
    return [getattr(row if hasattr(row, column) else row.key, column) for column in _columns(type(row))]


def diagnose(
    comparisons: Sequence[Comparison],
    grams: Mapping[str, Gram],
    *,
    class_groups: Sequence[int],
    cav: str | CavFitter,
    seed: int,
    layouts: Mapping[str, Layout] | None = None,
) -> Diagnostics:
    """Run all diagnostics; they need no further pass of the model.

    Args:
        comparisons: of the run; twins are not looked at, and entanglement is measured between concepts that were compared
            with random clips.
        grams: by layer, over all recorded rows.
        class_groups: group of each class clip.
        cav: how CAVs are learned.
        seed: of every random draw.
        layouts: of the layers that have positions, from `layouts_of`; without them nothing is said about place and time.
    """
    return Diagnostics(
        consistency=consistency(comparisons, grams, cav=cav, seed=seed),
        entanglement=entanglement(comparisons, grams, cav=cav, seed=seed),
        place_and_time=dependence_on_place_and_time(comparisons, grams, layouts or {}, cav=cav, seed=seed),
        split_half=split_half(comparisons, grams, cav=cav, seed=seed),
        effect_by_clips=effect_by_clips(comparisons, grams, cav=cav, seed=seed),
        pool_sensitivity=pool_sensitivity(comparisons, grams, class_groups, cav=cav, seed=seed),
    )
