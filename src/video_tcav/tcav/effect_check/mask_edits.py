"""Edits by masks: the person alone, the scene without anybody, and the person in the scene of another clip."""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.work_ahead import work_ahead
from video_tcav.masks import ClipMaterial, MaskSource, draw_donors
from video_tcav.masks.donors import along_chains, lenders_along
from video_tcav.masks.material import Clip
from video_tcav.masks.source_material import MaterialStore
from video_tcav.media import VideoSource
from video_tcav.media.grouping import GroupOf

MaskEdit = Literal["person_only", "scene_only", "other_scene"]
MASK_EDITS: tuple[MaskEdit, ...] = get_args(MaskEdit)
OTHER_SCENE: MaskEdit = "other_scene"
"""The one edit that takes another clip."""
_AHEAD_PER_THREAD = 2
_NO_LENDER = "nobody was found in the clips that would lend their scene"


@dataclass(frozen=True, kw_only=True, eq=False)
class MaskedVersions:
    """What edits by masks make of one clip.

    Attributes:
        clip: its number.
        frames: pixels of each edit that can be made, of the clip's own shape.
        left_out: why each of the others cannot be made.
    """

    clip: int
    frames: Mapping[MaskEdit, Clip] = field(default_factory=dict)
    left_out: Mapping[MaskEdit, str] = field(default_factory=dict)


class MaskedClips:
    """Makes edits by masks of clips; each video is decoded and masked once for all of its edits.

    Args:
        clips: that are edited, of two groups or more.
        random: further clips, whose scenes they get; if there are none, they get those of each other.
        edits: which.
        masks: tells the person.
        spec: what clips the model takes.
        group_of: names the group of a source; no clip gets the scene of its own group.
        threads: videos that are decoded and masked at once.
        seed: of the draw of scenes.
    """

    def __init__(
        self,
        clips: Sequence[VideoSource],
        random: Sequence[VideoSource],
        *,
        edits: Sequence[MaskEdit],
        masks: MaskSource,
        spec: ClipSpec,
        group_of: GroupOf,
        threads: int,
        seed: int,
    ) -> None:
        self._clips, self._edits, self._threads = clips, edits, threads
        # those that threads work on and their lenders, as full-HD clips have 100 MB each
        most = 2 + threads * (_AHEAD_PER_THREAD + 1)
        self._materials = MaterialStore(spec, windows=1, masks=masks, most=most)
        sources = (*clips, *random)
        groups = [group_of(source) for source in sources]
        labels = ["clip"] * len(clips) + ["random"] * len(random) if random else groups
        donors = draw_donors(labels, seed=seed, groups=groups).tolist()
        self._lenders = lenders_along(sources, donors, labels, groups)
        # behind each clip the one that lends it a scene, where that is edited, too
        self._order = [clip for clip in along_chains(donors) if clip < len(clips)]

    def versions(self) -> Generator[MaskedVersions, None, None]:
        """Every clip, made in threads ahead of the caller; closing the generator ends them.

        Raises:
            InputError: for masks that do not fit their video.
            MediaError: for a video that can no longer be read.
        """
        ahead = self._threads * _AHEAD_PER_THREAD
        return work_ahead(self._made, self._order, threads=self._threads, ahead=ahead, name="video-tcav-masked-clips")

    def _made(self, clip: int) -> MaskedVersions:
        source = self._clips[clip]
        material = self._materials.of(source)
        if material.error is not None:
            if not material.is_unmasked:  # it could be used a moment ago
                raise material.error
            return MaskedVersions(clip=clip, left_out=dict.fromkeys(self._edits, material.error.reason))
        (plain,) = material.windows
        donor = self._donor(source) if OTHER_SCENE in self._edits else None
        makers: dict[MaskEdit, Callable[[], Clip]] = {
            "person_only": lambda: plain.person_over(plain.mean_picture),
            "scene_only": lambda: plain.scene,
        }
        if donor is not None:
            makers[OTHER_SCENE] = lambda: plain.person_over_scene_of(donor)
        return MaskedVersions(
            clip=clip,
            frames={edit: makers[edit]() for edit in self._edits if edit in makers},
            left_out={edit: _NO_LENDER for edit in self._edits if edit not in makers},
        )

    def _donor(self, source: VideoSource) -> ClipMaterial | None:
        _, lender = self._materials.lender(self._lenders[source.key])
        return None if lender is None else lender.windows[0]


def left_out_texts(made: Iterable[MaskedVersions], clips: Sequence[VideoSource]) -> tuple[str, ...]:
    """One line a reason for which clips are left out, with the edits and the first of the clips."""
    reasons: dict[tuple[tuple[MaskEdit, ...], str], list[int]] = {}
    for versions in sorted(made, key=lambda each: each.clip):
        for reason in dict.fromkeys(versions.left_out.values()):
            edits: tuple[MaskEdit, ...] = tuple(edit for edit, text in versions.left_out.items() if text == reason)
            reasons.setdefault((edits, reason), []).append(versions.clip)
    return tuple(
        f"{len(numbers)} of {len(clips)} clips are left out of {', '.join(edits)}: {reason} (first {clips[numbers[0]].key})"
        for (edits, reason), numbers in reasons.items()
    )
