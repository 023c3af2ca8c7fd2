"""Every layer for itself: what a discovery finds, confirms and could at most see on the grid of each layer."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from benchmarks.discovery.rendered import ENOUGH_COSINE, PlacedMaps, cosine_with_cause
from benchmarks.discovery.runs import LEVEL, discovered, recorded, tested
from benchmarks.discovery.worlds import CLASS_CLIPS, DiscoveryWorld

from video_tcav.discovery.removal import layer_removals
from video_tcav.discovery.settings import DiscoverySettings
from video_tcav.gram.concept_test import TestSettings

_STRONGEST = 3


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """One layer of one run.

    Attributes:
        model: name of the network.
        seed: of clips and run.
        layer: dotted module name.
        step_px: from one position of the grid to the next.
        own: enrichment of the cause's own mask, seen through the grid.
        stable: best enrichment of a stable component, whatever its tests say.
        present: the best of those whose presence differs between class and random clips, and whose CAV is that of the cause.
        right_sign: share of these whose effect has the sign of that difference; NaN where there is none.
        right_removal: share of these whose removal, where they are, changes the target of clips with them in that direction.
        confirmed: the best of the three strongest confirmed ones with the CAV of the cause, all layers searched together.
        alone: likewise, with this layer searched alone.
    """

    model: str
    seed: int
    layer: str
    step_px: float
    own: float
    stable: float
    present: float
    right_sign: float
    right_removal: float
    confirmed: float
    alone: float


def measure_layers(name: str, seed: int, *, class_clips: int = CLASS_CLIPS, permutations: int = 9999) -> list[LayerRow]:
    """All stages of one network whose cause has a place."""
    world = DiscoveryWorld.sample(name, seed, class_clips=class_clips, random_clips=2 * class_clips)
    settings = TestSettings(permutations=permutations, random_sets=2, seed=seed)
    with recorded(world, class_clips, seed) as (clips, runner):
        layers, components = discovered(clips, runner, DiscoverySettings(), settings)
        strongest = {component.name for component in components[:_STRONGEST] if component.confirmed}
        rows = []
        for layer in layers:
            maps = PlacedMaps.of(world, layer)
            own = [component for component in components if component.layer == layer.layer]
            alone = [each.name for each in tested([layer], runner)[:_STRONGEST] if each.confirmed]
            facts = pd.DataFrame(
                {
                    "name": component.name,
                    "is_more_in_class": component.is_more_in_class,
                    "enrichment": maps.enrichment(component.number - 1),
                    "is_cause": cosine_with_cause(world, layer, component.number - 1) >= ENOUGH_COSINE,
                    "stable": component.is_stable,
                    "present": component.presence_p <= LEVEL,
                    "right_sign": (component.effect > 0) == component.is_more_in_class,
                }
                for component in own
            )
            of_cause = facts[facts.is_cause]
            present = of_cause[of_cause.stable & of_cause.present]
            taken_out = layer_removals(layer, [name for name in present.name if name in layer.comparisons], runner)
            rightly = [
                (taken_out[name].lost.mean() > 0) == more
                for name, more in zip(present.name, present.is_more_in_class, strict=True)
                if name in taken_out
            ]
            rows.append(
                LayerRow(
                    model=name,
                    seed=seed,
                    layer=layer.layer,
                    step_px=layer.components.grid.spacings[2].step,
                    own=maps.own,
                    stable=float(facts[facts.stable].enrichment.max()),
                    present=float(present.enrichment.max()),
                    right_sign=float(present.right_sign.mean()) if len(present) else np.nan,
                    right_removal=float(np.mean(rightly)) if rightly else np.nan,
                    confirmed=float(of_cause[of_cause.name.isin(strongest)].enrichment.max()),
                    alone=float(of_cause[of_cause.name.isin(alone)].enrichment.max()),
                )
            )
    return rows


def measure_all_layers(names: Sequence[str], seeds: Sequence[int]) -> Iterator[list[LayerRow]]:
    """Every network whose cause has a place, and every seed; scenes fill the picture."""
    for name in names:
        if not name.endswith("scene"):
            for seed in seeds:
                yield measure_layers(name, seed)


def layer_table(rows: Sequence[LayerRow]) -> pd.DataFrame:
    """A row a network and layer: means over seeds of what the grid allows, and a number a seed of what was found."""
    frame = pd.DataFrame([asdict(row) for row in rows])
    grouped = frame.groupby(["model", "layer"], sort=False)
    means = grouped[["step_px", "own", "right_sign", "right_removal"]].mean().round(2)
    each = grouped[["stable", "present", "confirmed", "alone"]].agg(
        lambda values: ", ".join("–" if np.isnan(value) else f"{value:.1f}" for value in values)
    )
    return means.join(each).reset_index()
