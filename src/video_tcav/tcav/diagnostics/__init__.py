"""What a reader must know about CAVs before believing them: how consistent, entangled, local and stable they are."""

from video_tcav.tcav.diagnostics.consistency import Consistency, consistency
from video_tcav.tcav.diagnostics.diagnose import Diagnostics, diagnose
from video_tcav.tcav.diagnostics.entanglement import Entanglement, entanglement
from video_tcav.tcav.diagnostics.place_and_time import Layout, PlaceAndTime, dependence_on_place_and_time, layouts_of
from video_tcav.tcav.diagnostics.sentences import warnings
from video_tcav.tcav.diagnostics.stability import (
    EffectByClips,
    PoolSensitivity,
    SplitHalf,
    effect_by_clips,
    pool_sensitivity,
    split_half,
)

__all__ = [
    "Consistency",
    "Diagnostics",
    "EffectByClips",
    "Entanglement",
    "Layout",
    "PlaceAndTime",
    "PoolSensitivity",
    "SplitHalf",
    "consistency",
    "dependence_on_place_and_time",
    "diagnose",
    "effect_by_clips",
    "entanglement",
    "layouts_of",
    "pool_sensitivity",
    "split_half",
    "warnings",
]
