"""Folders and files of Hugging Face classifiers as people have them: each loads whole, or is refused in one line."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from video_tcav.core.errors import ModelError, VideoTcavError, WeightsError
from video_tcav.models.load import load_model

transformers = pytest.importorskip("transformers")

SIZES = {
    "image_size": 16,
    "patch_size": 8,
    "num_frames": 4,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 16,
}


def saved(folder, seed=0, family="VideoMAE", **settings):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = getattr(transformers, f"{family}Config")(**SIZES, **{"num_labels": 3} | settings)
        network = getattr(transformers, f"{family}ForVideoClassification")(config)
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter)  # biases too, so that one in the wrong place shows
        network.save_pretrained(folder)
    return folder, {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def same(model, state):
    own = model.module.state_dict()
    return set(own) == set(state) and all(torch.equal(tensor, own[name]) for name, tensor in state.items())


def reconfigured(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def renamed(folder, prefix):
    tensors = load_file(folder / "model.safetensors")
    save_file(
        {prefix + name: tensor for name, tensor in tensors.items()}, folder / "model.safetensors", {"format": "pt"}
    )


@pytest.mark.parametrize("family", ["VideoMAE", "Timesformer"])
def test_weights_by_the_names_of_files_and_of_modules(tmp_path, family):
    folder, _ = saved(tmp_path / "a", family=family)
    other, state = saved(tmp_path / "b", seed=1, family=family)
    assert same(load_model(f"hf:{folder}", weights=other / "model.safetensors"), state)
    assert same(load_model(f"hf:{folder}", weights=other), state)
    torch.save({"model": {f"module.{name}": tensor for name, tensor in state.items()}}, tmp_path / "c.pt")
    model = load_model(f"hf:{folder}", weights=tmp_path / "c.pt")
    assert same(model, state)
    assert any("'module.' was taken off" in note for note in model.notes)


@pytest.mark.parametrize("named", ["dtype", "torch_dtype"])
def test_weights_are_not_rounded_to_the_type_of_the_configuration(tmp_path, named):
    folder, state = saved(tmp_path / "a")
    reconfigured(folder, dtype=None)
    reconfigured(folder, **{named: "bfloat16"})
    assert same(load_model(f"hf:{folder}"), state)
    other, state = saved(tmp_path / "b", seed=1)
    # by older names, which go through transformers itself, and by those of the module
    assert same(load_model(f"hf:{folder}", weights=other / "model.safetensors"), state)
    torch.save(state, tmp_path / "c.pt")
    assert same(load_model(f"hf:{folder}", weights=tmp_path / "c.pt"), state)


def test_older_names_behind_a_prefix(tmp_path):
    folder, _ = saved(tmp_path / "a")
    other, state = saved(tmp_path / "b", seed=1)
    old = load_file(other / "model.safetensors")
    assert set(old) != set(state)
    torch.save({"state_dict": {f"model.{name}": tensor for name, tensor in old.items()}}, tmp_path / "c.ckpt")
    model = load_model(f"hf:{folder}", weights=tmp_path / "c.ckpt")
    assert same(model, state)
    assert any("Older names" in note for note in model.notes)
    assert any("'model.'" in note for note in model.notes)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "module._orig_mod."])
def test_wrapped_names_in_a_folder(tmp_path, prefix):
    folder, state = saved(tmp_path)
    renamed(folder, prefix)
    model = load_model(f"hf:{folder}")
    assert same(model, state)
    assert any(repr(prefix) in note for note in model.notes)


def test_the_last_checkpoint_of_a_trainer(tmp_path):
    saved(tmp_path / "checkpoint-90", seed=1)
    _, state = saved(tmp_path / "checkpoint-100", seed=2)
    model = load_model(f"hf:{tmp_path}")
    assert model.name == f"hf:{tmp_path}"
    assert same(model, state)
    assert "those of checkpoint-100, the last of 2" in model.notes[0]
    folder, _ = saved(tmp_path / "other")
    assert same(load_model(f"hf:{folder}", weights=tmp_path), state)


def test_tensors_that_the_classifier_lacks_are_said(tmp_path):
    folder, _ = saved(tmp_path)
    tensors = load_file(folder / "model.safetensors") | {"decoder.x": torch.ones(1)}
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    square = {"height": SIZES["image_size"], "width": SIZES["image_size"]}
    transformers.VideoMAEImageProcessor(crop_size=square).save_pretrained(folder)  # so that nothing else is said first
    assert "decoder.x" in load_model(f"hf:{folder}").notes[0]


def test_a_head_of_another_size(tmp_path, capfd):
    folder, state = saved(tmp_path)
    torch.save(state, tmp_path / "w.pt")
    capfd.readouterr()  # of saving
    reconfigured(folder, id2label={"0": "a", "1": "b"}, label2id={"a": 0, "b": 1})
    capfd.readouterr()  # what saving printed
    for weights in (None, tmp_path / "w.pt"):
        with pytest.raises(
            WeightsError, match=r"classifier.* 3 outputs, but id2label of config.json names 2"
        ) as caught:
            load_model(f"hf:{folder}", weights=weights)
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_weights_of_another_width(tmp_path):
    folder, _ = saved(tmp_path / "a")
    reconfigured(folder, intermediate_size=24)
    with pytest.raises(WeightsError, match=r"where the model has .* Give the config.json that was saved with"):
        load_model(f"hf:{folder}")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"1": "a", "2": "b", "3": "c"}, "Got the numbers 1, 2, 3"),
        ({"0": "a", "2": "b", "5": "c"}, "Got the numbers 0, 2, 5"),
        ({"0": "a", "1": "a", "2": "c"}, "Got 'a' twice"),
        ({"0": "a", "1": "", "2": "c"}, "Got an empty name"),
        ({"0": "a", "1": 7, "2": "c"}, "Got the name 7, which is no text"),
        ({"0": "a", "1": None, "2": "c"}, "Got the name None"),
        ({"0": "a", "one": "b", "2": "c"}, "Got the key 'one'"),
        ({"0": "a", "1": "b", "01": "c"}, "Got the key '01'"),
        (["a", "b", "c"], "Got list"),
        ({}, "Got dict"),
    ],
)
def test_labels_that_cannot_be_meant(tmp_path, labels, message):
    folder, _ = saved(tmp_path)
    reconfigured(folder, id2label=labels)
    with pytest.raises(ModelError, match=message) as caught:
        load_model(f"hf:{folder}")
    assert "\n" not in str(caught.value)


def test_names_of_the_user_take_the_place_of_doubled_ones(tmp_path):
    folder, _ = saved(tmp_path)
    reconfigured(folder, id2label={"0": "a", "1": "a", "2": "c"})
    assert load_model(f"hf:{folder}", classes=["x", "y", "z"]).classes == ("x", "y", "z")


def test_another_number_of_labels(tmp_path):
    folder, _ = saved(tmp_path)
    reconfigured(folder, num_labels=5)
    with pytest.raises(ModelError, match="Got 3 names where num_labels is 5"):
        load_model(f"hf:{folder}")


@pytest.mark.parametrize("family", ["VideoMAE", "Timesformer"])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_than_three_channels(tmp_path, family, channels):
    folder, _ = saved(tmp_path, family=family, num_channels=channels)
    with pytest.raises(ModelError, match=f"num_channels {channels}"):
        load_model(f"hf:{folder}")


@pytest.mark.parametrize("whole", [True, False])
def test_an_adapter(tmp_path, whole):
    if whole:
        saved(tmp_path)
    settings = {"peft_type": "LORA", "base_model_name_or_path": "MCG-NJU/videomae-base"}
    (tmp_path / "adapter_config.json").write_text(json.dumps(settings))
    with pytest.raises(VideoTcavError, match=r"PEFT adapter \(LORA\) for MCG-NJU/videomae-base. Give the base model"):
        load_model(f"hf:{tmp_path}")
