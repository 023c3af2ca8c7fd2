"""A recording: activations and gradients of a run's clips at each layer, complete and frozen."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Self

from video_tcav.core.progress import progress_bar
from video_tcav.gram.gram import Gram
from video_tcav.media import Skipped
from video_tcav.models import VideoModel
from video_tcav.models.hooks import trace_layers
from video_tcav.models.layers import noise_clip
from video_tcav.recording.class_answers import ClassAnswer
from video_tcav.recording.clip_id import ClipId
from video_tcav.recording.fast.precision import Precision
from video_tcav.recording.inner_products import gram
from video_tcav.recording.rows import Rows, RowStore, SpillSpace
from video_tcav.recording.settings import RecordingSettings
from video_tcav.recording.sketched_rows import SketchedRows, SketchError
from video_tcav.recording.whole_outputs import WholeOutputs


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """Rows of activations and gradients of all clips that could be used.

    Attributes:
        activations: by layer, as are `gradients`.
        rows: row of each clip in `activations`.
        windows: clips that each source gave, by its key.
        stills: keys of sources whose frames are all the same.
        class_outputs: the class clips, by their rows in `gradients`; whole outputs of layers that were asked for.
        twin_outputs: likewise those of their twins.
        random_outputs: likewise those of random clips that were asked for; see `whole_outputs_of`.
        shapes: each layer's output for one clip; `None` where every row came from an activation store.
        storage: memory budget and disk behind the rows.
    """

    model: VideoModel
    layers: tuple[str, ...]
    settings: RecordingSettings
    precision: Precision
    activations: Mapping[str, Rows]
    gradients: Mapping[str, RowStore]
    rows: Mapping[ClipId, int]
    windows: Mapping[str, int]
    stills: frozenset[str]
    class_outputs: WholeOutputs
    twin_outputs: WholeOutputs
    random_outputs: WholeOutputs
    skipped: tuple[Skipped, ...]
    shapes: Mapping[str, tuple[int, ...]] | None
    storage: SpillSpace

    @property
    def class_rows(self) -> Mapping[ClipId, int]:
        """Row of each class clip in `gradients`."""
        return self.class_outputs.clips

    @property
    def answers(self) -> tuple[ClassAnswer, ...]:
        """What the model says of each class clip, in the order of `class_rows`."""
        return tuple(self.class_outputs.answers[row] for row in self.class_rows.values())

    def gram(self, layer: str) -> Gram:
        """K and C of all rows of a layer."""
        rows = self.activations[layer]
        if isinstance(rows, SketchedRows):
            gram_of_all = rows.gram()
            return replace(gram_of_all, cross=gram_of_all.cross[list(self.class_rows.values())])
        gradients = self.gradients[layer] if self.class_rows else None
        return gram(self.whole_rows(layer), gradients, range(rows.rows), list(self.class_rows.values()))

    def at_class_clips(self, clips: Collection[ClipId]) -> Self:
        """The same recording, with gradients at these class clips alone."""
        rows = {clip: row for clip, row in self.class_rows.items() if clip in clips}
        return replace(self, class_outputs=replace(self.class_outputs, clips=rows))

    def grams(self, *, progress: bool = False) -> dict[str, Gram]:
        """K and C of every layer."""
        grams = {}
        with progress_bar("inner products (layers)", len(self.layers), visible=progress) as advance:
            for layer in self.layers:
                grams[layer] = self.gram(layer)
                advance(1)
        return grams

    def whole_rows(self, layer: str) -> RowStore:
        """The activations of a layer, where they were kept whole."""
        rows = self.activations[layer]
        assert isinstance(rows, RowStore)
        return rows

    def sketch_errors(self) -> dict[str, SketchError]:
        """How far sketched inner products are from exact ones, by layer; call it after `grams`."""
        return {layer: rows.error() for layer, rows in self.activations.items() if isinstance(rows, SketchedRows)}

    def spilled(self) -> list[str]:
        """Layers of which some rows went to disk."""
        return [layer for layer, rows in self.activations.items() if rows.spilled]

    def layer_shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Each layer's output for one clip; where no clip was passed, one of noise is passed to see it."""
        if self.shapes is not None:
            return self.shapes
        return trace_layers(self.model, self.layers, noise_clip(self.model).to(self.model.device)).shapes
