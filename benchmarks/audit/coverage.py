"""Coverage of intervals: small audits drawn from a recorded large one, whose numbers are the truth."""

from dataclasses import replace

import numpy as np
import pandas as pd
from benchmarks.audit.rendered import VERSIONS, audited, rendered_world

import video_tcav as vt
from video_tcav.auditing import VERSIONS as KINDS
from video_tcav.auditing.answers import AuditAnswers
from video_tcav.auditing.group_intervals import GroupIntervals
from video_tcav.auditing.numbers import audit_figures, version_results
from video_tcav.auditing.shares import shapley_shares
from video_tcav.rendered import rule_of

_BOOTSTRAPS = 1000


def measure_coverage(name: str, *, pool: int, clips: int, runs: int, seed: int = 0) -> pd.DataFrame:
    """How often intervals of small audits hold the numbers of the large one that they are drawn from, with replacement.

    Args:
        name: a packaged model.
        pool: clips of the large audit.
        clips: clips of each small one.
        runs: how many small ones.
        seed: of the clips and draws.
    """
    model = vt.load_model(f"rendered:{name}")
    large = audited(model, rendered_world(rule_of(name.partition("-")[2]), pool, seed=seed), seed=seed).answers
    truth = _numbers(large, seed)
    covered: dict[str, list[bool]] = {key: [] for key in truth}
    generator = np.random.default_rng(seed)
    for run in range(runs):
        small = drawn_answers(large, generator.integers(len(large.clips), size=clips))
        for key, (_, low, high) in _numbers(small, run).items():
            if np.isfinite(low):
                covered[key].append(bool(low <= truth[key][0] <= high))
    rows = [
        {"number": key, "truth": truth[key][0], "runs": len(held), "covered": float(np.mean(held)) if held else np.nan}
        for key, held in covered.items()
    ]
    return pd.DataFrame(rows)


def drawn_answers(answers: AuditAnswers, chosen: np.ndarray) -> AuditAnswers:
    """An audit of some of the clips; one that is drawn twice counts as two, each a group of its own."""
    clips = [replace(answers.clips[index], group=str(place)) for place, index in enumerate(chosen.tolist())]
    versions = {
        name: replace(each, **{field: getattr(each, field)[chosen] for field in vars(each)})
        for name, each in answers.versions.items()
    }
    return replace(answers, clips=tuple(clips), versions=versions, clip_objects=answers.clip_objects[chosen])


def _numbers(answers: AuditAnswers, seed: int) -> dict[str, tuple[float, float, float]]:
    """All numbers over all classes, with their intervals."""
    # classes are not looked at, which saves most of the time
    alone = replace(answers, classes=())
    kinds = [KINDS[name] for name in ("original", *VERSIONS)]
    intervals = GroupIntervals.draw(answers.groups, _BOOTSTRAPS, seed)
    numbers = {}
    for row in version_results(alone, kinds, intervals):
        for name in ("accuracy", "log_odds", "accuracy_lost", "log_odds_lost"):
            if row.version != "original" or not name.endswith("lost"):
                ends = (getattr(row, f"{name}{end}") for end in ("", "_low", "_high"))
                numbers[f"{row.version} {name}"] = tuple(ends)
    for figure in audit_figures(alone, kinds, intervals):
        numbers[figure.name] = (figure.value, figure.low, figure.high)
    for share in shapley_shares(alone, intervals):
        numbers[f"share of {share.player}"] = (share.share, share.low, share.high)
    return numbers
