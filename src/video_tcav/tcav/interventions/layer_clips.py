"""Class clips at one layer, beside the recorded clips that CAVs are learned from: inner products, answers, bootstrap weights."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float

from video_tcav.core import random_streams
from video_tcav.gram.design import bootstrap_weights
from video_tcav.models.output_kinds import Outputs
from video_tcav.tcav.interventions.directions import LayerRows, products
from video_tcav.tcav.interventions.edit_settings import EditSettings
from video_tcav.tcav.interventions.rerun import LayerRerun, Reruns
from video_tcav.tcav.interventions.shares import GroupedShare


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerClips:
    """Class clips at one layer, with the recorded clips that CAVs are learned from.

    Attributes:
        rerun: the class clips, or twins of them, and the rest of the network.
        rows: the recorded clips.
        class_groups: group of each class clip.
        clean: the class clips that these are twins of, where they are.
        unit: what the effect at each clip is measured in: 1, or what its twin lost of the target.
    """

    rerun: LayerRerun
    rows: LayerRows
    class_groups: Sequence[int]
    clean: "LayerClips | None" = None
    unit: Float[np.ndarray, " clip"]

    @cached_property
    def products(self) -> Float[np.ndarray, "row clip"]:
        """Inner products of all recorded rows with each clip."""
        store = self.rows.store
        chunks = [products(store, range(store.rows), self.rerun.features(clips)) for clips in self.rerun.chunks()]
        return np.concatenate(chunks, axis=1)

    @cached_property
    def own_products(self) -> Float[np.ndarray, "clip clip"]:
        """Inner products of the clips with each other."""
        chunks = self.rerun.chunks()
        features = [self.rerun.features(clips) for clips in chunks] if len(chunks) == 1 else None
        rows = []
        for clips in chunks:
            left = (features[0] if features else self.rerun.features(clips)).double()
            parts = [left @ (features[0] if features else self.rerun.features(other)).double().T for other in chunks]
            rows.append(torch.cat(parts, dim=1))
        return torch.cat(rows).numpy()

    @cached_property
    def unedited(self) -> Reruns:
        clips = np.arange(self.rerun.clips)
        return self.rerun.edited(np.zeros(len(clips)), torch.zeros(1, self.rows.store.width), clips)

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

    def class_weights(self, settings: EditSettings) -> Iterator[Float[np.ndarray, "draw clip"]]:
        """Weights of the class clips in bootstrap draws of their groups, each draw adding up to 1."""
        groups, group_of = np.unique(np.asarray(self.class_groups), return_inverse=True)
        for draws in bootstrap_weights(groups, settings.bootstraps, settings.seed, random_streams.CLASS_BOOTSTRAP):
            weights = draws[:, group_of]
            yield weights / weights.sum(1, keepdims=True)
