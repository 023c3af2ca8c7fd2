import torch
from torch import nn

import video_tcav as vt
from video_tcav.recording.fast.fast_paths import channels_last, choose_fast_paths


class Net(nn.Module):
    clip_spec = {"frames": 4, "stride": 1, "size": 8, "mean": 0.5, "std": 0.5}

    def __init__(self, *, views: bool) -> None:
        super().__init__()
        self.views = views
        self.conv = nn.Conv3d(3, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)

    def forward(self, clip):
        found = self.conv(clip)
        places = found.view(len(clip), 16, -1).unflatten(1, (4, 4)).flatten(2) if self.views else found.flatten(2)
        return self.head(places.mean(-1))


def test_a_network_that_views_its_activations_keeps_its_own_order():
    clip = torch.randn(1, 3, 4, 8, 8)
    assert choose_fast_paths(vt.load_model(Net(views=False)), clip).channels_last
    assert not choose_fast_paths(vt.load_model(Net(views=True)), clip).channels_last


def test_only_the_order_in_memory_changes():
    model, clips = vt.load_model(Net(views=False)), torch.randn(2, 3, 4, 8, 8)
    assert torch.equal(channels_last(clips), clips)
    assert channels_last(clips).stride() != clips.stride()
    before = {name: tensor.stride() for name, tensor in model.module.state_dict().items()}
    with torch.no_grad():
        torch.testing.assert_close(model.logits(channels_last(clips)), model.logits(clips))
    choose_fast_paths(model, clips[:1])
    assert {name: tensor.stride() for name, tensor in model.module.state_dict().items()} == before


def test_a_network_without_convolutions_is_left_alone():
    class Flat(nn.Module):
        clip_spec = Net.clip_spec

        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(3, 2)

        def forward(self, clip):
            return self.head(clip.mean((2, 3, 4)))

    assert not choose_fast_paths(vt.load_model(Flat()), torch.randn(1, 3, 4, 8, 8)).channels_last
