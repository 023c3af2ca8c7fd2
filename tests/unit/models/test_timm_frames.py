"""timm over frames: what is read from weights and configuration, and what is refused in one line."""

import pytest
import torch
from safetensors.torch import save_file

from video_tcav.core.errors import InputError, MissingExtraError, ModelError, WeightsError
from video_tcav.models import load_model
from video_tcav.models.layers import noise_clip
from video_tcav.models.loaders import timm_frames

timm = pytest.importorskip("timm")
SMALL = "test_convnext"


def test_the_clip_is_that_of_the_published_configuration():
    config = timm.get_pretrained_cfg(SMALL)
    model = load_model(f"timm:{SMALL}", classes=["a", "b"], device="cpu")
    assert model.clip_spec.size == tuple(config.input_size[1:])
    assert model.clip_spec.mean == pytest.approx(config.mean)
    assert model.clip_spec.resize == int(config.input_size[1] / config.crop_pct)
    assert (model.clip_spec.sampling, model.clip_spec.frames, model.trained) == ("uniform", 8, False)


@pytest.mark.parametrize(("head", "width", "layers"), [("mean", 0, 0), ("lstm", 24, 1), ("lstm", 16, 3)])
def test_sizes_of_the_head_are_read_from_the_weights(tmp_path, head, width, layers):
    backbone = timm.create_model(SMALL, num_classes=0)
    built = (
        timm_frames.FrameMean(backbone, 3)
        if head == "mean"
        else timm_frames.FrameLSTM(backbone, 3, width=width, layers=layers)
    )
    torch.save(
        {"state_dict": {f"model.{name}": tensor for name, tensor in built.state_dict().items()}}, tmp_path / "a.ckpt"
    )
    model = load_model(f"timm:{SMALL}", weights=tmp_path / "a.ckpt", head=head, size=64, device="cpu")
    assert model.trained and model.classes == ("0", "1", "2")
    clip = noise_clip(model)
    assert torch.equal(model.logits(clip), built.eval()(clip))


@pytest.mark.parametrize("head", ["mean", "lstm"])
def test_features_behind_the_last_stage_are_those_that_are_classified(head):
    name = "mobilenetv3_small_050"
    backbone = timm.create_model(name, num_classes=0)
    assert backbone.head_hidden_size != backbone.num_features
    model = load_model(f"timm:{name}", head=head, classes=["a", "b"], size=32, device="cpu")
    layer = model.module.lstm.weight_ih_l0 if head == "lstm" else model.module.head.weight
    assert layer.shape[1] == backbone.head_hidden_size
    assert model.logits(noise_clip(model)).shape == (1, 2)


def test_frames_are_told_apart_by_the_lstm_alone():
    mean, lstm = (
        load_model(f"timm:{SMALL}", head=head, classes=["a", "b"], size=64, device="cpu") for head in ("mean", "lstm")
    )
    clip = noise_clip(mean)
    torch.testing.assert_close(mean.logits(clip.flip(1)), mean.logits(clip))
    assert not torch.allclose(lstm.logits(clip.flip(1)), lstm.logits(clip), atol=1e-6)


def test_what_cannot_be_loaded_is_refused_in_one_line(tmp_path, monkeypatch):
    for spec, options, error, message in (
        ("timm:resnet19", {}, ModelError, "`model` must be a network of timm. Got timm:resnet19, which is none: "),
        (f"timm:{SMALL}.none", {"classes": ["a", "b"]}, ModelError, "Invalid pretrained tag .*Choose another"),
        (f"timm:{SMALL}.none", {"classes": ["a", "b"], "size": 64}, ModelError, "Invalid pretrained tag"),
        (f"timm:{SMALL}", {}, ModelError, "`classes` must be named for timm"),
        (f"timm:{SMALL}", {"head": "max"}, InputError, "`head` must be mean or lstm"),
        (f"timm:{SMALL}", {"at_time": 1.0}, InputError, "`at_time` must go with a model that takes it"),
    ):
        with pytest.raises(error, match=message) as caught:
            load_model(spec, device="cpu", **options)
        assert "\n" not in str(caught.value)
    save_file(timm.create_model(SMALL, num_classes=2).state_dict(), tmp_path / "pictures.safetensors")
    with pytest.raises(WeightsError, match="`weights` must fit the model"):
        load_model(f"timm:{SMALL}", weights=tmp_path / "pictures.safetensors", device="cpu")

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(timm_frames, "import_module", missing)
    with pytest.raises(MissingExtraError, match=r'pip install "video-tcav\[timm\]"'):
        load_model(f"timm:{SMALL}", classes=["a", "b"], device="cpu")
