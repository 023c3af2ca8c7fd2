"""Operations on activations along a CAV: step, clamp, remove, restore, dose.

With u the unit CAV, m_c and m_r the coordinates u·μ of the mean concept and random clip, and h the activation of a class
clip, each point at which the rest of the network is run is `h + δ u`, `δ = a m_c + b m_r + c u·h + e u·h₀`, where h₀ is the
clip that h is a twin of. An operation is a weighted sum of the target at such points.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from video_tcav.core.checks import one_of


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point `h + δ u` at which the target is taken.

    Attributes:
        weight: of the target there.
        concept: a, factor of the coordinate of the mean concept clip.
        random: b, likewise of the mean random clip.
        clip: c, likewise of the class clip itself; −1 puts another coordinate in the place of its own.
        clean: e, likewise of the clip that it is a twin of.
    """

    weight: float
    concept: float = 0.0
    random: float = 0.0
    clip: float = 0.0
    clean: float = 0.0

    @property
    def is_unedited(self) -> bool:
        return self.concept == self.random == self.clip == self.clean == 0

    @property
    def edit(self) -> str:
        """In words: whose coordinate the clip gets, or how many steps d it is moved by; `none` for the clip as it is."""
        if self.is_unedited:
            return "none"
        if self.clip:
            return "concept" if self.concept else "random" if self.random else "clean"
        return f"{self.concept:+g} d"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What is done to activations, and what is subtracted from what.

    Attributes:
        name: as users write it.
        help: one sentence.
        points: where the target is taken.
        has_null: whether it is compared with the same operation along CAVs of permuted labels.
    """

    name: str
    help: str
    points: tuple[Point, ...]
    has_null: bool = True

    @property
    def begins_unedited(self) -> bool:
        """Whether the clip as it is comes first, so that a change of its first class means something."""
        return self.points[0].is_unedited


UNEDITED = Point(weight=1)
AT_CONCEPT = Point(weight=1, concept=1, clip=-1)
AT_RANDOM = Point(weight=-1, random=1, clip=-1)
STEP = Operation(
    name="step",
    help="½ [target(h + d) − target(h − d)], d from the mean random to the mean concept clip: the effect of a whole step.",
    points=(Point(weight=0.5, concept=1, random=-1), Point(weight=-0.5, concept=-1, random=1)),
    has_null=False,  # the test of the effect asks the same
)
CLAMP = Operation(
    name="clamp",
    help="target with the clip's coordinate along the CAV put to that of concept clips, less that of random clips.",
    points=(AT_CONCEPT, AT_RANDOM),
)
REMOVE = Operation(
    name="remove",
    help="target as it is, less with the coordinate of random clips: what the clip loses without the concept.",
    points=(UNEDITED, AT_RANDOM),
)
RESTORE = Operation(
    name="restore",
    help="a twin with the coordinate of the clip itself, less as it is: what the twin lost that this concept gives back.",
    points=(Point(weight=1, clip=-1, clean=1), Point(weight=-1)),
)
DOSES = tuple(quarter / 4 for quarter in range(-4, 9))
"""Multiples of d from −1 to 2."""
DIRECT = {operation.name: operation for operation in (STEP, CLAMP, REMOVE)}
"""Those that need the class clips alone."""
NAMES = (*DIRECT, RESTORE.name, "dose")


def dose(multiple: float) -> Operation:
    """`target(h + t d) − target(h)` for one multiple t."""
    points = (Point(weight=1, concept=multiple, random=-multiple), Point(weight=-1))
    return Operation(name=f"dose {multiple:g}", help="", points=points, has_null=False)


def parse_operations(names: str | Sequence[str], argument: str = "intervene") -> tuple[str, ...]:
    """Operations by name, from a list or a text with commas; none for `none`. `argument` is what an error calls them.

    Raises:
        InputError: for an unknown one.
    """
    listed = names.split(",") if isinstance(names, str) else names
    chosen = [name.strip() for name in listed if name.strip()]
    if chosen == ["none"]:
        return ()
    return tuple(one_of(argument, name, NAMES) for name in dict.fromkeys(chosen))
