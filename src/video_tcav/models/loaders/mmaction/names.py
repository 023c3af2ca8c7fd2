"""Published tensor names: what an mmaction2 checkpoint calls each tensor of a network here, with joined and reshaped ones."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from video_tcav.models.weights.loading import Weights, fit_weights, match_weights
from video_tcav.models.weights.tensor_names import StateDict

NameRules = Sequence[tuple[str, str | Callable[[re.Match[str]], str]]]
"""Regular expressions and what stands for them in the published name, applied in turn.

A published name may end in `#0`, `#1` or `#2`: the network's tensor is that third of the published one (queries, keys, values);
or in `#token`: the published one has two more axes in front.
"""
_FORM = "#"
_TOKEN = "token"


def published_name(name: str, rules: NameRules) -> str:
    """The name that mmaction2 gives a tensor, with its form."""
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name


def published_tensors(module: nn.Module, rules: NameRules) -> dict[str, Tensor]:
    """The network's tensors as mmaction2 would save them."""
    parts: dict[str, list[Tensor]] = {}
    for name, tensor in module.state_dict().items():
        published, _, form = published_name(name, rules).partition(_FORM)
        parts.setdefault(published, []).append(tensor[None, None] if form == _TOKEN else tensor)
    # Queries, keys and values stand in this order in both.
    return {name: tensors[0] if len(tensors) == 1 else torch.cat(tensors) for name, tensors in parts.items()}


def fit_published(module: nn.Module, weights: Weights, rules: NameRules) -> tuple[str, ...]:
    """Load a checkpoint of mmaction2 into a network; returns notes of what was left out or chosen.

    Raises:
        WeightsError: as `fit_weights` does, by the published names.
    """
    matched = match_weights(published_tensors(module, rules), weights)
    tensors = _by_network_names(module, matched.tensors, rules)
    return fit_weights(module, replace(matched, state_dicts=(StateDict(tensors=tensors),)))


def _by_network_names(module: nn.Module, published: Mapping[str, Tensor], rules: NameRules) -> dict[str, Tensor]:
    tensors = {}
    for name in module.state_dict():
        source, _, form = published_name(name, rules).partition(_FORM)
        if source not in published:
            continue  # counts of batches, which old checkpoints lack
        tensor = published[source]
        tensors[name] = tensor[0, 0] if form == _TOKEN else tensor.chunk(3)[int(form)] if form else tensor
    return tensors
