import pytest
import torch
from safetensors import safe_open

import video_tcav as vt
from video_tcav.core.errors import InputError, ModelError
from video_tcav.rendered import render_batch, rule_of, train_rendered
from video_tcav.rendered.models import ARCHITECTURES, WEIGHTS, rendered_names
from video_tcav.rendered.rules import USUAL_MOTION, USUAL_SCENE
from video_tcav.rendered.training import measure_accuracy, normalised


def test_training_learns_and_its_weights_come_back(tmp_path):
    trained = train_rendered("r2plus1d", rule_of("scene"), seed=3, steps=20, held_out=100)
    assert trained.accuracy > 0.9
    path = trained.save(tmp_path / "scene.safetensors")
    loaded = vt.load_model("rendered:r2plus1d", weights=path)
    assert loaded.classes == rule_of("scene").labels
    assert loaded.weights_digest == trained.model.weights_digest
    assert trained.metadata["command"] == "video-tcav benchmark train r2plus1d scene --seed 3 --steps 20"


def test_the_same_seed_gives_the_same_first_weights():
    one = train_rendered("transformer", rule_of("order"), seed=1, steps=1, held_out=2)
    other = train_rendered("transformer", rule_of("order"), seed=1, steps=1, held_out=2)
    assert one.model.weights_digest == other.model.weights_digest
    assert train_rendered("transformer", rule_of("order"), seed=2, steps=1, held_out=2).model.weights_digest != (
        one.model.weights_digest
    )


def test_training_refuses_what_it_cannot_do(tmp_path):
    with pytest.raises(InputError, match="`architecture` must be one of r2plus1d, transformer. Got 'vgg'"):
        train_rendered("vgg", rule_of("scene"))
    with pytest.raises(InputError, match="`path` must end in .safetensors. Got w.pt"):
        train_rendered("r2plus1d", rule_of("scene"), steps=1, held_out=2).save(tmp_path / "w.pt")
    with pytest.raises(InputError, match="`steps` must be at least 1. Got 0"):
        train_rendered("r2plus1d", rule_of("scene"), steps=0)
    # Before the training, whose result would be lost.
    with pytest.raises(InputError, match="`held_out` must be at least 1. Got 0"):
        train_rendered("r2plus1d", rule_of("scene"), steps=10**9, held_out=0)


@pytest.mark.parametrize("name", rendered_names())
def test_packaged_weights_do_what_they_say(name):
    path = WEIGHTS / f"{name}.safetensors"
    assert path.stat().st_size <= 1.5e6
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert float(metadata["accuracy"]) >= 0.97
    assert metadata["command"].startswith("video-tcav benchmark train")
    rule = rule_of(metadata["rule"])
    clips, labels = rule.sample(96, seed=99)
    model = vt.load_model(f"rendered:{name}")
    assert model.trained
    assert measure_accuracy(model, clips, labels) >= 0.92  # of 96 clips; the held-out accuracy is over a thousand


def test_the_shortcut_fails_where_scenes_are_swapped():
    rule = rule_of("scene")
    clips, labels = rule.sample(60, seed=7)
    usual = list(USUAL_SCENE.values())
    swapped = [
        clip.with_factor("motion", USUAL_MOTION[rule.labels[label]]).with_factor(
            "scene", usual[(label + 1 + i % 4) % 5]
        )
        for i, (clip, label) in enumerate(zip(clips, labels, strict=True))
    ]
    for architecture in ARCHITECTURES:
        assert measure_accuracy(vt.load_model(f"rendered:{architecture}-scene"), swapped, labels) < 0.4


def test_inputs_are_those_of_the_published_preprocessing():
    model = vt.load_model("rendered:r2plus1d-scene")
    clips = render_batch(rule_of("scene").sample(2, seed=1)[0])
    prepared = torch.stack([model.prepare(clip) for clip in clips])
    torch.testing.assert_close(normalised(clips), prepared)


def test_axes_of_every_packaged_layer_are_known():
    for name in ("r2plus1d-scene", "transformer-scene"):
        for layer in vt.list_layers(vt.load_model(f"rendered:{name}")):
            if layer.is_default:
                assert layer.axes is not None and layer.axes.has_positions


@pytest.mark.parametrize("name", ["vgg", "r2plus1d-colour", "r2plus1d"])
def test_names_that_are_not_there(name):
    with pytest.raises(
        ModelError,
        match="`model` must be rendered: and one of r2plus1d-motion, .*; with --weights, one of r2plus1d, transformer. Got",
    ):
        vt.load_model(f"rendered:{name}")
