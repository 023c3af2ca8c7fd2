"""The rest of the network behind a layer, run again on clips of the half that confirms, from what was recorded of them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from video_tcav.core.progress import progress_bar
from video_tcav.discovery.recorded_clips import RecordedClips
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.recording.clip_id import ClipId
from video_tcav.tcav.interventions.recorded_clips import OutputsOf, recorded_rerun, recorded_tail
from video_tcav.tcav.interventions.rerun import LayerRerun


def rerun_of(clips: RecordedClips, layer: str, numbers: Int[np.ndarray, " clip"], runner: BatchRunner) -> LayerRerun:
    """Some clips of the half that confirms at a layer, to be edited value by value.

    Args:
        clips: that were recorded; whole outputs of the layer were kept, unless its grid has all of them.
        layer: dotted module name.
        numbers: of the clips; edits count them in this order.
        runner: that passed the clips.

    Raises:
        ModelError: for a layer whose output cannot be replaced.
    """
    # an edit is of single positions, whatever space a run's CAVs are in
    recording = replace(clips.recording, settings=clips.recording.settings.with_values(space="flatten"))
    tail, passing = recorded_tail(recording, layer, runner)
    return recorded_rerun(
        recording,
        tail,
        _positions_of(clips) if clips.grids[layer].is_whole else recording.random_outputs.of,
        [clips.ids[number] for number in numbers],
        sources=clips.plan.sources,
        target=clips.plan.target,
        passing=passing,
        seed=clips.plan.seed,
    )


def _positions_of(clips: RecordedClips) -> OutputsOf:
    """Whole outputs from the rows that components were found in, so that nothing is kept twice."""

    def outputs(layer: str, names: Sequence[ClipId]) -> Float[Tensor, "clip value"]:
        grid = clips.grids[layer]
        rows = clips.layers[layer].positions.take([clips.recording.rows[name] for name in names])
        return grid.spread(rows.unflatten(1, (*grid.size, -1)))

    return outputs


def confirming_answers(
    clips: RecordedClips, layer: str, runner: BatchRunner, *, progress: bool = False
) -> Float[np.ndarray, " clip"]:
    """The target of each clip of the half that confirms, by the rest of the network behind a layer.

    Raises:
        ModelError: for a layer whose output cannot be replaced.
    """
    # in the order of `confirming`, as presences and groups are
    numbers = np.flatnonzero(clips.confirms)
    rerun = rerun_of(clips, layer, numbers, runner)
    with rerun.running(), progress_bar("answers (clips)", len(numbers), visible=progress) as advance:
        targets = []
        for chunk in rerun.chunks():
            targets.append(rerun.unedited(chunk).targets)
            advance(len(chunk))
    return np.concatenate(targets)
