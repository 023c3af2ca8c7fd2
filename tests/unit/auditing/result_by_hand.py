"""Results of audits whose answers are written down by hand: twenty clips of `run`, twenty of `walk`."""

from tests.unit.auditing.answers_by_hand import answers, version
from video_tcav.auditing import VERSIONS, AuditResult
from video_tcav.auditing.group_intervals import GroupIntervals
from video_tcav.auditing.numbers import audit_figures, version_results

NAMES = ("original", "reversed", "scene_only", "person_only", "swap", "paste_control")
LABELS = ["run"] * 20 + ["walk"] * 20
LENDERS = ["walk"] * 20 + ["run"] * 20


def audited(said, *, groups=None, is_boxes=False, log_odds=None, objects=None, coalitions=()):
    """A result from the class that is said of each clip in each version; that of the clip where nothing is said.

    Args:
        said: by the name of the version.
        groups: name of each clip's.
        is_boxes: whether the masks are boxes.
        log_odds: of each clip, by the name of the version.
        objects: whether the masks of each clip tell objects.
        coalitions: names of more answers, which are no versions.
    """
    versions = {
        name: version(said.get(name, LABELS), LABELS, LENDERS, (log_odds or {}).get(name))
        for name in (*NAMES, *coalitions)
    }
    by_hand = answers(LABELS, versions, lenders=LENDERS, groups=groups, objects=objects)
    intervals, kinds = GroupIntervals.draw(by_hand.groups, 400, 0), [VERSIONS[name] for name in NAMES]
    return AuditResult(
        model="by hand",
        versions=version_results(by_hand, kinds, intervals),
        figures=audit_figures(by_hand, kinds, intervals),
        shares=(),
        answers=by_hand,
        masks="/home/someone/masks.json",
        is_boxes=is_boxes,
        examples=(),
        skipped=(),
        warnings=("A warning of the audit.",),
        provenance={"clips": {}, "model": {"name": "by hand"}, "settings": {"seed": 0}},
        seconds={},
    )
