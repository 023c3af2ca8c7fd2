"""Plan of estimates, of edits and of pairs alike: where they are taken, how clips are passed, which groups are drawn."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from video_tcav.core.checks import at_least, one_of
from video_tcav.core.errors import InputError
from video_tcav.gram.agreement import GroupedClips
from video_tcav.gram.design import numbering
from video_tcav.media import VideoSource
from video_tcav.media.grouping import GroupOf, grouping
from video_tcav.models import VideoModel
from video_tcav.models.hooks import trace_layers
from video_tcav.models.layers import noise_clip
from video_tcav.models.targets import Target
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.recording.rows import parse_bytes
from video_tcav.recording.settings import AskedPrecision, RecordingSettings, Space
from video_tcav.tcav.effect_check.estimates import Place
from video_tcav.tcav.effect_check.passes import ClipPasses, PlainClips
from video_tcav.tcav.interventions.plan import layers_of_interventions

MOST_RERUN = 8
"""Clips of each kind that steps and clamps are taken at: each takes four runs of the rest of the network an edit."""
LEAST_TRUTH = 0.5
"""In log-odds or logits: a change of the odds by a factor of 1.6; signs of less are left out."""
_LEAST_SHARE = 0.05
"""Likewise of a plain number, as a share of the range that it has over all clips."""
_DRAWS = 1000
_MOST_ROOM = 2 * 10**9
"""Bytes for activations and gradients of all clips at all layers. A constant, however much memory is given: what the usual
budget holds decides how many clips are taken, and with it the result."""
_FEWEST_CLIPS = 6


@dataclass(frozen=True, kw_only=True)
class EstimatePlan:
    """How estimates are taken.

    Attributes:
        layers: where; the last one that runs is the deepest.
        spaces: feature spaces.
        reruns: layers at which steps and clamps are measured, too.
        group_of: names the group of a source.
        precision: of the passes.
        threads: files that are decoded at once.
        strict: whether the first file that cannot be used is an error.
        most_rerun: clips of each kind that steps and clamps are taken at.
        seed: of every draw.
        room: bytes for activations and gradients; fewer clips are taken where more would not fit.
    """

    layers: tuple[str, ...]
    spaces: tuple[Space, ...]
    reruns: tuple[str, ...]
    group_of: GroupOf
    precision: AskedPrecision = "float32"
    threads: int = 2
    strict: bool = False
    most_rerun: int = MOST_RERUN
    seed: int = 0
    room: int = _MOST_ROOM

    def passes(self, model: VideoModel, target: Target) -> ClipPasses:
        """Passes of clips by this plan."""
        runner = BatchRunner(model, self.layers, whole=self.layers, precision=self.precision)
        return ClipPasses(runner, target, threads=self.threads, seed=self.seed, strict=self.strict)


def plan_keywords(
    model: VideoModel,
    *,
    layers: Sequence[str] | None,
    space: Space | Sequence[Space],
    intervene_at: str,
    group: str,
    most_rerun: int,
    seed: int,
    recording: RecordingSettings,
) -> dict[str, Any]:
    """Keywords of an `EstimatePlan`, from what a user asked for.

    Raises:
        VideoTcavError: for a layer, space or number that cannot be.
    """
    chosen_layers = tuple(dict.fromkeys(layers or model.stages()))
    for layer in chosen_layers:
        model.layer(layer)
    spaces = (space,) if isinstance(space, str) else tuple(space)
    return {
        "layers": chosen_layers,
        "spaces": tuple(one_of("space", name, get_args(Space)) for name in spaces),
        "reruns": layers_of_interventions(model, chosen_layers, intervene_at),
        "group_of": grouping(group),
        "precision": recording.precision,
        "threads": recording.threads,
        "strict": recording.strict,
        "most_rerun": at_least("most_rerun", most_rerun, 2),
        "seed": at_least("seed", seed, 0),
        "room": min(_MOST_ROOM, parse_bytes(recording.memory)),
    }


def clips_that_fit(model: VideoModel, layers: Sequence[str], *, rows: int, room: int = _MOST_ROOM) -> int:
    """How many clips of each kind there is room for, in bytes, if so many rows of each are held at every layer."""
    shapes = trace_layers(model, layers, noise_clip(model).to(model.device)).shapes
    clip_bytes = sum(4 * math.prod(shape) for shape in shapes.values())
    return max(_FEWEST_CLIPS, room // (rows * clip_bytes))


def spread_over_groups(
    sources: Sequence[VideoSource], group_of: GroupOf, most: int, stream: Sequence[int]
) -> tuple[VideoSource, ...]:
    """At most so many sources, drawn from as many groups as there are, and from each about as many.

    The first of them come from different groups, too.
    """
    generator = np.random.default_rng(list(stream))
    members: dict[str, list[VideoSource]] = {}
    for index in generator.permutation(len(sources)):
        members.setdefault(group_of(sources[index]), []).append(sources[index])
    rounds = max((len(group) for group in members.values()), default=0)
    drawn = [group[turn] for turn in range(rounds) for group in members.values() if turn < len(group)]
    return tuple(drawn[:most])


def group_draws(clip_sets: Mapping[Place, PlainClips], group_of: GroupOf, seed: int) -> dict[Place, GroupedClips]:
    """Bootstrap draws of the groups of all clips: a group counts as much wherever its clips are used."""
    names = numbering([group_of(source) for clips in clip_sets.values() for source in clips.sources])
    draws: dict[Place, GroupedClips] = {}
    for at, clips in clip_sets.items():
        groups = np.asarray([names[group_of(source)] for source in clips.sources])
        draws[at] = GroupedClips.draw(groups, _DRAWS, seed)
    return draws


def check_groups(name: str, clips: PlainClips, group_of: GroupOf) -> None:
    """Refuse clips of a single group.

    Raises:
        InputError: saying how many groups there are; `name` is the argument.
    """
    # the first clips, at which the rest of the network is run, are of several groups if all of them are
    groups = {group_of(source) for source in clips.sources}
    if len(groups) < 2:
        raise InputError(
            f"`{name}` must come from 2 groups or more for an interval. Got {len(clips.sources)} clips in "
            f"{len(groups)}. Add clips of other videos, or name other groups with --group."
        )


def least_truth(target: Target, lowest: float, highest: float) -> float:
    """The change that a sign is counted from, for a target that lies between these values over all clips."""
    return _LEAST_SHARE * (highest - lowest) if target.kind == "number" else LEAST_TRUTH
