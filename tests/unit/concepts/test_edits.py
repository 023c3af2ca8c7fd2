"""Plain edits of decoded clips, against what each says it does."""

import numpy as np
import pytest
import torch

from video_tcav.concepts import EDITS, edited_clip, twin_clip
from video_tcav.core.errors import InputError


@pytest.fixture
def clip() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (6, 3, 24, 32), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_gives_another_clip_of_the_same_shape_and_leaves_the_original(clip: torch.Tensor, edit: str) -> None:
    before = clip.clone()
    edited = edited_clip(clip, edit)
    assert edited.shape == clip.shape
    assert edited.dtype == torch.uint8
    assert not torch.equal(edited, clip)
    assert torch.equal(clip, before)
    assert torch.equal(edited, edited_clip(clip, edit))


def test_pixel_edits_by_their_definition(clip: torch.Tensor) -> None:
    pixels = clip.numpy().astype(float)
    limited = {
        "bright": pixels + 40,
        "dark": pixels - 40,
        "contrast": (pixels - pixels.mean()) * 1.6 + pixels.mean(),
        "tint": pixels * np.array([1.25, 1.0, 0.75])[:, None, None],
    }
    for edit, values in limited.items():
        difference = edited_clip(clip, edit).numpy() - np.clip(values.round(), 0, 255)
        assert np.abs(difference).max() <= 1, edit


def test_order_of_frames(clip: torch.Tensor) -> None:
    assert torch.equal(edited_clip(clip, "reversed"), clip.flip(0))
    assert torch.equal(edited_clip(clip, "frozen"), clip[3].expand_as(clip))
    half = edited_clip(clip, "half_still")
    assert torch.equal(half[:3], clip[:3])
    assert torch.equal(half[3:], clip[2].expand(3, -1, -1, -1))
    assert torch.equal(edited_clip(clip, "shuffled", seed=7), twin_clip(clip, "shuffled", seed=7))
    assert torch.equal(edited_clip(clip, "mirror"), clip.flip(-1))


def test_zooms_are_about_the_centre() -> None:
    # a square of 8 pixels in the middle of 40: 1.6 times as wide, and 0.6 times as wide
    clip = torch.zeros(2, 3, 40, 40, dtype=torch.uint8)
    clip[..., 16:24, 16:24] = 200
    for edit, factor in (("zoom_in", 1.6), ("zoom_out", 0.6)):
        bright = (edited_clip(clip, edit)[0, 0] > 100).nonzero().float()
        assert bright.mean(0).tolist() == pytest.approx([19.5, 19.5], abs=0.6)
        assert len(bright) ** 0.5 == pytest.approx(8 * factor, abs=1.1)


def test_zoom_out_repeats_the_edges() -> None:
    clip = torch.full((1, 3, 20, 20), 90, dtype=torch.uint8)
    assert torch.equal(edited_clip(clip, "zoom_out"), clip)


def test_blur_keeps_the_mean_and_takes_detail(clip: torch.Tensor) -> None:
    blurred = edited_clip(clip, "blur").float()
    assert float(blurred.mean()) == pytest.approx(float(clip.float().mean()), abs=2)
    assert float(blurred.std()) < float(clip.float().std())


def test_a_clip_of_one_frame(clip: torch.Tensor) -> None:
    for edit in EDITS:
        assert edited_clip(clip[:1], edit).shape == clip[:1].shape


def test_an_unknown_edit_is_refused(clip: torch.Tensor) -> None:
    with pytest.raises(InputError, match="`edit` must be"):
        edited_clip(clip, "upside_down")  # pyright: ignore[reportArgumentType]
