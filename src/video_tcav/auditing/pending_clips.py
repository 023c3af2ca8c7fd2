"""Clips of an audit before their passes: what is kept of them, and material for the versions that are missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from video_tcav.auditing.kept_logits import KeptClip, LogitFiles, MaskFacts
from video_tcav.auditing.plan import VersionPlan
from video_tcav.auditing.version_makers import VersionMaker, version_makers, version_names
from video_tcav.auditing.versions import Version
from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MediaError
from video_tcav.masks.identity import mask_identity
from video_tcav.masks.material import ClipMaterial
from video_tcav.masks.source_material import MaterialStore, SourceMaterial
from video_tcav.media import VideoSource
from video_tcav.recording.cache.keys import source_name
from video_tcav.recording.settings import RecordingSettings

SOURCES_AHEAD = 2
"""A thread: more would fill the memory with frames, fewer let the model wait for a long video."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PassedClip:
    """What the models say of all versions of one clip.

    Attributes:
        source: the video.
        window: which clip of it.
        lender: the video that lent it a scene; `None` if none did.
        facts: of its masks; `None` where versions without masks alone were passed.
        logits: of each model, by the name of the version; without those that a missing lender would be needed for.
    """

    source: VideoSource
    window: int
    lender: VideoSource | None
    facts: MaskFacts | None
    logits: Mapping[str, Float[Tensor, "model class"]]


@dataclass(frozen=True, kw_only=True, eq=False)
class PendingClip:
    """A clip with the logits that are kept of it.

    Attributes:
        passed: the clip and those logits.
        missing: versions still to be passed, with what makes their pixels.
        names: of all versions, in the order of the plan.
    """

    passed: PassedClip
    missing: Mapping[str, VersionMaker] = field(default_factory=dict)
    names: tuple[str, ...]


class PendingClips:
    """Finds what is kept of each clip, and makes material for the rest; called in threads.

    Args:
        spec: what clips the model takes.
        plan: which versions.
        settings: how clips are passed.
        files: where the logits of each model are kept.
    """

    def __init__(
        self, spec: ClipSpec, plan: VersionPlan, settings: RecordingSettings, files: Sequence[LogitFiles]
    ) -> None:
        self._plan, self._windows, self._files = plan, settings.windows, files
        # with fewer, a lender would be decoded and masked a second time for the clip that comes before it
        # a full-HD clip of 16 frames has 100 MB: the store holds what threads work on, and no more
        most = 2 + settings.threads * (SOURCES_AHEAD + 1)  # those ahead, and their lenders
        self._materials = MaterialStore(spec, windows=settings.windows, masks=plan.masks, most=most)
        self._identity = mask_identity(plan.masks)
        self._keeps_masked = plan.masks is not None and self._identity is not None
        self._unmasked = {version.name for version in plan.versions if not version.needs_masks}
        self._foreign = {version.name for version in plan.versions if is_foreign(version)}

    def of(self, source: VideoSource) -> Sequence[PendingClip] | MediaError:
        """The clips of a video, or what is wrong with it."""
        try:
            # asked before any decoding: a second audit of all clips opens no video
            kept = [self._kept(source, window) for window in range(self._windows)]
        except MediaError as error:
            return error
        # clips of one video are decoded together, so that all are made if one is missing
        if all(clip is not None for clip in kept):
            return [clip for clip in kept if clip is not None]
        own = self._materials.of(source)
        if own.error is not None:
            # That nobody is in it may have taken a segmenter to find out. What cannot be decoded is tried again next time:
            # a drive that was away for a moment would leave the video out for good.
            if self._keeps_masked and own.is_unmasked and source.key in self._plan.digests:
                self._add(KeptClip(skipped=own.error.reason), *self._masked_content(source, 0))
            return own.error
        number, lender = self._materials.lender(self._plan.lenders.get(source.key, ()))
        return [self._pending(source, window, own, number, lender) for window in range(len(own.windows))]

    def keep(self, pending: PendingClip, logits: Mapping[str, Tensor]) -> PassedClip:
        """The complete clip; its new logits are kept for other audits.

        Args:
            pending: the clip.
            logits: of its missing versions.
        """
        source, window = pending.passed.source, pending.passed.window
        # in the order of the plan, whichever were kept: tables must not depend on that
        complete = {**pending.passed.logits, **logits}
        passed = replace(pending.passed, logits={name: complete[name] for name in pending.names})
        if source.key not in self._plan.digests:  # it could not be read when digests were taken
            return passed
        lasting = [name for name in logits if name not in self._foreign]
        plain = [name for name in lasting if name in self._unmasked]
        contents: list[tuple[tuple[Any, ...], MaskFacts | None, list[str]]]
        contents = [(self._plain_content(source, window), None, plain)]
        if self._keeps_masked:
            masked = [name for name in lasting if name not in self._unmasked]
            contents.append((self._masked_content(source, window), passed.facts, masked))
        for content, facts, names in contents:
            if names:
                self._add(KeptClip(logits={name: logits[name] for name in names}, facts=facts), *content)
        return passed

    def is_kept(self, source: VideoSource) -> bool:
        """Whether nothing of a video is missing; also where it is known that it cannot be used."""
        try:
            return all(self._kept(source, window) is not None for window in range(self._windows))
        except MediaError:
            return True

    def makers(
        self, source: VideoSource, window: int, lender: VideoSource | None
    ) -> tuple[dict[str, VersionMaker], ClipMaterial, float]:
        """What makes the versions of a clip that was passed, with its material and frames a second.

        Raises:
            MediaError: if its file can no longer be read.
        """
        own = self._materials.of(source)
        lent = None if lender is None else self._materials.of(lender)
        for material in (own, lent):
            if material is not None and material.error is not None:
                raise material.error
        plan, clip = self._plan, own.windows[window]
        makers = version_makers(plan.versions, clip, _window_of(lent, window), shares=plan.shares, seed=plan.seed)
        return makers, clip, own.fps

    def _kept(self, source: VideoSource, window: int) -> PendingClip | None:
        """A clip of which all is kept; `None` where something is missing.

        Raises:
            MediaError: where it is known that the video cannot be used.
        """
        plan = self._plan
        if source.key not in plan.digests or (plan.masks is not None and not self._keeps_masked):
            return None
        without, masked = self._read(*self._plain_content(source, window)), KeptClip()
        if plan.masks is not None:
            masked = self._read(*self._masked_content(source, window))
            if masked.skipped:
                raise MediaError(source.path, masked.skipped)
            if masked.facts is None:
                return None
        facts, logits = masked.facts, {**without.logits, **masked.logits}
        lender = None if facts is None else facts.lender
        names = version_names(
            plan.versions,
            shares=plan.shares,
            has_object=facts is not None and facts.has_object,
            has_lender=lender is not None,
        )
        # which versions there must be depends on the masks, whose facts are kept beside the logits
        if any(name not in logits for name in names):
            return None
        passed = PassedClip(
            source=source,
            window=window,
            lender=None if lender is None else plan.lenders[source.key][lender],
            facts=facts,
            logits={name: logits[name] for name in names},
        )
        return PendingClip(passed=passed, names=tuple(names))

    def _pending(
        self, source: VideoSource, window: int, own: SourceMaterial, number: int | None, lender: SourceMaterial | None
    ) -> PendingClip:
        """A clip whose versions are to be passed, but for those that are kept."""
        plan, material = self._plan, own.windows[window]
        facts = None if material.masks is None else _facts(material, number)
        kept: dict[str, Tensor] = {}
        if source.key in plan.digests:
            kept |= self._read(*self._plain_content(source, window)).logits
            if self._keeps_masked:
                kept |= self._read(*self._masked_content(source, window)).logits
        donor = _window_of(lender, window)
        makers = version_makers(plan.versions, material, donor, shares=plan.shares, seed=plan.seed)
        passed = PassedClip(
            source=source,
            window=window,
            lender=None if number is None else plan.lenders[source.key][number],
            facts=facts,
            logits={name: kept[name] for name in makers if name in kept},
        )
        missing = {name: maker for name, maker in makers.items() if name not in kept}
        return PendingClip(passed=passed, missing=missing, names=tuple(makers))

    def _read(self, *content: Any) -> KeptClip:
        """What is kept of a clip for every model."""
        clips = [files.read(*content) for files in self._files]
        names = [name for name in clips[0].logits if all(name in clip.logits for clip in clips)]
        logits = {name: torch.stack([clip.logits[name] for clip in clips]) for name in names}
        return replace(clips[0], logits=logits)

    def _add(self, clip: KeptClip, *content: Any) -> None:
        for number, files in enumerate(self._files):
            files.add(replace(clip, logits={name: rows[number] for name, rows in clip.logits.items()}), *content)

    def _plain_content(self, source: VideoSource, window: int) -> tuple[Any, ...]:
        """What decides about the logits of a clip's versions without masks."""
        # the digest holds the segment, too: two segments of one file are two clips
        name = source_name(source, self._plan.digests.get(source.key, ""))
        # the file's name decides about the shuffle of its frames, and the number of windows about which frames each has
        return ("plain", name, source.path.name, window, self._windows, self._plan.seed)

    def _masked_content(self, source: VideoSource, window: int) -> tuple[Any, ...]:
        """What decides about the logits of all others: also the masks, and whose scene it may get.

        Raises:
            MediaError: if masks stand in files that have none of the video.
        """
        assert self._plan.masks is not None
        # masks in files go by the names of videos, which may change while their bytes stay
        lenders = [
            [*source_name(lender, self._plan.digests.get(lender.key, "")), self._entry(lender)]
            for lender in self._plan.lenders.get(source.key, ())
        ]
        entry = self._plan.masks.entry(source)
        return ("masked", *self._plain_content(source, window), self._identity, entry, lenders)

    def _entry(self, lender: VideoSource) -> str | None:
        assert self._plan.masks is not None
        try:
            return self._plan.masks.entry(lender)
        except MediaError:  # the next lender is asked
            return None


def is_foreign(version: Version) -> bool:
    """Whether it is of another package: nothing tells when its code changes, and with it its pixels."""
    return not type(version).__module__.startswith("video_tcav.")


def _window_of(lender: SourceMaterial | None, window: int) -> ClipMaterial | None:
    """The clip that lends its scene: of the same window, where there are as many."""
    return None if lender is None else lender.windows[min(window, len(lender.windows) - 1)]


def _facts(material: ClipMaterial, lender: int | None) -> MaskFacts:
    masks, quality = material.known_masks, material.quality
    return MaskFacts(
        has_object=masks.object is not None,
        how=masks.how,
        person_share=quality.area,
        doubts="; ".join(quality.doubts),
        filled=material.scene_filling.how,
        lender=lender,
    )
