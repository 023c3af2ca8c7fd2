"""Discovery on the rendered world: are confirmed components what was planted, where it is, and of its kind?"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import torch
from benchmarks.discovery.runs import discovered, recorded
from benchmarks.discovery.worlds import CLASS_CLIPS, DiscoveryWorld
from jaxtyping import Bool, Float

from video_tcav.attribution.attribution_map import to_clip
from video_tcav.discovery.component import Component
from video_tcav.discovery.layer_discovery import LayerDiscovery
from video_tcav.discovery.layer_grid import LayerGrid
from video_tcav.discovery.settings import DiscoverySettings
from video_tcav.gram.concept_test import TestSettings

_STRONGEST = 3
ENOUGH_ENRICHMENT, ENOUGH_AUC, ENOUGH_COSINE = 3.0, 0.9, 0.7


@dataclass(frozen=True, kw_only=True)
class PlantedRow:
    """One confirmed component beside the planted truth.

    Attributes:
        model: name of the network.
        seed: of clips and run.
        method: of the factorisation.
        rank: among the confirmed components, by what clips lose without them; from 1.
        component: its name.
        enrichment: its map's share in the cause's pixels, over their share of all; NaN for scenes, which fill the picture.
        ceiling: the enrichment of the cause's own mask, seen through the layer's grid.
        auc: of its presence in class against random clips.
        cosine: of its CAV with the CAV of the planted cause, in absolute size.
        kind: by twins.
        true_kind: by the model's own answers on twins.
        stability: see `Component`.
        effect: likewise.
    """

    model: str
    seed: int
    method: str
    rank: int
    component: str
    enrichment: float
    ceiling: float
    auc: float
    cosine: float
    kind: str
    true_kind: str
    stability: float
    effect: float


@dataclass(frozen=True, kw_only=True)
class RunFigures:
    """One run in figures.

    Attributes:
        model: name of the network.
        seed: of clips and run.
        method: of the factorisation.
        components: of all layers.
        confirmed: how many of these.
        place: best enrichment (AUC for scenes) of the three strongest confirmed components.
        cosine: of the component with that.
        right_kinds: how many of the confirmed ones have the true kind.
        unclear_kinds: how many are of unclear kind.
        stability: mean over all components.
        unstable: how many are said to be unstable.
        stable: mean stability of the others.
    """

    model: str
    seed: int
    method: str
    components: int
    confirmed: int
    place: float
    cosine: float
    right_kinds: int
    unclear_kinds: int
    stability: float
    unstable: int
    stable: float


def measure_rendered(
    name: str, seed: int, discovery: DiscoverySettings, *, class_clips: int = CLASS_CLIPS, permutations: int = 9999
) -> tuple[RunFigures, list[PlantedRow]]:
    """One model, one seed."""
    world = DiscoveryWorld.sample(name, seed, class_clips=class_clips, random_clips=2 * class_clips)
    settings = TestSettings(permutations=permutations, random_sets=2, seed=seed)
    with recorded(world, class_clips, seed) as (clips, runner):
        layers, components = discovered(clips, runner, discovery, settings)
        by_layer = {layer.layer: layer for layer in layers}
        confirmed = [component for component in components if component.confirmed]
        rows = [
            _planted(world, name, by_layer[component.layer], component, rank, discovery, seed)
            for rank, component in enumerate(confirmed, start=1)
        ]
    return _figures(name, seed, discovery, components, rows), rows


def _figures(
    name: str, seed: int, discovery: DiscoverySettings, components: Sequence[Component], rows: Sequence[PlantedRow]
) -> RunFigures:
    is_scene = name.endswith("scene")
    strongest = rows[:_STRONGEST]
    # of those that are the cause, the one that is most where it is
    right = [row for row in strongest if row.cosine >= ENOUGH_COSINE] or strongest
    best = max(right, key=lambda row: abs(row.auc - 0.5) if is_scene else row.enrichment, default=None)
    stability = np.asarray([component.stability for component in components])
    stable = np.asarray([component.is_stable for component in components])
    place = math.nan
    if best is not None:
        place = max(best.auc, 1 - best.auc) if is_scene else best.enrichment
    return RunFigures(
        model=name,
        seed=seed,
        method=discovery.factoriser.name,
        components=len(components),
        confirmed=len(rows),
        place=place,
        cosine=math.nan if best is None else best.cosine,
        right_kinds=sum(row.kind == row.true_kind for row in rows),
        unclear_kinds=sum(row.kind == "unclear" for row in rows),
        stability=float(stability.mean()),
        unstable=int((~stable).sum()),
        stable=float(stability[stable].mean()) if stable.any() else math.nan,
    )


def _planted(
    world: DiscoveryWorld,
    name: str,
    layer: LayerDiscovery,
    component: Component,
    rank: int,
    discovery: DiscoverySettings,
    seed: int,
) -> PlantedRow:
    column = component.number - 1
    enrichment, ceiling = math.nan, math.nan
    if world.rule.cause != "scene":
        maps = PlacedMaps.of(world, layer)
        enrichment, ceiling = maps.enrichment(column), maps.own
    return PlantedRow(
        model=name,
        seed=seed,
        method=discovery.factoriser.name,
        rank=rank,
        component=component.name,
        enrichment=enrichment,
        ceiling=ceiling,
        auc=component.presence_auc,
        cosine=cosine_with_cause(world, layer, column),
        kind=component.kind,
        true_kind=world.true_kind,
        stability=component.stability,
        effect=component.effect,
    )


def cosine_with_cause(world: DiscoveryWorld, layer: LayerDiscovery, column: int) -> float:
    """Cosine of a component's CAV with the CAV of the planted cause, in absolute size."""
    clips, strong = layer.clips, layer.strong[layer.names[column]]
    pooled = clips.layers[layer.layer].pooled.take(clips.rows.tolist()).numpy().astype(float)
    cav = pooled[strong.clips[strong.strong]].mean(0) - pooled[strong.clips[~strong.strong]].mean(0)
    planted = pooled[world.has_cause].mean(0) - pooled[~world.has_cause].mean(0)
    return abs(float(cav @ planted / np.linalg.norm(cav) / np.linalg.norm(planted)))


@dataclass(frozen=True, kw_only=True, eq=False)
class PlacedMaps:
    """Maps of a layer's components beside the true masks, in clips that found nothing.

    Attributes:
        grid: of the layer.
        maps: of all components.
        masks: where the cause is, pixel by pixel.
    """

    grid: LayerGrid
    maps: Float[np.ndarray, "clip time height width component"]
    masks: Bool[np.ndarray, "clip frame row column"]

    @classmethod
    def of(cls, world: DiscoveryWorld, layer: LayerDiscovery) -> "PlacedMaps":
        """Of the clips that confirm and show the cause."""
        clips, components = layer.clips, layer.components
        chosen = [clip for clip in layer.confirming.tolist() if world.mask(clip).any()]
        maps = np.concatenate(list(components.maps(layer.store, clips.rows[chosen])))
        return cls(grid=components.grid, maps=maps, masks=np.stack([world.mask(clip) for clip in chosen]))

    def enrichment(self, column: int) -> float:
        """Share of a component's map in the mask, over the mask's share of the pixels."""
        return self._enrichment(_float(self.maps[..., column]))

    @property
    def own(self) -> float:
        """The same of the mask itself, seen through the grid: averaged around each position as a map is enlarged from it."""
        masks = _float(self.masks)
        grid = torch.zeros(len(masks), *self.grid.size, requires_grad=True)
        enlarged = to_clip(grid, self.grid.clip_shape, self.grid.spacings)
        # the gradient of a sum over pixels is, at each position, that sum weighted as the position is enlarged
        weighted = [
            torch.autograd.grad((enlarged * pixels).sum(), grid, retain_graph=True)[0]
            for pixels in (masks, torch.ones_like(masks))
        ]
        return self._enrichment(weighted[0] / weighted[1].clamp_min(1e-9))  # a position may lie outside the clip

    def _enrichment(self, maps: torch.Tensor) -> float:
        enlarged = to_clip(maps, self.grid.clip_shape, self.grid.spacings).numpy()
        return float((enlarged * self.masks).sum() / enlarged.sum() / self.masks.mean())


def _float(maps: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(maps.astype(np.float32))


def measure_all(
    names: Sequence[str], seeds: Sequence[int], methods: Sequence[str]
) -> Iterator[tuple[RunFigures, list[PlantedRow]]]:
    """Every network, seed and factorisation; NMF only where activations have no sign."""
    for name in names:
        for method in methods:
            if method == "nmf" and name.startswith("transformer"):
                continue
            for seed in seeds:
                yield measure_rendered(name, seed, DiscoverySettings(method=method))


def table(figures: Sequence[RunFigures]) -> pd.DataFrame:
    """A row a network and factorisation, over seeds."""
    frame = pd.DataFrame([asdict(each) for each in figures])
    scene = frame.model.str.endswith("scene")
    frame["reached"] = (frame.place >= np.where(scene, ENOUGH_AUC, ENOUGH_ENRICHMENT)) & (frame.cosine >= ENOUGH_COSINE)
    grouped = frame.groupby(["model", "method"], sort=False)
    sums = grouped[["right_kinds", "unclear_kinds", "confirmed", "unstable", "components"]].sum()
    means = grouped[["place", "cosine", "stability", "stable"]].mean().round(2)
    return pd.concat([grouped.reached.sum(), grouped.size().rename("runs"), means, sums], axis=1).reset_index()
