"""Planted truth: audits of the rendered world's models with its exact masks, with those of motion, or with boxes."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch

import video_tcav as vt
from video_tcav.auditing import AuditResult
from video_tcav.masks import ClipMasks, MaskSource
from video_tcav.masks.mask_source import no_person
from video_tcav.masks.motion import moving_masks
from video_tcav.masks.quality import overlap
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


MaskKind = Literal["exact", "whole", "motion", "boxes"]
"""Exact masks; the same with objects taken as persons, as in the last two: masks of what moves, and boxes around exact ones."""
MASK_KINDS: tuple[MaskKind, ...] = get_args(MaskKind)


class RenderedMasks(MaskSource):
    """Masks of rendered clips of one kind; in a clip without such a mask nobody is found."""

    def __init__(self, rendered: Mapping[str, RenderedClip], kind: MaskKind) -> None:
        self._rendered, self._kind, self.is_boxes = rendered, kind, kind == "boxes"
        self.name = f"rendered, {kind}"

    def masks(self, loaded: LoadedClips) -> tuple[ClipMasks, ...]:
        masks = rendered_masks(self._rendered[loaded.source.key], self._kind)
        if masks is None:
            raise no_person(loaded.source)
        return (masks,)


@functools.lru_cache(maxsize=1000)  # those of motion take a while, and are asked for by filter, audit and overlap
def rendered_masks(clip: RenderedClip, kind: MaskKind) -> ClipMasks | None:
    """Masks of a rendered clip; `None` where nothing moves enough to be found."""
    person, held = clip.mask("figure"), clip.mask("object")
    if kind == "exact":
        return ClipMasks(person=person, object=held, how=kind)
    if kind == "motion":
        moving = moving_masks(clip.clip)
        return None if moving is None or not moving.any() else ClipMasks(person=moving, how=kind)
    if kind == "whole":
        return ClipMasks(person=person | held, how=kind)
    both = torch.zeros_like(person)
    for frame, visible in zip(both, person | held, strict=True):
        rows, columns = visible.any(1).nonzero(), visible.any(0).nonzero()
        if len(rows):
            frame[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1] = True
    return ClipMasks(person=both, how=kind)


@dataclass(frozen=True, kw_only=True)
class RenderedAudit:
    """One model's audit beside what is known of it.

    Attributes:
        model: its name.
        masks: of which kind.
        iou: mean overlap of the masks with figure and object, over frames and clips.
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
    iou: float
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
    name: str,
    clips: int,
    *,
    seed: int = 0,
    masks: Sequence[MaskKind] = ("exact",),
    weights: str | None = None,
    correlation: float = 1.0,
) -> Iterator[RenderedAudit]:
    """Audit a packaged model, or one with weights of its own, on clips that its rule labels, with each kind of masks.

    All are of the same clips: those in which masks of motion find nobody are left out for all, where they are compared.

    Args:
        name: `ARCHITECTURE-RULE`.
        clips: how many.
        seed: of the clips and of the audit.
        masks: of which kinds.
        weights: of a model that is not packaged.
        correlation: of the clips that a mixed model is audited on; 1, so that the scene of a swap is the usual one of another
            class: at 0 it would say nothing, and no error could be seen.
    """
    architecture, _, rule_name = name.partition("-")
    model = vt.load_model(f"rendered:{name if weights is None else architecture}", weights=weights)
    world = rendered_world(rule_of(rule_name, correlation=correlation), clips, seed=seed, moving="motion" in masks)
    model_name = name if weights is None else f"{name} ({weights})"
    for kind in masks:
        result = audited(model, world, seed=seed, masks=kind)
        yield measured(result, model_name, CAUSES[rule_name], masks=kind, iou=mean_overlap(world, kind))


@dataclass(frozen=True, kw_only=True)
class RenderedWorld:
    """Clips by their names, and the names of each class."""

    clips: Mapping[str, RenderedClip]
    classes: Mapping[str, Sequence[str]]


def rendered_world(rule: Rule, clips: int, *, seed: int, moving: bool = False) -> RenderedWorld:
    """So many clips with the classes of a rule; less those in which motion masks find nobody, if asked for."""
    factors, labels = rule.sample(clips, seed=seed)
    rendered: dict[str, RenderedClip] = {}
    classes: dict[str, list[str]] = {name: [] for name in rule.labels}
    for number, (each, label) in enumerate(zip(factors, labels, strict=True)):
        clip = render(each)
        if not moving or rendered_masks(clip, "motion") is not None:
            rendered[f"clip {number}"] = clip
            classes[rule.labels[label]].append(f"clip {number}")
    return RenderedWorld(clips=rendered, classes=classes)


def audited(model: VideoModel, world: RenderedWorld, *, seed: int, masks: MaskKind = "exact") -> AuditResult:
    """The audit of a model on rendered clips of its own classes."""
    by_class = {label: [(name, world.clips[name].clip) for name in names] for label, names in world.classes.items()}
    source = RenderedMasks(world.clips, masks)
    return vt.audit(model, by_class, versions=VERSIONS, masks=source, seed=seed, bootstraps=200)


def mean_overlap(world: RenderedWorld, kind: MaskKind) -> float:
    """Mean overlap of masks with figure and object, over frames and clips; clips without masks do not count."""
    overlaps = []
    for clip in world.clips.values():
        masks, truth = rendered_masks(clip, kind), clip.mask("figure") | clip.mask("object")
        if masks is not None:
            overlaps.append(np.nanmean([overlap(*frame) for frame in zip(masks.occupied, truth, strict=True)]))
    return float(np.mean(overlaps))


def measured(result: AuditResult, name: str, cause: tuple[str, ...], *, masks: MaskKind, iou: float) -> RenderedAudit:
    """The numbers of an audit that have a known truth."""
    rows = {row.version: row for row in result if row.label is None}
    figures = {figure.name: figure.value for figure in result.figures if figure.label is None}
    shares = {share.player: share.share for share in result.shares_of()}
    # a mask without objects holds them, so that what they do counts as the person's
    of_cause = [shares.get("person" if player == "object" and masks != "exact" else player) for player in cause]
    return RenderedAudit(
        model=name,
        masks=masks,
        iou=iou,
        clips=len(result.answers.clips),
        right=rows["original"].accuracy,
        sh_acc=figures["sh_acc"],
        sb_err=figures["sb_err"],
        reversed_right=rows["reversed"].accuracy,
        paste_lost=rows["paste_control"].accuracy_lost,
        share_of_cause=sum(float("nan") if share is None else share for share in of_cause),
        **{player: shares.get(player, float("nan")) for player in ("order", "motion", "scene", "person", "object")},
    )
