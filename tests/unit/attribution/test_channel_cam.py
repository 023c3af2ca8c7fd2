import pytest
import torch

from video_tcav.attribution.channel_cam import AblationCAM, ScoreCAM, most_varied
from video_tcav.core.errors import AxesError, InputError

from . import tiny


def test_the_channels_that_vary_most_come_in_their_own_order():
    positions = torch.zeros(1, 2, 2, 2, 5)
    positions[0, 0, 0, 0] = torch.tensor([1.0, 5.0, 0.0, 9.0, 3.0])
    positions[..., 2] = 100  # flat, however large
    assert most_varied(positions, 3).tolist() == [1, 3, 4]
    assert most_varied(positions, None).tolist() == most_varied(positions, 9).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", [ScoreCAM, AblationCAM])
def test_a_channel_that_is_not_tried_has_no_weight(kind):
    model, clips = tiny.convolutions(), tiny.noise_clips(1)
    activation = model.module.stages(clips).detach()
    few = kind(channels=2)(model, clips, target=tiny.TARGET).layers["stages.2"]
    tried = activation.flatten(2).var(2)[0].topk(2).indices
    basis = activation[0, tried].flatten(1)
    weights = torch.linalg.lstsq(basis.T, few.flatten()[:, None]).solution
    assert torch.allclose(weights.T @ basis, few.flatten())


def test_all_layers_come_from_one_call():
    model, clips = tiny.convolutions(), tiny.noise_clips(2)
    both = ScoreCAM(layers=("stages.0", "stages.1"))(model, clips, target=tiny.TARGET)
    for name in ("stages.0", "stages.1"):
        alone = ScoreCAM(layers=(name,))(model, clips, target=tiny.TARGET)
        assert torch.allclose(both.layers[name], alone.layers[name])


def test_settings_and_layers_that_do_not_fit():
    with pytest.raises(InputError, match="`channels` must be at least 1. Got 0."):
        AblationCAM(channels=0)
    with pytest.raises(InputError, match="`baseline` must be one of grey"):
        ScoreCAM(baseline="white")
    with pytest.raises(InputError, match="`channels` must be at least 1"):
        ScoreCAM(channels=-1)
    with pytest.raises(AxesError, match="`layer` must"):
        ScoreCAM(layers=("head",))(tiny.convolutions(), tiny.noise_clips(), target=0)
