"""Planted truth: audits of the rendered world's models with its exact masks, or with boxes around them."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

import video_tcav as vt
from video_tcav.auditing import AuditResult
from video_tcav.masks import ClipMasks, MaskSource
from video_tcav.media import LoadedClips
from video_tcav.models import VideoModel
from video_tcav.rendered import RenderedClip, Rule, render, rule_of

VERSIONS = ("frozen", "reversed", "shuffled", "person_only", "scene_only", "swap", "swap_still", "paste_control")
CAUSES = {
    "scene": ("scene",),
    "object": ("object",),
    # a figure cannot move without being there
    "motion": ("order", "motion", "person"),
    "order": ("order", "motion", "person"),
    "mixed": ("order", "motion", "person"),
}
"""Players that make up the factor that each rule goes by."""


class RenderedMasks(MaskSource):
    """Masks that clips were rendered with, or boxes around them."""

    def __init__(self, rendered: Mapping[str, RenderedClip], *, boxes: bool = False) -> None:
        self._rendered, self.is_boxes = rendered, boxes
        self.name = "rendered boxes" if boxes else "rendered"

    def masks(self, loaded: LoadedClips) -> tuple[ClipMasks, ...]:
        clip = self._rendered[loaded.source.key]
        person, held = clip.mask("figure"), clip.mask("object")
        if not self.is_boxes:
            return (ClipMasks(person=person, object=held, how="rendered"),)
        both = torch.zeros_like(person)
        for frame, visible in zip(both, person | held, strict=True):
            rows, columns = visible.any(1).nonzero(), visible.any(0).nonzero()
            if len(rows):
                frame[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1] = True
        return (ClipMasks(person=both, how="rendered boxes"),)


@dataclass(frozen=True, kw_only=True)
class RenderedAudit:
    """One model's audit beside what is known of it.

    Attributes:
        model: its name.
        masks: exact ones, or boxes.
        clips: how many.
        right: accuracy on the clips as they are.
        sh_acc: see `AuditFigure`.
        sb_err: likewise.
        reversed_right: accuracy on reversed clips.
        paste_lost: accuracy that pasting alone costs.
        share_of_cause: Shapley share of the players that make up the model's own factor.
        order: Shapley share; so are the following.
    """

    model: str
    masks: str
    clips: int
    right: float
    sh_acc: float
    sb_err: float
    reversed_right: float
    paste_lost: float
    share_of_cause: float
    order: float
    motion: float
    scene: float
    person: float
    object: float


def audit_rendered(
    name: str, clips: int, *, seed: int = 0, boxes: bool = False, weights: str | None = None, correlation: float = 1.0
) -> RenderedAudit:
    """Audit a packaged model, or one with weights of its own, on clips that its rule labels.

    Args:
        name: `ARCHITECTURE-RULE`.
        clips: how many.
        seed: of the clips and of the audit.
        boxes: whether masks are boxes.
        weights: of a model that is not packaged.
        correlation: of the clips that a mixed model is audited on; 1, so that the scene of a swap is the usual one of another
            class: at 0 it would say nothing, and no error could be seen.
    """
    architecture, _, rule_name = name.partition("-")
    model = vt.load_model(f"rendered:{name if weights is None else architecture}", weights=weights)
    result = audited(model, rule_of(rule_name, correlation=correlation), clips, seed=seed, boxes=boxes)
    return measured(result, name if weights is None else f"{name} ({weights})", CAUSES[rule_name], boxes=boxes)


def audited(model: VideoModel, rule: Rule, clips: int, *, seed: int, boxes: bool = False) -> AuditResult:
    """The audit of a model on so many rendered clips of its own classes."""
    factors, labels = rule.sample(clips, seed=seed)
    rendered: dict[str, RenderedClip] = {}
    by_class: dict[str, list[tuple[str, torch.Tensor]]] = {name: [] for name in rule.labels}
    for number, (each, label) in enumerate(zip(factors, labels, strict=True)):
        rendered[f"clip {number}"] = clip = render(each)
        by_class[rule.labels[label]].append((f"clip {number}", clip.clip))
    masks = RenderedMasks(rendered, boxes=boxes)
    return vt.audit(model, by_class, versions=VERSIONS, masks=masks, seed=seed, bootstraps=200)


def measured(result: AuditResult, name: str, cause: tuple[str, ...], *, boxes: bool) -> RenderedAudit:
    """The numbers of an audit that have a known truth."""
    rows = {row.version: row for row in result if row.label is None}
    figures = {figure.name: figure.value for figure in result.figures if figure.label is None}
    shares = {share.player: share.share for share in result.shares_of()}
    return RenderedAudit(
        model=name,
        masks="boxes" if boxes else "exact",
        clips=len(result.answers.clips),
        right=rows["original"].accuracy,
        sh_acc=figures["sh_acc"],
        sb_err=figures["sb_err"],
        reversed_right=rows["reversed"].accuracy,
        paste_lost=rows["paste_control"].accuracy_lost,
        share_of_cause=sum(shares.get(player, float("nan")) for player in cause),
        **{player: shares.get(player, float("nan")) for player in ("order", "motion", "scene", "person", "object")},
    )
