"""Factors of a rendered clip: three independent causes (motion, object, scene), and nuisances; random sampling of both."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any, Literal, get_args

import numpy as np

from video_tcav.core import random_streams
from video_tcav.core.checks import one_of
from video_tcav.core.errors import InputError

Motion = Literal["swing", "wave", "jack", "walk", "run", "kick", "throw", "still", "sit down", "stand up"]
Object = Literal["racket", "ball", "box", "none"]
Scene = Literal["court", "lawn", "gym", "street", "noise"]
Colour = tuple[int, int, int]
Factor = Literal["motion", "object", "scene"]

MOTIONS: tuple[Motion, ...] = get_args(Motion)
OBJECTS: tuple[Object, ...] = get_args(Object)
SCENES: tuple[Scene, ...] = get_args(Scene)
FACTORS: dict[Factor, tuple[str, ...]] = {"motion": MOTIONS, "object": OBJECTS, "scene": SCENES}
POSES: tuple[Motion, ...] = ("swing", "wave", "jack", "walk", "run", "kick", "throw")
# The two motions that differ in the order of their frames alone.
ORDERED: tuple[Motion, ...] = ("sit down", "stand up")

# The stream of clips of training alone: nothing is measured on them.
TRAINING = 1

_SKIN: tuple[Colour, ...] = ((241, 205, 178), (224, 178, 142), (187, 134, 96), (133, 88, 62), (92, 60, 44))
_HAIR: tuple[Colour, ...] = ((40, 30, 26), (92, 60, 36), (176, 130, 72), (120, 120, 124), (150, 66, 36))
_CLOTH: tuple[Colour, ...] = (
    (214, 60, 56),
    (238, 142, 48),
    (242, 206, 72),
    (240, 240, 236),
    (74, 160, 98),
    (56, 112, 196),
    (122, 82, 170),
    (48, 52, 66),
    (226, 130, 164),
    (92, 186, 200),
)


@dataclass(frozen=True, kw_only=True)
class Colours:
    """Colours of the figure, RGB."""

    skin: Colour = _SKIN[1]
    hair: Colour = _HAIR[0]
    shirt: Colour = _CLOTH[0]
    trousers: Colour = _CLOTH[5]


@dataclass(frozen=True, kw_only=True)
class Nuisance:
    """Factors that vary from clip to clip and decide nothing.

    Attributes:
        scale: height of the standing figure, as a fraction of the picture's height.
        x: position of the figure from the middle, as a fraction of the width.
        y: position of its feet, as a fraction of the height from the top.
        speed: tempo of the motion, 1 is usual.
        phase: where in its cycle the motion starts, in [0, 1).
        mirrored: whether it faces left.
        backwards: whether the motion is played backwards; "sit down" and "stand up" never are.
        pose_of: the motion whose pose a "still" figure holds.
        colours: of skin, hair, shirt and trousers.
        light: brightness, 1 is usual.
        shake: how far the camera shakes, as a fraction of the height.
        noise: standard deviation of the sensor noise, in grey levels.
        detail: seed of everything small: the scene's texture, the path of the shake, the noise.
    """

    scale: float = 0.72
    x: float = 0.0
    y: float = 0.9
    speed: float = 1.0
    phase: float = 0.0
    mirrored: bool = False
    backwards: bool = False
    pose_of: Motion = "swing"
    colours: Colours = Colours()
    light: float = 1.0
    shake: float = 0.0
    noise: float = 0.0
    detail: int = 0


@dataclass(frozen=True, kw_only=True)
class Factors:
    """All factors of one clip; the same factors give the same pixels.

    Attributes:
        motion: what the figure does.
        object: what it holds.
        scene: where it is.
        nuisance: all other factors.
    """

    motion: Motion
    object: Object
    scene: Scene
    nuisance: Nuisance = Nuisance()

    def with_factor(self, factor: Factor, value: str) -> "Factors":
        """The same clip with one factor set to another value: an intervention.

        Raises:
            InputError: for a factor or value that the world does not have.
        """
        return replace(self, **{factor: check_value(factor, value)})

    def to_dict(self) -> dict[str, Any]:
        """One flat row, as in a manifest: the three factors, and each nuisance and colour."""
        row: dict[str, Any] = {"motion": self.motion, "object": self.object, "scene": self.scene}
        for name, value in asdict(self.nuisance).items():
            row |= value if name == "colours" else {name: value}
        return row


def check_value(factor: str, value: str) -> Any:
    """Return `value`, or raise if the factor cannot take it."""
    return one_of(factor, value, FACTORS[one_of("factor", factor, tuple(FACTORS))])


def sample_factors(
    count: int,
    *,
    seed: int,
    motion: str | Iterable[str] | None = None,
    object: str | Iterable[str] | None = None,
    scene: str | Iterable[str] | None = None,
    backwards: bool | None = None,
    stream: int = 0,
) -> list[Factors]:
    """Draw clips at random; every factor is independent of every other.

    Args:
        count: how many.
        seed: same seed, same clips.
        motion: one motion, or those to draw from; all but `sit down` and `stand up` if not given.
        object: likewise; all if not given.
        scene: likewise; all if not given.
        backwards: whether motions are played backwards; half of them if not given.
        stream: clips of different streams are independent, whatever their seeds; training has `TRAINING` for itself.

    Raises:
        InputError: for a value that the world does not have.
    """
    generator = np.random.default_rng([seed, random_streams.RENDERED_FACTORS + stream])
    allowed = {
        "motion": _allowed("motion", motion, [name for name in MOTIONS if name not in ORDERED]),
        "object": _allowed("object", object, OBJECTS),
        "scene": _allowed("scene", scene, SCENES),
    }
    return [_draw(generator, allowed, backwards) for _ in range(count)]


def balanced_pool(motions: Sequence[str], at_least: int, *, seed: int) -> list[Factors]:
    """A balanced design: every combination of motion, object and scene equally often, each clip also played backwards.

    A concept drawn from it differs from the other clips in its own factor alone, and no motion but "sit down" and "stand up"
    has an order of frames, so that any other significant effect is a false alarm.

    Args:
        motions: that clips show.
        at_least: clips; rounded up to whole designs.
        seed: of the nuisances.
    """
    combinations = list(product(motions, FACTORS["object"], FACTORS["scene"]))
    count = -(-at_least // (2 * len(combinations))) * len(combinations)  # rounded up
    drawn = sample_factors(2 * count, seed=seed)
    clips = [
        replace(clip, motion=motion, object=item, scene=scene)  # pyright: ignore[reportArgumentType]
        for clip, (motion, item, scene) in zip(drawn, combinations * (2 * count // len(combinations)), strict=True)
    ]
    for number, clip in enumerate(clips[:count]):
        # Ordered motions are never played backwards: their second half is drawn independently.
        if clip.motion not in ORDERED:
            nuisance = replace(clip.nuisance, backwards=not clip.nuisance.backwards)
            clips[count + number] = replace(clip, nuisance=nuisance)
    return clips


def _allowed(factor: Factor, values: str | Iterable[str] | None, default: Sequence[str]) -> list[str]:
    names = default if values is None else [values] if isinstance(values, str) else list(values)
    if not names:
        raise InputError(f"`{factor}` must name a value. Got none. Choose from {', '.join(FACTORS[factor])}.")
    return [check_value(factor, name) for name in names]


def _draw(generator: np.random.Generator, allowed: dict[str, list[str]], backwards: bool | None) -> Factors:
    # The order of the draws is part of the format: another one would give other clips for every seed.
    chosen: dict[str, Any] = {name: values[generator.integers(len(values))] for name, values in allowed.items()}
    reverse = bool(generator.random() < 0.5)
    nuisance = Nuisance(
        scale=float(generator.uniform(0.62, 0.8)),
        x=float(generator.uniform(-0.14, 0.14)),
        y=float(generator.uniform(0.86, 0.95)),
        speed=float(generator.uniform(0.85, 1.2)),
        phase=float(generator.random()),
        mirrored=bool(generator.random() < 0.5),
        backwards=reverse if backwards is None else backwards,
        pose_of=POSES[generator.integers(len(POSES))],
        colours=Colours(
            skin=_SKIN[generator.integers(len(_SKIN))],
            hair=_HAIR[generator.integers(len(_HAIR))],
            shirt=_CLOTH[generator.integers(len(_CLOTH))],
            trousers=_CLOTH[generator.integers(len(_CLOTH))],
        ),
        light=float(generator.uniform(0.75, 1.15)),
        shake=float(generator.uniform(0.0, 0.02)),
        noise=float(generator.uniform(0.0, 8.0)),
        detail=int(generator.integers(2**31)),
    )
    return Factors(**chosen, nuisance=nuisance)
