"""Model randomisation: copies of a model with random weights, in all layers or from the head down."""

from collections.abc import Collection, Iterator
from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from video_tcav.attribution.method import Clips, batch_size
from video_tcav.models import VideoModel
from video_tcav.models.hooks import untouched


def randomised(model: VideoModel, *, seed: int, clips: Clips | None = None) -> VideoModel:
    """A copy of the model in which every module draws its weights anew, as before training.

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
        yield randomised(model, seed=_derived_seed(seed, number), clips=clips)


def cascaded(model: VideoModel, *, seed: int, clips: Clips | None = None) -> Iterator[tuple[str, VideoModel]]:
    """Copies of the model with more and more random weights, from the head down.

    Args:
        model: any.
        seed: of all weights; what was random in one copy is the same in all that follow.
        clips: as for `randomised`.

    Yields:
        The stage that was randomised last, and the copy: `head` is all behind the last of the model's stages, then each
        stage with what lies between it and the one before; with the first stage goes all that is before it.

    Source:
        Adebayo et al. 2018, arXiv:1810.03292, section 4.1.
    """
    depths = _depths(model)
    for depth, stage in reversed(list(enumerate((*model.default_layers, "head")))):
        names = {name for name, module_depth in depths.items() if module_depth >= depth}
        yield stage, _randomised(model, seed, names, clips)


def _derived_seed(seed: int, number: int) -> int:
    """One of many independent seeds."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _depths(model: VideoModel) -> dict[str, int]:
    """Of each module, which stage it belongs to, or leads to; the number of stages for those behind all of them."""
    depths, current = {}, len(model.default_layers)
    # Backwards: a module between two stages belongs to the one behind it, which has been met by then.
    for name in reversed([name for name, _ in model.module.named_modules()]):
        inside = (index for index, stage in enumerate(model.default_layers) if f"{name}.".startswith(f"{stage}."))
        depths[name] = current = next(inside, current)
    return depths


def _randomised(model: VideoModel, seed: int, names: Collection[str], clips: Clips | None) -> VideoModel:
    network = deepcopy(model.module).cpu()  # drawn on the CPU: the same weights on every device
    numbered = [(number, module) for number, (name, module) in enumerate(network.named_modules()) if name in names]
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        for number, module in numbered:
            # A seed for each module, so that its weights do not depend on which others are random.
            torch.default_generator.manual_seed(_derived_seed(seed, number))
            _randomise(module)
    copy = replace(model, module=network.to(model.device), trained=False)
    norms = [module for _, module in numbered if getattr(module, "running_mean", None) is not None]
    if clips is not None and norms:
        _fit_norms(copy, norms, clips[: batch_size(model, clips)])
    return copy


def _randomise(module: nn.Module) -> None:
    """Draw a module's own weights anew, in place."""
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()
        return
    for parameter in module.parameters(recurse=False):
        shuffled = parameter.flatten()[torch.randperm(parameter.numel())]
        parameter.copy_(shuffled.reshape(parameter.shape))


def _fit_norms(copy: VideoModel, norms: list[nn.Module], clips: Clips) -> None:
    """Let norms take their statistics from clips, in place."""
    momenta = [norm.momentum for norm in norms]
    with untouched(copy.module), torch.no_grad():
        for norm in norms:
            norm.train()
            # Without a momentum a norm averages all that it gets, instead of a tenth of each batch.
            norm.momentum = None  # pyright: ignore[reportArgumentType]
        copy.logits(clips)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
