"""A small discovery, made without any model: four components whose places, moments and effects are known."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from video_tcav.discovery import Component, ComponentMaps, DiscoveredClip, DiscoveryResult, ExplainedShare
from video_tcav.media import file_digest, write_video
from video_tcav.models.axes.spacing import Spacing
from video_tcav.tcav.completeness import ShareOfConcept

FRAMES, SIDE = 8, 32
GRID = (4, 4, 4)
N_CLIPS = 8  # of the class, and as many random ones; half of each confirms
RAISING, LOWERING, UNSTABLE, RARE = (f"component-{number}@stages.2" for number in (1, 2, 3, 4))
CORNER = (slice(3, 4), slice(0, 1), slice(3, 4))  # last quarter of the clip, upper right corner


def component(number: int, **fields: Any) -> Component:
    """A component that is confirmed and raises the class, with other values of some fields."""
    shares = dict.fromkeys(("freezing", "reversal", "shuffling"), (0.1, 0.02, 0.2))
    values: dict[str, Any] = {
        f"{name}{end}": value
        for name, triple in shares.items()
        for end, value in zip(("", "_low", "_high"), triple, strict=True)
    }
    values |= {
        "name": f"component-{number}@stages.2",
        "layer": "stages.2",
        "number": number,
        "kind": "motion",
        "stability": 0.9,
        "presence_class": 1.5,
        "presence_random": 0.0,
        "presence_auc": 0.93,
        "presence_p": 0.0005,
        "effect": 2.4,
        "effect_low": 1.1,
        "effect_high": 3.7,
        "effect_p": 0.001,
        "cav_auc": 0.9,
        "p_value": 0.001,
        "p_adjusted": 0.004,
        "confirmed": True,
        "confirmed_by": "slope",
        "n_strong_clips": 4,
        "n_clips": N_CLIPS,
        "n_groups": N_CLIPS,
    }
    return Component(**values | fields)


def components() -> tuple[Component, ...]:
    less: dict[str, Any] = {"presence_class": -1.0, "presence_auc": 0.1, "kind": "appearance"}
    nothing = dict.fromkeys(("effect", "effect_low", "effect_high", "cav_auc"), math.nan)
    open_: dict[str, Any] = {"confirmed": False, "confirmed_by": "", "p_adjusted": 1.0, "kind": "unclear"}
    return (
        component(1, step=2.2, step_low=1.0, step_high=3.4),
        component(2, effect=-1.2, effect_low=-2.0, effect_high=-0.4, **less),
        component(3, stability=0.3, effect=0.4, effect_low=-0.5, effect_high=1.3, effect_p=0.3, p_value=0.3, **open_),
        component(4, effect_p=1.0, p_value=1.0, **nothing, **open_),
    )


def explained() -> ExplainedShare:
    """Of the two confirmed components: three quarters, nearly all by the first."""
    shares = [
        ShareOfConcept(concept=name, share=share, share_low=share - 0.1, share_high=share + 0.1, sampling_error=0.0)
        for name, share in ((RAISING, 0.7), (LOWERING, 0.05))
    ]
    return ExplainedShare(
        target="playing tennis",
        against="log_odds",
        layer="stages.2",
        explained=0.75,
        explained_low=0.6,
        explained_high=0.85,
        exchanged=-0.02,
        exchanged_high=0.04,
        all_directions=0.9,
        difference=6.0,
        predicted_difference=5.0,
        n_clips=N_CLIPS,
        n_groups=N_CLIPS,
        shares=tuple(shares),
    )


def write_clips(folder: Path) -> dict[str, str]:
    """Grey videos, lighter from frame to frame; their digests by path."""
    folder.mkdir(parents=True, exist_ok=True)
    digests = {}
    for number in range(2 * N_CLIPS):
        path = folder / f"clip-{number:02d}.mp4"
        grey = torch.arange(80, 80 + 4 * FRAMES, 4)[:, None, None, None].expand(-1, 3, SIDE, SIDE) + number
        write_video(path, grey.to(torch.uint8).contiguous(), fps=10)
        digests[str(path)] = file_digest(path)
    return digests


def sample_discovery(folder: Path, **fields: Any) -> DiscoveryResult:
    """A discovery in videos that it writes into a folder.

    The second half of the class clips and of the random clips confirms. Component 1 lies in a corner at the end, component 2 in
    the left half, component 3 everywhere.
    """
    digests = write_clips(folder / "clips")
    clips = tuple(
        DiscoveredClip(
            clip=path,
            window=0,
            path=path,
            start_s=None,
            end_s=None,
            group=path,
            of_class=number < N_CLIPS,
            half="find" if number % N_CLIPS < N_CLIPS // 2 else "confirm",
        )
        for number, path in enumerate(digests)
    )
    confirming = tuple(number for number, clip in enumerate(clips) if clip.half == "confirm")
    values = np.zeros((4, len(confirming), *GRID), np.float16)
    values[(0, slice(None), *CORNER)] = 2
    values[1, :, :, :, :2] = 1
    values[2] = 1
    rows = components()
    falling = np.linspace(3, -1, len(clips))
    return DiscoveryResult(
        **{
            "target": "playing tennis",
            "against": "log_odds",
            "at": "random",
            "method": "sparse",
            "alpha": 0.05,
            "components": rows,
            "names": {},
            "explained": explained(),
            "clips": clips,
            "presences": {row.name: falling if row.presence_auc > 0.5 else -falling for row in rows},
            "maps": (
                ComponentMaps(
                    layer="stages.2",
                    clips=confirming,
                    values=values,
                    spacings=tuple(Spacing(first=first, step=step) for first, step in ((0.5, 2), (3.5, 8), (3.5, 8))),
                    clip_shape=(FRAMES, SIDE, SIDE),
                ),
            ),
            "skipped": (),
            "warnings": ("The clips are few.",),
            "provenance": {
                "video_tcav": "0.1.0",
                "created": "2026-01-01T00:00:00+00:00",
                "settings": {"windows": 1, "seed": 0},
                "model": {"name": "tiny", "weights": "ab" * 32},
                "clip_spec": {"frames": FRAMES, "size": [SIDE, SIDE], "resize": None, "sampling": "dense"},
                "clips": {"class": digests},
            },
            "seconds": {"passes": 1.0},
            **fields,
        }
    )
