"""What stands on a model of Hugging Face: words as classes, probes from files, adapters; and what is refused in one line."""

import json
import re
import shutil
import warnings

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

import video_tcav as vt
from tests.families.huggingface import TEXTS, network, saved, write_adapter, write_probe
from tests.unit.words.hf_folders import write_encoder
from video_tcav.core.errors import InputError, ModelError, WeightsError
from video_tcav.models import load_model
from video_tcav.models.layers import noise_clip
from video_tcav.models.loaders import hf_adapter
from video_tcav.words import load_encoder
from video_tcav.words.encoder import clip_rows, text_rows


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("clip"), "clip", num_hidden_layers=2)


@pytest.fixture(scope="module")
def adapter_folders(tmp_path_factory):
    return write_adapter(tmp_path_factory.mktemp("adapter"))


@pytest.fixture(scope="module")
def probe_files(tmp_path_factory):
    return write_probe(tmp_path_factory.mktemp("probe"), "vjepa2", attentive=True)


def test_zero_shot_logits_are_scaled_cosines_of_the_encoder_for_words(clip_folder):
    model = load_model(f"hf:{clip_folder}", classes=TEXTS, classes_text="{}", device="cpu")
    encoder = load_encoder(f"hf:{clip_folder}", device="cpu")
    generator = torch.Generator().manual_seed(0)
    clip = torch.randint(0, 256, (encoder.frames, 3, 32, 32), dtype=torch.uint8, generator=generator)
    cosines = clip_rows(encoder, [clip]) @ text_rows(encoder, TEXTS).T
    scale = float(model.module.towers.logit_scale.exp().detach())
    actual = model.logits(model.prepare(clip)[None]).detach()
    torch.testing.assert_close(actual, scale * torch.from_numpy(cosines).float(), rtol=1e-4, atol=1e-4)


def test_the_text_of_a_class_is_part_of_the_model(clip_folder):
    models = [
        load_model(f"hf:{clip_folder}", classes=TEXTS, classes_text=text, device="cpu")
        for text in (None, "a video of {}", "a {}")
    ]
    digests = [model.weights_digest for model in models]
    assert digests[0] == digests[1] != digests[2]
    assert "a video of swinging" in models[0].notes[0]
    assert models[2].recipe["classes_text"] == "a {}"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, ModelError, "`classes` must name what .* is to tell apart"),
        (
            {"classes": TEXTS, "classes_text": "a video"},
            ModelError,
            r"`classes_text` must have {} where the class goes",
        ),
        (
            {"classes": ["standing", "unheard", "unknown"]},
            ModelError,
            "Got 'unheard' and 'unknown', which are the same",
        ),
        (
            {"classes": ["standing"]},
            ModelError,
            "`classes` must be two or more that exclude each other. Got 'standing' alone",
        ),
        ({"classes": TEXTS, "size": 64}, ModelError, "`frames` and `size` of .* must be 8 and"),
        ({"classes": TEXTS, "weights": "x.safetensors"}, ModelError, "`weights` must go with a model that takes it"),
    ],
)
def test_what_a_zero_shot_model_refuses(clip_folder, options, error, message):
    with pytest.raises(error, match=message) as caught:
        load_model(f"hf:{clip_folder}", device="cpu", **options)
    assert "\n" not in str(caught.value)


def test_texts_that_are_cut_are_said(clip_folder):
    longest = 12 - 2  # tokens of the text tower, but for those at the start and the end
    fitting, cut = " ".join(["something"] * longest), " ".join(["film"] * (longest + 1))
    notes = load_model(f"hf:{clip_folder}", classes=[fitting, cut], classes_text="{}", device="cpu").notes
    assert (
        [note for note in notes if "cut" in note] == [note for note in notes if note.startswith("1 of 2 texts")] != []
    )
    notes = load_model(f"hf:{clip_folder}", classes=[fitting, "film"], classes_text="{}", device="cpu").notes
    assert not any("cut" in note for note in notes)


def test_options_are_refused_where_they_would_do_nothing(tmp_path):
    with pytest.raises(
        InputError, match="`classes_text` must go with a model that takes it. Got a {} for torchvision:r3d_18"
    ):
        load_model("torchvision:r3d_18", classes_text="a {}")
    folder = saved(tmp_path, network("videomae"))
    with pytest.raises(ModelError, match="`classes_text` must go with a model that takes it"):
        load_model(f"hf:{folder}", classes_text="a {}")


def test_siglip_is_of_labels_that_do_not_exclude_each_other_unless_it_is_said(tmp_path):
    folder = write_encoder(tmp_path, "siglip")
    assert load_model(f"hf:{folder}", classes=TEXTS, device="cpu").outputs.kind == "sigmoid_logits"
    assert load_model(f"hf:{folder}", classes=TEXTS, outputs="logits", device="cpu").outputs.kind == "logits"
    assert load_model(f"hf:{folder}", classes=["standing"], device="cpu").classes == ("standing",)


def test_an_adapter_brings_its_head_and_changes_the_encoder(adapter_folders):
    base, adapter = adapter_folders
    plain, adapted = load_model(f"hf:{base}", device="cpu"), load_model(f"hf:{base}", adapter=adapter, device="cpu")
    layer, clip = plain.default_layers[-1], noise_clip(plain)
    assert adapted.default_layers == plain.default_layers
    assert not any("lora" in name for name in adapted.module.state_dict())
    rows = [vt.models.hooks.record_activations(model, [layer], clip)[layer] for model in (plain, adapted)]
    assert not torch.allclose(*rows, atol=1e-3)
    assert any("LORA adapter" in note for note in adapted.notes)


def test_the_head_of_an_adapter_may_have_other_classes_than_the_base(adapter_folders, tmp_path):
    base, adapter = adapter_folders
    config = json.loads((base / "config.json").read_text())
    other = shutil.copytree(base, tmp_path / "base")
    config |= {"id2label": {"0": "a", "1": "b", "2": "c"}, "label2id": {"a": 0, "b": 1, "c": 2}}
    (other / "config.json").write_text(json.dumps(config))
    tensors = load_file(base / "model.safetensors")
    tensors = {name: tensor[:3] if name.startswith("classifier") else tensor for name, tensor in tensors.items()}
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    model = load_model(f"hf:{other}", adapter=adapter, device="cpu")
    assert model.classes == tuple(f"LABEL_{index}" for index in range(5))  # not a, b, c
    assert "say their names by classes" in model.notes[-1]
    expected = load_model(f"hf:{base}", adapter=adapter, device="cpu")
    assert torch.equal(model.logits(noise_clip(model)), expected.logits(noise_clip(model)))


def test_adapters_of_a_network_in_memory_stay_in_its_layers(adapter_folders):
    peft = pytest.importorskip("peft")
    base, adapter = adapter_folders
    auto = transformers.AutoModelForVideoClassification
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between versions of peft and transformers
        network = peft.PeftModel.from_pretrained(auto.from_pretrained(base), str(adapter))
    model, merged = load_model(network, device="cpu"), load_model(f"hf:{base}", adapter=adapter, device="cpu")
    assert model.default_layers == merged.default_layers and "inside PeftModel is used" in model.notes[0]
    clip = noise_clip(merged)
    torch.testing.assert_close(model.logits(clip), merged.logits(clip), rtol=1e-5, atol=1e-6)
    rows = [vt.models.hooks.record_activations(each, [merged.default_layers[-1]], clip) for each in (model, merged)]
    torch.testing.assert_close(*rows, rtol=1e-4, atol=1e-5)


def test_the_last_adapter_of_a_trainer_is_taken(adapter_folders, tmp_path):
    base, adapter = adapter_folders
    shutil.copytree(adapter, tmp_path / "checkpoint-20")
    (tmp_path / "checkpoint-9").mkdir()
    model = load_model(f"hf:{base}", adapter=tmp_path, device="cpu")
    assert model.weights_digest == load_model(f"hf:{base}", adapter=adapter, device="cpu").weights_digest
    assert any("checkpoint-20" in note for note in model.notes)


def test_an_adapter_of_another_base_model_is_said(adapter_folders, tmp_path):
    base, adapter = adapter_folders
    moved, other = (shutil.copytree(base, tmp_path / name) for name in ("moved/base", "other"))
    for folder, is_said in ((base, False), (moved, False), (other, True)):
        notes = load_model(f"hf:{folder}", adapter=adapter, device="cpu").notes
        assert any(f"It was trained on {base}, not on {folder}" in note for note in notes) == is_said


def test_adapters_that_do_not_fit_are_refused(adapter_folders, tmp_path):
    base, adapter = adapter_folders
    with pytest.raises(WeightsError, match="`adapter` must be a folder with adapter_config.json"):
        load_model(f"hf:{base}", adapter=tmp_path, device="cpu")
    with pytest.raises(WeightsError, match="Give the base model, and this folder as --adapter"):
        load_model(f"hf:{adapter}", device="cpu")
    misfit = shutil.copytree(adapter, tmp_path / "misfit")
    tensors = load_file(misfit / "adapter_model.safetensors")
    save_file(
        {re.sub(r"layer\.0\.", "layer.9.", name): tensor for name, tensor in tensors.items()},
        misfit / "adapter_model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(WeightsError, match="tensors for other layers, such as .*layer.9"):
        load_model(f"hf:{base}", adapter=misfit, device="cpu")


@pytest.mark.parametrize(
    "lost", ["layer.0.attention.attention.query.lora_B", "layer.1.attention.attention.value.lora_A"]
)
def test_an_adapter_that_lost_tensors_is_refused(adapter_folders, tmp_path, lost):
    base, adapter = adapter_folders
    damaged = shutil.copytree(adapter, tmp_path / "damaged")
    tensors = load_file(damaged / "adapter_model.safetensors")
    kept = {name: tensor for name, tensor in tensors.items() if lost not in name}
    assert len(kept) == len(tensors) - 1
    save_file(kept, damaged / "adapter_model.safetensors", metadata={"format": "pt"})
    with pytest.raises(WeightsError, match=f"must hold all tensors of its configuration.*1 missing, such as .*{lost}"):
        load_model(f"hf:{base}", adapter=damaged, device="cpu")


def test_without_peft_the_extra_is_named(adapter_folders, monkeypatch):
    base, adapter = adapter_folders

    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(hf_adapter, "import_module", missing)
    with pytest.raises(vt.core.errors.MissingExtraError, match=r'pip install "video-tcav\[peft\]"'):
        load_model(f"hf:{base}", adapter=adapter, device="cpu")


def test_a_probe_of_another_encoder_is_refused(probe_files, tmp_path):
    encoder, probe = probe_files
    tensors = load_file(probe)
    half = {name: tensor[..., :24].contiguous() if "query" in name else tensor for name, tensor in tensors.items()}
    save_file(half, tmp_path / "half.safetensors")
    with pytest.raises(WeightsError, match="for 24 features, where the encoder has 48"):
        load_model(f"hf:{encoder}", probe=tmp_path / "half.safetensors", device="cpu")
    missing = {name: tensor for name, tensor in tensors.items() if "mlp.fc2" not in name}
    save_file(missing, tmp_path / "missing.safetensors")
    with pytest.raises(WeightsError, match=r"`probe` must be an attentive classifier .* 4 missing"):
        load_model(f"hf:{encoder}", probe=tmp_path / "missing.safetensors", device="cpu")
    save_file({"a": torch.ones(2, 2), "b": torch.ones(3)}, tmp_path / "none.safetensors")
    with pytest.raises(WeightsError, match="`probe` must hold one linear layer"):
        load_model(f"hf:{encoder}", probe=tmp_path / "none.safetensors", device="cpu")


def test_one_of_several_probes_in_a_checkpoint_is_chosen(probe_files, tmp_path):
    encoder, probe = probe_files
    tensors = load_file(probe)
    second = tensors | {"module.linear.bias": tensors["module.linear.bias"] + 1}
    torch.save({"classifiers": [tensors, second], "epoch": 20}, tmp_path / "probes.pt")
    with pytest.raises(
        WeightsError, match=r"`probe` must be one probe\. Got .* with 2: classifiers\.0, classifiers\.1"
    ):
        load_model(f"hf:{encoder}", probe=tmp_path / "probes.pt", device="cpu")
    models = [
        load_model(f"hf:{encoder}", probe=f"{tmp_path / 'probes.pt'}::classifiers.{index}", device="cpu")
        for index in (0, 1)
    ]
    first, shifted = (model.logits(noise_clip(model)) for model in models)
    torch.testing.assert_close(shifted, first + 1)


def test_probes_as_published_have_16_heads_whatever_the_encoder_has(probe_files, tmp_path):
    encoder, probe = probe_files
    save_file(load_file(probe), tmp_path / "published.safetensors")  # without metadata, as a checkpoint of PyTorch
    model = load_model(f"hf:{encoder}", probe=tmp_path / "published.safetensors", device="cpu")
    assert model.module.config.num_attention_heads == 4
    assert any("an attentive probe of 16 heads" in note for note in model.notes)
    tensors = {name.removeprefix("module."): tensor for name, tensor in load_file(probe).items()}
    clip = noise_clip(model)
    with torch.no_grad():
        tokens = model.module.backbone(pixel_values_videos=clip, skip_predictor=True).last_hidden_state
    torch.testing.assert_close(model.logits(clip).detach(), published_classifier(tokens, tensors, heads=16))
    save_file(load_file(probe), tmp_path / "seven.safetensors", metadata={"num_heads": "7"})
    with pytest.raises(InputError, match=r"must be a number that divides 48, its features\. Got '7'"):
        load_model(f"hf:{encoder}", probe=tmp_path / "seven.safetensors", device="cpu")


def published_classifier(tokens, tensors, *, heads):
    """Slow form of AttentiveClassifier (facebookresearch/vjepa2, src/models/attentive_pooler.py)."""

    def linear(rows, name):
        return rows @ tensors[f"{name}.weight"].T + tensors[f"{name}.bias"]

    def norm(rows, name):
        return torch.nn.functional.layer_norm(
            rows, rows.shape[-1:], tensors[f"{name}.weight"], tensors[f"{name}.bias"], 1e-5
        )

    def mlp(rows, name):
        return linear(torch.nn.functional.gelu(linear(rows, f"{name}.fc1")), f"{name}.fc2")

    def attended(queries, keys, values):
        split = [rows.unflatten(-1, (heads, -1)).transpose(1, 2) for rows in (queries, keys, values)]
        weights = (split[0] @ split[1].transpose(-1, -2) / split[0].shape[-1] ** 0.5).softmax(-1)
        return (weights @ split[2]).transpose(1, 2).flatten(2)

    for block in sorted({name.split(".")[2] for name in tensors if name.startswith("pooler.blocks.")}):
        name = f"pooler.blocks.{block}"
        mixed = attended(*linear(norm(tokens, f"{name}.norm1"), f"{name}.attn.qkv").chunk(3, -1))
        tokens = tokens + linear(mixed, f"{name}.attn.proj")
        tokens = tokens + mlp(norm(tokens, f"{name}.norm2"), f"{name}.mlp")
    name, query = "pooler.cross_attention_block", tensors["pooler.query_tokens"].expand(len(tokens), -1, -1)
    keys, values = linear(norm(tokens, f"{name}.norm1"), f"{name}.xattn.kv").chunk(2, -1)
    query = query + attended(linear(query, f"{name}.xattn.q"), keys, values)
    query = query + mlp(norm(query, f"{name}.norm2"), f"{name}.mlp")
    return linear(query[:, 0], "linear")


@pytest.mark.parametrize(("pooling", "heads"), [("first", None), ("mean", None), ("middle", None), ("mean", "no")])
def test_metadata_say_how_a_probe_reads_the_tokens(probe_files, tmp_path, pooling, heads):
    encoder, probe = probe_files
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 48, generator=generator)
    path = tmp_path / "linear.safetensors"
    save_file({"weight": weight}, path, metadata={"pooling": pooling})
    if pooling == "middle":
        with pytest.raises(InputError, match="`pooling` must be one of mean, first"):
            load_model(f"hf:{encoder}", probe=path, device="cpu")
        return
    if heads:
        save_file(load_file(probe), path, metadata={"num_heads": heads})
        with pytest.raises(InputError, match="`num_heads` in the metadata"):
            load_model(f"hf:{encoder}", probe=path, device="cpu")
        return
    model = load_model(f"hf:{encoder}", probe=path, device="cpu")
    clip = noise_clip(model)
    with torch.no_grad():
        tokens = model.module.backbone(pixel_values_videos=clip, skip_predictor=True).last_hidden_state
    expected = (tokens[:, 0] if pooling == "first" else tokens.mean(1)) @ weight.T
    torch.testing.assert_close(model.logits(clip).detach(), expected)
    assert model.classes == ("0", "1", "2")
    assert model.outputs.is_assumed


def test_videoprism_sees_colours_from_0_to_1_of_frames_spread_over_the_video(tmp_path):
    model = load_model(f"hf:{saved(tmp_path, network('videoprism'))}", device="cpu")
    assert (model.clip_spec.mean, model.clip_spec.std) == ((0.0,) * 3, (1.0,) * 3)
    assert model.clip_spec.sampling == "uniform"
    clip = torch.full((8, 3, 64, 64), 51, dtype=torch.uint8)
    torch.testing.assert_close(model.prepare(clip), torch.full((8, 3, 64, 64), 0.2))
