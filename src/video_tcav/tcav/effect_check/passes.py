"""Passes of plain and edited clips: outputs of every layer, the target, and for plain clips its gradient."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from video_tcav.concepts.edits import Clip, Edit, edited_clip
from video_tcav.core.errors import InputError, ShapeError
from video_tcav.media import Skipped, VideoSource, load_clips
from video_tcav.models.hooks import check_finite, hooked, untouched
from video_tcav.models.outputs import layer_tensor
from video_tcav.models.targets import Target
from video_tcav.recording.batch_runner import BatchRunner, native_name
from video_tcav.recording.class_answers import ClassAnswer
from video_tcav.recording.clip_id import shuffle_seed
from video_tcav.recording.rows import stored_values
from video_tcav.tcav.effect_check.mask_edits import MaskEdit, MaskedVersions

LayerRows = Mapping[str, Float[Tensor, "clip value"]]


@dataclass(frozen=True, kw_only=True, eq=False)
class PlainClips:
    """Clips as they are.

    Attributes:
        sources: those that could be used, one clip each.
        inputs: the prepared clips.
        answers: what the model says of each.
        outputs: of each layer as the network has it, one row a clip; `gradients` of the target by it likewise.
        skipped: sources that could not be used.
    """

    sources: tuple[VideoSource, ...]
    inputs: tuple[Tensor, ...]
    answers: tuple[ClassAnswer, ...]
    outputs: LayerRows
    gradients: LayerRows
    skipped: tuple[Skipped, ...]

    def only(self, indices: Sequence[int]) -> "PlainClips":
        """Some of the clips."""
        chosen = list(indices)
        return PlainClips(
            sources=tuple(self.sources[index] for index in chosen),
            inputs=tuple(self.inputs[index] for index in chosen),
            answers=tuple(self.answers[index] for index in chosen),
            outputs={layer: rows[chosen] for layer, rows in self.outputs.items()},
            gradients={layer: rows[chosen] for layer, rows in self.gradients.items()},
            skipped=self.skipped,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class EditedClips:
    """The same clips after an edit, those that it could be made of.

    Attributes:
        chosen: which of the plain clips they are.
        outputs: of each layer, one row a clip.
        targets: of each.
    """

    chosen: Bool[np.ndarray, " plain"]
    outputs: LayerRows
    targets: Float[Tensor, " clip"]


class _FilledRows:
    """Rows of each layer for so many clips, filled as they come: joining batches at the end would hold all of them twice."""

    def __init__(self, clips: int) -> None:
        self._clips, self._rows = clips, dict[str, Tensor]()

    def put(self, places: slice, rows: LayerRows) -> None:
        for layer, values in rows.items():
            if layer not in self._rows:
                self._rows[layer] = values.new_empty(self._clips, *values.shape[1:])
            self._rows[layer][places] = values

    def first(self, clips: int) -> LayerRows:
        """Rows of the first clips."""
        return {layer: rows[:clips] for layer, rows in self._rows.items()}


class _EditedRows:
    """Rows of one edit, which come in any order, in the places of the plain clips."""

    def __init__(self, clips: int) -> None:
        self._outputs = _FilledRows(clips)
        self._chosen, self._targets = np.zeros(clips, bool), torch.zeros(clips, dtype=torch.float64)

    def put(self, clip: int, outputs: LayerRows, target: float) -> None:
        self._outputs.put(slice(clip, clip + 1), outputs)
        self._chosen[clip], self._targets[clip] = True, target

    def edited(self) -> EditedClips:
        """The rows that were put, in their order."""
        outputs, targets = self._outputs.first(len(self._chosen)), self._targets
        if not self._chosen.all():
            outputs = {layer: rows[self._chosen] for layer, rows in outputs.items()}
            targets = targets[self._chosen]
        return EditedClips(chosen=self._chosen, outputs=outputs, targets=targets)


class ClipPasses:
    """Passes the clips of a check.

    Args:
        runner: with whole outputs of its layers, in the feature space `flatten`.
        target: what is explained.
        threads: files that are decoded at once.
        seed: of the shuffled edit.
        strict: whether the first file that cannot be used is an error.
    """

    def __init__(self, runner: BatchRunner, target: Target, *, threads: int, seed: int, strict: bool = False) -> None:
        self.runner, self.target = runner, target
        self._threads, self._seed, self._strict = threads, seed, strict

    def plain(self, sources: Sequence[VideoSource], advance: Callable[[int], None]) -> PlainClips:
        """Clips as they are, with gradients.

        Raises:
            InputError: if none can be used.
        """
        skipped: list[Skipped] = []
        used: list[VideoSource] = []
        inputs: list[Tensor] = []
        answers: list[ClassAnswer] = []
        outputs, gradients = _FilledRows(len(sources)), _FilledRows(len(sources))
        layers = self.runner.layers
        for members in self._batches(sources, None, skipped):
            places = slice(len(used), len(used) + len(members))
            used += [source for source, _ in members]
            inputs += [prepared for _, prepared in members]
            rows, said = self.runner.run([prepared for _, prepared in members], self.target)
            outputs.put(places, {layer: rows[native_name(layer)] for layer in layers})
            gradients.put(places, {layer: rows[layer] for layer in layers})
            answers += said or []
            advance(len(members))
        if not used:
            raise InputError(
                f"`clips` must hold a file that can be used. Got {len(skipped)} that cannot, the first: {skipped[0].path}: "
                f"{skipped[0].reason}. Give other files."
            )
        return PlainClips(
            sources=tuple(used),
            inputs=tuple(inputs),
            answers=tuple(answers),
            outputs=outputs.first(len(used)),
            gradients=gradients.first(len(used)),
            skipped=tuple(skipped),
        )

    def edited(self, clips: PlainClips, edit: Edit, advance: Callable[[int], None]) -> EditedClips:
        """The same clips after an edit of their decoded pixels."""
        rows, targets = _FilledRows(len(clips.sources)), []
        for members in self._batches(clips.sources, edit, []):
            outputs, of_batch = self._forward([prepared for _, prepared in members])
            done = sum(map(len, targets))
            rows.put(slice(done, done + len(members)), outputs)
            targets.append(of_batch)
            advance(len(members))
        return EditedClips(
            chosen=np.ones(len(clips.sources), bool),
            outputs=rows.first(len(clips.sources)),
            targets=torch.cat(targets),
        )

    def edited_by_masks(
        self, clips: PlainClips, made: Iterable[MaskedVersions], advance: Callable[[int], None]
    ) -> dict[MaskEdit, EditedClips]:
        """The same clips after edits by masks, in the order of `clips`; without edits that no clip has."""
        rows: dict[MaskEdit, _EditedRows] = {}
        for members in self._full_batches(made):
            outputs, targets = self._forward([prepared for *_, prepared in members])
            for member, (edit, clip, _) in enumerate(members):
                of_clip = {layer: values[member : member + 1] for layer, values in outputs.items()}
                rows.setdefault(edit, _EditedRows(len(clips.sources))).put(clip, of_clip, float(targets[member]))
            advance(len(members))
        return {edit: each.edited() for edit, each in rows.items()}

    def _full_batches(self, made: Iterable[MaskedVersions]) -> Iterator[list[tuple[MaskEdit, int, Tensor]]]:
        batch: list[tuple[MaskEdit, int, Tensor]] = []
        for versions in made:
            for edit, frames in versions.frames.items():
                batch.append((edit, versions.clip, self.runner.model.prepare(frames)))
                if len(batch) >= self.runner.batch_size(batch[0][-1]):
                    yield batch
                    batch = []
        if batch:
            yield batch

    def _forward(self, inputs: Sequence[Tensor]) -> tuple[dict[str, Tensor], Tensor]:
        model, recorded = self.runner.model, {}

        def record(name: str, output: Any) -> None:
            recorded[name] = layer_tensor(output).detach().clone()  # later in-place operations change the original

        passing = self.runner.passing(inputs[0])
        with passing.running(), untouched(model.module), hooked(model, self.runner.layers, record), torch.no_grad():
            logits = check_finite(model.logits(passing.batch(inputs)), "the logits of edited clips")
            # a target is a difference of logits, for which half precision has too few digits
            targets = self.target(logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits)
        rows = {layer: stored_values(values.reshape(len(inputs), -1)) for layer, values in recorded.items()}
        return rows, targets.cpu().double()

    def _batches(
        self, sources: Sequence[VideoSource], edit: Edit | None, skipped: list[Skipped]
    ) -> Iterator[list[tuple[VideoSource, Tensor]]]:
        batch: list[tuple[VideoSource, Tensor]] = []
        with closing(load_clips(sources, self.runner.model.clip_spec, threads=self._threads)) as decoded:
            for loaded in decoded:
                if loaded.clips is None:
                    assert loaded.error is not None
                    if self._strict or edit is not None:  # which could be used a moment ago
                        raise loaded.error
                    skipped.append(Skipped(path=str(loaded.error.path), reason=loaded.error.reason))
                    continue
                batch.append((loaded.source, self._prepared(loaded.source, loaded.clips[0], edit)))
                first, last = batch[0][1], batch[-1][1]
                if first.shape != last.shape:
                    raise ShapeError(
                        f"`clips` must have one size. Got {loaded.source.key} of {tuple(last.shape)} after "
                        f"{tuple(first.shape)}. Give --size, so that every clip is resized."
                    )
                if len(batch) >= self.runner.batch_size(first):
                    yield batch
                    batch = []
        if batch:
            yield batch

    def _prepared(self, source: VideoSource, clip: Clip, edit: Edit | None) -> Tensor:
        if edit is not None:
            clip = edited_clip(clip, edit, seed=shuffle_seed(self._seed, source.key))
        return self.runner.model.prepare(clip)
