"""Methods that know the truth of the benchmark's clips, by the clip itself, and methods that know nothing."""

import numpy as np
import torch

from video_tcav.benchmark.versions import ATTRIBUTION, CONCEPTS
from video_tcav.rendered import rule_of
from video_tcav.rendered.training import normalised

QUICK = True


def key(clip):
    return clip.contiguous().numpy().tobytes()


def perfect_maps(rule):
    """A method of attribution that returns the mask of the cause."""
    clips = ATTRIBUTION[QUICK].clips_of(rule_of(rule))
    masks = {key(clip): mask for clip, mask in zip(normalised(clips.pixels), clips.cause, strict=True)}
    return lambda *, model, clip, target, layer: masks[key(clip[0])]


def random_maps(*, model, clip, target, layer):
    return torch.rand(16, 64, 64, generator=torch.Generator().manual_seed(int(clip.abs().sum())))


def components(rule, *, rank=0, count=4, seed_matters=False):
    """A method of discovery whose component number `rank` is the cause in new clips of the class, and the others random."""
    clips = CONCEPTS[QUICK].clips_of(rule_of(rule))
    causes = clips.new_clips.cause.numpy() * clips.new_is_class[:, None, None, None]

    def find(*, model, class_clips, random_clips, new_clips, target, layer, seed):
        assert torch.equal(new_clips, normalised(clips.new_clips.pixels))
        generator = np.random.default_rng([1, seed] if seed_matters else 1)
        grids = generator.random((count, len(new_clips), 4, 8, 8))
        directions = generator.normal(size=(count, 12))
        entries = [{"map": grid, "direction": direction} for grid, direction in zip(grids, directions, strict=True)]
        entries[rank]["map"] = causes
        return entries

    return find


def random_components(*, model, class_clips, random_clips, new_clips, target, layer, seed):
    generator = np.random.default_rng(seed)
    return [{"map": generator.random((len(new_clips), 16, 32, 32))} for _ in range(5)]
