"""Examples of an audit: small moving pictures of versions, so that everyone can look at what the model was given."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from video_tcav.auditing.answers import AuditAnswers
from video_tcav.auditing.pending_clips import PendingClips
from video_tcav.auditing.plan import AuditPlan
from video_tcav.auditing.versions import ORIGINAL
from video_tcav.core.progress import Advance
from video_tcav.masks.compositing import fitted
from video_tcav.masks.material import Clip, ClipMaterial

MASKS = "masks"
"""The clip as it is, with person and object tinted."""
_SIDE_PX = 160  # of the longer side: ten pairs of clips stay below some megabytes in a page
_PERSON_TINT, _OBJECT_TINT = (255, 96, 0), (0, 132, 255)
_TINT = 0.55


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditExample:
    """One version of one clip, small.

    Attributes:
        clip: number of the clip among those of the audit.
        version: its name, or `masks`.
        frames: RGB.
        fps: frames a second.
    """

    clip: int
    version: str
    frames: UInt8[Tensor, "time 3 height width"]
    fps: float


def make_examples(
    clips: PendingClips,
    plan: AuditPlan,
    answers: AuditAnswers,
    wanted: Iterable[tuple[int, str]],
    advance: Advance,
) -> tuple[AuditExample, ...]:
    """Make some versions of some clips once more, and the masks of each of these clips.

    Args:
        clips: knows the material.
        plan: of the audit.
        answers: say which clips there are.
        wanted: number of a clip and name of a version, or `masks`.
        advance: told of each clip.
    """
    by_clip: dict[int, list[str]] = {}
    for number, name in wanted:
        by_clip.setdefault(number, []).append(name)
    sources = {source.key: source for source in plan.sources}
    examples = []
    for number, names in by_clip.items():
        clip = answers.clips[number]
        lender = None if clip.lender is None else sources[clip.lender]
        makers, material, fps = clips.makers(sources[clip.clip], clip.window, lender)
        for name in dict.fromkeys(names):
            if name == MASKS and material.masks is None:
                continue
            frames = masked_frames(material) if name == MASKS else makers[name].frames()
            examples.append(AuditExample(clip=number, version=name, frames=_small(frames), fps=fps))
        advance(1)
    return tuple(examples)


def wanted_examples(
    answers: AuditAnswers, versions: Sequence[str], telling: Iterable[tuple[int, str]]
) -> list[tuple[int, str]]:
    """All versions of the first clip that has them all, and the telling versions beside the clips as they are."""
    # a clip that has no swap would leave holes in the sheet
    complete = (n for n in range(len(answers.clips)) if all(answers.versions[name].passed[n] for name in versions))
    sheet = next(complete, None)
    wanted = [] if sheet is None else [(sheet, name) for name in (*versions, MASKS)]
    for number, version in telling:
        wanted += [(number, ORIGINAL.name), (number, version), (number, MASKS)]
    return list(dict.fromkeys(wanted))


def masked_frames(material: ClipMaterial) -> Clip:
    """The clip with its person tinted orange, and its object blue."""
    masks = material.known_masks
    frames = material.clip.clone()
    for pixels, tint in ((masks.person, _PERSON_TINT), (masks.object, _OBJECT_TINT)):
        if pixels is not None:
            colour = torch.tensor(tint, dtype=torch.float32)[None, :, None, None]
            tinted = (frames.float() * (1 - _TINT) + colour * _TINT).round().to(torch.uint8)
            frames = torch.where(pixels[:, None], tinted, frames)
    return frames


def _small(frames: Clip) -> Clip:
    height, width = frames.shape[-2:]
    scale = min(1.0, _SIDE_PX / max(height, width))
    if scale == 1:
        return frames.contiguous()
    # even sides, as H.264 takes no others
    return fitted(frames, len(frames), max(2, 2 * round(height * scale / 2)), max(2, 2 * round(width * scale / 2)))
