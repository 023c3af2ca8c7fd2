"""Embeddings of clips: activations of a video model's deepest stage, or grey thumbnails; nearest cosine."""

from collections.abc import Callable, Sequence
from contextlib import suppress

import cv2
import numpy as np
import torch
from jaxtyping import Float

from video_tcav.concepts import ConceptBank
from video_tcav.concepts.bank.embeddings import THUMBNAILS
from video_tcav.core.errors import MediaError
from video_tcav.media import VideoSource, clip_times, read_frames
from video_tcav.media.files import kind_of
from video_tcav.models import VideoModel, layer_axes, record_activations
from video_tcav.proposals.cutting import Frames
from video_tcav.recording.cache.keys import preparation_digest

SAME = 0.98
"""Clips of one video with a cosine above this show the same."""

_BATCH = 4  # clips in one pass
_THUMBNAIL_PX = 16
_THUMBNAILS = 4


class ClipEmbedder:
    """Vectors of a video model: its deepest stage, averaged over time and place."""

    def __init__(self, model: VideoModel) -> None:
        self.model = model
        self.layer = model.stages()[-1]
        # the same network with clips of another length, rate or size gives other vectors
        self.space = f"{model.weights_digest}:{self.layer}:{preparation_digest(model)}"

    def __call__(self, clips: Sequence[Frames], *, fps: float) -> Float[np.ndarray, "clip feature"]:
        """One vector a clip, in their order.

        Args:
            clips: of any size and length, RGB.
            fps: their frames per second.
        """
        prepared = [self.model.prepare(self._sampled(clip, fps)) for clip in clips]
        vectors = []
        for start in range(0, len(prepared), _BATCH):
            batched = prepared[start : start + _BATCH]
            alike = len({clip.shape for clip in batched}) == 1
            for batch in [torch.stack(batched)] if alike else [clip[None] for clip in batched]:
                activations = record_activations(
                    self.model, [self.layer], batch.to(self.model.device), last=self.layer
                )[self.layer]
                size = (batch.shape[-2], batch.shape[-1]) if self.model.clip_spec.size is None else None
                axes = layer_axes(self.model, self.layer, size=size)
                if axes.has_positions:
                    vectors.append(axes.positions(activations).mean((1, 2, 3)).flatten(1))
                else:
                    vectors.append(axes.per_clip(activations).flatten(1))
        return torch.cat(vectors).float().cpu().numpy() if vectors else np.zeros((0, 0), np.float32)

    def _sampled(self, clip: Frames, fps: float) -> Frames:
        """The frames that the model takes; a clip that is too short shows frames for longer."""
        spec = self.model.clip_spec
        if len(clip) < spec.frames:
            return clip[np.linspace(0, len(clip) - 1, spec.frames).round().astype(int)]
        return clip[clip_times(np.arange(len(clip)) / fps, spec)[0]]


def thumbnails(clip: Frames) -> Float[np.ndarray, " feature"]:
    """A few grey thumbnails of a clip as one vector of length one: what it looks like, without a model."""
    indices = np.linspace(0, len(clip) - 1, _THUMBNAILS).round().astype(int)
    small = [
        cv2.resize(
            cv2.cvtColor(np.ascontiguousarray(clip[at].permute(1, 2, 0).numpy()), cv2.COLOR_RGB2GRAY),
            (_THUMBNAIL_PX, _THUMBNAIL_PX),
            interpolation=cv2.INTER_AREA,
        )
        for at in indices
    ]
    vector = np.stack(small).astype(np.float32).ravel()
    vector -= vector.mean()  # without its brightness, which any two clips have in common
    return vector / max(1e-6, float(np.linalg.norm(vector)))


def embed_thumbnails(
    bank: ConceptBank, each: Callable[[int, int], None] = lambda _done, _total: None, *, concept: str | None = None
) -> int:
    """Give the best version of each tube of a bank a vector of thumbnails, where it has none: likeness without a model.

    Args:
        bank: whose clips; files that cannot be decoded are left out.
        each: is called with how many clips are done, and how many there are.
        concept: of the clips; all clips if not given.

    Returns:
        How many clips got one.
    """
    embedded = bank.embedded(THUMBNAILS)
    clips = [clip for clip in bank.clips(tubes=True, order="added", concept=concept) if clip.id not in embedded]
    vectors: dict[int, np.ndarray] = {}
    for number, clip in enumerate(clips, start=1):
        indices = np.unique(np.linspace(0, clip.frames - 1, _THUMBNAILS).round().astype(int))
        source = VideoSource(path=clip.path, kind="still" if kind_of(clip.path) == "still" else "video")
        with suppress(MediaError):
            vectors[clip.id] = thumbnails(read_frames(source, indices))
        each(number, len(clips))
    if vectors:
        bank.set_embeddings(THUMBNAILS, vectors)
    return len(vectors)


def nearest_cosine(vector: Float[np.ndarray, " feature"], neighbours: Sequence[np.ndarray]) -> float:
    """Cosine to the nearest of the neighbours; 0 if there is none."""
    if not len(neighbours):
        return 0.0
    rows = np.stack(list(neighbours))
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(vector)
    return float((rows @ vector / np.maximum(lengths, 1e-12)).max())
