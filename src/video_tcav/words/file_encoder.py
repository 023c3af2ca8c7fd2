"""Encoders from a user's Python file: any object that embeds clips and texts, built by a function."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from video_tcav.core.errors import ModelError
from video_tcav.models.devices import pick_device
from video_tcav.models.loaders.python_file import call_factory, split_factory
from video_tcav.words.encoder import Frames, Rows, TextVideoEncoder

_METHODS = ("embed_clips", "embed_texts")


class _BuiltEncoder(TextVideoEncoder):
    """What the function built, where that is no `TextVideoEncoder` itself."""

    def __init__(self, built: Any) -> None:
        self._built = built
        self.name = str(getattr(built, "name", type(built).__name__))
        self.frames = int(getattr(built, "frames", TextVideoEncoder.frames))
        self.digest = getattr(built, "digest", None)

    def embed_clips(self, clips: Sequence[Frames]) -> Rows:
        with torch.no_grad():
            return self._built.embed_clips(clips)

    def embed_texts(self, texts: Sequence[str]) -> Rows:
        with torch.no_grad():
            return self._built.embed_texts(texts)


def load_encoder_file(source: str, *, device: str | torch.device = "auto") -> TextVideoEncoder:
    """The encoder that a function of a file builds; the file runs as Python: load only files that you trust.

    Args:
        source: `PATH.py:FUNCTION`. The function returns a `TextVideoEncoder`, or any object with `embed_clips` and `embed_texts`;
            `frames` and `digest` are its too, where it has them.
        device: where it is moved to, if it is a PyTorch module.

    Raises:
        ModelError: if there is no such file or function, it fails, or returns something else.
    """
    path, factory = split_factory(source, argument="encoder")
    built = call_factory(path, factory, argument="encoder", offered={})
    missing = [name for name in _METHODS if not callable(getattr(built, name, None))]
    if missing:
        raise ModelError(
            f"`encoder` must name a function that returns an object with {' and '.join(_METHODS)}. Got"
            f" {type(built).__name__} without {' and '.join(missing)} from {path}:{factory}. Return the encoder."
        )
    if isinstance(built, nn.Module):
        built.eval().to(pick_device(device))
    encoder = built if isinstance(built, TextVideoEncoder) else _BuiltEncoder(built)
    encoder.source = encoder.source or f"file:{source}"
    return encoder
