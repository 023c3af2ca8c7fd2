"""Procedural backgrounds: a tennis court, a lawn, a gym, a street, and coloured noise; each varies with its seed."""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import UInt8

from video_tcav.rendered.factors import Scene

Canvas = UInt8[np.ndarray, "height width 3"]
# OpenCV's fixed-point coordinates: 6 bits of fraction, so that lines thinner than a pixel are antialiased.
_SHIFT = 6
_ONE = 1 << _SHIFT


def draw_scene(scene: Scene, height: int, width: int, generator: np.random.Generator) -> Canvas:
    """Draw one picture of a scene, RGB, with colours and positions from the generator."""
    canvas = np.empty((height, width, 3), np.uint8)
    _SCENES[scene](canvas, generator)
    return canvas


# Coordinates are fractions of the picture, from the top left; numbers are by eye, and part of the format: another number
# would give other pixels to the packaged networks.
def _court(canvas: Canvas, generator: np.random.Generator) -> None:
    surface = _vary(generator, [(52, 102, 152), (72, 132, 92), (178, 98, 62)][generator.integers(3)], 10)
    surround = _vary(generator, [(58, 122, 92), (46, 92, 74), (120, 74, 56)][generator.integers(3)], 10)
    _gradient(canvas, 0.0, 0.34, (104, 128, 122), (78, 104, 98))
    for x in np.linspace(0, 1, 9) + generator.uniform(0, 0.1):
        _line(canvas, (x, 0.04), (x, 0.34), 0.008, (60, 76, 72))
    _fill(canvas, [(0, 0.34), (1, 0.34), (1, 1), (0, 1)], surround)
    shift = generator.uniform(-0.06, 0.06)
    _fill(canvas, [(0.2 + shift, 0.42), (0.8 + shift, 0.42), (1.16 + shift, 1), (-0.16 + shift, 1)], surface)
    white = _vary(generator, (238, 240, 236), 6)
    for left, right in (((0.2, 0.42), (-0.16, 1.0)), ((0.8, 0.42), (1.16, 1.0)), ((0.5, 0.58), (0.5, 1.0))):
        _line(canvas, (left[0] + shift, left[1]), (right[0] + shift, right[1]), 0.016, white)
    _line(canvas, (0.02 + shift, 0.7), (0.98 + shift, 0.7), 0.016, white)
    _fill(canvas, [(0, 0.42), (1, 0.42), (1, 0.55), (0, 0.55)], _vary(generator, (44, 58, 62), 6))
    for x in np.linspace(0, 1, 17):
        _line(canvas, (x, 0.42), (x, 0.55), 0.005, (84, 98, 100))
    _line(canvas, (0, 0.425), (1, 0.425), 0.022, white)


def _lawn(canvas: Canvas, generator: np.random.Generator) -> None:
    _gradient(canvas, 0.0, 0.5, _vary(generator, (132, 182, 226), 14), (206, 226, 238))
    tree = _vary(generator, (56, 112, 62), 16)
    for x in generator.uniform(-0.05, 1.05, 5):
        _disc(canvas, (x, generator.uniform(0.36, 0.44)), generator.uniform(0.08, 0.15), _vary(generator, tree, 10))
    _gradient(canvas, 0.47, 1.0, _vary(generator, (112, 162, 72), 14), _vary(generator, (74, 132, 52), 14))
    turf = _vary(generator, (98, 152, 66), 8)
    # Mown stripes that meet at a vanishing point.
    tops = np.linspace(-0.2, 1.2, 8)
    for x in tops[::2] + generator.uniform(0, 0.1):
        far = 0.5 + (x - 0.5) * 0.55
        _fill(
            canvas,
            [(far, 0.47), (far + 0.1, 0.47), (0.5 + (x + 0.18 - 0.5) * 1.6, 1), (0.5 + (x - 0.5) * 1.6, 1)],
            turf,
        )


def _gym(canvas: Canvas, generator: np.random.Generator) -> None:
    wall = _vary(generator, (214, 206, 190), 14)
    _gradient(canvas, 0.0, 0.56, wall, _vary(generator, (190, 180, 164), 8))
    pane = _vary(generator, (168, 202, 216), 12)
    for x in np.arange(-0.02, 1.0, 0.27) + generator.uniform(0, 0.08):
        _fill(canvas, [(x, 0.05), (x + 0.19, 0.05), (x + 0.19, 0.22), (x, 0.22)], pane)
        _line(canvas, (x + 0.095, 0.05), (x + 0.095, 0.22), 0.008, (236, 236, 230))
    bar = _vary(generator, (142, 96, 58), 12)
    for y in np.linspace(0.28, 0.5, 5):
        _line(canvas, (0, y), (1, y), 0.014, bar)
    for x in np.linspace(0.06, 0.94, 4):
        _line(canvas, (x, 0.26), (x, 0.54), 0.018, bar)
    _gradient(canvas, 0.56, 1.0, _vary(generator, (206, 160, 104), 12), _vary(generator, (172, 122, 72), 12))
    for x in np.linspace(-0.6, 1.6, 16):
        _line(canvas, (0.5 + (x - 0.5) * 0.6, 0.56), (x, 1.0), 0.006, (158, 110, 66))
    _line(canvas, (0, 0.82), (1, 0.82), 0.02, _vary(generator, (196, 60, 52), 16))


def _street(canvas: Canvas, generator: np.random.Generator) -> None:
    _gradient(canvas, 0.0, 0.3, _vary(generator, (170, 190, 206), 12), (214, 220, 222))
    # Houses from left to right until the picture is full.
    x = generator.uniform(-0.2, -0.02)
    while x < 1:
        wide, top = generator.uniform(0.2, 0.36), generator.uniform(0.02, 0.16)
        house = _vary(
            generator, [(152, 92, 76), (172, 152, 128), (118, 124, 136), (186, 168, 120)][generator.integers(4)], 12
        )
        _fill(canvas, [(x, top), (x + wide, top), (x + wide, 0.58), (x, 0.58)], house)
        glass = _vary(generator, (74, 88, 104), 12)
        for left in np.arange(x + 0.03, x + wide - 0.06, 0.085):
            for high in np.arange(top + 0.04, 0.5, 0.12):
                _fill(
                    canvas, [(left, high), (left + 0.05, high), (left + 0.05, high + 0.07), (left, high + 0.07)], glass
                )
        x += wide
    _gradient(canvas, 0.58, 0.7, _vary(generator, (176, 174, 170), 8), (160, 158, 154))
    _line(canvas, (0, 0.7), (1, 0.7), 0.014, (128, 126, 122))
    _gradient(canvas, 0.7, 1.0, _vary(generator, (92, 94, 98), 8), _vary(generator, (74, 76, 80), 8))
    for left in np.arange(-0.1, 1.1, 0.3) + generator.uniform(0, 0.2):
        _fill(canvas, [(left, 0.83), (left + 0.16, 0.83), (left + 0.15, 0.86), (left - 0.01, 0.86)], (226, 220, 196))


def _noise(canvas: Canvas, generator: np.random.Generator) -> None:
    height, width = canvas.shape[:2]
    # Coarse and fine noise: neither edges nor colours of any other scene.
    coarse = generator.integers(40, 216, (5, 5, 3)).astype(np.uint8)
    fine = generator.integers(0, 256, (14, 14, 3)).astype(np.uint8)
    large = [cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) for noise in (coarse, fine)]
    cv2.addWeighted(large[0], 0.65, large[1], 0.35, 0.0, dst=canvas)


_SCENES: dict[str, Callable[[Canvas, np.random.Generator], None]] = {
    "court": _court,
    "lawn": _lawn,
    "gym": _gym,
    "street": _street,
    "noise": _noise,
}


def _vary(generator: np.random.Generator, colour: tuple[int, ...], amount: int) -> tuple[int, ...]:
    return tuple(int(np.clip(channel + generator.integers(-amount, amount + 1), 0, 255)) for channel in colour)


def _gradient(canvas: Canvas, top: float, bottom: float, first: tuple[int, ...], last: tuple[int, ...]) -> None:
    height = len(canvas)
    start, stop = round(top * height), round(bottom * height)
    share = np.linspace(0, 1, max(1, stop - start))[:, None]
    rows = (1 - share) * np.asarray(first) + share * np.asarray(last)
    canvas[start:stop] = rows.astype(np.uint8)[:, None]


def _points(canvas: Canvas, points: list[tuple[float, float]]) -> np.ndarray:
    height, width = canvas.shape[:2]
    return np.round(np.asarray(points) * (width, height) * _ONE).astype(np.int32)


def _fill(canvas: Canvas, points: list[tuple[float, float]], colour: tuple[int, ...]) -> None:
    cv2.fillConvexPoly(canvas, _points(canvas, points), colour, cv2.LINE_AA, _SHIFT)


def _line(
    canvas: Canvas, start: tuple[float, float], end: tuple[float, float], thick: float, colour: tuple[int, ...]
) -> None:
    """A line whose thickness is a fraction of the height; below a pixel it becomes fainter instead."""
    height, width = canvas.shape[:2]
    first, last = np.asarray(start) * (width, height), np.asarray(end) * (width, height)
    along = last - first
    across = np.array([-along[1], along[0]]) / max(1e-6, float(np.hypot(*along))) * thick * height / 2
    corners = np.stack([first + across, last + across, last - across, first - across])
    cv2.fillConvexPoly(canvas, np.round(corners * _ONE).astype(np.int32), colour, cv2.LINE_AA, _SHIFT)


def _disc(canvas: Canvas, middle: tuple[float, float], radius: float, colour: tuple[int, ...]) -> None:
    (x, y), height = _points(canvas, [middle])[0], len(canvas)
    cv2.circle(canvas, (int(x), int(y)), round(radius * height * _ONE), colour, -1, cv2.LINE_AA, _SHIFT)
