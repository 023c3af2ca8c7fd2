"""Rows of whole outputs as they come from a pass: kept as a grid of positions, and averaged over all positions."""

from jaxtyping import Float
from torch import Tensor

from video_tcav.discovery.layer_grid import LayerGrid
from video_tcav.recording.feature_spaces import to_space
from video_tcav.recording.rows import FindRows, Rows, RowStore, SpillSpace


class GridRows(Rows):
    """Activations of one layer.

    Args:
        grid: of the layer.
        space: memory budget and disk for rows.

    Attributes:
        positions: a row a clip, `time × height × width × channel` of the grid; where that is coarse, no whole output is kept.
        pooled: a row a clip in the feature space `spacetime`.
    """

    def __init__(self, grid: LayerGrid, space: SpillSpace) -> None:
        super().__init__()
        self.grid, self.width = grid, grid.width
        self.positions, self.pooled = RowStore(space), RowStore(space)

    def _take(self, values: Float[Tensor, "row width"], find_rows: FindRows | None) -> None:
        self.pooled.append(to_space(self.grid.native(values), self.grid.axes, "spacetime"))
        self.positions.append(self.grid.positions(values).flatten(1))


class PooledGradients(Rows):
    """Gradients by one layer's whole output, summed over positions: by its mean over positions.

    Args:
        grid: of the layer.
        space: memory budget and disk for rows.

    Attributes:
        pooled: a row a clip.
    """

    def __init__(self, grid: LayerGrid, space: SpillSpace) -> None:
        super().__init__()
        self.grid, self.width = grid, grid.width
        self.pooled = RowStore(space)

    def _take(self, values: Float[Tensor, "row width"], find_rows: FindRows | None) -> None:
        self.pooled.append(to_space(self.grid.native(values), self.grid.axes, "spacetime", gradient=True))
