"""Erasure of concepts from a model: the span of their CAVs at a layer, put to the coordinates of the mean random clip."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import InputError
from video_tcav.models import VideoModel
from video_tcav.models.erasure import Erasure
from video_tcav.models.hooks import trace_layers
from video_tcav.models.layers import noise_clip
from video_tcav.recording.batch_runner import space_axes
from video_tcav.recording.feature_spaces import from_space, to_space
from video_tcav.tcav.interventions.concept_span import orthonormal_axes
from video_tcav.tcav.saved_cavs import SavedCav


def erase_cavs(model: VideoModel, cavs: Sequence[SavedCav]) -> Erasure:
    """What erases some concepts at once: all coordinates in the span of their CAVs get the values of random clips.

    In a feature space that averages over positions, every position is moved by as much, as `remove` does.

    Args:
        model: that the CAVs were learned on.
        cavs: of one layer and one feature space, from `load_cavs`.

    Returns:
        What `with_erasure` takes; behind the layer, nothing can depend on these coordinates any more.

    Raises:
        InputError: if the CAVs are of several layers, of another model, or say nothing.
    """
    if not cavs:
        raise InputError("`cavs` must hold a concept to erase. Got none. Name one that the file holds.")
    layer, space = cavs[0].layer, cavs[0].space
    if any((cav.layer, cav.space) != (layer, space) for cav in cavs):
        listed = ", ".join(dict.fromkeys(f"{cav.layer} ({cav.space})" for cav in cavs))
        raise InputError(f"`cavs` must be of one layer and feature space. Got {listed}. Choose one with --layer.")
    if any(cav.weights_digest != model.weights_digest for cav in cavs):
        raise InputError(
            f"`cavs` must belong to the model. Got CAVs of other weights than {model.name}'s. Test it anew."
        )
    axes, values = _span(cavs)
    shape = trace_layers(model, [layer], noise_clip(model).to(model.device)).shapes[layer]
    layer_axes = space_axes(model, layer, shape, space)
    # coordinates are linear in the output, so that their gradient is the same anywhere, also at 0
    output = torch.zeros(shape, requires_grad=True)
    with torch.enable_grad():
        features = to_space(output, layer_axes, space)[0]
    if len(features) != axes.shape[1]:
        raise InputError(
            f"`cavs` must have the length of the layer. Got {axes.shape[1]} values for {len(features)} at {layer}. "
            "Give the clip settings that they were learned with."
        )
    # the gradient of a coordinate is what reads it off an output, whatever the layout and the average
    with torch.enable_grad():
        read = torch.stack([torch.autograd.grad(features @ axis, output, retain_graph=True)[0] for axis in axes])
    write = torch.cat([from_space(axis[None], layer_axes, space, shape) for axis in axes]).reshape(read.shape)
    return Erasure(
        layer=layer,
        concepts=tuple(dict.fromkeys(cav.concept for cav in cavs)),
        read=read,
        write=write,
        values=values,
        weights_digest=model.weights_digest,
    )


def _span(cavs: Sequence[SavedCav]) -> tuple[Float[Tensor, "axis feature"], Float[Tensor, " axis"]]:
    """Orthonormal axes of the span of CAVs, and where the mean random clip lies on each."""
    units = torch.stack([cav.vector.double() for cav in cavs])
    # the axes of the span by the small matrix of products: a CAV of a large layer has millions of values
    axes = orthonormal_axes(np.eye(len(cavs))[None], (units @ units.T).numpy())[0]
    combined = torch.from_numpy(axes[axes.any(1)])
    if not len(combined):
        raise InputError(
            f"`cavs` must point somewhere. Got zero for {cavs[0].concept} at {cavs[0].layer}, where the layer tells nothing "
            "apart. Choose another layer."
        )
    means = torch.tensor([cav.random_mean for cav in cavs], dtype=torch.float64)
    # coordinates along the CAVs are linear in those along the axes, and so the other way round
    return (combined @ units).float(), (combined @ means).float()
