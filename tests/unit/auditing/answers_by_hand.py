"""Answers of an audit that are written down by hand, for tests of its numbers."""

import numpy as np

from video_tcav.auditing.answers import AuditAnswers, AuditedClip, VersionAnswers

CLASSES = ("run", "walk", "swim")


def clip(number, label, *, group=None, lender_label=None):
    return AuditedClip(
        clip=f"clip {number}",
        window=0,
        path="",
        start_s=None,
        end_s=None,
        label=label,
        group=group or f"group {number}",
        lender=None if lender_label is None else "another",
        lender_label=lender_label,
        masks="",
        person_share=None,
        doubts="",
        filled="",
    )


def version(said, labels, lenders=(), log_odds=None):
    """Answers from the class that is said of each clip; `None` where there is no such version of it."""
    lenders = lenders or [None] * len(labels)
    passed = np.asarray([name is not None for name in said])
    values = np.asarray([1.0] * len(labels) if log_odds is None else log_odds, dtype=float)
    return VersionAnswers(
        passed=passed,
        log_odds=np.where(passed, values, np.nan),
        right=np.asarray([name == label for name, label in zip(said, labels, strict=True)]),
        says_lender=np.asarray(
            [name is not None and name == lender for name, lender in zip(said, lenders, strict=True)]
        ),
        predicted=np.asarray([-1 if name is None else CLASSES.index(name) for name in said]),
    )


def answers(labels, versions, *, groups=None, lenders=None, objects=None):
    groups = groups or [None] * len(labels)
    lenders = lenders or [None] * len(labels)
    clips = [
        clip(number, label, group=group, lender_label=lender)
        for number, (label, group, lender) in enumerate(zip(labels, groups, lenders, strict=True))
    ]
    has_objects = np.zeros(len(labels), dtype=bool) if objects is None else np.asarray(objects, dtype=bool)
    return AuditAnswers(clips=tuple(clips), classes=CLASSES, versions=versions, clip_objects=has_objects)
