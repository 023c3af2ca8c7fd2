"""What a model would say of clips without a concept: the coordinate along a saved CAV put to that of random clips."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from video_tcav.media import VideoSource
from video_tcav.models.targets import Target
from video_tcav.recording.batch_runner import BatchRunner
from video_tcav.recording.clip_id import ClipId
from video_tcav.recording.recording import Recording
from video_tcav.tcav.interventions.recorded_clips import check_unedited, recorded_rerun, recorded_tail
from video_tcav.tcav.interventions.rerun import LayerRerun, Reruns
from video_tcav.tcav.saved_cavs import SavedCav


class ClipAnswers(NamedTuple):
    """What the model says of one clip as it is, and without a concept; see `ClipScore`."""

    target_as_is: float
    target_without: float
    predicted_as_is: str | None
    predicted_without: str | None


def answers_without(
    recorded: Recording,
    layer: str,
    cavs: Sequence[SavedCav],
    sources: Sequence[VideoSource],
    target: Target,
    runner: BatchRunner,
) -> list[Mapping[ClipId, ClipAnswers]]:
    """For each CAV of a layer, the answers for each class clip.

    Args:
        recorded: with whole outputs of the class clips at the layer.
        layer: dotted module name.
        cavs: of that layer and the recording's feature space.
        sources: of the class clips.
        target: of their pass.
        runner: that passed them.

    Raises:
        ModelError: for a layer whose output cannot be replaced.
    """
    clips = list(recorded.class_rows)
    tail, passing = recorded_tail(recorded, layer, runner)
    rerun = recorded_rerun(
        recorded, tail, recorded.class_outputs.of, clips, sources=sources, target=target, passing=passing, seed=0
    )
    with rerun.running():
        as_is = _moved(rerun, np.zeros(rerun.clips), cavs[0])
        check_unedited(as_is, recorded, clips, layer)
        removed = [_moved(rerun, cav.random_mean - _coordinates(rerun, cav), cav) for cav in cavs]
    return [
        {clip: _answers(as_is, edited, index, recorded.model.classes) for index, clip in enumerate(clips)}
        for edited in removed
    ]


def _answers(as_is: Reruns, edited: Reruns, index: int, classes: Sequence[str]) -> ClipAnswers:
    numbers = [int(run.predicted[index]) for run in (as_is, edited)]
    names = [None if number < 0 else classes[number] for number in numbers]
    return ClipAnswers(float(as_is.targets[index]), float(edited.targets[index]), *names)


def _coordinates(rerun: LayerRerun, cav: SavedCav) -> np.ndarray:
    """Where each clip projects on the CAV."""
    coordinates = [rerun.features(chosen).double() @ cav.vector.double() for chosen in rerun.chunks()]
    return torch.cat(coordinates).numpy()


def _moved(rerun: LayerRerun, shifts: np.ndarray, cav: SavedCav) -> Reruns:
    return rerun.edited(shifts, cav.vector[None], np.arange(rerun.clips))
