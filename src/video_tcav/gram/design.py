"""Exchangeability: groups, label permutations, cross-validation folds and bootstrap resamples of groups.

A *unit* is what carries a label: one source with all its windows. A *group* is what is independent of the others: the
source video, or what the user names (a person, a camera). Where all units of a group carry the same label, whole groups
exchange their labels; where a group holds both kinds, its units exchange labels within it, as in a blocked experiment.
Folds travel with the labels, so that cross-validation sees a permuted experiment just as it saw the real one.
"""

import math
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from video_tcav.core import random_streams
from video_tcav.core.errors import InputError
from video_tcav.gram.thresholds import MIN_CLIPS, MIN_GROUPS

Name = TypeVar("Name", bound=Hashable)
FOLDS = 5
_CHUNK_DRAWS = 256
_BOOTSTRAP_DRAWS = 256
_CHUNK_VALUES = 2**22
"""Draws times members that are held at once: 32 MB in float64. All are part of every result: each chunk has a seed."""


@dataclass(frozen=True, kw_only=True)
class PermutedExperiments:
    """A chunk of experiments with permuted labels.

    Attributes:
        labels: which rows count as concept clips.
        folds: the cross-validation fold of each row, which moved with the label.
    """

    labels: Bool[np.ndarray, "draw row"]
    folds: Int[np.ndarray, "draw row"]


@dataclass(frozen=True, kw_only=True)
class _Block:
    """Rows whose members (groups or units) may exchange their labels with each other: an exchangeability block.

    Attributes:
        rows: which rows.
        members: numbers of the groups or units.
        first: the first row of each member, counted among the block's rows.
        member_of: the member of each of the block's rows, by its place in `members`.
        labels: of each member.
    """

    rows: Bool[np.ndarray, " row"]
    members: Int[np.ndarray, " member"]
    first: Int[np.ndarray, " member"]
    member_of: Int[np.ndarray, " inside"]
    labels: Bool[np.ndarray, " member"]


class Strata(NamedTuple):
    """Groups of a comparison by what they hold: clips of both kinds, concept clips alone, random clips alone."""

    mixed: Int[np.ndarray, " group"]
    concept: Int[np.ndarray, " group"]
    random: Int[np.ndarray, " group"]


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

    @property
    def n_random_groups(self) -> int:
        return len(np.unique(self.groups[~self.labels]))

    @cached_property
    def strata(self) -> Strata:
        mixed = np.intersect1d(self.groups[self.labels], self.groups[~self.labels])
        concept, random = (np.setdiff1d(self.groups[rows], mixed) for rows in (self.labels, ~self.labels))
        return Strata(mixed=mixed, concept=concept, random=random)

    def smallest_p(self) -> float:
        """The smallest p-value that this many distinct label permutations can give; the observed labelling is one of them."""
        mixed, concept, random = self.strata
        # ways to choose the concept groups among pure groups, times the ways to choose units in each mixed group
        count = math.comb(len(concept) + len(random), len(concept))
        balanced = len(concept) == len(random)
        for group in mixed:
            in_group = self.groups == group
            n_concept = len(np.unique(self.units[in_group & self.labels]))
            n_units = len(np.unique(self.units[in_group]))
            count *= math.comb(n_units, n_concept)
            balanced = balanced and n_units == 2 * n_concept
        opposite = 2 if balanced else 1  # the opposite labelling has the opposite effect, and the test is two-sided
        return min(1.0, opposite / count)

    def folds(self, seed: int) -> Int[np.ndarray, " row"]:
        """A cross-validation fold for each row: groups stay whole, concept groups are spread evenly."""
        generator = np.random.default_rng([seed, random_streams.FOLDS])
        # with fewer concept groups than folds, some folds would have none to be tested on
        count = max(2, min(FOLDS, self.n_concept_groups))
        fold_of = np.zeros(self.n_groups_total, dtype=int)
        for members in self.strata:
            # dealt in turn, so that every fold gets its share of each stratum
            fold_of[generator.permutation(members)] = np.arange(len(members)) % count
        return fold_of[self.groups]

    def label_permutations(self, draws: int, seed: int) -> Iterator[Bool[np.ndarray, "draw row"]]:
        """`draws` random permutations of the labels, in chunks: which rows count as concept clips.

        The same seed gives every comparison of a run the same random numbers for the same units, which is what lets
        max-T use them jointly.
        """
        for size, keyed_blocks in self._sort_keys(draws, seed):
            labels = np.broadcast_to(self.labels, (size, len(self.labels))).copy()
            for block, keys in keyed_blocks:
                count = int(block.labels.sum())
                # the smallest keys get the concept label; putting them in order, too, would take three times as long
                smallest = keys.argpartition(count - 1, axis=1)[:, :count]
                is_concept = np.zeros(keys.shape, dtype=bool)
                np.put_along_axis(is_concept, smallest, True, axis=1)
                labels[:, block.rows] = is_concept[:, block.member_of]
            yield labels

    def permuted_experiments(self, draws: int, seed: int) -> Iterator[PermutedExperiments]:
        """The same label permutations, each with its folds."""
        original_folds = self.folds(seed)
        for size, keyed_blocks in self._sort_keys(draws, seed):
            labels = np.broadcast_to(self.labels, (size, len(self.labels))).copy()
            folds = np.broadcast_to(original_folds, labels.shape).copy()
            for block, keys in keyed_blocks:
                # members that were sorted by key take over label and fold from these, those of the concept first
                donors = np.argsort(~block.labels, kind="stable")
                order = keys.argsort(1)
                donor_of = np.empty_like(order)
                np.put_along_axis(donor_of, order, np.broadcast_to(donors, order.shape), axis=1)
                donor_of = donor_of[:, block.member_of]
                labels[:, block.rows] = block.labels[donor_of]
                folds[:, block.rows] = original_folds[block.rows][block.first][donor_of]
            yield PermutedExperiments(labels=labels, folds=folds)

    def _sort_keys(
        self, draws: int, seed: int
    ) -> Iterator[tuple[int, list[tuple[_Block, Float[np.ndarray, "draw member"]]]]]:
        """Random sort keys for the members of each exchangeability block, in chunks of so many draws."""
        mixed, concept, random = self.strata
        blocks = [self._block(np.isin(self.groups, np.concatenate([concept, random])), self.groups)]
        blocks += [self._block(self.groups == group, self.units) for group in mixed]
        for chunk, size in enumerate(chunks(draws, self.n_units)):
            generator = np.random.default_rng([seed, random_streams.LABEL_PERMUTATIONS, chunk])
            # for all groups and units of the run, whichever are compared here, so that comparisons share them
            group_keys = generator.random((size, self.n_groups_total))
            unit_keys = generator.random((size, self.n_units)) if len(mixed) else group_keys
            keyed = zip(blocks, [group_keys, *(unit_keys for _ in mixed)], strict=True)
            yield size, [(block, keys[:, block.members]) for block, keys in keyed if len(block.members) > 1]

    def _block(self, rows: Bool[np.ndarray, " row"], member_numbers: Int[np.ndarray, " row"]) -> _Block:
        # all rows of a member carry one label, so that of the first stands for it
        members, first, member_of = np.unique(member_numbers[rows], return_index=True, return_inverse=True)
        labels = self.labels[rows][first]
        return _Block(rows=rows, members=members, first=first, member_of=member_of, labels=labels)

    def bootstrap(self, draws: int, seed: int) -> Iterator[Float[np.ndarray, "draw row"]]:
        """How much each row counts in each bootstrap draw of groups, in chunks; on average once."""
        groups, group_of = np.unique(self.groups, return_inverse=True)
        for weights in bootstrap_weights(groups, draws, seed, random_streams.GROUP_BOOTSTRAP):
            by_row = weights[:, group_of]
            yield by_row / by_row.mean(1, keepdims=True)


def chunks(draws: int, members: int) -> list[int]:
    """How many draws are made at once, up to `draws`: fewer where there are many members to draw from."""
    most = max(1, min(_CHUNK_DRAWS, _CHUNK_VALUES // members))
    return [min(most, draws - start) for start in range(0, draws, most)]


def bootstrap_weights(
    groups: Int[np.ndarray, " group"], draws: int, seed: int, stream: int
) -> Iterator[Float[np.ndarray, "draw group"]]:
    """Weights of groups in bootstrap draws, in chunks: independent exponential numbers of mean 1 (Rubin 1981).

    Each group has a random stream of its own. So a group has the same weights in every comparison that it is part of,
    whatever the others, and effects that share clips can be subtracted draw by draw. Counts of draws with replacement
    could not be had so: they depend on how many groups there are.
    """
    for chunk, start in enumerate(range(0, draws, _BOOTSTRAP_DRAWS)):
        size = min(_BOOTSTRAP_DRAWS, draws - start)
        columns = [
            np.random.default_rng([seed, stream, int(group), chunk]).standard_exponential(size) for group in groups
        ]
        yield np.stack(columns, axis=1)


def numbering(names: Iterable[Name]) -> dict[Name, int]:
    """Number the distinct names in order of first appearance."""
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def check_design(design: Design, concept: str, negatives: str) -> None:
    """Refuse a comparison that is too small to say anything, or whose labels cannot be exchanged.

    Raises:
        InputError: naming the concept and what is missing.
    """
    for name, rows in ((f"concept {concept}", design.labels), (negatives, ~design.labels)):
        check_enough(name, int(rows.sum()), len(np.unique(design.groups[rows])))
    if design.smallest_p() == 1:
        raise InputError(
            f"`concept {concept}` must share its groups with the {negatives}, or both must have groups of their own. Got groups "
            "that allow no exchange of labels. Name other groups with --group."
        )


def check_enough(name: str, clips: int, groups: int) -> None:
    """Refuse too few clips, or too few groups of them.

    Raises:
        InputError: naming the clips and what is missing.
    """
    if clips < MIN_CLIPS:
        raise InputError(
            f"`{name}` must have at least {MIN_CLIPS} clips that can be used. Got {clips}. Add clips (20 or more is better)."
        )
    if groups < MIN_GROUPS:
        raise InputError(
            f"`{name}` must come from at least {MIN_GROUPS} independent groups. Got {clips} clips in {groups}. "
            "Add clips of other videos, or name other groups with --group."
        )
