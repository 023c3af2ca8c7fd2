"""Material with known truth: rendered clips, and small clips of blocks that move over noise."""

import numpy as np
import torch

from video_tcav.masks import ClipMasks, ClipMaterial
from video_tcav.rendered import render, sample_factors


def rendered_material(number, *, size=64, with_object=True):
    """A rendered clip of a moving figure that holds something, with its true masks."""
    moving = [one for one in sample_factors(60, seed=7) if one.motion != "still" and one.object != "none"]
    clip = render(moving[number], size=size)
    held = clip.mask("object") if with_object else None
    return ClipMaterial(key=f"clip{number}", clip=clip.clip, masks=ClipMasks(person=clip.mask("figure"), object=held))


def block_material(key="block", *, frames=6, height=24, width=32, seed=0):
    """A person (a block that moves right) and an object (a block below it), over a scene of noise that stands still."""
    generator = np.random.default_rng(seed)
    scene = generator.integers(60, 120, (3, height, width))
    clip = np.repeat(scene[None], frames, axis=0)
    person, held = np.zeros((2, frames, height, width), bool)
    for frame in range(frames):
        person[frame, 4:12, 2 + 3 * frame : 8 + 3 * frame] = True
        held[frame, 14:18, 2 + 3 * frame : 6 + 3 * frame] = True
    clip = np.where(person[:, None], 220, np.where(held[:, None], 10, clip)).astype(np.uint8)
    masks = ClipMasks(person=torch.from_numpy(person), object=torch.from_numpy(held))
    return ClipMaterial(key=key, clip=torch.from_numpy(clip), masks=masks), torch.from_numpy(scene.astype(np.uint8))
