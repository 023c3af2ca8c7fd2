"""Unit CAVs of many labellings with the coordinates of concept and random clips along them, in Gram space."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from video_tcav.gram.cavs.fitter import CavFitter, Labelling
from video_tcav.gram.kernel import Kernel, unit_coefficients
from video_tcav.recording.inner_products import combine_rows, row_products
from video_tcav.recording.rows import RowStore
from video_tcav.tcav.interventions.operations import Point


@dataclass(frozen=True, kw_only=True, eq=False)
class Directions:
    """One unit vector a draw, `u = αA`.

    Attributes:
        units: α, over the comparison's clips.
        concept: u·μ of the mean concept clip.
        random: u·μ of the mean random clip.
    """

    units: Float[np.ndarray, "draw row"]
    concept: Float[np.ndarray, " draw"]
    random: Float[np.ndarray, " draw"]

    def take(self, indices: Int[np.ndarray, " chosen"]) -> Self:
        """Some of them, in that order."""
        return replace(self, **{part.name: getattr(self, part.name)[indices] for part in fields(self)})

    def shifts(
        self, point: Point, clips: Float[np.ndarray, "draw clip"], clean: Float[np.ndarray, "draw clip"]
    ) -> Float[np.ndarray, "draw clip"]:
        """δ at a point, given the coordinate of each clip, and of the one that it is a twin of, along each direction."""
        means = point.concept * self.concept + point.random * self.random
        return means[:, None] + point.clip * clips + point.clean * clean


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerRows:
    """Recorded clips at one layer, read by blocks of columns.

    Attributes:
        store: one row a clip.
        centre: inner product of each row with the mean of all, from which Gram space measures.
        centre_length: the mean's own squared length.
    """

    store: RowStore
    centre: Float[np.ndarray, " row"]
    centre_length: float

    @classmethod
    def of(cls, store: RowStore) -> "LayerRows":
        everyone = np.arange(store.rows)
        mean = combine_rows(store, everyone.tolist(), np.full((1, store.rows), 1 / store.rows))
        return cls(
            store=store,
            centre=row_products(store, everyone, mean)[:, 0],
            centre_length=float(mean[0].double() @ mean[0].double()),
        )

    def vectors(
        self, rows: Int[np.ndarray, " row"], units: Float[np.ndarray, "draw row"]
    ) -> Float[Tensor, "draw feature"]:
        """The vectors that coefficients over these rows stand for."""
        return combine_rows(self.store, rows.tolist(), units)

    def directions(
        self, fitter: CavFitter, kernel: Kernel, rows: Int[np.ndarray, " row"], labelling: Labelling
    ) -> Directions:
        """The CAV of each labelling of these rows, whose inner products are `kernel`."""
        units = unit_coefficients(kernel, fitter.fit(kernel, labelling))
        along = units @ kernel + (units @ self.centre[rows])[:, None]
        return Directions(
            units=units,
            concept=np.einsum("dr,dr->d", along, np.maximum(labelling.contrast, 0)),
            random=np.einsum("dr,dr->d", along, np.maximum(-labelling.contrast, 0)),
        )
