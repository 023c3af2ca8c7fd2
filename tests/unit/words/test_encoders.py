"""Encoders: specs, what is refused, the towers of transformers against their own functions, and checked rows."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers

from tests.plugins import installed, make_plugin
from video_tcav.core.errors import InputError, MissingExtraError, ModelError, NonFiniteError, WeightsError
from video_tcav.words import TextVideoEncoder, load_encoder
from video_tcav.words.encoder import clip_rows, evenly_spread, text_rows
from video_tcav.words.encoder_spec import TEXT_ENCODERS, encoder_help

from .colours import ColourEncoder
from .hf_folders import FAMILIES, write_encoder

FILE = Path(__file__).with_name("colours.py")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("encoders")
    return {family: write_encoder(root / family, family) for family in FAMILIES}


def random_clips(count: int, frames: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randint(0, 256, (frames, 3, 40, 56), dtype=torch.uint8, generator=generator) for _ in range(count)]


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_embeds_clips_and_texts_in_one_space_whatever_the_batch(folders, family):
    encoder = load_encoder(f"hf:{folders[family]}", device="cpu")
    clips, texts = random_clips(6, encoder.frames), ["a video of swinging a racket", "a film", "standing"]
    rows, of_texts = encoder.embed_clips(clips), encoder.embed_texts(texts)
    assert rows.shape[1] == of_texts.shape[1] and np.isfinite(rows).all()
    assert rows.ndim == of_texts.ndim == 2
    np.testing.assert_allclose(encoder.embed_clips(clips[4:5]), rows[4:5], atol=1e-5)
    np.testing.assert_allclose(encoder.embed_texts(texts[1:2]), of_texts[1:2], atol=1e-5)
    assert len({str(row.round(4)) for row in [*rows, *of_texts]}) == 9  # all differ
    assert encoder.name == f"hf:{family}" and encoder.source == str(folders[family])
    again = load_encoder(f"hf:{folders[family]}", device="cpu")
    assert again.digest == encoder.digest


def test_a_clip_of_clip_is_the_mean_of_its_unit_frames(folders):
    encoder = load_encoder(f"hf:{folders['clip']}", device="cpu")
    (clip,) = random_clips(1, encoder.frames)
    model = transformers.CLIPModel.from_pretrained(folders["clip"])
    processor = transformers.CLIPImageProcessor.from_pretrained(folders["clip"])
    rows = []
    with torch.no_grad():
        for frame in clip:
            pixels = processor(frame.permute(1, 2, 0).numpy(), return_tensors="pt")["pixel_values"]
            row = model.visual_projection(model.vision_model(pixels).pooler_output)[0]
            rows.append(row / row.norm())
    np.testing.assert_allclose(encoder.embed_clips([clip])[0], torch.stack(rows).mean(0).numpy(), atol=1e-5)


def test_a_clip_of_xclip_is_what_its_own_forward_gives(folders):
    encoder = load_encoder(f"hf:{folders['xclip']}", device="cpu")
    (clip,) = random_clips(1, encoder.frames)
    model = transformers.XCLIPModel.from_pretrained(folders["xclip"]).eval()
    processor = transformers.VideoMAEImageProcessor.from_pretrained(folders["xclip"])
    pixels = processor([frame.permute(1, 2, 0).numpy() for frame in clip], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        whole = model(input_ids=torch.tensor([[2, 4, 3]]), pixel_values=pixels)
    # forward gives unit embeddings
    np.testing.assert_allclose(clip_rows(encoder, [clip])[0], whole.video_embeds[0].numpy(), atol=1e-5)


def test_the_processor_is_part_of_the_digest(folders, tmp_path):
    folder = shutil.copytree(folders["clip"], tmp_path / "other")
    path = folder / "preprocessor_config.json"
    path = path if path.exists() else folder / "processor_config.json"
    settings = json.loads(path.read_text())
    settings["image_mean"] = [0.1, 0.1, 0.1]
    path.write_text(json.dumps(settings))
    assert load_encoder(f"hf:{folder}").digest != load_encoder(f"hf:{folders['clip']}").digest


def test_weights_that_are_not_all_there_are_refused(folders, tmp_path):
    folder = shutil.copytree(folders["clip"], tmp_path / "vision-only")
    model = transformers.CLIPModel.from_pretrained(folder)
    vision = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("text")}
    from safetensors.torch import save_file

    save_file(vision, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        WeightsError, match=r"`encoder` must have all weights of its configuration\. Got .* missing: text_"
    ):
        load_encoder(f"hf:{folder}")


def test_pickled_weights_are_refused(folders, tmp_path):
    folder = shutil.copytree(folders["clip"], tmp_path / "pickled")
    (folder / "model.safetensors").unlink()
    torch.save({"weights": Path()}, folder / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"`encoder` must have weights"):
        load_encoder(f"hf:{folder}")


def test_a_folder_without_tokenizer_or_processor_is_refused(folders, tmp_path):
    folder = shutil.copytree(folders["clip"], tmp_path / "no-tokenizer")
    for path in folder.glob("tokenizer*"):  # transformers then makes one without words, and says nothing
        path.unlink()
    with pytest.raises(
        ModelError, match=r"tokenizer takes “video” and “film” for the same|have a tokenizer that can be read"
    ):
        load_encoder(f"hf:{folder}")
    folder = shutil.copytree(folders["clip"], tmp_path / "no-processor")
    for path in folder.glob("*processor_config.json"):
        path.unlink()
    with pytest.raises(ModelError, match=r"`encoder` must have an? image or video processor that can be read"):
        load_encoder(f"hf:{folder}")


def test_other_families_and_specs_are_refused(tmp_path):
    transformers.BertConfig().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=r"`encoder` must be one of the families clip, .* which is bert\. Use file:"):
        load_encoder(f"hf:{tmp_path}")
    for spec in ("clip", "hf:", "xxx:y"):
        with pytest.raises(
            InputError, match=r"`encoder` must be hf:ID or FOLDER, open_clip:.*, or file:PATH\.py:FUNCTION"
        ):
            load_encoder(spec)
    with pytest.raises(InputError, match=r"`device` must be auto or a device that is here"):
        load_encoder(f"file:{FILE}:build_module", device="cuda:99")


def test_open_clip_is_an_extra(monkeypatch):
    from video_tcav.words import open_clip_encoder

    monkeypatch.setattr(open_clip_encoder, "open_clip", None)
    with pytest.raises(
        MissingExtraError, match=r'open_clip:ViT-B-32 needs an extra.*pip install "video-tcav\[open_clip\]"'
    ):
        load_encoder("open_clip:ViT-B-32")


class _SmallClip(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.image, self.words = torch.nn.Linear(3, 4), torch.nn.Embedding(10, 4)

    def encode_image(self, pictures, normalize=False):
        rows = self.image(pictures.mean((2, 3)))
        return torch.nn.functional.normalize(rows, dim=-1) if normalize else rows

    def encode_text(self, tokens):
        return self.words(tokens)


def test_open_clip_reads_weights_of_a_file_and_takes_the_mean_over_frames(monkeypatch, tmp_path):
    """The library itself is not needed for it: a module of the same functions stands in."""
    from safetensors.torch import save_file

    from video_tcav.words import open_clip_encoder

    trained = _SmallClip()
    save_file(trained.state_dict(), tmp_path / "w.safetensors")

    def create(name, *, pretrained, pretrained_hf):
        assert name == "tiny" and pretrained is None and pretrained_hf is False
        return _SmallClip(), None, lambda picture: torch.from_numpy(np.array(picture)).permute(2, 0, 1) / 255

    library = SimpleNamespace(
        list_models=lambda: ["tiny"],
        create_model_and_transforms=create,
        get_tokenizer=lambda name: lambda texts: torch.tensor([len(text) for text in texts]),
    )
    monkeypatch.setattr(open_clip_encoder, "open_clip", library)
    encoder = load_encoder(f"open_clip:tiny,weights={tmp_path / 'w.safetensors'}", device="cpu")
    (clip,) = random_clips(1, encoder.frames)
    with torch.no_grad():
        rows = trained.encode_image(clip.float() / 255, normalize=True)
        np.testing.assert_allclose(encoder.embed_clips([clip])[0], rows.mean(0).numpy(), rtol=1e-5)
        np.testing.assert_allclose(encoder.embed_texts(["abc"])[0], trained.words.weight[3].numpy())
    assert encoder.name == "open_clip:tiny" and encoder.digest
    with pytest.raises(InputError, match=r"must name weights, as open_clip:tiny,weights=FILE"):
        load_encoder("open_clip:tiny")
    with pytest.raises(InputError, match=r"`encoder` must be one of tiny\. Got 'other'"):
        load_encoder("open_clip:other,weights=w")


def test_a_function_of_a_file_builds_an_encoder():
    encoder = load_encoder(f"file:{FILE}:build")
    assert encoder.name == "colours" and encoder.source.endswith("colours.py:build")
    plain = load_encoder(f"file:{FILE}:build_module")
    assert plain.frames == 2 and plain.digest is None and isinstance(plain, TextVideoEncoder)
    assert clip_rows(plain, random_clips(2, 7)).shape == (2, 3)
    with pytest.raises(ModelError, match=r"returns an object with embed_clips and embed_texts\. Got object without"):
        load_encoder(f"file:{FILE}:no_encoder")
    with pytest.raises(ModelError, match=r"`encoder` must name a function in .* Got 'nothing'"):
        load_encoder(f"file:{FILE}:nothing")
    with pytest.raises(ModelError, match=r"`encoder` must name a file and a function"):
        load_encoder("file:colours.py")


def test_rows_are_checked_and_have_length_one():
    encoder = ColourEncoder()
    np.testing.assert_allclose(np.linalg.norm(text_rows(encoder, ["red", "a blue thing"]), axis=1), 1)

    class Broken(ColourEncoder):
        def __init__(self, rows):
            self.rows = rows

        def embed_texts(self, texts):
            return self.rows

    with pytest.raises(ModelError, match=r"one row a clip or text\. Got \(3, 2\) for 2 from colours"):
        text_rows(Broken(np.ones((3, 2))), ["a", "b"])
    for value in (np.nan, np.inf, 0.0):
        with pytest.raises(NonFiniteError, match=r"finite rows that are not zero"):
            text_rows(Broken(np.full((2, 2), value)), ["a", "b"])


@pytest.mark.parametrize(
    ("length", "frames", "expected"), [(8, 4, [1, 3, 5, 7]), (3, 3, [0, 1, 2]), (2, 4, [0, 0, 1, 1])]
)
def test_an_encoder_sees_frames_from_the_middles_of_equal_parts(length, frames, expected):
    clip = torch.arange(length, dtype=torch.uint8)[:, None, None, None].expand(length, 3, 1, 1)
    assert evenly_spread(clip, frames)[:, 0, 0, 0].tolist() == expected


def test_another_package_adds_an_encoder(tmp_path):
    source = """
from tests.unit.words.colours import ColourEncoder
from video_tcav.words import EncoderLoader


class Colours(EncoderLoader):
    name, help = "colours", "NAME"

    def load(self, source, *, device):
        encoder = ColourEncoder()
        encoder.name = f"colours:{source}"
        return encoder


loader = Colours()
"""
    with installed(make_plugin(tmp_path, "video_tcav.text_encoders", "colours", source, "loader"), TEXT_ENCODERS):
        assert load_encoder("colours:rgb").name == "colours:rgb"
        assert "colours:NAME" in encoder_help()
    assert "colours" not in encoder_help()
