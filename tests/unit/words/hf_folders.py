"""Small random encoders of Hugging Face with tokenizers and processors, saved as people save theirs."""

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

_WORDS = ("a", "video", "of", "swinging", "racket", "standing", "something", "film")
_SIDE_PX = 32
_TEXT: dict[str, Any] = {
    "vocab_size": len(_WORDS) + 4,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": 12,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}
_VISION: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": _SIDE_PX,
    "patch_size": 16,
}


def write_encoder(folder: Path, family: str, **vision: Any) -> Path:
    """A folder with configuration, weights, tokenizer and processor; `vision` changes the configuration of the vision tower."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = getattr(transformers, _CLASSES[family])(_config(family, vision))
    model.save_pretrained(folder)
    tokenizer(12).save_pretrained(folder)
    _processor(family, vision.get("image_size", _SIDE_PX)).save_pretrained(folder)
    return folder


_CLASSES = {
    "clip": "CLIPModel",
    "siglip": "SiglipModel",
    "xclip": "XCLIPModel",
    "videoprism": "VideoPrismClipModel",
}
FAMILIES = tuple(family for family, name in _CLASSES.items() if hasattr(transformers, name))


def _config(family: str, changes: dict[str, Any]) -> Any:
    if family == "clip":
        return transformers.CLIPConfig(text_config=_TEXT, vision_config=_VISION | changes, projection_dim=8)
    if family == "siglip":
        text = _TEXT | {"projection_size": 16}
        return transformers.SiglipConfig(text_config=text, vision_config=_VISION | changes)
    if family == "xclip":
        mit = {
            "mit_hidden_size": 8,
            "mit_intermediate_size": 8,
            "mit_num_hidden_layers": 1,
            "mit_num_attention_heads": 2,
        }
        vision = _VISION | mit | {"num_frames": 4} | changes
        options = {"prompt_layers": 1, "prompt_num_attention_heads": 2}
        return transformers.XCLIPConfig(text_config=_TEXT, vision_config=vision, projection_dim=8, **options)
    vision = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_spatial_layers": 1,
        "num_temporal_layers": 1,
        "num_auxiliary_layers": 1,
        "num_attention_heads": 2,
        "image_size": _SIDE_PX,
        "tubelet_size": [1, 16, 16],
        "num_frames": 4,
    }
    return transformers.VideoPrismConfig(text_config=_TEXT, vision_config=vision | changes)


def _processor(family: str, pixels: int) -> Any:
    side = {"height": pixels, "width": pixels}
    if family == "siglip":
        return transformers.SiglipImageProcessor(size=side)
    if family == "xclip":  # as published: a processor of videos
        return transformers.VideoMAEImageProcessor(size={"shortest_edge": pixels}, crop_size=side)
    if family == "videoprism":
        return transformers.LlavaOnevisionVideoProcessor(size=side)
    return transformers.CLIPImageProcessor(size={"shortest_edge": pixels}, crop_size=side)


def tokenizer(longest: int) -> transformers.PreTrainedTokenizerFast:
    """Whole words, with start and end tokens."""
    special = ["<pad>", "<unk>", "<s>", "</s>"]
    words = {word: number for number, word in enumerate([*special, *_WORDS])}
    whole_words = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    whole_words.pre_tokenizer = pre_tokenizers.Whitespace()
    whole_words.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", words["<s>"]), ("</s>", words["</s>"])]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=whole_words,
        pad_token="<pad>",
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        model_max_length=longest,
    )
