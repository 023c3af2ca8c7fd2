import pytest
import torch
from torch import nn
from torchvision.models import video

from video_tcav.core.errors import InputError, ModelError
from video_tcav.models.load import load_model

from .networks import Convolutions, huggingface

transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize("name", ["mc3_18", "r2plus1d_18"])
def test_torchvision_in_memory_is_what_its_name_gets(name, clip):
    named = load_model(f"torchvision:{name}", frames=4, size=32)
    model = load_model(getattr(video, name)(weights=None), frames=4, size=32)
    assert (model.clip_spec, model.classes) == (named.clip_spec, named.classes)
    assert model.default_layers == named.default_layers
    assert torch.equal(model.prepare(clip), named.prepare(clip))
    assert model.outputs.kind == "logits"
    assert any(f"Known as torchvision's {name}" in note for note in model.notes)
    published = load_model(getattr(video, name)(weights=None), frames=1)
    assert (published.clip_spec.resize, published.clip_spec.fps) == ((128, 171), 15.0)
    assert torch.equal(published.prepare(clip), load_model(f"torchvision:{name}").prepare(clip))


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (nn.Sequential(nn.Dropout(0.5), nn.Linear(512, 5)), "logits"),
        (nn.Sequential(nn.Linear(512, 5), nn.Softmax(1)), "softmax"),
    ],
)
def test_another_head_keeps_the_preprocessing(head, kind):
    network = video.r3d_18(weights=None)
    network.fc = head
    model = load_model(nn.DataParallel(network), frames=2, size=32, classes=list("abcde"))
    assert model.clip_spec.mean == pytest.approx((0.43216, 0.394666, 0.37645))
    assert (model.classes, model.outputs.kind) == (tuple("abcde"), kind)
    assert load_model(network, frames=2, size=32).classes == tuple("01234")
    with pytest.raises(InputError, match="`classes` must name the 5 outputs"):
        load_model(network, frames=2, size=32, classes=["a", "b"])


def test_a_clip_spec_wins_and_another_network_is_not_taken_for_it():
    network = video.r3d_18(weights=None)
    network.clip_spec = {"frames": 4, "size": 32, "mean": 0.1}
    assert load_model(network).clip_spec.mean == (0.1, 0.1, 0.1)
    deeper = video.r3d_18(weights=None)
    deeper.layer1 = nn.Sequential(*deeper.layer1, nn.Conv3d(64, 64, 1))
    assert any("Assumed for VideoResNet: mean 0.45" in note for note in load_model(deeper, frames=4, size=32).notes)


@pytest.mark.parametrize("family", ["VideoMAE", "Timesformer"])
def test_huggingface_in_memory_is_what_its_folder_gets(family, tmp_path, clip):
    network = huggingface(family, id2label={0: "run", 1: "walk", 2: "wave"})
    network.save_pretrained(tmp_path)
    named, model = load_model(f"hf:{tmp_path}"), load_model(network)
    assert (model.clip_spec, model.classes, model.input_name) == (named.clip_spec, named.classes, named.input_name)
    assert model.default_layers == named.default_layers
    assert torch.equal(model.prepare(clip), named.prepare(clip))
    inputs = model.prepare(clip[:4])[None]
    assert torch.allclose(model.logits(inputs), named.logits(inputs), atol=1e-6)
    assert any("its family's preprocessing at 32 × 32 pixels" in note for note in model.notes)


def test_huggingface_processor_beside_the_weights_is_used(tmp_path, clip):
    huggingface().save_pretrained(tmp_path)
    transformers.VideoMAEImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}, image_mean=[0.1] * 3
    ).save_pretrained(tmp_path)
    model = load_model(transformers.AutoModelForVideoClassification.from_pretrained(tmp_path))
    assert model.clip_spec.mean == pytest.approx((0.1, 0.1, 0.1))
    assert torch.equal(model.prepare(clip), load_model(f"hf:{tmp_path}").prepare(clip))


def test_huggingface_head_and_configuration():
    network = huggingface()
    network.classifier = nn.Linear(16, 5)
    assert load_model(network).classes == tuple("01234")
    assert load_model(huggingface(problem_type="multi_label_classification")).outputs.kind == "sigmoid_logits"
    assert load_model(huggingface(num_labels=1)).outputs.kind == "numbers"
    with pytest.raises(ModelError, match="`frames` of VideoMAEForVideoClassification in memory must be 4. Got 8"):
        load_model(huggingface(), frames=8)


@pytest.mark.parametrize(
    ("settings", "head", "kind"),
    [
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, nn.Sigmoid(), "sigmoid"),
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, nn.Identity(), "sigmoid_logits"),
        ({"num_labels": 3, "problem_type": "single_label_classification"}, nn.Softmax(-1), "softmax"),
        ({"num_labels": 3, "problem_type": "regression"}, nn.Sigmoid(), "numbers"),
        ({"num_labels": 1}, nn.Sigmoid(), "sigmoid"),
    ],
)
def test_a_head_that_makes_probabilities_is_seen_behind_any_configuration(settings, head, kind):
    network = huggingface(**settings)
    network.classifier = nn.Sequential(network.classifier, head)
    assert load_model(network).outputs.kind == kind


def test_a_head_of_another_width_is_not_what_the_configuration_says():
    network = huggingface(num_labels=1)
    network.classifier = nn.Linear(16, 4)
    assert load_model(network).outputs.kind == "logits"
    network.classifier = nn.Sequential(nn.Linear(16, 4), nn.Softmax(-1))
    assert load_model(network).outputs.kind == "softmax"


def test_what_is_assumed_for_another_network_is_said():
    assert any(
        "Assumed for Convolutions: 16 frames, 112 × 112 pixels, mean 0.45, std 0.225" in note
        for note in load_model(Convolutions()).notes
    )
    told = load_model(Convolutions(), frames=4, size=8, mean=0.5, std=0.5)
    assert not any("Assumed" in note for note in told.notes)


class FramesByView(nn.Module):
    """Image rows cut out of the clip by `view`, as TSN and TSM do: right for time first, taken without a word for the other."""

    def __init__(self):
        super().__init__()
        self.image, self.head = nn.Conv2d(3, 6, 3, 2), nn.Linear(6, 3)

    def forward(self, clip):
        rows = self.image(clip.reshape(-1, 3, *clip.shape[-2:])).relu().mean((2, 3))
        return self.head(rows).unflatten(0, (len(clip), -1)).mean(1)


def test_a_network_that_takes_both_layouts_must_say_which():
    network = FramesByView()
    with pytest.raises(
        ModelError, match="`layout` must be said for a network that takes both. Got none for FramesByView"
    ):
        load_model(network, frames=4, size=16)
    network.clip_spec = {"frames": 4, "size": 16, "layout": "time_first"}
    model = load_model(network)
    clip = torch.randn(1, 4, 3, 16, 16)
    expected = network.head(torch.stack([network.image(frame).relu().mean((1, 2)) for frame in clip[0]])).mean(0)
    torch.testing.assert_close(model.values(clip)[0], expected)


def test_a_network_that_finds_the_colours_itself_need_not_say_a_layout():
    class Either(Convolutions):
        def forward(self, clip):
            return super().forward(clip if clip.shape[1] == 3 else clip.transpose(1, 2))

    assert load_model(Either(), frames=4, size=16).clip_spec.layout == "channels_first"


def test_outputs_as_many_as_frames_are_said_to_be_taken_for_classes():
    notes = [load_model(Convolutions(4), frames=4, size=16, classes=names).notes for names in (None, list("abcd"))]
    assert [
        any("taken for classes, though the clip has as many frames" in note for note in each) for each in notes
    ] == [
        True,
        False,
    ]
