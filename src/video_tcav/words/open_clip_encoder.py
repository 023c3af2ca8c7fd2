"""Encoders of OpenCLIP by the mean over frames: an architecture by name, weights from a file of tensors."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch
from PIL import Image

from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError, MissingExtraError
from video_tcav.models.devices import pick_device
from video_tcav.models.hooks import untouched
from video_tcav.models.video_model import state_digest
from video_tcav.models.weights.loading import fit_weights, read_weights
from video_tcav.words.encoder import Frames, Rows, TextVideoEncoder

try:
    open_clip: Any = import_module("open_clip")
except ImportError:  # the extra `open_clip`
    open_clip = None


class OpenClipEncoder(TextVideoEncoder):
    """An OpenCLIP model; a clip is the mean of the unit embeddings of its frames."""

    def __init__(self, source: str, *, device: str | torch.device = "auto") -> None:
        """Build the architecture and read its weights.

        Args:
            source: `ARCHITECTURE,weights=FILE`.
            device: where it runs; `auto` takes the first GPU that there is.

        Raises:
            MissingExtraError: without open_clip.
            InputError: for another form, or an architecture that is not known.
            WeightsError: if weights cannot be read safely or do not fit.
        """
        if open_clip is None:
            raise MissingExtraError("open_clip", f"open_clip:{source}")
        architecture, _, option = source.partition(",")
        key, _, weights = option.partition("=")
        if key != "weights" or not weights:
            raise InputError(
                f"`encoder` must name weights, as open_clip:{architecture},weights=FILE. Got open_clip:{source}."
                " Download them as safetensors, and give the file."
            )
        one_of("encoder", architecture, open_clip.list_models(), "Choose an architecture of open_clip.")
        with torch.random.fork_rng(devices=[]):
            # nothing is downloaded: all weights come from the file
            module, _, self._prepare = open_clip.create_model_and_transforms(
                architecture, pretrained=None, pretrained_hf=False
            )
        fit_weights(module, read_weights(weights))
        self._tokenizer = open_clip.get_tokenizer(architecture)
        self.name, self.source = f"open_clip:{architecture}", weights
        self.digest = f"{architecture}-{state_digest(module)}"
        self._device = pick_device(device)
        self._module = module.float().eval().to(self._device)

    def embed_clips(self, clips: Sequence[Frames]) -> Rows:
        """The mean of the unit embeddings of each clip's frames."""
        rows = []
        with untouched(self._module), torch.no_grad():
            for clip in clips:
                pictures = [Image.fromarray(frame.permute(1, 2, 0).numpy()) for frame in clip]
                inputs = torch.stack([self._prepare(picture) for picture in pictures]).to(self._device)
                rows.append(self._module.encode_image(inputs, normalize=True).mean(0))
        return torch.stack(rows).float().cpu().numpy() if rows else np.zeros((0, 0), np.float32)

    def embed_texts(self, texts: Sequence[str]) -> Rows:
        """The text tower's embedding; texts longer than it takes are cut."""
        with untouched(self._module), torch.no_grad():
            tokens = self._tokenizer(list(texts)).to(self._device)
            return self._module.encode_text(tokens).float().cpu().numpy()
