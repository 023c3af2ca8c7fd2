"""Versions and coalitions of one clip by name, each with what makes its pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from video_tcav.auditing.coalitions import PLAYERS, Player, coalition_clip, distinct_coalition, players_of
from video_tcav.auditing.versions import ORIGINAL, Version
from video_tcav.masks.material import Clip, ClipMaterial


@dataclass(frozen=True, kw_only=True, eq=False)
class VersionMaker:
    """Makes the pixels of one version of one clip.

    Attributes:
        material: of the clip.
        donor: of the clip that lends its scene.
        version: what is made; `None` makes a coalition.
        players: of the coalition.
        seed: of the run.
    """

    material: ClipMaterial
    donor: ClipMaterial | None
    version: Version | None
    players: frozenset[Player] = frozenset()
    seed: int

    def frames(self) -> Clip:
        """The pixels, before the model's preprocessing."""
        if self.version is None:
            return coalition_clip(self.material, self.players, seed=self.seed)
        return self.version.frames(self.material, self.donor, seed=self.seed)


def version_names(versions: Sequence[Version], *, shares: bool, has_object: bool, has_lender: bool) -> tuple[str, ...]:
    """Names of all versions and coalitions that can be made of a clip, each once.

    Args:
        versions: those that are asked for.
        shares: whether coalitions are, too.
        has_object: whether the clip's masks tell objects.
        has_lender: whether another clip lends its scene.
    """
    names = [version.name for version in versions if has_lender or not version.needs_donor]
    if shares:
        names += [coalition_name(team, has_objects=has_object) for team in coalitions_of(has_objects=has_object)]
    return tuple(dict.fromkeys(names))


def version_makers(
    versions: Sequence[Version], material: ClipMaterial, donor: ClipMaterial | None, *, shares: bool, seed: int
) -> dict[str, VersionMaker]:
    """What makes each version and coalition of a clip, by name; see `version_names`."""
    has_object = material.masks is not None and material.masks.object is not None
    by_name = {version.name: version for version in versions}
    teams = {coalition_name(team, has_objects=has_object): team for team in coalitions_of(has_objects=has_object)}
    names = version_names(versions, shares=shares, has_object=has_object, has_lender=donor is not None)
    return {
        name: VersionMaker(
            material=material, donor=donor, version=by_name.get(name), players=teams.get(name, frozenset()), seed=seed
        )
        for name in names
    }


def coalitions_of(*, has_objects: bool) -> tuple[frozenset[Player], ...]:
    """The distinct coalitions, the empty one first: 24 with objects, 12 without."""
    players = players_of(has_objects=has_objects)
    # 32 coalitions of five, of which 24 differ: order without motion is no other clip
    teams = [distinct_coalition(team) for size in range(len(players) + 1) for team in combinations(players, size)]
    return tuple(dict.fromkeys(teams))


def coalition_name(players: frozenset[Player], *, has_objects: bool) -> str:
    """What a coalition is called among versions: `only scene+person`, `only nothing`; the whole one is the clip itself."""
    if players == frozenset(players_of(has_objects=has_objects)):
        return ORIGINAL.name
    return f"only {'+'.join(player for player in PLAYERS if player in players) or 'nothing'}"
