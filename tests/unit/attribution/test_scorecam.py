import torch
from torch.nn import functional as F

from video_tcav.attribution.channel_cam import ScoreCAM, channel_masks
from video_tcav.models import load_model

from . import tiny


def slow_score_cam(model, clip, layer):
    """Channel by channel, as the paper has it."""
    seen = {}
    handle = model.layer(layer).register_forward_hook(lambda _m, _i, output: seen.update(found=output.detach()))
    whole = tiny.value(model, clip)
    handle.remove()
    scores = []
    for channel in seen["found"][0]:
        spread = channel.max() - channel.min()
        mask = (channel - channel.min()) / spread if spread > 0 else torch.zeros_like(channel)
        large = F.interpolate(mask[None, None], size=clip.shape[2:], mode="trilinear", align_corners=False)
        scores.append(tiny.value(model, clip * large) - whole)
    weights = torch.cat(scores).exp() / torch.cat(scores).exp().sum()
    return sum(weight * channel for weight, channel in zip(weights, seen["found"][0], strict=True))


def test_it_is_the_definition():
    model, clips = tiny.convolutions(), tiny.noise_clips(2)
    for layer in ("stages.0", "stages.2"):
        found = ScoreCAM(layers=(layer,))(model, clips, target=tiny.TARGET).layers[layer]
        for clip, one in zip(clips, found, strict=True):
            assert torch.allclose(one, slow_score_cam(model, clip[None], layer))


def test_flat_channels_show_nothing_and_give_no_nan():
    positions = torch.stack([torch.arange(8.0).reshape(2, 2, 2), torch.full((2, 2, 2), 3.0)], -1)[None]
    masks = channel_masks(positions)
    assert masks.shape == (2, 2, 2, 2)
    assert torch.allclose(masks[0].flatten(), torch.arange(8.0) / 7)
    assert not masks[1].any()
    model = tiny.convolutions()
    model.module.stages[2][0].weight.data[1:4] = 0
    found = ScoreCAM()(model, tiny.noise_clips(), target=tiny.TARGET)
    assert torch.isfinite(found.values()).all()


def test_the_maximum_is_where_the_network_reads():
    model, clip = tiny.brightness()
    clip[:, :, tiny.PLACE[0], tiny.PLACE[1], tiny.PLACE[2]] += 1
    assert tiny.inside(ScoreCAM(layers=("look",))(model, clip, target="bright").values())


def test_the_baseline_is_what_the_mask_hides_the_clip_with():
    model, clips = tiny.convolutions(), tiny.noise_clips(1)
    still = clips[:, :, 2:3].expand_as(clips).contiguous()
    assert not torch.allclose(
        ScoreCAM(baseline="frozen")(model, clips, target=1).values(), ScoreCAM()(model, clips, target=1).values()
    )
    frozen = ScoreCAM(baseline="frozen")(model, still, target=1).layers["stages.2"]
    activation = model.module.stages(still).detach()
    assert torch.allclose(frozen, activation.mean(1))  # nothing is hidden, so all channels weigh the same


def test_a_network_that_returns_a_tuple():
    plain, wrapped = tiny.convolutions(), tiny.convolutions(wrap=lambda logits: (logits, "more"))
    clips = tiny.noise_clips(1)
    assert torch.equal(ScoreCAM()(plain, clips, target=0).values(), ScoreCAM()(wrapped, clips, target=0).values())
    assert load_model(wrapped.module, frames=5, size=(8, 12)).name
