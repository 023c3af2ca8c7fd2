"""What an audit passes: labelled clips, their versions, and whose scene each gets; refused before any long work."""

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from video_tcav.auditing.rejections import read_rejections, rejected_keys, unknown_names
from video_tcav.auditing.settings import AuditSettings
from video_tcav.auditing.versions import ORIGINAL, VERSIONS, Version
from video_tcav.concepts import as_sources
from video_tcav.concepts.concept import Sources
from video_tcav.core.checks import at_least
from video_tcav.core.errors import ClassNotFoundError, InputError
from video_tcav.core.limits import shortened
from video_tcav.masks.donors import along_chains, draw_donors, lenders_along
from video_tcav.masks.mask_source import MaskSource
from video_tcav.masks.specs import parse_mask_source
from video_tcav.media import Skipped, VideoSource
from video_tcav.media.digest import Digest, content_digests
from video_tcav.media.grouping import GroupOf, grouping
from video_tcav.models import VideoModel
from video_tcav.models.class_names import class_of_label

REJECTED = "rejected, as its masks were judged to be wrong"
_LISTS = frozenset({".json", ".csv", ".txt"})
_MOST_NAMED = 10  # classes in a message, which stays a line


@dataclass(frozen=True, kw_only=True)
class AuditQuestion:
    """What is asked of a model, see `audit`."""

    clips: Sources | Mapping[str, Sources]
    versions: Sequence[str] | None = None
    reject: Sequence[str] = ()
    group: str = "video"
    seed: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class VersionPlan:
    """What each clip is made into: all that decides about pixels, and nothing about labels.

    Attributes:
        versions: of each clip; the first is the clip itself.
        shares: whether coalitions are passed, too.
        masks: tells the person; `None` where no version needs it.
        lenders: by the key of a source, those whose scene it may get: the first one that has a person lends it.
        digests: content digest of each source that can be read, by its key.
        seed: of every random draw.
    """

    versions: tuple[Version, ...]
    shares: bool
    masks: MaskSource | None
    lenders: Mapping[str, tuple[VideoSource, ...]]
    digests: Mapping[str, str]
    seed: int


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditPlan(VersionPlan):
    """Labelled clips and their versions, before any pass.

    Attributes:
        sources: clips, in the order of the results.
        classes: index of the class of each source, by its key.
        order: sources in the order of the passes: behind each, where that is possible, comes the one that lends it a scene.
        rejected: clips that were left out on request.
        group_of: names the group of a source.
    """

    sources: tuple[VideoSource, ...]
    classes: Mapping[str, int]
    order: tuple[VideoSource, ...]
    rejected: tuple[Skipped, ...]
    group_of: GroupOf


def plan_audit(model: VideoModel, question: AuditQuestion, settings: AuditSettings, digest: Digest) -> AuditPlan:
    """Find all clips with their classes, and decide what each is made into.

    Raises:
        SourceError: where there is no video.
        ClassNotFoundError: for a label that is no class of the model.
        InputError: for clips without labels, a model without classes, an unknown version or clip, or one class only where a scene
            of another is needed.
    """
    at_least("seed", question.seed, 0)
    versions, group_of = _versions(question.versions), grouping(question.group)
    sources, classes, rejected = audited_clips(model, question)
    for source in sources:
        group_of(source)  # a pattern that does not match is found before the long work
    lenders: dict[str, tuple[VideoSource, ...]] = {}
    order = sources
    if any(version.needs_donor for version in versions):
        labels, groups = [model.classes[classes[source.key]] for source in sources], [*map(group_of, sources)]
        # by the model's names: two spellings of a class must not lend to each other as if they were two
        donors = draw_donors(labels, seed=question.seed, groups=groups).tolist()
        order = tuple(sources[index] for index in along_chains(donors))
        lenders = lenders_along(sources, donors, labels, groups)
    needs_masks = settings.shares or any(version.needs_masks for version in versions)
    return AuditPlan(
        sources=sources,
        classes=classes,
        versions=versions,
        shares=settings.shares,
        masks=parse_mask_source(settings.masks, device=model.device) if needs_masks else None,
        lenders=lenders,
        order=order,
        rejected=rejected,
        digests=content_digests(sources, digest),
        group_of=group_of,
        seed=question.seed,
    )


def audited_clips(
    model: VideoModel, question: AuditQuestion
) -> tuple[tuple[VideoSource, ...], dict[str, int], tuple[Skipped, ...]]:
    """The clips, the index of the class of each by its key, and the clips that are left out on request.

    Raises:
        SourceError: where there is no video.
        ClassNotFoundError: for a label that is no class of the model.
        InputError: for clips without labels, a model without classes, or an unknown clip.
    """
    _check_model(model)
    sources, rejected = _without_rejected(_labelled(question.clips), question.reject)
    return sources, _classes(model, sources), rejected


def _check_model(model: VideoModel) -> None:
    if not model.outputs.has_probabilities:
        raise InputError(
            f"`model` must have classes to be audited. Got {model.name}, whose outputs are plain numbers. "
            "Say what they are with --outputs, if they are not."
        )
    if len(model.classes) < 2:
        raise InputError(
            f"`model` must have two classes or more to be audited. Got {model.name}, which has one. Give another model."
        )


def _versions(names: Sequence[str] | None) -> tuple[Version, ...]:
    # the clip as it is comes always: all others are compared with it
    chosen = VERSIONS.names() if names is None else tuple(names)
    return tuple(VERSIONS[name] for name in dict.fromkeys((ORIGINAL.name, *chosen)))


def _labelled(clips: Sources | Mapping[str, Sources]) -> tuple[VideoSource, ...]:
    """All sources; those of a mapping have the label that they stand under.

    Raises:
        InputError: if one has no label.
    """
    if isinstance(clips, Mapping):
        labelled = [(label, as_sources(members, clip_name=f"{label} clip")) for label, members in clips.items()]
        return as_sources([replace(source, label=label) for label, members in labelled for source in members])
    sources = as_sources(clips)
    unlabelled = [source.key for source in sources if not (source.label or "").strip()]
    if unlabelled:
        raise InputError(
            f"`clips` must have labels. Got {len(unlabelled)} of {len(sources)} without, the first: {unlabelled[0]}. "
            "Give a folder for each class, or a manifest with a column `label`."
        )
    return sources


def _without_rejected(
    sources: tuple[VideoSource, ...], reject: Sequence[str]
) -> tuple[tuple[VideoSource, ...], tuple[Skipped, ...]]:
    """The sources that were not rejected, by name or in a file of names, and the others."""
    names = frozenset[str]()
    for name in reject:
        names |= read_rejections(name) if is_list_of_names(name) else {name}
    unknown = unknown_names(sources, names)
    if unknown:
        hint = _nearest(unknown[0], [source.path.name for source in sources]) or f"The first is {sources[0].key}."
        raise InputError(f"`reject` must name clips of the audit. Got {unknown[0]}. {hint}")
    rejected = rejected_keys(sources, names)
    left = tuple(source for source in sources if source.key not in rejected)
    if not left:
        raise InputError(f"`reject` must leave a clip. Got all {len(sources)}. Reject fewer.")
    return left, tuple(Skipped(path=source.key, reason=REJECTED) for source in sources if source.key in rejected)


def is_list_of_names(name: str) -> bool:
    """Whether what is to be rejected is a file of names, and no clip."""
    return Path(name).suffix.lower() in _LISTS and Path(name).is_file()


def _classes(model: VideoModel, sources: Sequence[VideoSource]) -> dict[str, int]:
    """The class of each source: by a name that is spelled alike, or else by its number."""
    names = {label: class_of_label(model.classes, label) for label in {source.label or "" for source in sources}}
    unknown = Counter(source.label or "" for source in sources if names[source.label or ""] is None)
    if unknown:
        label, count = unknown.most_common(1)[0]
        more = f", and of {len(unknown) - 1} more labels" if len(unknown) > 1 else ""
        cure = f"They are {shortened(model.classes, _MOST_NAMED)}. Rename labels, or name classes with --classes."
        raise ClassNotFoundError(
            f"`clips` must be labelled with classes of {model.name}. Got {label!r} for {count} of {len(sources)} clips{more}. "
            f"{_nearest(label, model.classes) or cure}"
        )
    numbers = {name: number for number, name in enumerate(model.classes)}
    return {source.key: numbers[name] for source in sources if (name := names[source.label or ""]) is not None}


def _nearest(name: str, names: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean {near[0]}?" if near else ""
