"""Encoders of Hugging Face: CLIP, MetaCLIP 2 and SigLIP by the mean over frames, X-CLIP and VideoPrism by whole clips."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from video_tcav.core.errors import MissingExtraError
from video_tcav.models.devices import pick_device
from video_tcav.models.hooks import untouched
from video_tcav.models.loaders.hf_config import transformers
from video_tcav.models.loaders.hf_preprocess import quiet
from video_tcav.models.loaders.hf_pretrained import checked_family, load_processor_part, load_whole_model
from video_tcav.models.loaders.hf_towers import TOWER_FAMILIES, check_tokenizer, embed_texts, pooled
from video_tcav.models.video_model import state_digest
from video_tcav.words.encoder import Frames, Rows, TextVideoEncoder

_BATCH = 4  # clips in one pass: of eight frames each, as many images as classifiers commonly take


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
                source, TOWER_FAMILIES, argument="encoder", cure="Use file: with a function that loads it."
            )
            self._family, self._kind = TOWER_FAMILIES[family], family
            self._module = load_whole_model(transformers.AutoModel, source, argument="encoder").float().eval()
            self._tokenizer = load_processor_part(transformers.AutoTokenizer, source, "tokenizer", argument="encoder")
            check_tokenizer(self._tokenizer, source, "encoder")
            auto = transformers.AutoVideoProcessor if family == "videoprism" else transformers.AutoImageProcessor
            self._processor = load_processor_part(auto, source, "image or video processor", argument="encoder")
        self.frames = self._family.frames_of(self._module.config)
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
        with untouched(self._module), torch.no_grad(), quiet():
            return embed_texts(self._module, self._tokenizer, self._kind, texts, self._device).cpu().numpy()

    def _embed_batch(self, clips: Sequence[Frames]) -> Tensor:
        pictures = [[np.ascontiguousarray(frame.permute(1, 2, 0).numpy()) for frame in clip] for clip in clips]
        if self._family.by_frame:
            frames = [picture for clip in pictures for picture in clip]
            inputs = self._processor(images=frames, return_tensors="pt").to(self._device)
            embedded = torch.nn.functional.normalize(pooled(self._module.get_image_features(**inputs)), dim=-1)
            return torch.stack([rows.mean(0) for rows in embedded.split([len(clip) for clip in clips])])
        if self._kind == "videoprism":
            videos = [torch.from_numpy(np.stack(clip)).permute(0, 3, 1, 2) for clip in pictures]
            inputs = self._processor(videos=videos, do_sample_frames=False, return_tensors="pt").to(self._device)
            return pooled(self._module.get_video_features(**inputs))
        # some processors published with X-CLIP are of images, others take a list of frames as one video
        prepared = [self._processor(clip, return_tensors="pt")["pixel_values"] for clip in pictures]
        batch = torch.cat([values if values.ndim == 5 else values[None] for values in prepared])
        return pooled(self._module.get_video_features(pixel_values=batch.to(self._device)))


def _settings_digest(*parts: Any) -> str:
    """Digest of what processor and tokenizer say of themselves."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]
