"""Encoders whose embeddings of clips and of texts lie in one space (CLIP, X-CLIP, SigLIP): the interface, and checked rows."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from video_tcav.core.errors import ModelError, NonFiniteError

Frames = UInt8[Tensor, "time 3 height width"]
Rows = Float[np.ndarray, "row feature"]


class TextVideoEncoder(ABC):
    """Embeds clips and texts in one space, where what belongs together has a high cosine; subclass it for an encoder of your own.

    Attributes:
        name: what results and messages call it.
        source: where its weights are from: a hub id, a folder, a file.
        frames: how many frames of a clip it looks at, spread evenly over the clip.
        digest: names its weights, and all else that decides its answers. Embeddings are kept on disk by it; without one they are
            made anew in each run.
    """

    name: str
    source: str = ""
    frames: int = 8
    digest: str | None = None

    @abstractmethod
    def embed_clips(self, clips: Sequence[Frames]) -> Rows:
        """One row a clip, of any length; RGB clips of `frames` frames, of any size."""

    @abstractmethod
    def embed_texts(self, texts: Sequence[str]) -> Rows:
        """One row a text, in the same space."""


def clip_rows(encoder: TextVideoEncoder, clips: Sequence[Frames]) -> Rows:
    """Unit embeddings of clips, of which the encoder sees as many frames as it takes, evenly spread.

    Raises:
        ModelError: if the encoder returns something else than one row a clip.
        NonFiniteError: if rows hold NaN or infinity, or are zero.
    """
    return _unit_rows(encoder, encoder.embed_clips([evenly_spread(clip, encoder.frames) for clip in clips]), len(clips))


def text_rows(encoder: TextVideoEncoder, texts: Sequence[str]) -> Rows:
    """Unit embeddings of texts; for what is raised see `clip_rows`."""
    return _unit_rows(encoder, encoder.embed_texts(list(texts)), len(texts))


def evenly_spread(clip: Frames, frames: int) -> Frames:
    """Frames from the middles of equal parts of a clip; a clip that has fewer shows some of them again."""
    if len(clip) == frames:
        return clip
    middles = (np.arange(frames) + 0.5) / frames * len(clip)
    return clip[middles.astype(int)]


def _unit_rows(encoder: TextVideoEncoder, rows: Rows, count: int) -> Rows:
    rows = np.asarray(rows, dtype=np.float64)
    if rows.ndim != 2 or len(rows) != count or not rows.shape[1]:
        raise ModelError(
            f"`encoder` must return one row a clip or text. Got {rows.shape} for {count} from {encoder.name}. Correct it."
        )
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise NonFiniteError(
            f"`encoder` must return finite rows that are not zero. Got others from {encoder.name}. Check its weights."
        )
    return rows / lengths
