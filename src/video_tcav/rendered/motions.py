"""Kinematics of the figure: joint angles over time for each motion, and the joint positions that follow from them.

Angles are in degrees from straight down; positive turns forwards, the way the figure faces. Positions are complex numbers,
forwards + i · upwards, in heights of the standing figure; the origin is on the ground below the hips where it stands.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from video_tcav.rendered.factors import ORDERED, Motion, Nuisance

Positions = Complex[np.ndarray, " frame"]
# Degrees: one number, or one for each frame.
Angle = Any
# Lengths of the limbs, in heights of the figure.
TORSO, NECK, UPPER_ARM, FOREARM, THIGH, SHIN, FOOT = 0.28, 0.1, 0.16, 0.17, 0.235, 0.235, 0.07
# Distance that the hips move down and back when the figure sits, in heights of the figure.
SIT_DROP, SIT_BACK = 0.21, 0.2


@dataclass(kw_only=True)
class Pose:
    """Joint angles over time. `near` is the side of the hand that holds the object.

    Attributes:
        lean: of the torso, forwards.
        near_arm: upper arm and the elbow's bend, near side.
        far_arm: the same on the far side.
        near_leg: thigh and the knee's bend (negative bends the shin backwards), near side.
        far_leg: the same on the far side.
        ahead: shift of the hips forwards.
        lift: of the lower foot from the ground.
    """

    lean: Angle = 0.0
    near_arm: tuple[Angle, Angle] = (8.0, 12.0)
    far_arm: tuple[Angle, Angle] = (-8.0, 12.0)
    near_leg: tuple[Angle, Angle] = (5.0, -4.0)
    far_leg: tuple[Angle, Angle] = (-5.0, -4.0)
    ahead: Angle = 0.0
    lift: Angle = 0.0


@dataclass(frozen=True, kw_only=True)
class Joints:
    """Joint positions over time. Arms are shoulder, elbow, hand; legs hip, knee, ankle, toe."""

    hip: Positions
    neck: Positions
    head: Positions
    near_arm: tuple[Positions, ...]
    far_arm: tuple[Positions, ...]
    near_leg: tuple[Positions, ...]
    far_leg: tuple[Positions, ...]


def joints_over_time(motion: Motion, nuisance: Nuisance, frames: int) -> Joints:
    """Position of every joint in every frame; of the nuisance, tempo, phase, pose and direction of time are used."""
    times = np.arange(frames) / max(1, frames - 1)
    if motion == "stand up" or (nuisance.backwards and motion not in ORDERED):
        times = times[::-1]
    if motion in ORDERED:
        # Starts after 8 to 32 % of the clip and takes about half of it, so that both ends are still.
        start = 0.08 + 0.24 * nuisance.phase
        return place_joints(_sit(_smooth((times - start) / (0.55 / nuisance.speed))), frames)
    if motion == "still":
        # One pose of another motion, at the phase of the clip.
        times, motion = np.zeros(frames), nuisance.pose_of
    tempo, pose = _MOTIONS[motion]
    return place_joints(pose(2 * np.pi * (tempo * nuisance.speed * times + nuisance.phase)), frames)


def place_joints(pose: Pose, frames: int) -> Joints:
    """Forward kinematics: joint positions from joint angles."""
    ground = np.zeros(frames, complex)
    near_leg = _chain(ground, pose.near_leg, (THIGH, SHIN))
    far_leg = _chain(ground, pose.far_leg, (THIGH, SHIN))
    # The lower foot stands on the ground, whatever the legs do.
    lowest = np.minimum(np.imag(near_leg[-1]), np.imag(far_leg[-1]))
    hip = pose.ahead + 1j * (pose.lift - lowest)
    neck = hip + TORSO * direction(180 - pose.lean)
    return Joints(
        hip=hip,
        neck=neck,
        head=neck + NECK * direction(180 - 0.6 * pose.lean),
        near_arm=_chain(neck, pose.near_arm, (UPPER_ARM, FOREARM)),
        far_arm=_chain(neck, pose.far_arm, (UPPER_ARM, FOREARM)),
        near_leg=_with_foot(tuple(hip + position for position in near_leg), pose.near_leg),
        far_leg=_with_foot(tuple(hip + position for position in far_leg), pose.far_leg),
    )


def direction(degrees: Angle) -> Any:
    """Unit vector at an angle from straight down."""
    return -1j * np.exp(1j * np.deg2rad(degrees))


def _chain(start: Positions, angles: tuple[Angle, Angle], lengths: tuple[float, float]) -> tuple[Positions, ...]:
    upper, bend = angles
    middle = start + lengths[0] * direction(upper)
    return start, middle, middle + lengths[1] * direction(upper + bend)


def _with_foot(leg: tuple[Positions, ...], angles: tuple[Angle, Angle]) -> tuple[Positions, ...]:
    # Feet stay nearly flat: they follow only part of the shin's angle, within what an ankle allows.
    tilt = np.clip(angles[0] + angles[1], -60, 40)
    return (*leg, leg[-1] + FOOT * direction(82 + 0.8 * tilt))


def _smooth(progress: Float[np.ndarray, " frame"]) -> Float[np.ndarray, " frame"]:
    # Smoothstep 3t² - 2t³: starts and ends at rest.
    share = np.clip(progress, 0, 1)
    return share * share * (3 - 2 * share)


def _swing(phase: np.ndarray) -> Pose:
    back = np.cos(phase)
    return Pose(
        lean=8 - 7 * back,
        near_arm=(38 - 92 * back, 20 + 14 * back),
        far_arm=(32 + 22 * back, 48.0),
        near_leg=(20 - 6 * back, -16.0),
        far_leg=(-22 - 4 * back, -14.0),
        ahead=-0.035 * back,
    )


def _throw(phase: np.ndarray) -> Pose:
    back = np.cos(phase)
    return Pose(
        lean=4 - 14 * back,
        near_arm=(148 + 52 * back, 44 + 44 * back),
        far_arm=(60 + 24 * back, 12.0),
        near_leg=(-18 + 14 * back, -12.0),
        far_leg=(20 + 10 * back, -14.0),
        ahead=-0.05 * back,
    )


def _wave(phase: np.ndarray) -> Pose:
    return Pose(near_arm=(128 + 6 * np.sin(phase), 42 + 40 * np.sin(phase)), lean=1.5 * np.sin(phase))


def _jack(phase: np.ndarray) -> Pose:
    out = (1 - np.cos(phase)) / 2
    return Pose(
        near_arm=(14 + 148 * out, 6.0),
        far_arm=(-14 - 148 * out, -6.0),
        near_leg=(4 + 24 * out, -2.0),
        far_leg=(-4 - 24 * out, 2.0),
        lift=0.06 * np.sin(phase) ** 2,
    )


def _walk(phase: np.ndarray) -> Pose:
    stride = np.sin(phase)
    return Pose(
        lean=3.0,
        near_arm=(-24 * stride, 16.0),
        far_arm=(24 * stride, 16.0),
        near_leg=(26 * stride, -8 - 34 * np.clip(np.cos(phase), 0, 1)),
        far_leg=(-26 * stride, -8 - 34 * np.clip(-np.cos(phase), 0, 1)),
        ahead=0.04 * np.sin(phase / 3),
    )


def _run(phase: np.ndarray) -> Pose:
    stride = np.sin(phase)
    return Pose(
        lean=14.0,
        near_arm=(-48 * stride - 4, 84.0),
        far_arm=(48 * stride - 4, 84.0),
        near_leg=(46 * stride + 8, -30 - 66 * np.clip(np.cos(phase), 0, 1)),
        far_leg=(-46 * stride + 8, -30 - 66 * np.clip(-np.cos(phase), 0, 1)),
        ahead=0.05 * np.sin(phase / 3),
        lift=0.045 * np.sin(phase) ** 2,
    )


def _kick(phase: np.ndarray) -> Pose:
    forth = (1 - np.cos(phase)) / 2
    return Pose(
        lean=6 - 24 * forth,
        near_arm=(30 - 60 * forth, 18.0),
        far_arm=(-34 + 84 * forth, 18.0),
        near_leg=(-30 + 118 * forth, -64 * (1 - forth) ** 1.5 - 4),
        far_leg=(-4.0, -6.0),
    )


def _sit(down: np.ndarray) -> Pose:
    bow = np.sin(np.pi * down)
    return Pose(
        lean=4 + 34 * bow,
        near_arm=(12 + 36 * down, 16 + 22 * down),
        far_arm=(6 + 34 * down, 16 + 22 * down),
        near_leg=(4 + 80 * down, -4 - 78 * down),
        far_leg=(-2 + 82 * down, -2 - 78 * down),
        ahead=-SIT_BACK * down,
    )


# Cycles in one clip at the usual speed, and the pose at each phase.
_MOTIONS: dict[str, tuple[float, Callable[[np.ndarray], Pose]]] = {
    "swing": (1.3, _swing),
    "wave": (2.4, _wave),
    "jack": (1.5, _jack),
    "walk": (1.5, _walk),
    "run": (2.4, _run),
    "kick": (1.3, _kick),
    "throw": (1.3, _throw),
}
