"""Numbers of an audit from its answers: accuracy and log-odds of versions, SHAcc, SBErr, contrasted accuracy, order."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool

from video_tcav.auditing.answers import AuditAnswers, VersionAnswers
from video_tcav.auditing.figures import AuditFigure, VersionResult
from video_tcav.auditing.group_intervals import UNKNOWN, Estimate, GroupIntervals, interval_columns
from video_tcav.auditing.versions import ORIGINAL, REVERSED, SHUFFLED, SWAP, Version


def version_results(
    answers: AuditAnswers, versions: Sequence[Version], intervals: GroupIntervals
) -> tuple[VersionResult, ...]:
    """Each version over all classes, then each version of each class.

    Args:
        answers: of the model.
        versions: those that are asked for, which coalitions are not.
        intervals: over all clips.
    """
    names = [version.name for version in versions if version.name in answers.versions]
    return tuple(
        _version_result(answers, name, label, chosen, intervals)
        for label, chosen in class_clips(answers)
        for name in names
    )


def class_clips(answers: AuditAnswers) -> Iterator[tuple[str | None, Bool[np.ndarray, " clip"]]]:
    """All clips, then those of each class that has some, in the order of the model's classes."""
    labels = np.asarray(answers.labels)
    # over all first: readers and JSON take the first row of a version for it
    yield None, np.ones(len(labels), dtype=bool)
    present = set(answers.labels)
    for name in answers.classes:
        if name in present:
            yield name, labels == name


def _version_result(
    answers: AuditAnswers, name: str, label: str | None, of_class: Bool[np.ndarray, " clip"], intervals: GroupIntervals
) -> VersionResult:
    original, version = answers.versions[ORIGINAL.name], answers.versions[name]
    # original and version over the same clips: what is lost is a difference of pairs, and clips without a lender have no swap
    chosen = of_class & version.passed
    right = chosen & original.right
    some, right_ones = intervals.subset(chosen), intervals.subset(right)
    estimates = {
        "accuracy": some.share(version.right[chosen]),
        "log_odds": some.mean(version.log_odds[chosen]),
        "accuracy_lost": some.lost_share(original.right[chosen], version.right[chosen]),
        "log_odds_lost": some.mean(original.log_odds[chosen] - version.log_odds[chosen]),
        "still_right": right_ones.share(version.right[right]),
    }
    return VersionResult(
        version=name, label=label, n_clips=int(chosen.sum()), n_groups=some.groups, **interval_columns(estimates)
    )


def audit_figures(
    answers: AuditAnswers, versions: Sequence[Version], intervals: GroupIntervals
) -> tuple[AuditFigure, ...]:
    """Single figures over all classes and of each; those whose versions were not asked for are left out."""
    figures = []
    for label, chosen in class_clips(answers):
        for name, estimate, count in _figures(answers, versions, chosen, intervals):
            figures.append(
                AuditFigure(
                    name=name, label=label, value=estimate.value, low=estimate.low, high=estimate.high, n_clips=count
                )
            )
    return tuple(figures)


def _figures(
    answers: AuditAnswers, versions: Sequence[Version], of_class: Bool[np.ndarray, " clip"], intervals: GroupIntervals
) -> Iterator[tuple[str, Estimate, int]]:
    by_name = answers.versions
    original = by_name[ORIGINAL.name]

    def share(counts: Bool[np.ndarray, " clip"], passed: Bool[np.ndarray, " clip"]) -> tuple[Estimate, int]:
        chosen = of_class & passed
        return (intervals.subset(chosen).share(counts[chosen]) if chosen.any() else UNKNOWN), int(chosen.sum())

    if SWAP.name in by_name:
        swap = by_name[SWAP.name]
        yield "sh_acc", *share(swap.right, swap.passed)
        yield "sb_err", *share(swap.says_lender, swap.passed)
    for version in versions:
        if version.still_of in by_name and version.name in by_name:
            # right where it moves and wrong where it does not: only motion can have told the class (StillMix)
            moving, still = by_name[version.still_of], by_name[version.name]
            yield f"contrasted_{version.still_of}", *share(moving.right & ~still.right, moving.passed & still.passed)
    for name in (REVERSED.name, SHUFFLED.name):
        if name in by_name:
            yield f"order_{name}", *_lost(original, by_name[name], of_class, intervals)


def _lost(
    original: VersionAnswers, version: VersionAnswers, of_class: Bool[np.ndarray, " clip"], intervals: GroupIntervals
) -> tuple[Estimate, int]:
    chosen = of_class & version.passed
    lost = intervals.subset(chosen).lost_share(original.right[chosen], version.right[chosen])
    return lost, int(chosen.sum())
