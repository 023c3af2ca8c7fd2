"""Removal in place: what clips lose of the target when a component is taken out of a layer where it is, and what elsewhere.

A slope, or a step along a CAV, moves all positions of a layer alike. Early in a network that is no longer the component: a
movement that is everywhere at once is none. Removal takes out its share of the activation, position by position. Any
removal of as much may move a network, so the same amount is also taken out of the same clip at other positions and moments.
"""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int

from video_tcav.core import random_streams
from video_tcav.core.errors import VideoTcavError
from video_tcav.core.progress import Advance, no_progress, progress_bar
from video_tcav.discovery.component import LEAST_STABILITY
from video_tcav.discovery.confirming_reruns import rerun_of
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.gram.corrections import adjust
from video_tcav.gram.design import bootstrap_weights
from video_tcav.gram.resampling import BootstrapT
from video_tcav.gram.thresholds import MIN_GROUPS
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.tcav.interventions.recorded_clips import RERUN_TOLERANCE
from video_tcav.tcav.interventions.rerun import LayerRerun

MOST_CLIPS = 16
"""With most of a component, that it is taken out of: two runs of the rest of the network each; with 8, power falls."""
_EDIT_BYTES = 64 * 2**20
"""Of edits that are held together."""
Maps = Float[np.ndarray, "clip time height width"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Removal:
    """One component taken out of clips that have it.

    Attributes:
        lost: of the target, by each clip, when it is taken out where it is.
        lost_elsewhere: when as much is taken out at other positions and moments of the clip.
        rounding: what the target of each clip may differ by where nothing does.
        groups: of each clip.
        bootstraps: draws of the groups.
        seed: of these.
    """

    lost: Float[np.ndarray, " clip"]
    lost_elsewhere: Float[np.ndarray, " clip"]
    rounding: Float[np.ndarray, " clip"]
    groups: Int[np.ndarray, " clip"]
    bootstraps: int
    seed: int

    @property
    def p_value(self) -> float:
        """Two-sided p: the clips lose something, and more of it than by the same removal elsewhere.

        The larger p of the two (intersection–union); 1 where the differences have two signs.
        """
        more = self.lost - self.lost_elsewhere
        # before a mean over positions places are all the same, and what is left of rounding has small p-values, too
        excess = self._t_of(np.where(np.abs(more) > self.rounding, more, 0.0))
        if self._of_lost.effect * excess.effect <= 0:
            return 1.0
        return max(self._of_lost.p_value, excess.p_value)

    def columns(self) -> dict[str, float]:
        """The numbers of a `Component`."""
        low, high = self._of_lost.interval()
        return {
            "removed": self._of_lost.effect,
            "removed_low": low,
            "removed_high": high,
            "removed_elsewhere": float(self.lost_elsewhere.mean()),
            "removed_p": self.p_value,
        }

    @cached_property
    def _of_lost(self) -> BootstrapT:
        return self._t_of(self.lost)

    def _t_of(self, values: Float[np.ndarray, " clip"]) -> BootstrapT:
        names, group_of = np.unique(self.groups, return_inverse=True)
        drawn = bootstrap_weights(names, self.bootstraps, self.seed, random_streams.GROUP_BOOTSTRAP)
        weights = np.concatenate(list(drawn))[:, group_of]
        return BootstrapT.of_draws(float(values.mean()), weights @ values / weights.sum(1), len(names))


def removals(
    discoveries: Sequence[LayerDiscovery], alpha: float, runner: BatchRunner, *, progress: bool = False
) -> tuple[dict[str, Removal], tuple[str, ...]]:
    """Take out each component that could still be confirmed: it is stable, and its presence, adjusted for all, is significant.

    The p-value of any other is above `alpha` whatever the rest of its tests say.

    Args:
        discoveries: of each layer.
        alpha: level of the family.
        runner: that passed the clips.
        progress: whether to show a progress bar.

    Returns:
        By name of the component; and what a reader must know of layers that nothing can be taken out of.
    """
    present = present_components(discoveries, alpha)
    by_layer = {each.layer: [name for name in each.comparisons if name in present] for each in discoveries}
    taken_out: dict[str, Removal] = {}
    cautions = []
    with progress_bar("removals (components)", sum(map(len, by_layer.values())), visible=progress) as advance:
        for discovery in discoveries:
            try:
                taken_out |= layer_removals(discovery, by_layer[discovery.layer], runner, advance)
            except VideoTcavError as error:  # slopes can be told all the same
                cautions.append(f"Nothing could be taken out of {discovery.layer}, where slopes alone confirm: {error}")
    return taken_out, tuple(cautions)


def present_components(discoveries: Sequence[LayerDiscovery], alpha: float) -> set[str]:
    """Stable components whose presence differs between class and random clips, adjusted for all components of all layers."""
    p_values = {name: p_value for each in discoveries for name, p_value in each.presence_p.items()}
    adjusted = dict(zip(p_values, adjust(list(p_values.values()), "holm"), strict=True))
    return {
        name
        for each in discoveries
        for name, stability in zip(each.names, each.components.stability, strict=True)
        if adjusted[name] <= alpha and stability >= LEAST_STABILITY
    }


def layer_removals(
    discovery: LayerDiscovery, names: Sequence[str], runner: BatchRunner, advance: Advance = no_progress
) -> Mapping[str, Removal]:
    """Take some components of a layer out, each of the clips of the half that confirms which have most of it.

    Raises:
        ModelError: for a layer whose output cannot be replaced.
    """
    groups = discovery.clips.groups
    chosen = {name: clips_with_most(discovery, name) for name in names}
    chosen = {name: clips for name, clips in chosen.items() if len(np.unique(groups[clips])) >= MIN_GROUPS}
    if not chosen:
        return {}
    numbers = np.unique(np.concatenate(list(chosen.values())))
    rerun = rerun_of(discovery.clips, discovery.layer, numbers, runner)
    tolerance = RERUN_TOLERANCE[discovery.clips.recording.precision]
    taken_out = {}
    with rerun.running():
        unedited = np.concatenate([rerun.unedited(chunk).targets for chunk in rerun.chunks()])
        for name, clips in chosen.items():
            column, places = discovery.names.index(name), np.searchsorted(numbers, clips)
            maps = discovery.maps_of(column, clips)
            left = [
                _left_without(rerun, discovery, column, each, places)
                for each in (maps, _moved(maps, discovery, column))
            ]
            taken_out[name] = Removal(
                lost=unedited[places] - left[0],
                lost_elsewhere=unedited[places] - left[1],
                rounding=tolerance * (1 + np.abs(unedited[places])),
                groups=groups[clips],
                bootstraps=discovery.settings.bootstraps,
                seed=discovery.settings.seed,
            )
            advance(1)
    return taken_out


def clips_with_most(discovery: LayerDiscovery, name: str) -> Int[np.ndarray, " clip"]:
    """Strong clips with most of a component: the first of each group before the second of any."""
    strong = discovery.strong[name]
    clips = strong.clips[strong.strong]
    presences = discovery.presences[clips, discovery.names.index(name)]
    clips = clips[np.argsort(-presences, kind="stable")]
    groups = discovery.clips.groups[clips]
    earlier = np.asarray([int((groups[:place] == group).sum()) for place, group in enumerate(groups)])
    return clips[np.argsort(earlier, kind="stable")][:MOST_CLIPS]


def moved_elsewhere(maps: Maps, generator: np.random.Generator) -> Maps:
    """Each clip's map moved to other moments, rows and columns, those over the edge to the other side."""
    moved = np.empty_like(maps)
    for clip, values in enumerate(maps):
        # an axis of one position leaves nowhere to go
        shifts = [int(generator.integers(1, size)) if size > 1 else 0 for size in values.shape]
        moved[clip] = np.roll(values, shifts, (0, 1, 2))
    return moved


def _moved(maps: Maps, discovery: LayerDiscovery, column: int) -> Maps:
    layer = zlib.crc32(discovery.layer.encode())
    generator = np.random.default_rng([discovery.settings.seed, random_streams.DISCOVERY_MOVES, layer, column])
    return moved_elsewhere(maps, generator)


def _left_without(
    rerun: LayerRerun, discovery: LayerDiscovery, column: int, maps: Maps, places: Int[np.ndarray, " clip"]
) -> Float[np.ndarray, " clip"]:
    """The target of clips without as much of a component as maps say; `places`: of the clips among those of the rerun."""
    grid = discovery.components.grid
    step = max(1, _EDIT_BYTES // (4 * grid.width))
    targets = []
    for start in range(0, len(maps), step):
        block = slice(start, start + step)
        shares = torch.from_numpy(discovery.components.shares(maps[block], column).astype(np.float32))
        targets.append(rerun.edited(-np.ones(len(shares)), grid.spread(shares), places[block]).targets)
    return np.concatenate(targets)
