import dataclasses

import pytest
import torch
from torchvision.models.video.mvit import MSBlockConfig, MViT

from video_tcav.models.axes.declared import mvit_axes
from video_tcav.models.axes.probe import probe_axes
from video_tcav.models.layers import list_layers, noise_clip, trace
from video_tcav.models.load import load_model

from .networks import in_another_order, layers_that_single_cells_contradict, pooled_without_overlap


def tiny_mvit() -> MViT:
    """torchvision's own class, small: the published builders take one clip size only."""
    strides = ([1, 1, 1], [1, 2, 2], [1, 1, 1])
    widths = ((16, 16), (16, 32), (32, 32))
    blocks = [
        MSBlockConfig(
            num_heads=2,
            input_channels=a,
            output_channels=b,
            kernel_q=[3, 3, 3],
            kernel_kv=[3, 3, 3],
            stride_q=stride,
            stride_kv=[1, 2, 2],
        )
        for (a, b), stride in zip(widths, strides, strict=True)
    ]
    return MViT((32, 48), 8, blocks, True, False, rel_pos_embed=True, proj_after_attn=True, num_classes=3).eval()


def test_mvit_declares_its_shrinking_grids_as_probed():
    torch.manual_seed(0)
    network = tiny_mvit()
    model = load_model(network, frames=8, size=(32, 48))
    rule = mvit_axes(network)
    names = ["pos_encoding", "blocks.0", "blocks.1", "blocks.1.norm1", "blocks.1.mlp", "blocks.2", "norm"]
    shapes = trace(model, names)
    declared = {name: rule(name, shapes[name][0], (8, 32, 48)) for name in names}
    assert declared["blocks.0"].grid == (4, 8, 12)
    assert declared["blocks.1"].grid == declared["blocks.2"].grid == (4, 4, 6)
    probed = probe_axes(model, names, noise_clip(model))
    for name, axes in probed.items():
        # Random overlapping convolutions leave it open which of two neighbouring tokens a cell belongs to: then none is read.
        assert axes == declared[name] or "responds elsewhere" in str(axes)
    assert probed["pos_encoding"] == declared["pos_encoding"]


def test_swin_convolution_and_pooling_are_channels_first():
    model = load_model("torchvision:swin3d_t", frames=4, size=32)
    layers = {layer.name: layer for layer in list_layers(model)}
    probed = probe_axes(model, ["patch_embed.proj", "patch_embed", "features.1.reduction"], noise_clip(model))
    for name, axes in probed.items():
        assert layers[name].axes == axes
    assert layers["avgpool"].axes.dims[:2] == ("clip", "channel")
    assert layers["norm"].axes.dims[-1] == "channel"
    assert layers["features.2"].is_default
    assert layers["head"].axes.dims == ("clip", "channel")


@pytest.mark.parametrize("seed", [0, 1])
def test_mvit_answers_to_single_cells_where_its_grids_say(seed):
    torch.manual_seed(seed)
    network = tiny_mvit()
    pooled_without_overlap(network)
    model = dataclasses.replace(load_model(network, frames=8, size=(32, 48)), declare_axes=mvit_axes(network))
    assert layers_that_single_cells_contradict(model) == set()
    assert layers_that_single_cells_contradict(model, in_another_order) == set(model.default_layers)


@pytest.mark.parametrize("rule", ["motion", "order"])
def test_rendered_networks_answer_to_single_cells_where_they_say(rule):
    convolutions, transformer = (load_model(f"rendered:{network}-{rule}") for network in ("r2plus1d", "transformer"))
    assert layers_that_single_cells_contradict(convolutions) == set()
    assert layers_that_single_cells_contradict(transformer) == set()
    assert layers_that_single_cells_contradict(transformer, in_another_order) == set(transformer.default_layers)


def test_mc3_answers_to_single_cells_where_it_says():
    """The other networks with a dimension for each axis are compared with probing, which passes the same cells."""
    model = load_model("torchvision:mc3_18", frames=8, size=32)
    swapped = {"time": "width", "width": "time"}
    assert layers_that_single_cells_contradict(model) == set()
    wrong = layers_that_single_cells_contradict(
        model, lambda axes: dataclasses.replace(axes, dims=tuple(swapped.get(name, name) for name in axes.dims))
    )
    assert "layer1" in wrong
