"""UniFormer and UniFormerV2 of mmaction2 configs: refusals, axes of all kinds of layers, clips of one batch."""

import dataclasses

import pytest
import torch

from tests.parity.mmaction_configs import CONFIGS, loaded
from video_tcav.core.errors import ModelError
from video_tcav.models.layers import noise_clip

from .networks import in_another_order, layers_that_single_cells_contradict

FAMILIES = [name for name in CONFIGS if name.startswith("UniFormer")]
HALVED = "UniFormerV2, frames halved"
V1 = "UniFormer"
V2 = "UniFormerV2"
BLOCK = "backbone.transformer.resblocks"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        (
            V2,
            ("return_list=[2, 3]", "return_list=[2, 4]"),
            "a return_list of different blocks from 0 to 3. Got \\(2, 4\\)",
        ),
        (
            V2,
            ("return_list=[2, 3]", "return_list=[3, 3]"),
            "a return_list of different blocks from 0 to 3. Got \\(3, 3\\)",
        ),
        (V2, ("return_list=[2, 3]", "return_list=[]"), "a return_list of different blocks from 0 to 3. Got \\(\\)"),
        (V2, ("return_list=[2, 3]", "return_list=3"), "must have settings that fit together. Got .TypeError"),
        (V2, ("n_layers=2", "n_layers=3"), "as many n_layers as return_list has blocks, 2. Got 3"),
        (V2, ("n_dim=12", "n_dim=24"), "an n_dim as wide as its width, 12. Got 24"),
        (V2, (", heads=2", ", heads=5"), "must have settings that fit together. Got .AssertionError"),
        (V2, ("t_size=8", "t_size=16"), "`frames` and `size` of .* must be 16 and 64, as its backbone says. Got 8"),
        (V2, ("n_layers=2", "n_layers=2, mvit=1"), "`backbone` of .* must have no mvit. Got 1"),
        (V2, ("TimeSformerHead", "I3DHead"), "must be one of .*UniFormerV2 with UniFormerHead. Got .* and I3DHead"),
        (
            V1,
            ("depth=[1, 2, 1, 2]", "depth=[1, 2, 1]"),
            "must have a depth and an embed_dim of 4 stages. Got \\(\\(1, 2, 1\\)",
        ),
        (V1, ("depth=[1, 2, 1, 2]", "depth=[1, 0, 1, 2]"), "must have a depth and an embed_dim of 4 stages. Got"),
        (V1, ("head_dim=4", "head_dim=4, qkv_bias=False"), "must have no qkv_bias other than True. Got False"),
        (V1, ("head_dim=4", "head_dim=5"), "must have settings that fit together. Got .AssertionError"),
    ],
)
def test_other_networks_are_named_in_one_line(tmp_path, name, change, message):
    text = CONFIGS[name].replace(*change)
    assert text != CONFIGS[name]
    with pytest.raises(ModelError, match=message) as error:
        loaded(tmp_path, text)
    assert "\n" not in str(error.value)


def test_an_odd_number_of_frames_cannot_be_halved(tmp_path):
    text = CONFIGS[HALVED].replace("t_size=8", "t_size=7").replace("clip_len=8", "clip_len=7")
    with pytest.raises(ModelError, match="must have an even t_size with temporal_downsample. Got 7"):
        loaded(tmp_path, text)


def test_a_uniformer_head_is_the_same_linear_layer(tmp_path):
    model = loaded(tmp_path, CONFIGS[V2])
    other = loaded(tmp_path, CONFIGS[V2].replace("TimeSformerHead'", "UniFormerHead', channel_map='map.json'"))
    assert other.weights_digest == model.weights_digest


@pytest.mark.parametrize("name", FAMILIES)
def test_clips_of_a_batch_do_not_mix(tmp_path, name):
    model = loaded(tmp_path, CONFIGS[name])
    clips = torch.cat([noise_clip(model, seed=seed) for seed in range(3)])
    with torch.no_grad():
        alone = torch.cat([model.logits(clip[None]) for clip in clips])
        torch.testing.assert_close(model.logits(clips), alone, rtol=1e-5, atol=1e-5)
    assert (alone[0] - alone[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", FAMILIES)
def test_single_cells_answer_where_the_declared_axes_say(tmp_path, name):
    model = loaded(tmp_path, CONFIGS[name])
    assert layers_that_single_cells_contradict(model) == set()


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        (
            V1,
            [
                "patch_embed1.proj",
                "patch_embed1.norm",
                "blocks1.0.mlp.fc1",
                "blocks3.0.norm1",
                "blocks3.0.mlp.act",
                "norm",
            ],
        ),
        (
            "UniFormerV2, two local relations",
            [f"transformer.{layer}" for layer in ("dpe.0", "dec.0.ln_3", "resblocks.0.lmhra1")],
        ),
        (HALVED, ["conv1", "ln_pre", "transformer.resblocks.0.mlp.c_fc", "transformer.dec.0.ln_3"]),
    ],
)
def test_layers_inside_blocks_have_declared_axes(tmp_path, name, layers):
    model = loaded(tmp_path, CONFIGS[name])
    inside = dataclasses.replace(model, default_layers=tuple(f"backbone.{layer}" for layer in layers))
    assert layers_that_single_cells_contradict(inside) == set()


def test_exchanged_axes_are_seen(tmp_path):
    """The checks above can fail."""
    assert layers_that_single_cells_contradict(loaded(tmp_path, CONFIGS[V2]), in_another_order)


def test_blocks_whose_patches_no_logit_depends_on_are_no_default_layers(tmp_path):
    assert loaded(tmp_path, CONFIGS[V2]).default_layers == tuple(f"{BLOCK}.{index}" for index in range(4))
    assert loaded(tmp_path, CONFIGS[HALVED]).default_layers == tuple(f"{BLOCK}.{index}" for index in range(3))
