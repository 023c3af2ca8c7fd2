import pytest
import torch
from torch import nn
from torchvision.models.video.swin_transformer import ShiftedWindowAttention3d, SwinTransformer3d

import video_tcav as vt
from video_tcav.recording.fast.fast_paths import choose_fast_paths
from video_tcav.recording.fast.fused_attention import fused_attention


def small_swin(window: list[int]) -> SwinTransformer3d:
    """Two stages of two blocks, in float64, with a position bias that matters."""
    torch.manual_seed(0)
    swin = SwinTransformer3d([2, 4, 4], 24, [2, 2], [2, 4], window, num_classes=5).eval().double()
    for name, weights in swin.named_parameters():
        if "norm" not in name:
            nn.init.normal_(weights, std=0.5 if "table" in name else 0.2)
        weights.requires_grad_(False)
    return swin


@pytest.mark.parametrize("window", [[4, 3, 3], [8, 7, 7]], ids=str)
@pytest.mark.parametrize("size", [(8, 56, 64), (7, 45, 90), (16, 64, 40)], ids=str)
def test_logits_and_gradients_are_those_of_torchvision(size, window):
    """Windows that are shifted along some axes only, padded clips, and clips smaller than a window."""
    swin = small_swin(window)
    clips = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    logits = swin(clips)
    (slope,) = torch.autograd.grad(logits.square().sum(), clips)
    with fused_attention(swin):
        fused = swin(clips)
        (fused_slope,) = torch.autograd.grad(fused.square().sum(), clips)
    torch.testing.assert_close(fused, logits, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(fused_slope, slope, rtol=1e-10, atol=1e-10)


def test_hooks_run_inside_and_nothing_is_left_outside():
    swin = small_swin([4, 3, 3])
    attention = [part for part in swin.modules() if isinstance(part, ShiftedWindowAttention3d)]
    seen, before = [], [dict(vars(part)) for part in attention]
    handles = [part.register_forward_hook(lambda *_: seen.append(1)) for part in attention]
    with pytest.raises(RuntimeError, match="expected input"), fused_attention(swin):
        swin(torch.zeros(1, 3, 4, 32, 32, dtype=torch.float64))
        assert len(seen) == 4
        swin(torch.zeros(1, 4, 4, 32, 32, dtype=torch.float64))
    for handle in handles:
        handle.remove()
    assert [vars(part) for part in attention] == before


def test_only_torchvisions_own_attention_is_replaced():
    class Other(ShiftedWindowAttention3d):
        def forward(self, x):
            return x

    mine = nn.Sequential(Other(8, [2, 2, 2], [1, 1, 1], 2), ShiftedWindowAttention3d(8, [2, 2, 2], [1, 1, 1], 2))
    mine[1].forward = lambda x: x + 1
    with fused_attention(mine):
        assert torch.equal(mine(torch.zeros(1, 2, 4, 4, 8)), torch.ones(1, 2, 4, 4, 8))
    assert "forward" in vars(mine[1])


def test_a_model_takes_it_if_it_answers_alike():
    class Net(nn.Module):
        clip_spec = {"frames": 4, "stride": 1, "size": 16, "mean": 0.5, "std": 0.5}

        def __init__(self, *, windowed: bool) -> None:
            super().__init__()
            self.net = small_swin([2, 2, 2]).float() if windowed else nn.Conv3d(3, 5, 1)

        def forward(self, clip):
            found = self.net(clip)
            return found if found.ndim == 2 else found.mean((2, 3, 4))

    clip = torch.randn(1, 3, 4, 16, 16)
    assert choose_fast_paths(vt.load_model(Net(windowed=True)), clip).fused_attention
    assert not choose_fast_paths(vt.load_model(Net(windowed=False)), clip).fused_attention
