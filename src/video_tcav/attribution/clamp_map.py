"""The clamp map: what having a concept does to a clip, divided among positions (integrated gradient ⊙ shift along the CAV)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.attribution.attribution_map import Map, MapSum
from video_tcav.attribution.concept_map import check_cav_length
from video_tcav.attribution.method import Advance, Clips, LayerMaps, Method, batch_size, mapped_axes
from video_tcav.core.checks import at_least, require
from video_tcav.core.errors import MethodError
from video_tcav.models import LayerAxes, VideoModel
from video_tcav.models.devices import where_float64
from video_tcav.models.hooks import check_finite, hooked
from video_tcav.models.outputs import layer_tensor
from video_tcav.models.tail import Tail
from video_tcav.models.targets import Target
from video_tcav.recording.feature_spaces import from_space, to_space
from video_tcav.recording.settings import Space

# Rounding of the target in units of its last digit: a network adds up thousands of products.
_ROUNDING = 64
Activation = Float[Tensor, "row ..."]


@dataclass(frozen=True, kw_only=True, eq=False)
class ConceptAxis:
    """A CAV, and where clips with and without the concept lie on it: what a clip is clamped to.

    Attributes:
        vector: unit vector in the feature space, towards the concept.
        concept_mean: coordinate of the average concept clip, in units of activation.
        random_mean: coordinate of the average random clip.
        space: feature space of the three. In a pooled one, every position is moved by the vector.
    """

    vector: Float[Tensor, " feature"]
    concept_mean: float
    random_mean: float
    space: Space = "flatten"


@dataclass(frozen=True, kw_only=True)
class ClampMap(Method):
    """Where and when having a concept, rather than not, changes the target: adds up to the clamp effect of the clip.

    The clip's coordinate along the CAV is set to that of the average random clip, and moved in a straight line to that of the
    average concept clip; gradient ⊙ shift is integrated along the way (Gauss-Legendre), through the part of the network behind
    the layer alone. The sum is target(end) - target(start), which `AttributionMap.sums` holds. Class tokens have no position:
    their share of the sum stands beside it.

    Attributes:
        axes: by layer, the CAV with the coordinates of concept and random clips.
        tails: points on the line at first, each a forward and backward of the network behind the layer.
        most_tails: their number is doubled up to this one while the map misses its sum by more than 1 %.
    """

    name: ClassVar[str] = "concept-clamp"
    help: ClassVar[str] = "What having a concept does to the clip, by position: adds up to it"
    source: ClassVar[str] = "path integral as in Sundararajan et al. 2017, arXiv:1703.01365"
    axes: Mapping[str, ConceptAxis]
    tails: int = 16
    most_tails: int = 64

    def __post_init__(self) -> None:
        if not self.axes:
            raise MethodError("`axes` must hold a CAV at least. Got none. Learn one from concept and random clips.")
        at_least("tails", self.tails, 1, cure="16 suffice as a rule.")
        require(self.most_tails >= self.tails, "most_tails", "not be below `tails`", self.most_tails, "64 is usual.")

    def attribute(self, model: VideoModel, clips: Clips, target: Target, advance: Advance) -> LayerMaps:
        """One forward for all layers, then the tails of each clip and layer."""
        axes = mapped_axes(model, tuple(self.axes), clips)
        values, activations = _outputs(model, tuple(axes), clips, target)
        maps, sums = {}, {}
        for name, layer in axes.items():
            # two clips: what differs between them is the axis of clips
            tail = Tail(model, name, inputs=clips[[0, -1]])
            with tail.running():
                clip_maps = []
                for clip, activation in zip(clips.split(1), activations[name].split(tail.shape[0]), strict=True):
                    path = _Path.along(self.axes[name], name, activation, layer)
                    tails = _Tails(tail, clip, target, batch_size(model, clips))
                    clip_maps.append(self._clip_map(path, tails, layer))
                    advance(1 / len(axes))
            maps[name] = torch.cat([clip_map for clip_map, _ in clip_maps])
            sums[name] = MapSum.joined([total for _, total in clip_maps])
        return LayerMaps(layers=maps, target=values, sums=sums)

    def _clip_map(self, path: "_Path", tails: "_Tails", layer: LayerAxes) -> tuple[Map, MapSum]:
        """One clip's map and its sum, with as many tails as that takes."""
        ends = torch.cat(list(tails.values(path.points(np.array([0.0, 1.0])))))
        clamp = ends[1:] - ends[:1]
        rounding = _ROUNDING * torch.finfo(path.dtype).eps * ends.abs().sum()
        count = self.tails
        while True:
            products = path.shift * tails.mean_gradient(path, count)
            # of an effect that is smaller than rounding, the rounding
            gap = (products.sum() - clamp).abs() / torch.maximum(clamp.abs(), rounding / MapSum.MOST_GAP)
            if gap <= MapSum.MOST_GAP or 2 * count > self.most_tails:
                break
            count *= 2
        unplaced = layer.prefix(products).sum()[None]
        return layer.positions(products).sum(-1).to(path.dtype), MapSum(total=clamp, unplaced=unplaced, gap=gap)


def _outputs(
    model: VideoModel, layers: tuple[str, ...], clips: Clips, target: Target
) -> tuple[Float[Tensor, " clip"], dict[str, Activation]]:
    """Values of the target, and what the layers return, from one forward without a graph."""
    activations: dict[str, Activation] = {}

    def keep(name: str, output: Any) -> None:
        # A copy: networks with in-place operations write over the layer's output after the hook.
        activations[name] = layer_tensor(output).detach().clone()

    with hooked(model, layers, keep), torch.no_grad():
        logits = check_finite(model.logits(clips), "the logits")
        return target(logits), activations


@dataclass(frozen=True, kw_only=True, eq=False)
class _Path:
    """The straight line from a clip without the concept to the same clip with it, in the layer's activation space.

    Attributes:
        start: the activation with u·h = m_r, for the CAV u and the coordinate m_r of random clips.
        shift: (m_c - m_r) u, from there to u·h = m_c.
        dtype: of the activation; the line itself is computed in double precision, where there is any.
    """

    start: Activation
    shift: Activation
    dtype: torch.dtype

    @classmethod
    def along(cls, axis: ConceptAxis, name: str, activation: Activation, layer: LayerAxes) -> "_Path":
        """The line through a clip's activation at a layer with this name and these axes."""
        precise = where_float64(activation).double()
        feature = to_space(precise, layer, axis.space)[0]
        check_cav_length(axis.vector, name, len(feature), axis.space)
        cav = axis.vector.to(feature)
        direction = from_space(cav[None], layer, axis.space, tuple(precise.shape))
        return cls(
            start=precise + (axis.random_mean - cav @ feature) * direction,
            shift=(axis.concept_mean - axis.random_mean) * direction,
            dtype=activation.dtype,
        )

    def points(self, shares: Float[np.ndarray, " point"]) -> Float[Tensor, "point row ..."]:
        """Activations at these shares of the way, 0 the start and 1 the end."""
        steps = torch.as_tensor(shares, dtype=self.start.dtype, device=self.start.device)
        return (self.start + steps.reshape(-1, *[1] * self.start.ndim) * self.shift).to(self.dtype)


@dataclass(frozen=True)
class _Tails:
    """The network behind a layer for one clip, whose activation there is replaced by some points at once."""

    tail: Tail
    clip: Clips
    target: Target
    batch: int

    def values(self, points: Float[Tensor, "point row ..."]) -> Iterator[Float[Tensor, " point"]]:
        """The target at each point, batch by batch, in double precision."""
        with torch.no_grad():
            for batch in points.split(self.batch):
                yield where_float64(self._target(batch)).double()

    def mean_gradient(self, path: _Path, count: int) -> Activation:
        """The target's gradient by the activation, averaged over the path by Gauss-Legendre quadrature."""
        nodes, weights = np.polynomial.legendre.leggauss(count)  # on [-1, 1], with weights that add up to 2
        total = torch.zeros_like(path.start)
        for batch in np.array_split(np.arange(count), -(-count // self.batch)):
            leaf = path.points((nodes[batch] + 1) / 2).requires_grad_()
            with torch.enable_grad():
                # points do not influence each other, so the gradient of the sum is that of each one's target
                (gradients,) = torch.autograd.grad(self._target(leaf).sum(), [leaf])
            check_finite(gradients, f"the gradient at layer {self.tail.layer}")
            share = torch.as_tensor(weights[batch] / 2).to(total)
            total += torch.tensordot(share, where_float64(gradients).double().to(total.device), dims=1)
        return total

    def _target(self, points: Float[Tensor, "point row ..."]) -> Float[Tensor, " point"]:
        clips = self.clip.expand(len(points), *self.clip.shape[1:]) if self.tail.needs_inputs else None
        return self.target(check_finite(self.tail.logits(points.flatten(0, 1), clips), "the logits"))
