"""Networks of mmaction2 configs: refusals, names of tensors, shifts by definition, axes."""

import dataclasses

import pytest
import torch
from torch.nn import functional

from tests.parity.mmaction_configs import CONFIGS, TSM, frames, loaded
from video_tcav.core.errors import InputError, ModelError, WeightsError
from video_tcav.models.layers import noise_clip
from video_tcav.models.loaders.mmaction.hf_transformers import VIDEOMAE_NAMES
from video_tcav.models.loaders.mmaction.names import published_tensors
from video_tcav.models.loaders.mmaction.resnet2d import NAMES
from video_tcav.models.loaders.mmaction.resnet3d import every

from .networks import in_another_order, layers_that_single_cells_contradict


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "change", "message"),
        [
            (
                "TSN",
                ("type='ResNet'", "type='X3D'"),
                "must be one of mmaction2's ResNet with TSNHead, .* and TSNHead\\. Use",
            ),
            (
                "TSN",
                ("type='Recognizer2D'", "type='RecognizerGCN'"),
                "Got mmaction:.* with RecognizerGCN, ResNet and TSNHead",
            ),
            ("TSN", ("depth=18", "depth=19"), "`backbone` of mmaction:.* must have a depth of 18, 34, .* Got 19"),
            ("TSN", ("depth=18", "depth=50, style='caffe'"), "must have no style other than 'pytorch'. Got 'caffe'"),
            ("TSN", ("depth=18", "depth=50, plugin=1"), "`backbone` of .* must have no plugin. Got 1"),
            ("TSN", ("num_classes=3", "num_classes=0"), "`cls_head` of .* must have a whole number num_classes. Got 0"),
            ("TSN", ("depth=18", "norm_cfg=dict(type='GN')"), "must say depth. Got None"),
            ("TSN", ("depth=18", "depth=18, norm_cfg=dict(type='GN')"), "must normalise by BatchNorm"),
            ("TSN", ("    cls_head", "    neck=dict(type='TPN'),\n    cls_head"), "`model` of .* must have no neck"),
            (
                "TSM",
                ("shift_div=8", "shift_div=8, shift_place='block'"),
                "must have no shift_place other than 'blockres'",
            ),
            ("TSM", ("num_segments=4", "num_segments=8"), "as many num_segments as the clip has frames, 4. Got 8"),
            (
                "SlowOnly",
                ("base_channels=8", "base_channels='8'"),
                "must have settings that fit together. Got .TypeError",
            ),
            ("I3D", ("depth=50", "depth=50, non_local=((0, 1), 0, 0, 0)"), "must have no non_local other than 0 or"),
            ("SlowFast", ("resample_rate=4", "resample_rate=3"), "have a resample_rate that divides the clip's frames"),
            ("MViTv2", ("temporal_size=4", "temporal_size=8"), "must be 8 and 64, as its backbone says. Got 4 and"),
            (
                "Video Swin",
                ("arch=dict(embed_dims=8", "arch=dict(width=8"),
                "have an arch with embed_dims, depths, num_heads",
            ),
            ("VideoMAE", ("depth=2", "depth=2, init_values=0.1"), "must have no init_values other than 0"),
            (
                "TimeSformer",
                ("divided_space_time", "space_only"),
                "must have no attention_type other than 'divided_space_time'",
            ),
        ],
    )
    def test_other_networks_are_named_in_one_line(self, tmp_path, name, change, message):
        text = CONFIGS[name].replace(*change, 1)
        assert text != CONFIGS[name]
        with pytest.raises(ModelError, match=message) as error:
            loaded(tmp_path, text)
        assert "\n" not in str(error.value)

    def test_names_of_classes_must_be_as_many_as_the_head_has(self, tmp_path):
        assert loaded(tmp_path, CONFIGS["TSN"], classes=["a", "b", "c"]).classes == ("a", "b", "c")
        with pytest.raises(InputError, match="3"):
            loaded(tmp_path, CONFIGS["TSN"], classes=["a", "b"])

    def test_weights_must_fit_by_their_published_names(self, tmp_path):
        model = loaded(tmp_path, CONFIGS["VideoMAE"])
        assert not model.trained
        state = published_tensors(model.module, VIDEOMAE_NAMES)
        joined = "backbone.blocks.0.attn.qkv.weight"
        changes = {
            "1 missing: " + joined: {name: tensor for name, tensor in state.items() if name != joined},
            "unexpected: backbone.gamma": {**state, "backbone.gamma": torch.zeros(3)},
            f"of another shape: {joined}": {**state, joined: torch.zeros(12, 12)},
        }
        for message, content in changes.items():
            torch.save({"state_dict": content}, tmp_path / "wrong.pth")
            with pytest.raises(WeightsError, match=f"`weights` must fit the model. Got .*{message}"):
                loaded(tmp_path, CONFIGS["VideoMAE"], weights=tmp_path / "wrong.pth")
        torch.save({"state_dict": state, "meta": {}}, tmp_path / "best.pth")
        again = loaded(tmp_path, CONFIGS["VideoMAE"], weights=tmp_path / "best.pth")
        assert again.trained
        assert again.weights_digest == model.weights_digest


def test_the_loss_says_what_outputs_are(tmp_path):
    assert loaded(tmp_path, CONFIGS["TSN"]).outputs.kind == "logits"
    text = CONFIGS["TSN"].replace("in_channels=512", "in_channels=512, loss_cls=dict(type='BCELossWithLogits')")
    outputs = loaded(tmp_path, text).outputs
    assert (outputs.kind, outputs.is_assumed) == ("sigmoid_logits", False)
    assert loaded(tmp_path, text.replace("BCELossWithLogits", "Mine")).outputs.is_assumed


def slow_tsm(state, clip):
    """TSM-ResNet-18 by its definition, from published tensors: (time, 3, height, width) -> logits."""

    def convolution(name, image, *, stride=1, padding=1):
        weight = state.get(f"{name}.conv.net.weight", state.get(f"{name}.conv.weight"))
        image = functional.conv2d(image, weight, stride=stride, padding=padding)
        mean, variance, scale, shift = (
            state[f"{name}.bn.{part}"][:, None, None] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (image - mean) / (variance + 1e-5).sqrt() * scale + shift

    def shifted(image):
        result, share = image.clone(), image.shape[1] // 8
        for time in range(len(image)):
            for channel in range(2 * share):
                source = time + 1 if channel < share else time - 1
                result[time, channel] = image[source, channel] if 0 <= source < len(image) else 0.0
        return result

    image = convolution("backbone.conv1", clip, stride=2, padding=3).relu()
    image = functional.max_pool2d(image, 3, 2, 1)
    for stage in range(1, 5):
        for block in range(2):
            name, stride = f"backbone.layer{stage}.{block}", 2 if stage > 1 and block == 0 else 1
            inner = convolution(f"{name}.conv1", shifted(image), stride=stride).relu()
            inner = convolution(f"{name}.conv2", inner)
            if stride > 1:
                image = convolution(f"{name}.downsample", image, stride=2, padding=0)
            image = (inner + image).relu()
    scores = image.mean((2, 3)) @ state["cls_head.fc_cls.weight"].T + state["cls_head.fc_cls.bias"]
    return scores.mean(0)


def test_tsm_shifts_as_it_is_defined(tmp_path):
    model = loaded(tmp_path, TSM + frames(4, 32))
    network = model.module.double()
    clips = torch.cat([noise_clip(model, seed=seed) for seed in (0, 1)]).double()
    state = published_tensors(network, NAMES)
    assert "backbone.layer2.1.conv1.conv.net.weight" in state
    with torch.no_grad():
        logits = network(clips)
        for row, clip_frames in zip(logits, clips, strict=True):
            torch.testing.assert_close(row, slow_tsm(state, clip_frames), rtol=1e-9, atol=1e-9)
        still = network(clips[:1, :1].expand(-1, 4, -1, -1, -1))
        assert not torch.allclose(still, network(clips[:1]))
    assert model.notes == ()


def test_long_stages_shift_every_second_block(tmp_path):
    network = loaded(tmp_path, TSM.replace("depth=18", "depth=101") + frames(4, 32)).module.network
    shifts = [hasattr(block.conv1, "shift") for block in network.layer3]
    assert shifts == [index % 2 == 0 for index in range(23)]


@pytest.mark.parametrize("step", [1, 3, 4])
def test_frames_of_pathways_are_those_of_nearest_interpolation(step):
    clips = torch.randn(2, 3, 12, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = functional.interpolate(clips, mode="nearest", scale_factor=(1 / step, 1.0, 1.0))
    assert torch.equal(every(clips, step), expected)


@pytest.mark.parametrize("name", ["TSN", "SlowOnly", "SlowFast", "Video Swin", "VideoMAE"])
def test_single_cells_answer_where_the_declared_axes_say(tmp_path, name):
    model = loaded(tmp_path, CONFIGS[name])
    assert set(model.default_layers) <= dict(model.module.named_modules()).keys()
    wrong = layers_that_single_cells_contradict(model)
    assert wrong == set()


def test_exchanged_axes_are_seen(tmp_path):
    """The check above can fail."""
    swapped = {"time": "width", "width": "time"}

    def exchanged(axes):
        return dataclasses.replace(axes, dims=tuple(swapped.get(dim, dim) for dim in axes.dims))

    assert layers_that_single_cells_contradict(loaded(tmp_path, CONFIGS["SlowOnly"]), exchanged)
    assert layers_that_single_cells_contradict(loaded(tmp_path, CONFIGS["VideoMAE"]), in_another_order)
