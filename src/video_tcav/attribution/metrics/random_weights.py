"""Copies of a model that have learned nothing, or have forgotten more and more of it."""

from collections.abc import Collection, Iterator
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from video_tcav.attribution.method import Clips, batch_of
from video_tcav.models import VideoModel
from video_tcav.models.hooks import untouched


def randomised(model: VideoModel, *, seed: int, clips: Clips | None = None) -> VideoModel:
    """A copy of the model that has learned nothing: every module draws its weights anew, as before training.

    Parameters of modules that cannot draw any (`reset_parameters`) are put in random order. The model and the global random
    numbers are left as they were.

    Args:
        model: any.
        seed: of all weights.
        clips: prepared clips, from which batch norms take their statistics, as they would in training. Without, the signal
            of a deep network that was not trained fades until only rounding is left.
    """
    return _randomised(model, seed, {name for name, _ in model.module.named_modules()}, clips)


def random_copies(model: VideoModel, clips: Clips, *, seed: int) -> Iterator[VideoModel]:
    """As many copies with random weights as there are clips, each with weights of its own; see `randomised`."""
    for number in range(len(clips)):
        yield randomised(model, seed=_seed_of_many(seed, number), clips=clips)


def cascaded(model: VideoModel, *, seed: int, clips: Clips | None = None) -> Iterator[tuple[str, VideoModel]]:
    """Copies of the model that have forgotten more and more, from the head down.

    Args:
        model: any.
        seed: of all weights; what was random in one copy is the same in all that follow.
        clips: as for `randomised`.

    Yields:
        The part that was randomised last, and the copy: `head` is all behind the last of the model's stages, then each stage
        with what lies between it and the one before; with the first stage goes all that is left.

    Source:
        Adebayo et al. 2018, arXiv:1810.03292, section 4.1.
    """
    depths = _depths(model)
    for depth, part in reversed(list(enumerate((*model.default_layers, "head")))):
        yield part, _randomised(model, seed, {name for name, own in depths.items() if own >= depth}, clips)


def _seed_of_many(seed: int, number: int) -> int:
    """One of many seeds that have nothing to do with each other."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _depths(model: VideoModel) -> dict[str, int]:
    """Of each module, which stage it belongs to, or leads to; the number of stages for those behind all of them."""
    depths, current = {}, len(model.default_layers)
    for name in reversed([name for name, _ in model.module.named_modules()]):
        inside = (index for index, stage in enumerate(model.default_layers) if f"{name}.".startswith(f"{stage}."))
        depths[name] = current = next(inside, current)
    return depths


def _randomised(model: VideoModel, seed: int, names: Collection[str], clips: Clips | None) -> VideoModel:
    copy = deepcopy(model.module).cpu()
    parts = [(number, part) for number, (name, part) in enumerate(copy.named_modules()) if name in names]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for number, part in parts:
            torch.default_generator.manual_seed(_seed_of_many(seed, number))
            _randomise(part)
    found = replace(model, module=copy.to(model.device), trained=False)
    norms = [part for _, part in parts if getattr(part, "running_mean", None) is not None]
    if clips is not None and norms:
        _settle(found, norms, clips[: batch_of(model, clips)])
    return found


def _randomise(part: nn.Module) -> None:
    """Draw a module's own weights anew, in place."""
    reset = getattr(part, "reset_parameters", None)
    if callable(reset):
        reset()
        return
    for parameter in part.parameters(recurse=False):
        mixed = parameter.flatten()[torch.randperm(parameter.numel())]
        parameter.copy_(mixed.reshape(parameter.shape))


def _settle(copy: VideoModel, norms: list[nn.Module], clips: Clips) -> None:
    """Let norms take their statistics from clips, in place."""
    usual = [norm.momentum for norm in norms]
    with untouched(copy.module), torch.no_grad():
        for norm in norms:
            norm.train()
            norm.momentum = None  # pyright: ignore[reportArgumentType]  # all of what they see, not a tenth of it
        copy.logits(clips)
    for norm, momentum in zip(norms, usual, strict=True):
        norm.momentum = momentum
