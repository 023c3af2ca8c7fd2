"""A small audit of a model: two labelled clips with a moving square, which given masks take for the person."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

import video_tcav as vt
from video_tcav.auditing import VERSIONS
from video_tcav.masks import ClipMasks, MaskSource
from video_tcav.media import LoadedClips
from video_tcav.models import VideoModel
from video_tcav.models.targets import parse_target

VERSIONS_ASKED = (*(name for name in VERSIONS.names() if not VERSIONS[name].needs_masks), "scene_only", "swap")
# Log-odds are differences of logits, which the passes of an audit make in other batches.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class GivenMasks(MaskSource):
    """The masks of clips by their names."""

    person: Mapping[str, Tensor]
    name: str = "given"

    def masks(self, loaded: LoadedClips) -> tuple[ClipMasks, ...]:
        assert loaded.clips is not None
        return tuple(ClipMasks(person=self.person[loaded.source.key], how="given") for _ in loaded.clips)


def moving_square(model: VideoModel, seed: int) -> tuple[Tensor, Tensor]:
    """A clip of noise `(time, 3, height, width)` with a bright square that moves to the right, and where it is."""
    time, (height, width) = model.clip_spec.frames, model.clip_spec.size or (64, 64)
    generator = torch.Generator().manual_seed(seed)
    clip = torch.randint(0, 128, (time, 3, height, width), dtype=torch.uint8, generator=generator)
    there = torch.zeros(time, height, width, dtype=torch.bool)
    for frame in range(time):
        left = width // 8 + frame * width // (2 * time)
        there[frame, height // 4 : height // 2, left : left + width // 4] = True
    clip.movedim(1, 3)[there] = 250
    return clip, there


def audit_agrees(model: VideoModel) -> bool:
    """Whether each version has an answer for each clip, and that to reversed frames is the model's own."""
    made = {f"clip-{number}": moving_square(model, seed=number) for number in range(2)}
    labels = dict(zip(made, model.classes, strict=False))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few clips show nothing, which the result says
        result = vt.audit(
            model,
            {labels[name]: [(name, clip.movedim(1, 3))] for name, (clip, _) in made.items()},
            masks=GivenMasks({name: there for name, (_, there) in made.items()}),
            versions=VERSIONS_ASKED,
            shares=False,
            bootstraps=100,
        )
    answers = result.answers.to_frame().set_index(["clip", "version"])["log_odds"]
    if len(answers) != len(made) * len(VERSIONS_ASKED) or not answers.notna().all():
        return False
    for name, (clip, _) in made.items():
        with torch.no_grad():
            logits = model.logits(model.prepare(clip.flip(0))[None])
        expected = float(parse_target(model, labels[name], "log_odds")(logits))
        if abs(answers[name, "reversed"] - expected) > _TOLERANCE:
            return False
    return True
