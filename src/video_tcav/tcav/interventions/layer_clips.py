"""Class or random clips at one layer, beside the clips that CAVs are learned from: inner products, answers, bootstrap weights."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from video_tcav.core import random_streams
from video_tcav.gram.design import bootstrap_weights
from video_tcav.gram.grouped_share import GroupedShare
from video_tcav.models.output_kinds import Outputs
from video_tcav.recording.inner_products import row_products
from video_tcav.tcav.interventions.directions import LayerRows
from video_tcav.tcav.interventions.edit_settings import EditSettings
from video_tcav.tcav.interventions.rerun import LayerRerun, Reruns


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerClips:
    """Class clips at one layer, with the recorded clips that CAVs are learned from; or random clips, which are among these.

    Attributes:
        rerun: the class clips, twins of them or random clips, and the rest of the network.
        rows: the recorded clips.
        class_groups: group of each class clip; of random clips by the numbers of the comparisons' designs.
        clean: the class clips that these are twins of, where they are.
        unit: what the effect at each clip is measured in: 1, or what its twin lost of the target.
        compared: whether CAVs are learned from these very clips: each is then edited along the CAV of all other groups.
    """

    rerun: LayerRerun
    rows: LayerRows
    class_groups: Sequence[int]
    clean: "LayerClips | None" = None
    unit: Float[np.ndarray, " clip"]
    compared: bool = False

    @cached_property
    def products(self) -> Float[np.ndarray, "row clip"]:
        """Inner products of all recorded rows with each clip."""
        store = self.rows.store
        chunks = [row_products(store, range(store.rows), self.rerun.features(clips)) for clips in self.rerun.chunks()]
        return np.concatenate(chunks, axis=1)

    @cached_property
    def own_products(self) -> Float[np.ndarray, "clip clip"]:
        """Inner products of the clips with each other."""
        rows = []
        for features in map(self.rerun.features, self.rerun.chunks()):
            others = map(self.rerun.features, self.rerun.chunks())  # which do not fit into memory together
            rows.append(torch.cat([features.double() @ other.double().T for other in others], dim=1))
        return torch.cat(rows).numpy()

    @cached_property
    def unedited(self) -> Reruns:
        clips = np.arange(self.rerun.clips)
        return self.rerun.edited(np.zeros(len(clips)), torch.zeros(1, self.rows.store.width), clips)

    def with_slopes(
        self,
        edits: Callable[[Int[np.ndarray, " clip"]], tuple[np.ndarray, Float[Tensor, "edit feature"]]],
        rows: Int[np.ndarray, " row"],
    ) -> tuple[Reruns, Float[np.ndarray, "row clip"]]:
        """Every clip edited, and the gradients there times some recorded rows.

        Args:
            edits: shifts and vectors of some of the clips, as `LayerRerun.with_gradients` takes them.
            rows: which.
        """
        reruns, slopes = [], []
        for clips in self.rerun.chunks():  # edits and gradients of wide layers do not fit into memory together
            rerun = self.rerun.with_gradients(*edits(clips), clips)
            slopes.append(row_products(self.rows.store, rows, rerun.gradients))
            reruns.append(replace(rerun, gradients=torch.empty(0, 0)))
        return Reruns.joined(reruns), np.concatenate(slopes, axis=1)

    @property
    def has_classes(self) -> bool:
        """Whether the network calls clips a class at all."""
        return Outputs(kind=self.rerun.target.outputs).has_probabilities

    def changed(self, rerun: Reruns) -> Bool[np.ndarray, " clip"]:
        """Which clips get another first class."""
        return rerun.predicted != self.unedited.predicted

    def changed_share(self, rerun: Reruns) -> GroupedShare:
        """How many of them do."""
        return GroupedShare.of(self.changed(rerun), self.class_groups)

    def class_weights(
        self, settings: EditSettings, stream: int = random_streams.CLASS_BOOTSTRAP
    ) -> Iterator[Float[np.ndarray, "draw clip"]]:
        """Weights of the clips in bootstrap draws of their groups, each draw adding up to 1."""
        groups, group_of = np.unique(np.asarray(self.class_groups), return_inverse=True)
        for draws in bootstrap_weights(groups, settings.bootstraps, settings.seed, stream):
            weights = draws[:, group_of]
            yield weights / weights.sum(1, keepdims=True)
