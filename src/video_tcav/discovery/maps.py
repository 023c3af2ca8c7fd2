"""Maps of components: where and when a clip has each, on the layer's grid, coarsened where it is fine."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from video_tcav.attribution.attribution_map import to_clip
from video_tcav.models.axes.spacing import Spacings


@dataclass(frozen=True, kw_only=True, eq=False)
class ComponentMaps:
    """Maps of all components of a layer for some clips.

    Attributes:
        layer: dotted module name.
        clips: which of the result's clips.
        values: presence at each position, 0 where there is nothing of the component.
        spacings: where positions lie in the clip, in frames and pixels.
        clip_shape: `(time, height, width)` of the clips as the model took them.
    """

    layer: str
    clips: tuple[int, ...]
    values: Float[np.ndarray, "component clip time height width"]
    spacings: Spacings
    clip_shape: tuple[int, int, int]

    def of(self, number: int, clip: int) -> Float[np.ndarray, "time height width"]:
        """The map of one component for one clip, on the grid.

        Args:
            number: of the component, from 1.
            clip: one of `clips`.
        """
        return self.values[number - 1, self.clips.index(clip)]

    def on_clip(self, number: int, clip: int) -> Float[np.ndarray, "time height width"]:
        """The same enlarged to the clip's own frames and pixels."""
        grid = torch.from_numpy(self.of(number, clip).astype(np.float32))[None]
        return to_clip(grid, self.clip_shape, self.spacings)[0].numpy()
