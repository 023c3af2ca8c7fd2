"""Encoders of Hugging Face: CLIP, MetaCLIP 2 and SigLIP by the mean over frames, X-CLIP and VideoPrism by whole clips."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from video_tcav.core.errors import MissingExtraError, ModelError
from video_tcav.models.devices import pick_device
from video_tcav.models.hooks import untouched
from video_tcav.models.loaders.hf_config import transformers
from video_tcav.models.loaders.hf_preprocess import quiet
from video_tcav.models.loaders.hf_pretrained import checked_family, load_processor_part, load_whole_model
from video_tcav.models.video_model import state_digest
from video_tcav.words.encoder import Frames, Rows, TextVideoEncoder

_BATCH = 4  # clips in one pass: of eight frames each, as many images as classifiers commonly take
_TEXT_BATCH = 64


@dataclass(frozen=True, kw_only=True)
class _Family:
    """What differs between the families.

    Attributes:
        by_frame: whether each frame is embedded by itself, and a clip is the mean of its unit frames.
        padding: of texts: SigLIP and VideoPrism were trained on texts of one length.
        frames: entry of the vision configuration that says how many frames it takes; 8 where there is none.
    """

    by_frame: bool
    padding: Literal["longest", "max_length"]
    frames: str = ""


FAMILIES: Mapping[str, _Family] = {
    "clip": _Family(by_frame=True, padding="longest"),
    "metaclip_2": _Family(by_frame=True, padding="longest"),
    "siglip": _Family(by_frame=True, padding="max_length"),
    "siglip2": _Family(by_frame=True, padding="max_length"),
    # Ni et al. 2022, arXiv:2208.02816
    "xclip": _Family(by_frame=False, padding="longest", frames="num_frames"),
    "videoprism": _Family(by_frame=False, padding="max_length", frames="num_frames"),
}


class HuggingFaceEncoder(TextVideoEncoder):
    """A pair of towers of Hugging Face with its tokenizer and processor; never runs code that comes with them.

    X-CLIP's texts are embedded without its video-specific prompts, so that one text has one embedding for all clips.
    """

    def __init__(self, source: str, *, device: str | torch.device = "auto") -> None:
        """Load towers, tokenizer and processor.

        Args:
            source: hub id, or folder with config.json.
            device: where it runs; `auto` takes the first GPU that there is.

        Raises:
            MissingExtraError: without transformers or torchvision.
            ModelError: if the source is no such encoder, or has no tokenizer or processor that can be read.
            WeightsError: if its weights cannot be read safely, or are not all there.
        """
        if transformers is None:
            raise MissingExtraError("hf", f"hf:{source}")
        self.source = source
        self.name = f"hf:{source if not Path(source).exists() else Path(source).resolve().name}"
        self._device = pick_device(device)
        with quiet():
            family = checked_family(
                source, FAMILIES, argument="encoder", cure="Use file: with a function that loads it."
            )
            self._family, self._kind = FAMILIES[family], family
            self._module = load_whole_model(transformers.AutoModel, source, argument="encoder").float().eval()
            self._tokenizer = load_processor_part(transformers.AutoTokenizer, source, "tokenizer", argument="encoder")
            _check_tokenizer(self._tokenizer, source)
            auto = transformers.AutoVideoProcessor if family == "videoprism" else transformers.AutoImageProcessor
            self._processor = load_processor_part(auto, source, "image or video processor", argument="encoder")
        config = self._module.config
        self.frames = int(getattr(config.vision_config, self._family.frames, 8)) if self._family.frames else 8
        # the processor decides, too: another size or mean gives other embeddings of the same clip
        self.digest = f"{state_digest(self._module)}-{_settings_digest(self._processor, self._tokenizer)}"
        self._module.to(self._device)

    def embed_clips(self, clips: Sequence[Frames]) -> Rows:
        """The video tower's embedding, or the mean of the image tower's unit embeddings of the frames."""
        rows = []
        with untouched(self._module), torch.no_grad(), quiet():
            for start in range(0, len(clips), _BATCH):
                rows.append(self._embed_batch(clips[start : start + _BATCH]))
        return torch.cat(rows).float().cpu().numpy() if rows else np.zeros((0, 0), np.float32)

    def embed_texts(self, texts: Sequence[str]) -> Rows:
        """The text tower's embedding; texts longer than it takes are cut."""
        longest = int(self._module.config.text_config.max_position_embeddings)
        rows = []
        with untouched(self._module), torch.no_grad(), quiet():
            for start in range(0, len(texts), _TEXT_BATCH):
                batch = list(texts[start : start + _TEXT_BATCH])
                if self._kind.startswith("siglip"):  # trained on small letters, which not all of its tokenizers see to
                    batch = [text.lower() for text in batch]
                options: Any = {"padding": self._family.padding, "max_length": longest, "truncation": True}
                tokens = self._tokenizer(batch, return_tensors="pt", **options)
                tokens.pop("token_type_ids", None)  # which some fast tokenizers add, and no text tower takes
                rows.append(_pooled(self._module.get_text_features(**tokens.to(self._device))))
        return torch.cat(rows).float().cpu().numpy() if rows else np.zeros((0, 0), np.float32)

    def _embed_batch(self, clips: Sequence[Frames]) -> Tensor:
        pictures = [[np.ascontiguousarray(frame.permute(1, 2, 0).numpy()) for frame in clip] for clip in clips]
        if self._family.by_frame:
            frames = [picture for clip in pictures for picture in clip]
            inputs = self._processor(images=frames, return_tensors="pt").to(self._device)
            embedded = torch.nn.functional.normalize(_pooled(self._module.get_image_features(**inputs)), dim=-1)
            return torch.stack([rows.mean(0) for rows in embedded.split([len(clip) for clip in clips])])
        if self._kind == "videoprism":
            videos = [torch.from_numpy(np.stack(clip)).permute(0, 3, 1, 2) for clip in pictures]
            inputs = self._processor(videos=videos, do_sample_frames=False, return_tensors="pt").to(self._device)
            return _pooled(self._module.get_video_features(**inputs))
        # some processors published with X-CLIP are of images, others take a list of frames as one video
        prepared = [self._processor(clip, return_tensors="pt")["pixel_values"] for clip in pictures]
        batch = torch.cat([values if values.ndim == 5 else values[None] for values in prepared])
        return _pooled(self._module.get_video_features(pixel_values=batch.to(self._device)))


def _check_tokenizer(tokenizer: Any, source: str) -> None:
    """Refuse a tokenizer without a vocabulary, which transformers makes silently where files are missing: all words are one."""
    # as sets: it may give the same unknown token for each letter
    if set(tokenizer("video")["input_ids"]) == set(tokenizer("film")["input_ids"]):
        raise ModelError(
            f"`encoder` must have a tokenizer that knows words. Got hf:{source}, whose tokenizer takes “video” and “film” for the"
            " same. Save its files there with save_pretrained."
        )


def _pooled(features: Any) -> Tensor:
    """The embedding: a tensor in older versions of transformers, the pooled output in newer ones."""
    pooled = features if isinstance(features, Tensor) else features.pooler_output
    return pooled.flatten(1)  # VideoPrism's has a dimension of one between clip and feature


def _settings_digest(*parts: Any) -> str:
    """Digest of what processor and tokenizer say of themselves."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]
