"""The figure as painted parts: convex outlines over time, from back to front, with their colours and what they belong to."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex

from video_tcav.rendered.factors import Colour, Factors
from video_tcav.rendered.motions import Joints, Places

SCENE, BODY, ARM, OBJECT = range(4)
"""What a pixel belongs to; the arm is the one whose hand holds the object, and a part of the figure."""
_STEPS = 7
_HALF_TURN = np.exp(1j * np.linspace(-np.pi / 2, np.pi / 2, _STEPS))
_ANGLES = np.linspace(0, 2 * np.pi, 2 * _STEPS, endpoint=False)
_COS, _SIN = np.cos(_ANGLES), np.sin(_ANGLES)
_TURN = _COS + 1j * _SIN
_SQUARE = np.array([-1 - 1j, 1 - 1j, 1 + 1j, -1 + 1j])


@dataclass(frozen=True, kw_only=True)
class Part:
    """One convex outline over time.

    Attributes:
        outline: corners, in the figure's coordinates.
        colour: RGB.
        label: what its pixels belong to.
    """

    outline: Complex[np.ndarray, "frame corner"]
    colour: Colour
    label: int


def figure_parts(factors: Factors, joints: Joints) -> Iterator[Part]:
    """All parts of the figure and its object, the hindmost first."""
    look = factors.nuisance.colours
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
    along = _unit(hand - elbow)
    if factors.object == "racket":
        yield from _racket(hand, along)
    yield from _arm(joints.near_arm, look.shirt, look.skin, ARM)
    if factors.object == "box":
        yield from _box(hand + 0.08 * along, along)
    elif factors.object == "ball":
        yield _disc(hand + 0.06 * along, 0.09, (206, 226, 54), OBJECT)
        yield _disc(hand + 0.06 * along + 0.02 + 0.024j, 0.044, (236, 246, 142), OBJECT)


def seat_part(middle: float, height: float, frames: int) -> Part:
    """The stool that "sit down" and "stand up" need; it belongs to the scene."""
    corners = middle + np.array([-0.11 + 1j * height, 0.11 + 1j * height, 0.09, -0.09])
    return Part(outline=np.broadcast_to(corners, (frames, 4)), colour=(126, 92, 66), label=SCENE)


def shadow_part(hip: Places) -> Part:
    """The figure's shadow on the ground."""
    oval = 0.24 * _COS + 0.04j * _SIN - 0.02j
    return Part(outline=np.real(hip)[:, None] + oval, colour=(20, 20, 24), label=SCENE)


def _arm(joints: tuple[Places, ...], sleeve: Colour, skin: Colour, label: int) -> Iterator[Part]:
    shoulder, elbow, hand = joints
    yield _limb(elbow, hand, 0.03, 0.025, skin, label)
    yield _limb(shoulder, elbow, 0.037, 0.032, sleeve, label)
    yield _disc(hand, 0.03, skin, label)


def _leg(joints: tuple[Places, ...], cloth: Colour, skin: Colour, shoe: Colour) -> Iterator[Part]:
    hip, knee, ankle, toe = joints
    yield _limb(knee, ankle, 0.038, 0.027, skin, BODY)
    yield _limb(ankle, toe, 0.03, 0.022, shoe, BODY)
    yield _limb(hip, knee, 0.055, 0.043, cloth, BODY)


def _racket(hand: Places, along: Places) -> Iterator[Part]:
    yield _limb(hand - 0.03 * along, hand + 0.14 * along, 0.018, 0.018, (58, 52, 60), OBJECT)
    for long, wide, colour in ((0.16, 0.12, (196, 52, 60)), (0.126, 0.086, (238, 236, 214))):
        oval = long * _COS + 1j * wide * _SIN
        yield Part(outline=(hand + 0.275 * along)[:, None] + along[:, None] * oval, colour=colour, label=OBJECT)


def _box(middle: Places, along: Places) -> Iterator[Part]:
    for half, colour in ((0.115, (138, 92, 48)), (0.086, (190, 140, 84))):
        yield Part(outline=middle[:, None] + half * along[:, None] * _SQUARE, colour=colour, label=OBJECT)


def _limb(start: Places, end: Places, first_radius: float, last_radius: float, colour: Colour, label: int) -> Part:
    """A tapered limb with round ends."""
    cap = _unit(end - start)[:, None] * _HALF_TURN
    outline = np.concatenate([end[:, None] + last_radius * cap, start[:, None] - first_radius * cap], axis=1)
    return Part(outline=outline, colour=colour, label=label)


def _disc(middle: Places, radius: float, colour: Colour, label: int) -> Part:
    return Part(outline=middle[:, None] + radius * _TURN, colour=colour, label=label)


def _unit(along: Places) -> Places:
    return along / np.abs(along)


def _shade(colour: Colour, share: float) -> Colour:
    red, green, blue = (round(part * share) for part in colour)
    return red, green, blue
