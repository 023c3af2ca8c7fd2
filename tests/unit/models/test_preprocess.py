import pytest
import torch
from torchvision.models import get_model_weights
from torchvision.transforms._presets import VideoClassification

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.models.loaders.torchvision_zoo import ARCHITECTURES
from video_tcav.models.preprocess import prepare_clip, resized_size


@pytest.mark.parametrize("shape", [(50, 72), (72, 50), (300, 200), (112, 112)])
@pytest.mark.parametrize("name", ["r3d_18", "s3d", "swin3d_t"])
def test_equals_torchvisions_preset(name, shape):
    preset = next(iter(get_model_weights(name))).transforms()
    resize = preset.resize_size
    spec = ClipSpec(
        size=tuple(preset.crop_size),
        resize=resize[0] if len(resize) == 1 else tuple(resize),
        mean=tuple(preset.mean),
        std=tuple(preset.std),
    )
    clip = torch.randint(0, 256, (4, 3, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    assert torch.equal(prepare_clip(clip, spec), preset(clip))
    time_first = ClipSpec(size=spec.size, resize=spec.resize, mean=spec.mean, std=spec.std, layout="time_first")
    assert torch.equal(prepare_clip(clip, time_first), preset(clip).transpose(0, 1))


def test_the_default_resize_is_to_the_shorter_side_of_size(clip):
    spec = ClipSpec(size=(32, 32), mean=(0.45,) * 3, std=(0.225,) * 3)
    preset = VideoClassification(crop_size=(32, 32), resize_size=(32,), mean=spec.mean, std=spec.std)
    assert torch.equal(prepare_clip(clip, spec), preset(clip))


def test_native_size_is_neither_resized_nor_cropped(clip):
    spec = ClipSpec(size=None, mean=(0.5,) * 3, std=(0.25,) * 3)
    expected = ((clip / 255 - 0.5) / 0.25).transpose(0, 1)
    torch.testing.assert_close(prepare_clip(clip, spec), expected)


def test_the_frame_always_covers_the_crop():
    assert resized_size((144, 180), ClipSpec(size=(112, 112))) == (112, 140)
    height, width = resized_size((144, 180), ClipSpec(size=(112, 200)))
    assert height >= 112
    assert width >= 200
    assert resized_size((144, 180), ClipSpec(size=(112, 112), resize=(128, 171))) == (128, 171)


def test_a_clip_that_is_not_contiguous(clip):
    spec = ClipSpec(size=(32, 32))
    strided = clip.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    assert torch.equal(prepare_clip(strided, spec), prepare_clip(clip, spec))


def test_every_architecture_states_the_published_clip():
    # `frame_rate` and `clip_len` stand in the documentation of torchvision's weights.
    for name, architecture in ARCHITECTURES.items():
        docs = next(iter(get_model_weights(name))).meta["_docs"]
        assert f"`clip_len={architecture.frames}`" in docs
        assert f"`frame_rate={architecture.fps:g}`" in docs
