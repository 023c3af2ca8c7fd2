"""The figure as convex shapes over time, from back to front, each with its colour and label."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex

from video_tcav.rendered.factors import Colour, Factors
from video_tcav.rendered.motions import SIT_BACK, Joints, Positions

# What a pixel belongs to; the arm is the one whose hand holds the object, and a part of the figure.
SCENE, BODY, ARM, OBJECT = range(4)
_STEPS = 7
# Unit vectors of a half circle and of a full one, as complex numbers: the ends of limbs, and discs.
_HALF_TURN = np.exp(1j * np.linspace(-np.pi / 2, np.pi / 2, _STEPS))
_ANGLES = np.linspace(0, 2 * np.pi, 2 * _STEPS, endpoint=False)
_COS, _SIN = np.cos(_ANGLES), np.sin(_ANGLES)
_TURN = _COS + 1j * _SIN
_SQUARE = np.array([-1 - 1j, 1 - 1j, 1 + 1j, -1 + 1j])


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One convex outline over time, in the figure's coordinates, with the label of its pixels for masks."""

    outline: Complex[np.ndarray, "frame corner"]
    colour: Colour
    label: int


def figure_shapes(factors: Factors, joints: Joints) -> Iterator[Shape]:
    """All shapes of the figure and its object, from back to front."""
    look = factors.nuisance.colours
    # Limbs on the far side are darker, which tells the sides apart without an outline.
    shorts, shoe = look.trousers, _shade(look.hair, 0.8)
    yield from _arm(joints.far_arm, _shade(look.shirt, 0.72), _shade(look.skin, 0.78), BODY)
    yield from _leg(joints.far_leg, _shade(shorts, 0.72), _shade(look.skin, 0.78), _shade(shoe, 0.8))
    yield from _leg(joints.near_leg, shorts, look.skin, shoe)
    yield _limb(joints.hip, joints.neck, 0.058, 0.064, look.shirt, BODY)
    yield _limb(joints.hip - 0.02j, joints.hip + 0.03j, 0.06, 0.057, shorts, BODY)
    yield _limb(joints.neck, joints.head, 0.028, 0.028, look.skin, BODY)
    yield _disc(joints.head - 0.012 + 0.022j, 0.068, look.hair, BODY)
    yield _disc(joints.head + 0.014, 0.058, look.skin, BODY)
    _, elbow, hand = joints.near_arm
    # A racket lies behind the hand that grips it; a box and a ball are in front.
    along = _unit(hand - elbow)
    if factors.object == "racket":
        yield from _racket(hand, along)
    yield from _arm(joints.near_arm, look.shirt, look.skin, ARM)
    if factors.object == "box":
        yield from _box(hand + 0.08 * along, along)
    elif factors.object == "ball":
        yield _disc(hand + 0.06 * along, 0.09, (206, 226, 54), OBJECT)
        yield _disc(hand + 0.06 * along + 0.02 + 0.024j, 0.044, (236, 246, 142), OBJECT)


def seat_shape(frames: int) -> Shape:
    """The stool that "sit down" and "stand up" need; it belongs to the scene."""
    corners = -SIT_BACK - 0.01 + np.array([-0.11 + 0.2j, 0.11 + 0.2j, 0.09, -0.09])
    return Shape(outline=np.broadcast_to(corners, (frames, 4)), colour=(126, 92, 66), label=SCENE)


def shadow_shape(hip: Positions) -> Shape:
    """The figure's shadow on the ground."""
    oval = 0.24 * _COS + 0.04j * _SIN - 0.02j
    return Shape(outline=np.real(hip)[:, None] + oval, colour=(20, 20, 24), label=SCENE)


def _arm(joints: tuple[Positions, ...], sleeve: Colour, skin: Colour, label: int) -> Iterator[Shape]:
    shoulder, elbow, hand = joints
    yield _limb(elbow, hand, 0.03, 0.025, skin, label)
    yield _limb(shoulder, elbow, 0.037, 0.032, sleeve, label)
    yield _disc(hand, 0.03, skin, label)


def _leg(joints: tuple[Positions, ...], cloth: Colour, skin: Colour, shoe: Colour) -> Iterator[Shape]:
    hip, knee, ankle, toe = joints
    yield _limb(knee, ankle, 0.038, 0.027, skin, BODY)
    yield _limb(ankle, toe, 0.03, 0.022, shoe, BODY)
    yield _limb(hip, knee, 0.055, 0.043, cloth, BODY)


def _racket(hand: Positions, along: Positions) -> Iterator[Shape]:
    yield _limb(hand - 0.03 * along, hand + 0.14 * along, 0.018, 0.018, (58, 52, 60), OBJECT)
    for long, wide, colour in ((0.16, 0.12, (196, 52, 60)), (0.126, 0.086, (238, 236, 214))):
        oval = long * _COS + 1j * wide * _SIN
        yield Shape(outline=(hand + 0.275 * along)[:, None] + along[:, None] * oval, colour=colour, label=OBJECT)


def _box(middle: Positions, along: Positions) -> Iterator[Shape]:
    for half, colour in ((0.115, (138, 92, 48)), (0.086, (190, 140, 84))):
        yield Shape(outline=middle[:, None] + half * along[:, None] * _SQUARE, colour=colour, label=OBJECT)


def _limb(
    start: Positions, end: Positions, first_radius: float, last_radius: float, colour: Colour, label: int
) -> Shape:
    """A tapered limb with round ends."""
    cap = _unit(end - start)[:, None] * _HALF_TURN
    outline = np.concatenate([end[:, None] + last_radius * cap, start[:, None] - first_radius * cap], axis=1)
    return Shape(outline=outline, colour=colour, label=label)


def _disc(middle: Positions, radius: float, colour: Colour, label: int) -> Shape:
    return Shape(outline=middle[:, None] + radius * _TURN, colour=colour, label=label)


def _unit(along: Positions) -> Positions:
    return along / np.abs(along)


def _shade(colour: Colour, share: float) -> Colour:
    red, green, blue = (round(channel * share) for channel in colour)
    return red, green, blue
