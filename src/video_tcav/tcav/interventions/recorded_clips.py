"""Recorded clips at one layer, ready to be edited: whole outputs, the network's tail, and the check that it says the same."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import ModelError
from video_tcav.media import VideoSource
from video_tcav.models.layers import noise_clip
from video_tcav.models.tail import Tail
from video_tcav.models.targets import Target
from video_tcav.recording.batch_runner import BatchRunner, space_axes
from video_tcav.recording.clip_id import ClipId
from video_tcav.recording.fast.fast_paths import OptimisedPass
from video_tcav.recording.feature_spaces import from_space
from video_tcav.recording.recorder import prepared_clips
from video_tcav.recording.recording import Recording
from video_tcav.tcav.interventions.rerun import LayerRerun, Reruns

RERUN_TOLERANCE = {"float32": 1e-3, "bfloat16": 3e-2}
"""By which the target of a clip may differ from that of its pass, relative to 1 + its size, at each precision."""


def recorded_tail(recorded: Recording, layer: str, runner: BatchRunner) -> tuple[Tail, OptimisedPass]:
    """The rest of the network behind a layer, and the fast paths of the pass that it takes, too.

    Raises:
        ModelError: for a layer whose output cannot be replaced.
    """
    passing = runner.passing(noise_clip(recorded.model)[0])  # decided already, unless every row came from a store
    with passing.running():
        return Tail(recorded.model, layer), passing


OutputsOf = Callable[[str, Sequence[ClipId]], Float[Tensor, "clip value"]]
"""Reads the whole outputs of some clips at a layer, one row each."""


def random_outputs(recorded: Recording, tail: Tail) -> OutputsOf:
    """Whole outputs of random clips: their rows where every value was kept, else what was kept beside them."""
    space = recorded.settings.space
    if space != "flatten":
        return recorded.random_outputs.of
    rows = recorded.whole_rows(tail.layer)
    axes = space_axes(recorded.model, tail.layer, tail.shape, space)

    def outputs(_layer: str, clips: Sequence[ClipId]) -> Float[Tensor, "clip value"]:
        chosen = rows.take([recorded.rows[clip] for clip in clips])
        return from_space(chosen, axes, space, tail.shape).reshape(len(clips), -1)

    return outputs


def recorded_rerun(
    recorded: Recording,
    tail: Tail,
    outputs: OutputsOf,
    clips: Sequence[ClipId],
    *,
    sources: Sequence[VideoSource],
    target: Target,
    passing: OptimisedPass,
    seed: int,
) -> LayerRerun:
    """Some recorded clips, as they left the layer that a tail begins at.

    Args:
        recorded: with their whole outputs there.
        tail: the rest of the network.
        outputs: of class clips, their twins, or random clips.
        clips: which of them.
        sources: where they come from; clips that the tail needs are read again.
        target: what is explained.
        passing: the fast paths of their pass.
        seed: of shuffled twins.
    """
    inputs = None
    if tail.needs_inputs:
        prepared = prepared_clips(recorded.model, sources, recorded.settings, clips, seed)
        inputs = [prepared[clip] for clip in clips]
    return LayerRerun(
        tail,
        lambda chosen: outputs(tail.layer, [clips[index] for index in chosen]),
        clips=len(clips),
        axes=space_axes(recorded.model, tail.layer, tail.shape, recorded.settings.space),
        space=recorded.settings.space,
        target=target,
        passing=passing,
        inputs=inputs,
    )


def check_unedited(unedited: Reruns, recorded: Recording, clips: Sequence[ClipId], layer: str) -> None:
    """Refuse a layer from which the network, run again with nothing changed, says something else than in its pass.

    Raises:
        ModelError: naming how far they are apart.
    """
    passed = np.asarray(recorded.class_outputs.targets(clips))
    difference = np.abs(unedited.targets - passed) / (1 + np.abs(passed))
    if not difference.max() <= RERUN_TOLERANCE[recorded.precision]:  # NaN as well
        raise ModelError(
            f"`layer` must give the clips' own target when nothing is changed. Got a relative difference of "
            f"{difference.max():.2g} at {layer}. Choose another layer."
        )
