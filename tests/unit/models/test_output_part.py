"""One head of several, and one second of outputs in time: the target is that of the part, by its definition."""

from collections import namedtuple

import pytest
import torch
from torch import nn

from video_tcav.core.errors import InputError, ModelError
from video_tcav.models import load_model
from video_tcav.models.hooks import record_gradients
from video_tcav.models.layers import noise_clip
from video_tcav.models.output_part import OutputPart
from video_tcav.models.targets import parse_target
from video_tcav.recording.cache.keys import model_digest

from .networks import Convolutions

Heads = namedtuple("Heads", "verb noun")
NOUNS = ("cup", "knife", "pan")


class TwoHeads(nn.Module):
    """A verb and a noun from the same features, in a container of any kind."""

    clip_spec = {"frames": 4, "size": 16}

    def __init__(self, container):
        super().__init__()
        torch.manual_seed(0)
        self.verbs, self.nouns, self.container = Convolutions(2), Convolutions(3), container

    def forward(self, clip):
        return self.container(self.verbs(clip), self.nouns(clip))


CONTAINERS = {
    "dict": (lambda verb, noun: {"verb": verb, "noun": noun}, "noun"),
    "tuple": (lambda verb, noun: (verb, noun), "1"),
    "named tuple": (Heads, "noun"),
    "nested": (lambda verb, noun: {"heads": [verb, noun]}, "heads.1"),
    "a name with a dot": (lambda verb, noun: {"fc.verb": verb, "fc.noun": noun}, "fc.noun"),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_a_head_is_explained_as_if_it_were_alone(kind):
    container, head = CONTAINERS[kind]
    network = TwoHeads(container)
    model = load_model(network, head=head, classes=NOUNS, device="cpu")
    alone = load_model(network.nouns, classes=NOUNS, frames=4, size=16, device="cpu")
    clip = noise_clip(model)
    assert torch.equal(model.logits(clip), alone.logits(clip))
    layer = "stages.1"
    actual = record_gradients(model, [f"nouns.{layer}"], clip, parse_target(model, "knife", "log_odds"))
    expected = record_gradients(alone, [layer], clip, parse_target(alone, "knife", "log_odds"))
    assert torch.equal(actual.layers[f"nouns.{layer}"], expected.layers[layer])
    with pytest.raises(ModelError, match="`layer` must influence the target. Got verbs.stages.1"):
        record_gradients(model, ["verbs.stages.1"], clip, parse_target(model, "knife", "log_odds"))


def test_without_a_head_the_error_says_how_to_name_one():
    with pytest.raises(ModelError, match="--head NAME"):
        load_model(TwoHeads(CONTAINERS["dict"][0]), device="cpu")
    with pytest.raises(InputError, match="`head` must be one of the model's outputs: verb, noun. Got 'object'"):
        load_model(TwoHeads(CONTAINERS["dict"][0]), head="object", device="cpu")
    with pytest.raises(InputError, match="`head` must be one of the model's outputs: one Tensor"):
        load_model(Convolutions(), head="noun", frames=4, size=16, device="cpu")


def test_heads_of_one_network_have_stores_of_their_own():
    verbs, nouns = (
        load_model(TwoHeads(lambda verb, noun: {"verb": noun + 1, "noun": noun}), head=head, device="cpu")
        for head in ("verb", "noun")
    )
    assert model_digest(verbs) != model_digest(nouns)


class FrameWise(nn.Module):
    """A phase a frame: the mean colour of the frame through a linear layer; `order` is that of time and classes."""

    clip_spec = {"frames": 8, "size": 16, "fps": 4.0}

    def __init__(self, order, classes=3, stride=1):
        super().__init__()
        torch.manual_seed(1)
        self.frames, self.head = nn.Conv3d(3, 6, 1), nn.Linear(6, classes)
        self.order, self.stride = order, stride

    def forward(self, clip):
        rows = self.head(self.frames(clip)[:, :, :: self.stride].mean((3, 4)).transpose(1, 2))
        return rows if self.order == "time, class" else rows.transpose(1, 2)


@pytest.mark.parametrize("order", ["time, class", "class, time"])
@pytest.mark.parametrize(("at_time", "row"), [(0.0, 0), (0.26, 1), (1.99, 7)])
@pytest.mark.parametrize("classes", [None, ("cut", "clip", "sew")])
def test_a_second_is_the_row_of_its_frame(order, at_time, row, classes):
    network = FrameWise(order)
    model = load_model(network, at_time=at_time, classes=classes, device="cpu")
    clip = noise_clip(model)
    rows = network(clip)
    expected = rows[:, row] if order == "time, class" else rows[:, :, row]
    assert torch.equal(model.logits(clip), expected)
    gradients = record_gradients(model, ["frames"], clip, parse_target(model, 1, "log_odds")).layers["frames"]
    assert gradients.abs().sum((0, 1, 3, 4)).nonzero().flatten().tolist() == [row]


def test_rows_may_be_fewer_than_frames_if_the_classes_are_named():
    network = FrameWise("time, class", stride=2)
    model = load_model(network, at_time=1.1, classes=("cut", "clip", "sew"), device="cpu")
    clip = noise_clip(model)
    assert torch.equal(model.logits(clip), network(clip)[:, 2])  # of four rows in two seconds
    with pytest.raises(ModelError, match=r"\(1, 4, 3\) for a clip of 8 frames and unnamed classes. Name the classes"):
        load_model(network, at_time=1.1, device="cpu")


def test_as_many_classes_as_frames_are_not_taken_for_time():
    network = FrameWise("time, class", classes=8, stride=2)  # (1, 4, 8) for a clip of 8 frames
    with pytest.raises(ModelError, match=r"Got shape \(1, 4, 8\) for a clip of 8 frames and unnamed classes"):
        load_model(network, at_time=0.6, device="cpu")
    model = load_model(network, at_time=0.6, classes=list("abcdefgh"), device="cpu")
    assert torch.equal(model.logits(noise_clip(model)), network(noise_clip(model))[:, 1])


@pytest.mark.parametrize(("fps", "at_time", "row"), [(5.0, 0.6, 3), (5.0, 1.2, 6), (25.0, 0.28, 7), (10.0, 0.7, 7)])
def test_the_second_at_which_a_frame_comes_is_that_of_the_frame(fps, at_time, row):
    """0.6 s of 1.6 are 2.9999… of 8 frames in floating point."""
    network = FrameWise("time, class")
    network.clip_spec = {"frames": 8, "size": 16, "fps": fps}
    assert load_model(network, at_time=at_time, device="cpu").part == OutputPart(row=row, time_dim=1)


def test_results_say_which_head_and_row_they_are_of():
    model = load_model(FrameWise("time, class"), at_time=0.5, device="cpu")
    assert model.for_provenance()["part"] == "row 2 in time"
    assert "Explained is the output at 0.5 s: row 2 in time, counted from 0." in model.notes
    heads = TwoHeads(CONTAINERS["dict"][0])
    assert load_model(heads, head="verb", device="cpu").for_provenance()["part"] == "head verb"
    assert "part" not in load_model("rendered:r2plus1d-motion", device="cpu").for_provenance()


def test_seconds_that_cannot_be_found_are_refused():
    with pytest.raises(InputError, match=r"`at_time` must be from 0 to 2 s, the clip's length. Got 2\. Correct it."):
        load_model(FrameWise("time, class"), at_time=2.0, device="cpu")
    with pytest.raises(InputError, match="`at_time` must go with a model whose frames have a rate"):
        load_model(FrameWise("time, class"), at_time=1.0, stride=2, device="cpu")
    with pytest.raises(ModelError, match=r"Got shape \(1, 8, 8\)"):
        load_model(FrameWise("time, class", classes=8), at_time=1.0, device="cpu")
    with pytest.raises(ModelError, match=r"--at-time S"):
        load_model(FrameWise("time, class"), device="cpu")


def test_outputs_of_a_part_are_known_by_its_own_numbers():
    """A softmax over the classes of each frame is seen behind the choice of a frame."""
    network = nn.Sequential(FrameWise("time, class"), nn.Softmax(-1))
    model = load_model(network, at_time=0.5, device="cpu")
    assert (model.outputs.kind, model.part) == ("softmax", OutputPart(row=2, time_dim=1))
    numbers = load_model(TwoHeads(CONTAINERS["dict"][0]), head="verb", outputs="numbers", device="cpu")
    assert numbers.outputs.kind == "numbers"
