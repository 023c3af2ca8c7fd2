"""Text and vision towers of Hugging Face in one space (CLIP, SigLIP, X-CLIP, VideoPrism): families and text embeddings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.core.errors import ModelError

_TEXT_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class TowerFamily:
    """What differs between the families.

    Attributes:
        by_frame: whether each frame is embedded by itself, and a clip is the mean of its unit frames.
        padding: of texts: SigLIP and VideoPrism were trained on texts of one length.
        frames: entry of the vision configuration that says how many frames it takes; 8 where there is none.
    """

    by_frame: bool
    padding: Literal["longest", "max_length"]
    frames: str = ""

    def frames_of(self, config: Any) -> int:
        """Frames of a clip, by the configuration of both towers."""
        return int(getattr(config.vision_config, self.frames, 8)) if self.frames else 8


TOWER_FAMILIES: Mapping[str, TowerFamily] = {
    "clip": TowerFamily(by_frame=True, padding="longest"),
    "metaclip_2": TowerFamily(by_frame=True, padding="longest"),
    "siglip": TowerFamily(by_frame=True, padding="max_length"),
    "siglip2": TowerFamily(by_frame=True, padding="max_length"),
    # Ni et al. 2022, arXiv:2208.02816
    "xclip": TowerFamily(by_frame=False, padding="longest", frames="num_frames"),
    "videoprism": TowerFamily(by_frame=False, padding="max_length", frames="num_frames"),
}


def embed_texts(
    module: Any, tokenizer: Any, kind: str, texts: Sequence[str], device: torch.device
) -> Float[Tensor, "text feature"]:
    """The text tower's embeddings; texts longer than it takes are cut."""
    longest, rows = int(module.config.text_config.max_position_embeddings), []
    for start in range(0, len(texts), _TEXT_BATCH):
        batch = list(texts[start : start + _TEXT_BATCH])
        if kind.startswith("siglip"):  # trained on small letters, which not all of its tokenizers see to
            batch = [text.lower() for text in batch]
        options: Any = {"padding": TOWER_FAMILIES[kind].padding, "max_length": longest, "truncation": True}
        tokens = tokenizer(batch, return_tensors="pt", **options)
        tokens.pop("token_type_ids", None)  # which some fast tokenizers add, and no text tower takes
        rows.append(pooled(module.get_text_features(**tokens.to(device))))
    return torch.cat(rows).float() if rows else torch.zeros(0, 0)


def cut_texts(module: Any, tokenizer: Any, texts: Sequence[str]) -> tuple[str, ...]:
    """Those of the texts that have more tokens than the text tower takes."""
    longest = int(module.config.text_config.max_position_embeddings)
    rows = tokenizer(list(texts))["input_ids"]
    return tuple(text for text, tokens in zip(texts, rows, strict=True) if len(tokens) > longest)


def check_tokenizer(tokenizer: Any, source: str, argument: str) -> None:
    """Refuse a tokenizer without a vocabulary, which transformers makes silently where files are missing: all words are one."""
    # as sets: it may give the same unknown token for each letter
    if set(tokenizer("video")["input_ids"]) == set(tokenizer("film")["input_ids"]):
        raise ModelError(
            f"`{argument}` must have a tokenizer that knows words. Got hf:{source}, whose tokenizer takes “video” and “film” for"
            " the same. Save its files there with save_pretrained."
        )


def pooled(features: Any) -> Float[Tensor, "row feature"]:
    """The embedding: a tensor in older versions of transformers, the pooled output in newer ones."""
    embedding = features if isinstance(features, Tensor) else features.pooler_output
    return embedding.flatten(1)  # VideoPrism's has a dimension of one between clip and feature
