"""Concepts erased from a model, against scores without them, and against the definition at every layer and feature space."""

from dataclasses import replace

import pytest
import torch

import video_tcav as vt
from tests.unit.tcav.interventions.whole_forwards import LAYERS, SETS, SPACES, TARGET, load_network, prepared
from video_tcav.core import errors
from video_tcav.models.erasure import load_erasure, with_erasure
from video_tcav.recording.batch_runner import space_axes
from video_tcav.recording.feature_spaces import to_space
from video_tcav.tcav.erasure import erase_cavs


@pytest.fixture(scope="module")
def model():
    return load_network()


@pytest.fixture(scope="module", params=SPACES)
def cavs(request, model):
    return vt.learn_cavs(model, concepts=SETS["concepts"], random=SETS["random"], layers=LAYERS, space=request.param)


def features(model, layer, space):
    outputs = {}
    handle = model.layer(layer).register_forward_hook(lambda _layer, _inputs, output: outputs.update(h=output))
    with torch.no_grad():
        model.module(prepared(model, SETS["clips"]))
    handle.remove()
    return to_space(outputs["h"], space_axes(model, layer, tuple(outputs["h"][:1].shape), space), space).double()


def test_one_concept_erased_is_what_scores_say_without_it(model, cavs):
    for cav in cavs:
        erased = with_erasure(model, erase_cavs(model, [cav]))
        rows = vt.score_clips(model, [cav], SETS["clips"], target=TARGET, without=True).to_frame()
        with torch.no_grad():
            logits = erased.logits(prepared(model, SETS["clips"]))
        rivals = [index for index in range(len(model.classes)) if index != model.class_index(TARGET)]
        log_odds = logits[:, model.class_index(TARGET)] - logits[:, rivals].logsumexp(1)
        assert log_odds.tolist() == pytest.approx(rows.target_without.tolist(), rel=1e-4, abs=1e-4)


def test_all_coordinates_of_a_span_are_those_of_random_clips_and_all_others_stay(model, cavs):
    for layer in LAYERS:
        chosen = [cav for cav in cavs if cav.layer == layer]
        space = chosen[0].space
        before = features(model, layer, space)
        after = features(with_erasure(model, erase_cavs(model, chosen)), layer, space)
        units = torch.stack([cav.vector.double() for cav in chosen])
        means = torch.tensor([cav.random_mean for cav in chosen]).double()
        assert torch.allclose(after @ units.T, means.expand(len(after), -1), atol=1e-4)
        across = torch.eye(units.shape[1], dtype=torch.float64) - torch.linalg.pinv(units) @ units
        assert torch.allclose(after @ across, before @ across, atol=1e-4)


def test_directions_of_shorter_clips_are_refused_before_any_pass(model, cavs):
    erasure = erase_cavs(model, cavs[:1])
    longer = replace(model, clip_spec=replace(model.clip_spec, frames=2 * model.clip_spec.frames))
    with pytest.raises(errors.ModelError, match="`erased` must be of clips of the same size and length"):
        with_erasure(longer, erasure)


def test_erased_once_more_changes_nothing_and_the_model_stays_as_it_was(model, cavs):
    inputs = prepared(model, SETS["clips"])
    with torch.no_grad():
        before = model.logits(inputs)
        erased = with_erasure(model, erase_cavs(model, cavs[:1]))
        once = erased.logits(inputs)
        assert torch.equal(model.logits(inputs), before)
    assert not torch.allclose(once, before)
    assert erased.weights_digest != model.weights_digest
    with pytest.raises(errors.ModelError, match="`model` must have nothing erased yet"):
        with_erasure(erased, replace(erase_cavs(model, cavs[:1]), weights_digest=erased.weights_digest))


def test_a_file_holds_it_and_commands_load_with_it(tmp_path):
    model = vt.load_model("rendered:r2plus1d-scene", device="cpu")
    noise = torch.Generator().manual_seed(3)
    clips = [
        (str(number), torch.randint(0, 256, (16, 3, 64, 64), dtype=torch.uint8, generator=noise)) for number in range(8)
    ]
    cavs = vt.learn_cavs(model, concepts={"noise": clips[:4]}, random=clips[4:], layers=["stages.3"])
    path = erase_cavs(model, cavs).save(tmp_path / "noise.safetensors")
    loaded = vt.load_model("rendered:r2plus1d-scene", device="cpu", erased=path)
    inputs = torch.stack([model.prepare(clip) for _, clip in clips])
    with torch.no_grad():
        expected = with_erasure(model, load_erasure(path)).logits(inputs)
        assert torch.equal(loaded.logits(inputs), expected)
    assert "noise erased at stages.3: 1 directions." in loaded.notes
    assert loaded.recipe is not None
    assert loaded.recipe["erased"] == path
    with pytest.raises(errors.WeightsError, match="`erased` must belong to these weights"):
        vt.load_model("rendered:r2plus1d-motion", device="cpu", erased=path)


def test_what_is_no_erasure_is_refused_in_a_line(tmp_path, model, cavs):
    path = erase_cavs(model, cavs[:1]).save(tmp_path / "e.safetensors")
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    (tmp_path / "damaged.safetensors").write_bytes(damaged)
    for name, message in (
        ("damaged.safetensors", "which is damaged"),
        ("absent.safetensors", "must be a readable safetensors file"),
    ):
        with pytest.raises(errors.WeightsError, match=message):
            load_erasure(tmp_path / name)
    (tmp_path / "text.safetensors").write_text("no tensors")
    with pytest.raises(errors.WeightsError, match="must be a readable safetensors file"):
        load_erasure(tmp_path / "text.safetensors")
    with pytest.raises(
        errors.WeightsError, match=r"`erased` must be a readable safetensors file\. Got .* \(a folder\)"
    ):
        load_erasure(tmp_path)
    with pytest.raises(errors.InputError, match="must hold a concept to erase"):
        erase_cavs(model, [])
    with pytest.raises(errors.InputError, match="must be of one layer"):
        erase_cavs(model, cavs)
    with pytest.raises(errors.InputError, match="must belong to the model"):
        erase_cavs(model, [replace(cavs[0], weights_digest="0")])
    with pytest.raises(errors.InputError, match="must point somewhere"):
        erase_cavs(model, [replace(cavs[0], vector=torch.zeros_like(cavs[0].vector))])
