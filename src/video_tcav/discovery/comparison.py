"""Two discoveries on the same clips compared: components matched by their maps, and what was lost or gained."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float

from video_tcav.core.displays import PlainText
from video_tcav.core.errors import InputError
from video_tcav.discovery.component import Component
from video_tcav.discovery.components_of_layer import match_rows
from video_tcav.discovery.result import DiscoveryResult

LEAST_LIKENESS = 0.5
"""Correlation of two maps from which components count as the same: a quarter of the variance is shared."""
_COMMON_GRID = (4, 4, 4)
"""Time, height and width that maps of any layer are brought to."""
_FEWEST_CLIPS = 5


@dataclass(frozen=True, kw_only=True)
class ComponentMatch:
    """Two components whose maps are alike.

    Attributes:
        first: name in the first result.
        second: name in the second.
        likeness: correlation of their maps over all clips and positions that both results have.
    """

    first: str
    second: str
    likeness: float


@dataclass(frozen=True, kw_only=True)
class DiscoveryComparison:
    """What two models, or two checkpoints of one, share.

    Attributes:
        shared: components that both confirm, matched one to one.
        lost: confirmed in the first, without a like one that the second confirms.
        gained: the other way round.
        n_clips: clips that maps were compared on.
    """

    shared: tuple[ComponentMatch, ...]
    lost: tuple[str, ...]
    gained: tuple[str, ...]
    n_clips: int

    def to_frame(self) -> pd.DataFrame:
        """One row a component: shared ones, then lost, then gained ones."""
        rows = [(match.first, match.second, match.likeness) for match in self.shared]
        rows += [(name, None, np.nan) for name in self.lost]
        rows += [(None, name, np.nan) for name in self.gained]
        return pd.DataFrame(rows, columns=["first", "second", "likeness"])

    def summary(self) -> str:
        """Plain sentences."""
        lines = [
            f"{len(self.shared)} confirmed components are shared, {len(self.lost)} lost and {len(self.gained)} gained, by their "
            f"maps on {self.n_clips} clips."
        ]
        lines += [f"Shared: {each.first} and {each.second} (correlation {each.likeness:.2f})." for each in self.shared]
        lines += [f"Lost: {name}." for name in self.lost] + [f"Gained: {name}." for name in self.gained]
        return PlainText("\n".join(lines))


def compare_discoveries(
    first: DiscoveryResult, second: DiscoveryResult, *, least: float = LEAST_LIKENESS
) -> DiscoveryComparison:
    """Which confirmed components two results share.

    Both must be of the same clips with the same seed, so that the same half confirms. Components of all layers are matched
    one to one, so that correlations of their maps add up to the most.

    Args:
        first: such as of a model, or of an earlier checkpoint.
        second: such as of another model.
        least: correlation from which two components count as the same.

    Raises:
        InputError: if they have maps of fewer than five clips in common.
    """
    clips = [
        {(result.clips[clip].clip, result.clips[clip].window): clip for clip in _mapped_everywhere(result)}
        for result in (first, second)
    ]
    common = [key for key in clips[0] if key in clips[1]]
    if len(common) < _FEWEST_CLIPS:
        raise InputError(
            f"`first` and `second` must have maps of {_FEWEST_CLIPS} clips in common. Got {len(common)}. Run both on the same "
            "clips with the same seed."
        )
    confirmed = [result.confirmed for result in (first, second)]
    rows = [
        _map_rows(result, components, [numbers[key] for key in common])
        for result, components, numbers in zip((first, second), confirmed, clips, strict=True)
    ]
    matches = match_rows(rows[0], rows[1]) if all(map(len, rows)) else []
    shared = [
        ComponentMatch(first=confirmed[0][row].name, second=confirmed[1][column].name, likeness=likeness)
        for row, column, likeness in matches
        if likeness >= least
    ]
    return DiscoveryComparison(
        shared=tuple(sorted(shared, key=lambda match: -match.likeness)),
        lost=_without(confirmed[0], [match.first for match in shared]),
        gained=_without(confirmed[1], [match.second for match in shared]),
        n_clips=len(common),
    )


def _mapped_everywhere(result: DiscoveryResult) -> list[int]:
    """Clips that every layer has maps of."""
    sets = [set(maps.clips) for maps in result.maps]
    return sorted(set.intersection(*sets)) if sets else []


def _map_rows(
    result: DiscoveryResult, components: Sequence[Component], clips: Sequence[int]
) -> Float[np.ndarray, "component value"]:
    """Maps of components as rows, taken from their means: the cosine of two is their correlation."""
    rows = []
    for component in components:
        maps = result.layer_maps(component.layer)
        values = np.stack([maps.of(component.number, clip) for clip in clips]).astype(np.float32)
        common = torch.nn.functional.adaptive_avg_pool3d(torch.from_numpy(values)[:, None], _COMMON_GRID)
        row = common.double().numpy().ravel()
        rows.append(row - row.mean())
    return np.stack(rows) if rows else np.zeros((0, 0))


def _without(components: Sequence[Component], matched: Sequence[str]) -> tuple[str, ...]:
    return tuple(component.name for component in components if component.name not in matched)
