"""One box of the picture: a network that takes boxes is explained at that box alone."""

import dataclasses
import warnings

import pytest
import torch
from torch import nn
from typer.testing import CliRunner

import video_tcav as vt
from video_tcav.cli.app import app
from video_tcav.core.errors import InputError, ModelError
from video_tcav.models import load_model
from video_tcav.models.box_input import boxes_of
from video_tcav.models.hooks import record_gradients
from video_tcav.models.layers import noise_clip
from video_tcav.models.targets import parse_target
from video_tcav.recording.cache.keys import model_digest

LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)


class Brightness(nn.Module):
    """Classes `bright` and `dark` by the mean of the pixels in each box, behind a layer that leaves them as they are."""

    clip_spec = {"frames": 4, "size": 16, "mean": 0.0, "std": 1.0}

    def __init__(self):
        super().__init__()
        self.pixels = nn.Conv3d(3, 3, 1, bias=False)
        nn.init.dirac_(self.pixels.weight)

    def forward(self, clips, boxes):
        pixels, rows = self.pixels(clips), []
        for clip, left, top, right, bottom in boxes.round().long().tolist():
            mean = pixels[clip, :, :, top:bottom, left:right].mean()
            rows.append(torch.stack([mean, -mean]))
        return torch.stack(rows)


class Deaf(Brightness):
    def forward(self, clips, boxes):
        return super().forward(clips, torch.tensor([[clip, 0, 0, 4, 4] for clip in range(len(clips))]))


def loaded(box):
    return load_model(Brightness(), at_box=box, classes=("bright", "dark"), outputs="logits", device="cpu")


def test_boxes_are_those_of_torchvision():
    boxes = boxes_of((0.1, 0.25, 0.5, 1.0), torch.zeros(2, 3, 4, 20, 40))
    assert boxes.tolist() == [[0, 4, 5, 20, 20], [1, 4, 5, 20, 20]]


def test_outputs_and_gradients_are_those_inside_the_box():
    model = loaded("0, 0, 0.5, 1")
    clips = torch.cat([noise_clip(model, seed=seed) for seed in (1, 2)])
    means = clips[..., :8].mean((1, 2, 3, 4))
    torch.testing.assert_close(model.logits(clips), torch.stack([means, -means], dim=1))
    gradient = record_gradients(model, ["pixels"], clips, parse_target(model, "bright", "log_odds")).layers["pixels"]
    assert (gradient[..., :8] != 0).all()
    assert (gradient[..., 8:] == 0).all()


@pytest.mark.parametrize("box", [LEFT, RIGHT])
def test_a_concept_matters_in_the_box_where_it_is(box):
    generator = torch.Generator().manual_seed(0)
    clips = torch.randint(0, 100, (40, 4, 16, 16, 3), dtype=torch.uint8, generator=generator)
    clips[:10, ..., :8, :] += 100  # bright on the left
    named = [(f"clip-{number}", clip) for number, clip in enumerate(clips)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on few clips
        result = vt.run_tcav(
            loaded(box), target="bright", clips=named[30:], concepts={"left": named[:10]}, random=named[10:30],
            layers=["pixels"], permutations=99, bootstraps=99,
        )  # fmt: skip
    (row,) = result.to_frame().to_dict("records")
    if box == LEFT:
        # the mean of the box rises by 100 of 255, and log-odds are twice that
        assert row["effect"] == pytest.approx(2 * 100 / 255, abs=0.02)
        assert row["p_value"] < 0.05
    else:
        assert abs(row["effect"]) < 0.02


def test_models_of_other_boxes_share_nothing_that_is_kept():
    model = loaded(LEFT)
    assert model_digest(model) != model_digest(dataclasses.replace(model, box=RIGHT))
    assert model_digest(model) == model_digest(loaded("0,0,0.5,1"))


@pytest.mark.parametrize("box", ["0.5,0,0.2,1", "0,0,1", "0,0,2,1", "0,nan,1,1", "left", (0, 0, 0, 1)])
def test_what_is_no_box_is_refused(box):
    with pytest.raises(InputError, match="`at_box` must be left,top,right,bottom as fractions of the picture"):
        loaded(box)


def test_networks_without_boxes_are_refused():
    with pytest.raises(InputError, match=r"`at_box` must go with a network that takes \(clips, boxes\). Got Conv3d"):
        load_model(nn.Conv3d(3, 2, 1), frames=4, size=16, at_box=LEFT, device="cpu")
    with pytest.raises(ModelError, match="`at_box` must go with a network that reads boxes. Got Deaf"):
        load_model(Deaf(), at_box=LEFT, outputs="logits", device="cpu")
    with pytest.raises(ModelError, match=r"missing 1 required positional argument: 'boxes'.* say which by at_box"):
        load_model(Brightness(), device="cpu")


def test_commands_and_model_files_take_a_box(tmp_path):
    code = f"from {__name__} import Brightness as build\n"
    (tmp_path / "net.py").write_text(code)
    spec = f"file:{tmp_path / 'net.py'}:build"
    (tmp_path / "model.yaml").write_text(f"spec: {spec}\nat_box: [0, 0, 0.5, 1]\noutputs: logits\n")
    assert load_model(tmp_path / "model.yaml", device="cpu").box == LEFT
    ended = CliRunner().invoke(app, ["layers", "--model", spec, "--at-box", "0,0,0.5,1", "--all"])
    assert ended.exit_code == 0, ended.output
    assert "pixels" in ended.output
    ended = CliRunner().invoke(app, ["layers", "--model", spec, "--at-box", "0,0,7,1"])
    assert ended.exit_code != 0
