import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import InputError, MissingExtraError, ModelError, WeightsError
from video_tcav.models.axes.probe import probe_axes
from video_tcav.models.layers import layers_axes, list_layers, noise_clip
from video_tcav.models.load import load_model
from video_tcav.models.loaders import hugging_face as hf_models
from video_tcav.models.loaders.hf_preprocess import PROCESSOR_FILES, load_processor

from .networks import in_another_order, layers_that_single_cells_contradict, unchanged

huggingface_hub = pytest.importorskip("huggingface_hub")
transformers = pytest.importorskip("transformers")

SIZES = {
    "hidden_size": 48,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "num_labels": 3,
}
DECODER = {
    "decoder_num_hidden_layers": 1,
    "decoder_hidden_size": 24,
    "decoder_num_attention_heads": 2,
    "decoder_intermediate_size": 32,
}


def configuration(family):
    if family == "videomae":
        return transformers.VideoMAEConfig(image_size=32, patch_size=8, num_frames=8, **SIZES, **DECODER)
    if family == "timesformer":
        return transformers.TimesformerConfig(image_size=32, patch_size=8, num_frames=8, **SIZES)
    if family == "vivit":
        return transformers.VivitConfig(image_size=32, tubelet_size=[2, 8, 8], num_frames=8, **SIZES)
    own = {"pred_hidden_size": 48, "pred_num_attention_heads": 4, "pred_num_hidden_layers": 1, "num_pooler_layers": 1}
    sizes = {name: value for name, value in SIZES.items() if name != "intermediate_size"}
    return transformers.VJEPA2Config(crop_size=32, patch_size=8, frames_per_clip=8, mlp_ratio=2, **own, **sizes)


FAMILIES = ("videomae", "timesformer", "vivit", "vjepa2")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """One folder with a small random classifier for each family."""
    root = tmp_path_factory.mktemp("hf")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for family in FAMILIES:
            network = transformers.AutoModelForVideoClassification.from_config(configuration(family))
            network.save_pretrained(root / family)
    return root


def load(folders, family, **options):
    return load_model(f"hf:{folders / family}", **options)


@pytest.mark.parametrize(
    ("family", "stride", "input_name", "holder", "layers", "order", "grid", "prefix"),
    [
        ("videomae", 4, "pixel_values", "videomae.encoder.layer", (0, 1, 3, 4), "thw", (4, 4, 4), 0),
        ("timesformer", 32, "pixel_values", "timesformer.encoder.layer", (0, 1, 2, 3), "hwt", (8, 4, 4), 1),
        ("vivit", 2, "pixel_values", "vivit.layers", (0, 1, 2, 3), "thw", (4, 4, 4), 1),
        ("vjepa2", 4, "pixel_values_videos", "vjepa2.encoder.layer", (0, 1, 3, 4), "thw", (4, 4, 4), 0),
    ],
)
def test_families(folders, family, stride, input_name, holder, layers, order, grid, prefix, capfd, clip):
    model = load(folders, family)
    assert capfd.readouterr() == ("", "")  # no progress bars, no advice
    assert (model.clip_spec.frames, model.clip_spec.stride) == (8, stride)
    assert model.clip_spec.size == (32, 32)
    assert model.input_name == input_name
    assert model.classes == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert model.default_layers == tuple(f"{holder}.{index}" for index in layers)
    assert model.trained
    prepared = model.prepare(clip[:8])
    assert prepared.shape == (8, 3, 32, 32)
    assert model.logits(prepared[None]).shape == (1, 3)
    names = {"t": "time", "h": "height", "w": "width"}
    declared = layers_axes(model, model.default_layers)
    for axes in declared.values():
        assert axes.token_order == tuple(names[letter] for letter in order)
        assert (axes.grid, axes.prefix_tokens) == (grid, prefix)
    with unchanged(model):
        assert probe_axes(model, model.default_layers, noise_clip(model)) == declared


def test_declared_inner_layers_agree_with_probing(folders):
    for family in FAMILIES:
        model = load(folders, family)
        declared = {layer.name: layer.axes for layer in list_layers(model) if layer.axes is not None}
        assert len(declared) > 20
        declared = dict(list(declared.items())[:16])
        probed = probe_axes(model, list(declared), noise_clip(model))
        told = {name: axes for name, axes in probed.items() if not isinstance(axes, Exception)}
        assert len(told) > len(declared) / 2
        assert told == {name: declared[name] for name in told}


@pytest.mark.parametrize("family", FAMILIES)
def test_families_answer_to_single_cells_where_they_say(folders, family):
    model = load(folders, family)
    assert layers_that_single_cells_contradict(model) == set()
    assert layers_that_single_cells_contradict(model, in_another_order) == set(model.default_layers)


def processors():
    size = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}}
    own = {"image_mean": [0.1, 0.2, 0.3], "image_std": [0.4, 0.5, 0.6]}
    return {
        "videomae": [transformers.VideoMAEImageProcessor(**size, **own), transformers.VideoMAEVideoProcessor(**size)],
        "timesformer": [transformers.VideoMAEImageProcessor(**size, **own)],
        "vivit": [
            transformers.VivitImageProcessor(**size),
            transformers.VivitImageProcessor(**size, offset=False, rescale_factor=1 / 255, **own),
            transformers.VivitVideoProcessor(**size),
        ],
        "vjepa2": [transformers.VJEPA2VideoProcessor(crop_size=32, **own)],
    }


def expected_pixels(processor, clip, **options):
    if "Video" in type(processor).__name__.replace("VideoMAE", ""):
        batch = processor(clip, return_tensors="pt", **options)
    else:
        batch = processor(list(clip.numpy()), return_tensors="pt", **options)
    return next(iter(batch.values()))[0]


@pytest.mark.parametrize(
    ("family", "index"), [(family, i) for family in FAMILIES for i in range(len(processors()[family]))]
)
def test_preprocessing_is_the_published_processors(folders, tmp_path, family, index, clip):
    processor = processors()[family][index]
    network = transformers.AutoModelForVideoClassification.from_pretrained(folders / family)
    network.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    model = load_model(f"hf:{tmp_path}")
    pixels = expected_pixels(processor, clip)
    assert torch.equal(model.prepare(clip), pixels)
    # The mean and deviation that the clip spec states are those in effect: undo them and see pixels again.
    spec = model.clip_spec
    shown = pixels * torch.tensor(spec.std)[:, None, None] + torch.tensor(spec.mean)[:, None, None]
    assert float(shown.min()) > -0.01
    assert float(shown.max()) < 1.01
    flat = torch.full((8, 3, 40, 40), 51, dtype=torch.uint8)
    expected = (0.2 - torch.tensor(spec.mean)) / torch.tensor(spec.std)
    torch.testing.assert_close(model.prepare(flat)[0, :, 5, 5], expected, atol=1e-5, rtol=1e-5)


def test_a_misspelt_processor_type_still_loads(folders, tmp_path, clip):
    # As in google/vivit-b-16x2-kinetics400, whose type is spelt ViViTImageProcessor.
    transformers.AutoModelForVideoClassification.from_pretrained(folders / "vivit").save_pretrained(tmp_path)
    processor = transformers.VivitImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    settings = processor.to_dict() | {"image_processor_type": "ViViTImageProcessor"}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    assert torch.equal(load_model(f"hf:{tmp_path}").prepare(clip), expected_pixels(processor, clip))


@pytest.mark.parametrize("given", ["trainer", "trainer/checkpoint-500"])
def test_a_processor_above_the_checkpoints_of_a_trainer(folders, tmp_path, clip, given):
    shutil.copytree(folders / "videomae", tmp_path / "trainer" / "checkpoint-500")
    processor = processors()["videomae"][0]
    processor.save_pretrained(tmp_path / "trainer")
    model = load_model(f"hf:{tmp_path / given}")
    assert torch.equal(model.prepare(clip), expected_pixels(processor, clip))
    assert any("Preprocessing is that of" in note and "since" in note for note in model.notes)
    # the checkpoint's own comes first, and only checkpoints look into the folder above
    own = transformers.VideoMAEImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    own.save_pretrained(tmp_path / "trainer" / "checkpoint-500")
    assert torch.equal(load_model(f"hf:{tmp_path / given}").prepare(clip), expected_pixels(own, clip))


def test_preprocessing_without_a_processor_is_said_to_be_assumed(folders, tmp_path):
    shutil.copytree(folders / "videomae", tmp_path / "other")
    processors()["videomae"][0].save_pretrained(tmp_path)  # of another model: the folder above is no trainer's
    model = load_model(f"hf:{tmp_path / 'other'}")
    assert model.clip_spec.mean == (0.485, 0.456, 0.406)
    assert any(
        "Assumed for the videomae network: its family's preprocessing at 32 × 32" in note for note in model.notes
    )


@pytest.mark.parametrize("kind", ["Vivit", "CLIP", "ViT", "DeiT"])
def test_a_processor_of_another_family_is_taken_as_it_is_published(folders, tmp_path, clip, kind):
    shutil.copytree(folders / "videomae", tmp_path, dirs_exist_ok=True)
    square = {"height": 32, "width": 32}
    sizes = {"size": square} if kind == "ViT" else {"size": {"height": 36, "width": 36}, "crop_size": square}
    processor = getattr(transformers, f"{kind}ImageProcessor")(**sizes)
    processor.save_pretrained(tmp_path)
    batch = processor(list(clip.numpy()), input_data_format="channels_first", return_tensors="pt")["pixel_values"]
    prepared = load_model(f"hf:{tmp_path}").prepare(clip)
    assert torch.equal(prepared, batch[0] if batch.ndim == 5 else batch)


@pytest.mark.parametrize(
    "settings", [{"image_processor_type": "ConvNextImageProcessor"}, {"video_processor_type": "InternVLVideoProcessor"}]
)
def test_a_processor_of_other_steps_is_refused(folders, tmp_path, settings):
    shutil.copytree(folders / "videomae", tmp_path, dirs_exist_ok=True)
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match=r"`model` must have a processor .* names \w+, whose steps are not those"):
        load_model(f"hf:{tmp_path}")


@pytest.mark.parametrize("family", FAMILIES)
def test_overridden_mean_and_deviation(folders, family):
    model = load(folders, family, mean=0.4, std=(0.1, 0.2, 0.3), stride=7)
    assert model.clip_spec.mean == (0.4, 0.4, 0.4)
    assert model.clip_spec.stride == 7
    prepared = model.prepare(torch.full((8, 3, 40, 40), 51, dtype=torch.uint8))
    expected = (0.2 - 0.4) / np.array([0.1, 0.2, 0.3])
    np.testing.assert_allclose(prepared[0, :, 3, 3], expected, atol=1e-5)


@pytest.mark.parametrize("family", ["videomae", "vjepa2"])
def test_clips_of_another_size_where_positions_are_computed(folders, family, clip):
    model = load(folders, family, frames=16, size=48)
    assert model.clip_spec == ClipSpec(
        frames=16, stride=4, size=(48, 48), mean=model.clip_spec.mean, std=model.clip_spec.std, layout="time_first"
    )
    prepared = model.prepare(clip)
    assert prepared.shape == (16, 3, 48, 48)
    assert model.logits(prepared[None]).shape == (1, 3)
    assert layers_axes(model, model.default_layers[:1])[model.default_layers[0]].grid == (8, 6, 6)


@pytest.mark.parametrize("family", ["timesformer", "vivit"])
def test_clips_of_another_size_where_positions_are_learned(folders, family):
    with pytest.raises(ModelError, match=r"`frames` of hf:.* must be 8. Got 16. Leave it out"):
        load(folders, family, frames=16)
    with pytest.raises(ModelError, match=r"`size` of hf:.* must be 32. Got native"):
        load(folders, family, size="native")
    assert load(folders, family, frames=8, size=32).clip_spec.frames == 8


def test_a_processor_of_another_size_is_refused(folders, tmp_path):
    transformers.AutoModelForVideoClassification.from_pretrained(folders / "vivit").save_pretrained(tmp_path)
    transformers.VivitImageProcessor().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"`size` of hf:.* must be \(32, 32\), .* Got \(224, 224\)"):
        load_model(f"hf:{tmp_path}")


def test_timesformer_runs_eagerly_and_the_last_patch_tokens_have_no_gradient(folders):
    model = load(folders, "timesformer")
    assert model.module.config._attn_implementation == "eager"
    seen = {}

    def keep(name):
        def hook(_module, _inputs, output):
            seen[name] = output[0]
            output[0].retain_grad()

        return model.layer(name).register_forward_hook(hook)

    last = "timesformer.encoder.layer.4"
    handles = [keep(name) for name in (model.default_layers[-1], last)]
    model.logits(noise_clip(model).requires_grad_())[0, 0].backward()
    for handle in handles:
        handle.remove()
    assert seen[last].grad[:, 1:].abs().max() == 0
    assert seen[model.default_layers[-1]].grad[:, 1:].abs().max() > 0


def test_weights_from_another_file(folders, tmp_path):
    model = load(folders, "vivit")
    save_file({name: tensor + 1 for name, tensor in model.module.state_dict().items()}, tmp_path / "w.safetensors")
    other = load(folders, "vivit", weights=tmp_path / "w.safetensors")
    assert other.weights_digest != model.weights_digest


def test_classes(folders):
    assert load(folders, "vivit", classes=["a", "b", "c"]).classes == ("a", "b", "c")
    with pytest.raises(InputError, match=r"must name the 3 outputs of the model. Got 1"):
        load(folders, "vivit", classes=["a"])


def test_names_in_another_order_than_the_configurations_are_said(folders, tmp_path):
    shutil.copytree(folders / "videomae", tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {
        "id2label": {"0": "Long_jump", "1": "a dive", "2": "c"},
        "label2id": {"Long_jump": 0, "a dive": 1, "c": 2},
    }
    (tmp_path / "config.json").write_text(json.dumps(config))

    def notes(classes, model=f"hf:{tmp_path}"):
        return [note for note in load_model(model, classes=classes, device="cpu").notes if "in another order" in note]

    assert (
        notes(None)
        == notes(["long jump", "A dive", "c"])
        == notes(["x", "y", "z"])
        == notes(["c", "a dive", "z"])
        == []
    )
    (note,) = notes(["long jump", "c", "a dive"])
    assert "those of config.json in another order: output 1 is 'c' here, and 'a dive' there" in note
    in_memory = transformers.AutoModelForVideoClassification.from_pretrained(tmp_path)
    assert notes(["Long_jump", "a dive", "c"], in_memory) == []
    assert len(notes(["c", "Long_jump", "a dive"], in_memory)) == 1


@pytest.mark.parametrize("family", ["videomae", "timesformer"])
@pytest.mark.parametrize(("outputs", "sampling"), [(174, "uniform"), (173, "dense")])
def test_frames_of_something_something_are_spread_over_the_video(tmp_path, family, outputs, sampling):
    config = configuration(family)
    config.num_labels = outputs
    transformers.AutoModelForVideoClassification.from_config(config).save_pretrained(tmp_path)
    assert load_model(f"hf:{tmp_path}", device="cpu").clip_spec.sampling == sampling


def test_a_checkpoint_without_a_classifier_is_refused(tmp_path):
    transformers.VideoMAEModel(configuration("videomae")).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=r"whole classifier. Got .* with 4 missing: classifier.bias"):
        load_model(f"hf:{tmp_path}")


def test_weights_that_are_missing_or_run_code(folders, tmp_path):
    configuration("vivit").save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=r"must be in the folder or on the hub, and fit") as caught:
        load_model(f"hf:{tmp_path}")
    assert "\n" not in str(caught.value)

    class Evil:
        def __reduce__(self):
            return print, (str(tmp_path / "ran"),)

    torch.save({"weight": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"hold tensors only. Got hf:.*, a pickle that wants to run code"):
        load_model(f"hf:{tmp_path}")


def test_other_families_and_folders(tmp_path):
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"one of the families videomae, timesformer, .* videoprism. Got .* is bert"):
        load_model(f"hf:{tmp_path}")
    with pytest.raises(ModelError, match=r"must name a folder with config.json, or a model of the Hugging Face hub"):
        load_model("hf:./no/such/folder")


def test_a_processor_that_is_no_object(folders, tmp_path):
    shutil.copytree(folders / "videomae", tmp_path / "model")
    (tmp_path / "model" / "preprocessor_config.json").write_text("[]")
    with pytest.raises(
        ModelError, match=r"processor that can be read. Got hf:.*: no object in preprocessor_config.json"
    ):
        load_model(f"hf:{tmp_path / 'model'}")


def test_a_published_processor_that_cannot_be_reached_is_not_taken_for_none(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="must have a processor that can be read. Got hf:user/model: "):
        load_processor("user/model", "videomae", (32, 32))
    # The cache remembers files that the hub does not have.
    repository = tmp_path / "models--user--model"
    (repository / ".no_exist" / "0").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0")
    for name in PROCESSOR_FILES:
        (repository / ".no_exist" / "0" / name).touch()
    processor, note = load_processor("user/model", "videomae", (32, 32))
    assert processor.crop_size["height"] == 32
    assert "Assumed for the videomae network" in note


def test_without_the_extra(monkeypatch):
    monkeypatch.setattr(hf_models, "transformers", None)
    with pytest.raises(MissingExtraError, match=r'pip install "video-tcav\[hf\]"'):
        load_model("hf:MCG-NJU/videomae-base-finetuned-kinetics")


def test_the_global_random_state_is_untouched(folders):
    state = torch.get_rng_state()
    load(folders, "videomae")
    assert torch.equal(torch.get_rng_state(), state)
