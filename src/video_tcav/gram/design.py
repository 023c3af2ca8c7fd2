"""Who may change places with whom: groups, relabellings, folds and bootstrap draws (METHOD: significance).

A *unit* is what carries a label: one source with all its windows. A *group* is what is independent of the others: the
source video, or what the user names (a person, a camera). Where all units of a group carry the same label, whole groups
exchange their labels; where a group holds both kinds, its units exchange labels within it, as in a blocked experiment.
Folds travel with the labels, so that cross-validation sees a relabelled experiment just as it saw the real one.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.core.errors import InputError

FOLDS = 5
_CHUNK = 256
_CHUNK_VALUES = 2**22


@dataclass(frozen=True, kw_only=True)
class Relabelling:
    """A chunk of relabelled experiments.

    Attributes:
        labels: which rows count as concept clips.
        folds: the cross-validation fold of each row, which moved with the label.
    """

    labels: Bool[np.ndarray, "draw row"]
    folds: Int[np.ndarray, "draw row"]


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Blocks (groups or units) of rows that may exchange their labels with each other.

    Attributes:
        inside: the rows.
        members: the blocks.
        first: the first row of each block, counted among the rows inside.
        member_of: the block of each row inside, by its place in `members`.
        labels: of each block.
    """

    inside: Bool[np.ndarray, " row"]
    members: Int[np.ndarray, " member"]
    first: Int[np.ndarray, " member"]
    member_of: Int[np.ndarray, " inside"]
    labels: Bool[np.ndarray, " member"]


@dataclass(frozen=True, kw_only=True)
class Design:
    """One comparison: concept clips (labelled true) against random clips.

    Attributes:
        labels: one a row.
        units: index of the row's unit among all units of the run, so that comparisons can share random numbers.
        groups: index of the row's group among all groups of the run, likewise.
        n_units: how many units the run has.
        n_groups_total: how many groups the run has.
    """

    labels: Bool[np.ndarray, " row"]
    units: Int[np.ndarray, " row"]
    groups: Int[np.ndarray, " row"]
    n_units: int
    n_groups_total: int

    @property
    def n_groups(self) -> int:
        """Groups in this comparison: its sample size."""
        return len(np.unique(self.groups))

    @property
    def n_concept_groups(self) -> int:
        return len(np.unique(self.groups[self.labels]))

    def mixed_groups(self) -> list[int]:
        """Groups that hold both concept and random units."""
        return [int(g) for g in np.intersect1d(self.groups[self.labels], self.groups[~self.labels])]

    def smallest_p(self) -> float:
        """The smallest p-value that this many distinct relabellings can give; its own labelling is one of them."""
        mixed = self.mixed_groups()
        concept = np.setdiff1d(self.groups[self.labels], mixed)
        random = np.setdiff1d(self.groups[~self.labels], mixed)
        count = math.comb(len(concept) + len(random), len(concept))
        balanced = len(concept) == len(random)
        for group in mixed:
            inside = self.groups == group
            own = len(np.unique(self.units[inside & self.labels]))
            units = len(np.unique(self.units[inside]))
            count *= math.comb(units, own)
            balanced = balanced and units == 2 * own
        opposite = 2 if balanced else 1  # the opposite labelling has the opposite effect, and the test is two-sided
        return min(1.0, opposite / count)

    def folds(self, seed: int) -> Int[np.ndarray, " row"]:
        """A cross-validation fold for each row: groups stay whole, concept groups are spread evenly."""
        generator = np.random.default_rng([seed, 2])
        mixed = self.mixed_groups()
        count = max(2, min(FOLDS, self.n_concept_groups))
        fold_of = np.zeros(self.n_groups_total, dtype=int)
        concept = np.setdiff1d(self.groups[self.labels], mixed)
        random = np.setdiff1d(self.groups[~self.labels], mixed)
        for members in (np.asarray(mixed, dtype=int), concept, random):
            fold_of[generator.permutation(members)] = np.arange(len(members)) % count
        return fold_of[self.groups]

    def relabellings(self, draws: int, seed: int) -> Iterator[Bool[np.ndarray, "draw row"]]:
        """`draws` random relabellings, in chunks: which rows count as concept clips.

        The same seed gives every comparison of a run the same random numbers for the same units, which is what lets
        max-T use them jointly.
        """
        for size, drawn in self._draws(draws, seed):
            labels = np.broadcast_to(self.labels, (size, len(self.labels))).copy()
            for part, keys in drawn:
                count = int(part.labels.sum())
                # the smallest keys get the concept label; putting them in order, too, would take three times as long
                smallest = keys.argpartition(count - 1, axis=1)[:, :count]
                taken = np.zeros(keys.shape, dtype=bool)
                np.put_along_axis(taken, smallest, True, axis=1)
                labels[:, part.inside] = taken[:, part.member_of]
            yield labels

    def relabelled_experiments(self, draws: int, seed: int) -> Iterator[Relabelling]:
        """The same relabellings, each with its folds."""
        folds = self.folds(seed)
        for size, drawn in self._draws(draws, seed):
            labels = np.broadcast_to(self.labels, (size, len(self.labels))).copy()
            moved = np.broadcast_to(folds, labels.shape).copy()
            for part, keys in drawn:
                slots = np.argsort(~part.labels, kind="stable")  # those of the concept first
                order = keys.argsort(1)
                taken = np.empty_like(order)
                np.put_along_axis(taken, order, np.broadcast_to(slots, order.shape), axis=1)
                taken = taken[:, part.member_of]
                labels[:, part.inside] = part.labels[taken]
                moved[:, part.inside] = folds[part.inside][part.first][taken]
            yield Relabelling(labels=labels, folds=moved)

    def _draws(
        self, draws: int, seed: int
    ) -> Iterator[tuple[int, list[tuple[_Part, Float[np.ndarray, "draw member"]]]]]:
        """Random numbers for what changes places, in chunks of so many draws."""
        mixed = self.mixed_groups()
        pure = np.setdiff1d(self.groups, mixed)
        parts = [self._part(np.isin(self.groups, pure), self.groups)]
        parts += [self._part(self.groups == group, self.units) for group in mixed]
        for chunk, size in enumerate(chunks(draws, self.n_units)):
            generator = np.random.default_rng([seed, 3, chunk])
            group_keys = generator.random((size, self.n_groups_total))
            unit_keys = generator.random((size, self.n_units)) if mixed else group_keys
            keys = [group_keys, *(unit_keys for _ in mixed)]
            yield (
                size,
                [
                    (part, mine[:, part.members])
                    for part, mine in zip(parts, keys, strict=True)
                    if len(part.members) > 1
                ],
            )

    def _part(self, inside: Bool[np.ndarray, " row"], blocks: Int[np.ndarray, " row"]) -> _Part:
        members, first, member_of = np.unique(blocks[inside], return_index=True, return_inverse=True)
        labels = self.labels[inside][first]
        return _Part(inside=inside, members=members, first=first, member_of=member_of, labels=labels)

    def bootstrap(self, draws: int, seed: int) -> Iterator[Float[np.ndarray, "draw row"]]:
        """How often each row counts in each bootstrap draw of groups, in chunks; each kind of group is drawn for itself."""
        mixed = self.mixed_groups()
        kinds = [
            np.asarray(mixed, dtype=int),
            np.setdiff1d(self.groups[self.labels], mixed),
            np.setdiff1d(self.groups[~self.labels], mixed),
        ]
        for chunk, size in enumerate(chunks(draws, self.n_units)):
            generator = np.random.default_rng([seed, 4, chunk])
            counts = np.zeros((size, self.n_groups_total))
            for members in kinds:
                if len(members):
                    counts[:, members] = draw_counts(len(members), size, generator)
            yield counts[:, self.groups]


def chunks(draws: int, members: int) -> list[int]:
    """How many draws are made at once, up to `draws`: fewer where there are many members to draw from."""
    most = max(1, min(_CHUNK, _CHUNK_VALUES // members))
    return [min(most, draws - start) for start in range(0, draws, most)]


def draw_counts(members: int, draws: int, generator: np.random.Generator) -> Float[np.ndarray, "draw member"]:
    """How often each of `members` comes up when as many are drawn with replacement, for several draws."""
    return generator.multinomial(members, np.full(members, 1 / members), size=draws).astype(float)


def numbering(names: Sequence[str]) -> dict[str, int]:
    """Number the distinct names in order of first appearance."""
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def check_design(design: Design, concept: str, negatives: str, *, min_clips: int, min_groups: int) -> None:
    """Refuse a comparison that is too small to say anything.

    Raises:
        InputError: naming the concept and what is missing.
    """
    for name, rows in ((f"concept {concept}", design.labels), (negatives, ~design.labels)):
        groups = len(np.unique(design.groups[rows]))
        check_enough(name, int(rows.sum()), groups, min_clips=min_clips, min_groups=min_groups)


def check_enough(name: str, clips: int, groups: int, *, min_clips: int, min_groups: int) -> None:
    """Refuse too few clips, or too few groups of them.

    Raises:
        InputError: naming the clips and what is missing.
    """
    if clips < min_clips:
        raise InputError(
            f"`{name}` must have at least {min_clips} clips that can be used. Got {clips}. Add clips (20 or more is better)."
        )
    if groups < min_groups:
        raise InputError(
            f"`{name}` must come from at least {min_groups} independent groups. Got {clips} clips in {groups}. "
            "Add clips of other videos, or name other groups with --group."
        )
