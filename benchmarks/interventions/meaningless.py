"""Meaningless concepts: how often the null of an operation is rejected, and how often intervals of steps miss 0."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from zlib import crc32

import numpy as np
import torch
from benchmarks.calibration.world import World, random_clips, sample_world
from benchmarks.interventions.layer_clips import Place
from benchmarks.interventions.rendered_layers import pool_rows, rendered_outputs
from jaxtyping import Float, Int

from video_tcav.concepts import Twin
from video_tcav.core import random_streams
from video_tcav.core.progress import Advance, no_progress
from video_tcav.core.scratch import scratch_folder
from video_tcav.demo.false_alarms import seed_of, wilson_interval
from video_tcav.gram.label_permutations import permutation_p
from video_tcav.gram.thresholds import LEVEL
from video_tcav.models import VideoModel
from video_tcav.models.tail import Tail
from video_tcav.models.targets import parse_target
from video_tcav.recording.inner_products import gram
from video_tcav.recording.rows import RowStore, SpillSpace
from video_tcav.rendered import Rule
from video_tcav.tcav.interventions.concept_edits import ConceptEdits
from video_tcav.tcav.interventions.directions import LayerRows
from video_tcav.tcav.interventions.operations import CLAMP, REMOVE, RESTORE, STEP
from video_tcav.tcav.settings import At

_MEMORY_BYTES = 10**9
_CONCEPT_CLIPS, _RANDOM_CLIPS = 20, 60
_CLIPS_OF_DRAW, _CLIPS = 10, 40  # of a draw, from so many
_TWIN: Twin = "frozen"
_OFTEN = 25
STEP_OF_A_RUN = "step of a run"
"""At the random clips that its CAVs are learned from, each along the CAV without its own group."""


@dataclass(frozen=True, kw_only=True)
class ErrorRow:
    """How often something is found where there is nothing.

    Attributes:
        model: its name.
        layer: dotted module name.
        at: which clips were edited.
        operation: whose null is rejected at the 5 % level; of steps, whose 95 % interval misses 0.
        draws: of concept, random and edited clips.
        rate: share of the draws.
        low: lower end of its 95 % interval (Wilson).
        high: upper end.
    """

    model: str
    layer: str
    at: At
    operation: str
    draws: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, eq=False)
class EditedClips:
    """Clips that operations are made at: outputs of a layer, and of their frozen twins."""

    outputs: Float[torch.Tensor, "clip ..."]
    twins: Float[torch.Tensor, "clip ..."]

    def drawn(self, generator: np.random.Generator) -> "EditedClips":
        """Some of them."""
        chosen = torch.from_numpy(generator.permutation(len(self.outputs))[:_CLIPS_OF_DRAW])
        return EditedClips(outputs=self.outputs[chosen], twins=self.twins[chosen])


@dataclass(kw_only=True)
class ErrorCounts:
    """Draws so far.

    Attributes:
        draws: how many.
        found: in how many something was found, by operation.
    """

    draws: int = 0
    found: dict[str, int] = field(default_factory=dict)

    def add(self, found: Mapping[str, bool]) -> None:
        """One draw."""
        self.draws += 1
        for name, value in found.items():
            self.found[name] = self.found.get(name, 0) + value

    def rows(self, world: World, at: At) -> list[ErrorRow]:
        """A row an operation."""
        return [
            ErrorRow(
                model=world.name,
                layer=world.deepest,
                at=at,
                operation=name,
                draws=self.draws,
                rate=count / self.draws,
                low=wilson_interval(count / self.draws, self.draws)[0],
                high=wilson_interval(count / self.draws, self.draws)[1],
            )
            for name, count in self.found.items()
        ]


def error_rows(
    model: VideoModel,
    rule: Rule,
    at: At,
    *,
    draws: int,
    relabellings: int,
    pool_clips: int,
    seed: int,
    advance: Advance = no_progress,
) -> Iterator[list[ErrorRow]]:
    """Draw concept and random clips from one pool, at the deepest stage of a rendered model, for its first class.

    Gives the rates so far again and again, the last of them over all draws.

    Args:
        model: the model.
        rule: how it was trained.
        at: clips that are edited.
        draws: of all clips.
        relabellings: CAVs of permuted labels of each draw.
        pool_clips: at least so many clips in the pool.
        seed: of all draws.
        advance: told how many draws were made.
    """
    world = sample_world(model, rule, pool_clips=pool_clips, class_clips=_CLIPS, seed=seed, targets=rule.labels[:1])
    clips = world.class_clips[0] if at == "class" else random_clips(rule, _CLIPS, seed=seed)
    layers = world.layers[-1:]
    # the checksum makes the draws of each model and place independent
    generator = np.random.default_rng([seed, random_streams.NULL_CONCEPTS, crc32(f"{world.name} {at}".encode())])
    with scratch_folder() as spill:
        store = pool_rows(model, world, SpillSpace(_MEMORY_BYTES, spill), layers)[world.deepest]
        place, counts = deepest_place(model, world, store), ErrorCounts()
        outputs, twins = (rendered_outputs(model, layers, clips, twin)[world.deepest] for twin in (None, _TWIN))
        edited = EditedClips(outputs=outputs, twins=twins)
        for number in range(1, draws + 1):
            drawn = generator.permutation(store.rows)[: _CONCEPT_CLIPS + _RANDOM_CLIPS]
            sets = drawn[:_CONCEPT_CLIPS], drawn[_CONCEPT_CLIPS:]
            settings = {"relabellings": relabellings, "seed": seed_of(generator)}
            counts.add(significant(place, edited.drawn(generator), *sets, **settings))
            advance(1)
            if number % _OFTEN == 0 or number == draws:
                yield counts.rows(world, at)


def deepest_place(model: VideoModel, world: World, store: RowStore) -> Place:
    """The deepest stage, with the pool's rows, for the world's first class."""
    return Place(
        tail=Tail(model, world.deepest),
        target=parse_target(model, world.targets[0], "log_odds"),
        rows=LayerRows.of(store),
        kernel=gram(store, None, range(store.rows)).kernel,
    )


def significant(
    place: Place,
    edited: EditedClips,
    concept: Int[np.ndarray, " row"],
    random: Int[np.ndarray, " row"],
    *,
    relabellings: int,
    seed: int,
) -> dict[str, bool]:
    """Whether the null of each operation is rejected for one concept, and whether the intervals of steps miss 0."""
    found, clips = {}, place.clips(edited.outputs)
    with clips.rerun.running():
        twins = place.clips(edited.twins, clean=clips)
        for operations, edited_clips in (((CLAMP, REMOVE), clips), ((RESTORE,), twins)):
            edits = place.edits(edited_clips, concept, random, relabellings=relabellings, seed=seed)
            null = edits.null_effects(operations)
            for operation in operations:
                effect = float(edits.by_clip(operation).mean())
                found[operation.name] = permutation_p(effect, null[operation.name].effects) <= LEVEL
            if edited_clips is clips:
                found[STEP.name] = misses_zero(edits)
    stepped = place.stepped(concept, random)
    with stepped.rerun.running():
        found[STEP_OF_A_RUN] = misses_zero(place.edits(stepped, concept, random, seed=seed))
    return found


def misses_zero(edits: ConceptEdits) -> bool:
    """Whether the 95 % interval of a step leaves 0 out."""
    low, high = edits.draws(STEP).interval
    return not low <= 0 <= high
