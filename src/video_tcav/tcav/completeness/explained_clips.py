"""Clips whose target is explained: inner products of all clips at one layer, and the target's value where it is known."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from video_tcav.core.errors import InputError, ModelError
from video_tcav.gram.design import numbering
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import FactoredKernel
from video_tcav.media import VideoSource
from video_tcav.models.hooks import LARGEST_BATCH
from video_tcav.models.tail import Tail
from video_tcav.models.targets import Target
from video_tcav.recording.batch_runner import native_name, space_axes
from video_tcav.recording.clip_id import ClipId
from video_tcav.recording.feature_spaces import to_space
from video_tcav.recording.inner_products import BLOCK_BYTES, block_columns
from video_tcav.recording.recording import Recording
from video_tcav.recording.rows import RowStore
from video_tcav.tcav.plan import Plan


@dataclass(frozen=True, kw_only=True, eq=False)
class ExplainedClips:
    """All clips of a run at one layer.

    Attributes:
        clips: the recorded ones in the order of their rows, then those of the class.
        kernel: K of them.
        values: of the target; NaN where it is not known.
        groups: number of each clip's group, as in the designs of the comparisons.
        sources: of the clips, by key.
    """

    clips: tuple[ClipId, ...]
    kernel: Float[np.ndarray, "clip clip"]
    values: Float[np.ndarray, " clip"]
    groups: Int[np.ndarray, " clip"]
    sources: dict[str, VideoSource]


def explained_clips(plan: Plan, recorded: Recording, gram: Gram, layer: str) -> ExplainedClips:
    """Clips as they were given, not their twins, have a value where the model's answer is known or can be had from their rows.

    In the space `flatten` the rest of the network runs on the rows. Of class clips the answers are known; they take part where
    their whole outputs were kept.

    Args:
        plan: with a target.
        recorded: of the plan.
        gram: K of the recorded rows at the layer.
        layer: dotted module name.

    Raises:
        InputError: where rows were sketched, or no clip has a value.
        ModelError: if the rest of the network cannot be run.
    """
    assert plan.target is not None
    if isinstance(gram.kernel, FactoredKernel):
        raise InputError(
            "`sketch` must be off, so that clips can be passed on from the layer. Got sketched rows. Leave --sketch out."
        )
    # twins teach nothing here, but keep their rows, so that designs find theirs
    clips = sorted(recorded.rows, key=lambda clip: recorded.rows[clip])
    kernel, values = gram.kernel, np.full(len(clips), np.nan)
    if recorded.settings.space == "flatten":
        plain = [row for row, clip in enumerate(clips) if clip.version == "none"]
        values[plain] = _passed_on(recorded, plain, plan.target)
    answers = dict(zip(recorded.class_rows, recorded.answers, strict=True))
    # a clip in two sets counts once
    class_clips = [clip for clip in answers if clip not in recorded.rows]
    outputs = recorded.class_outputs.rows.get(native_name(layer))
    if class_clips and outputs is not None and outputs.rows:
        kernel = _with_class_clips(recorded, kernel, layer, class_clips)
        values = np.append(values, [answers[clip].target for clip in class_clips])
        clips += class_clips
    # the sources that are compared come first, as where their designs are laid out, so that groups have the same numbers
    sources = {source.key: source for source in (*plan.compared(), *plan.class_sources)}
    numbers = numbering(plan.group_of(source) for source in sources.values())
    groups = np.asarray([numbers[plan.group_of(sources[clip.source])] for clip in clips], dtype=int)
    return ExplainedClips(clips=tuple(clips), kernel=kernel, values=values, groups=groups, sources=sources)


def _passed_on(recorded: Recording, rows: Sequence[int], target: Target) -> Float[np.ndarray, " row"]:
    """The target of recorded clips, by the rest of the network behind the deepest layer that can be run on its rows."""
    tail, store = _tail(recorded)
    values = []
    with tail.running(), torch.no_grad():
        for start in range(0, len(rows), LARGEST_BATCH):
            batch = rows[start : start + LARGEST_BATCH]
            (rows_of_batch,) = store.column_blocks(batch, store.width)
            # frames that a layer folds into its first axis lie behind each other, clip by clip
            native = rows_of_batch.reshape(len(batch) * tail.shape[0], *tail.shape[1:])
            values.append(target(tail.logits(native)).double().cpu().numpy())
    return np.concatenate(values)


def _tail(recorded: Recording) -> tuple[Tail, RowStore]:
    # from any layer the answer is the same; the deepest has the shortest way to it
    for layer in reversed(recorded.layers):
        tail, store = Tail(recorded.model, layer), recorded.whole_rows(layer)
        if math.prod(tail.shape) != store.width:
            raise ModelError(
                f"`clips` must have the size that the model was loaded with. Got outputs of {store.width} values at {layer} "
                f"instead of {math.prod(tail.shape)}. Give --size."
            )
        if not tail.needs_inputs:
            return tail, store
    raise ModelError(
        "`layers` must hold one that the network does not pass by. Got none among "
        f"{', '.join(recorded.layers)}. Name the module around one of them."
    )


def _with_class_clips(
    recorded: Recording, kernel: Float[np.ndarray, "row row"], layer: str, clips: Sequence[ClipId]
) -> Float[np.ndarray, "clip clip"]:
    """K of the recorded rows and of class clips, all from the mean of the recorded rows."""
    store, features = recorded.whole_rows(layer), _features(recorded, layer, clips)
    across = torch.zeros(store.rows, len(clips), dtype=torch.float64)
    inner = torch.zeros(len(clips), len(clips), dtype=torch.float64)
    columns = block_columns(store.rows + len(clips), store, BLOCK_BYTES)
    for block, class_block in zip(
        store.column_blocks(range(store.rows), columns), features.to(store.dtype).split(columns, dim=1), strict=True
    ):
        # centred before the products, or the mean of all would take their digits
        from_mean = class_block - block.mean(0)
        across += (block - block.mean(0)) @ from_mean.T
        inner += from_mean @ from_mean.T
    return np.block([[kernel, across.numpy()], [across.T.numpy(), inner.numpy()]])


def _features(recorded: Recording, layer: str, clips: Sequence[ClipId]) -> Float[Tensor, "clip feature"]:
    """Vectors of class clips in the run's feature space, from their whole outputs."""
    outputs, space = recorded.class_outputs.of(layer, clips), recorded.settings.space
    if space == "flatten":
        return outputs
    shape = recorded.layer_shapes()[layer]
    native = outputs.reshape(len(clips) * shape[0], *shape[1:])
    return to_space(native, space_axes(recorded.model, layer, shape, space), space)
