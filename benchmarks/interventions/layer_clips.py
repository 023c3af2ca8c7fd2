"""Clips and CAVs at one layer from recorded outputs, for the operations of `video_tcav.tcav.interventions`."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int

from video_tcav.gram.arrays import make_design
from video_tcav.gram.cavs.registry import cav_fitter
from video_tcav.gram.kernel import Kernel, kernel_of
from video_tcav.models import LayerAxes
from video_tcav.models.tail import Tail
from video_tcav.models.targets import Target
from video_tcav.recording.fast.fast_paths import FastPaths, OptimisedPass
from video_tcav.recording.settings import Space
from video_tcav.tcav.interventions.concept_edits import ConceptEdits
from video_tcav.tcav.interventions.directions import LayerRows
from video_tcav.tcav.interventions.edit_settings import EditSettings
from video_tcav.tcav.interventions.layer_clips import LayerClips
from video_tcav.tcav.interventions.plan import MOST_STEP_CLIPS
from video_tcav.tcav.interventions.rerun import LayerRerun


@dataclass(frozen=True, kw_only=True, eq=False)
class Place:
    """One layer and feature space of a model, with recorded rows that CAVs are learned from.

    Attributes:
        tail: the rest of the network.
        target: what is explained.
        rows: of concept and random clips.
        kernel: inner products of these.
        axes: of the layer, where the space needs them.
        space: of the rows.
    """

    tail: Tail
    target: Target
    rows: LayerRows
    kernel: Kernel
    axes: LayerAxes | None = None
    space: Space = "flatten"

    def clips(
        self,
        outputs: Float[torch.Tensor, "clip ..."],
        groups: Sequence[int] | None = None,
        clean: LayerClips | None = None,
        compared: bool = False,
    ) -> LayerClips:
        """Clips to edit, from the layer's output for each; twins of others inside `clean.rerun.running`.

        Args:
            outputs: as the layer returns them.
            groups: what is independent; each clip by itself if not given.
            clean: the clips that these are twins of, for `restore`.
            compared: see `LayerClips`.
        """
        rows = outputs.flatten(1)
        rerun = LayerRerun(
            self.tail,
            lambda chosen: rows[torch.from_numpy(chosen)],
            clips=len(rows),
            axes=self.axes,
            space=self.space,
            target=self.target,
            passing=OptimisedPass(self.tail.model, FastPaths()),
        )
        clips = LayerClips(
            rerun=rerun,
            rows=self.rows,
            class_groups=range(len(rows)) if groups is None else groups,
            clean=clean,
            unit=np.ones(len(rows)),
            compared=compared,
        )
        if clean is None:
            return clips
        lost = clean.unedited.targets - clips.unedited.targets
        return LayerClips(rerun=rerun, rows=self.rows, class_groups=clips.class_groups, clean=clean, unit=lost)

    def stepped(self, concept: Int[np.ndarray, " row"], random: Int[np.ndarray, " row"]) -> LayerClips:
        """The random clips that a run takes steps at, of which its CAVs are learned, too; in `flatten`, each a group."""
        chosen = random[:MOST_STEP_CLIPS]
        outputs = self.rows.store.take(chosen.tolist()).reshape(-1, *self.tail.shape[1:])
        return self.clips(outputs, (len(concept) + np.arange(len(chosen))).tolist(), compared=True)

    def edits(
        self,
        clips: LayerClips,
        concept: Int[np.ndarray, " row"],
        random: Int[np.ndarray, " row"],
        *,
        relabellings: int = 0,
        bootstraps: int = 499,
        seed: int = 0,
        cav: str = "mean",
        groups: Sequence[int] | None = None,
    ) -> ConceptEdits:
        """A concept's CAV; use it inside `clips.rerun.running`.

        Args:
            clips: that are edited.
            concept: rows of concept clips.
            random: of random clips.
            relabellings: CAVs of permuted labels.
            bootstraps: for intervals.
            seed: of all draws.
            cav: how it is learned.
            groups: of concept, then random clips; each clip by itself if not given.
        """
        rows = np.concatenate([concept, random])
        design = make_design(np.arange(len(rows)) < len(concept), groups)
        settings = EditSettings(
            fitter=cav_fitter(cav),
            bootstraps=bootstraps,
            permutations=max(relabellings, 1),
            relabellings=relabellings,
            seed=seed,
        )
        return ConceptEdits(clips, design, rows, kernel_of(self.kernel, rows), settings)
