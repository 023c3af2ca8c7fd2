"""Review of masks: made clip by clip in the background, the doubtful first, with verdicts that are in a file at once."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event, Lock, Thread

import torch

from video_tcav.auditing.plan import AuditQuestion, audited_clips
from video_tcav.concepts.bank import Verdict
from video_tcav.concepts.concept import Sources
from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import MediaError, VideoTcavError
from video_tcav.core.files import reason_of
from video_tcav.core.scratch import scratch_folder
from video_tcav.masks.mask_source import ClipMasks, MaskSource
from video_tcav.masks.quality import MaskQuality, mask_quality, set_doubts
from video_tcav.masks.specs import parse_mask_source
from video_tcav.media import LoadedClips, VideoSource, load_source, write_video
from video_tcav.models import VideoModel
from video_tcav.reports.maps.mask_outlines import outlined_frame
from video_tcav.studio.mask_verdicts import VerdictFile

_LEAST_HEIGHT_PX = 240  # one and a half times a tile, for screens of high resolution
_MOST_HEIGHT_PX = 480  # of a larger view, which shows no more than the video has: many clips must not fill the disk
_FPS = 8  # slow enough for the eye to follow an outline
_MOST_FRAMES = 300  # shown of a clip of many windows
_LAST_CLIP_S = 10.0  # how long the end waits for the clip at work


@dataclass(frozen=True, kw_only=True)
class MaskedClip:
    """A clip whose masks were made, or why there are none.

    Attributes:
        id: its number, from 1.
        source: where it comes from.
        quality: of its masks, in the window with the most doubts; `None` where there are none.
        how: how they were found.
        picture: its frames with the outlines, a video; `None` where there are no masks.
        problem: why there are none; an audit lists it as well.
    """

    id: int
    source: VideoSource
    quality: MaskQuality | None = None
    how: str = ""
    picture: Path | None = None
    problem: str = ""


class MaskReview:
    """Clips, their masks, and what a person decides about these.

    Args:
        sources: the clips, as an audit takes them.
        masks: tells the person.
        spec: what clips the audited model takes: masks are those of the same frames.
        file: JSON file of the verdicts, which `audit --reject` reads; read first where it is there.
        windows: clips taken from each video.
        next_command: what to type when all is judged; shown on the page.

    Raises:
        InputError: if the file is of another form.
        OutputError: if it cannot be written.
    """

    def __init__(
        self,
        sources: Sequence[VideoSource],
        masks: MaskSource,
        spec: ClipSpec,
        *,
        file: str | Path,
        windows: int = 1,
        next_command: str = "",
    ) -> None:
        self.next_command, self.total = next_command, len(sources)
        self.verdicts = VerdictFile(Path(file), sources)
        self._sources, self._masks, self._spec, self._windows = tuple(sources), masks, spec, windows
        self._made: dict[int, MaskedClip] = {}
        self._listed: list[int] = []  # in the order of the page, which stays while masks are still being made
        self._lock, self._stop, self._scratch = Lock(), Event(), ExitStack()
        self._thread = Thread(target=self._make_all, daemon=True)
        self.failure = ""

    @classmethod
    def of_audit(
        cls,
        model: VideoModel,
        clips: Sources | Mapping[str, Sources],
        *,
        file: str | Path,
        masks: str | Path | MaskSource = "motion",
        windows: int = 1,
        reject: Sequence[str] = (),
        next_command: str = "",
    ) -> "MaskReview":
        """The review of the masks that an audit of a model would use; see `audit` for its arguments and errors.

        Args:
            model: from `load_model`; it says which frames are taken, and runs nothing.
            clips: labelled with classes of the model.
            file: see `MaskReview`, as are the windows and the next command.
            masks: a spec or a source.
            windows: clips taken from each video.
            reject: clips that are left out already.
            next_command: what to type when all is judged.
        """
        sources, _, _ = audited_clips(model, AuditQuestion(clips=clips, reject=reject))
        source = parse_mask_source(masks, device=model.device)
        return cls(sources, source, model.clip_spec, file=file, windows=windows, next_command=next_command)

    def start(self) -> None:
        """Begin to make masks."""
        self._folder = self._scratch.enter_context(scratch_folder())
        self._thread.start()

    def close(self) -> None:
        """Stop, and remove the pictures; verdicts are in their file already."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_LAST_CLIP_S)
        self._scratch.close()

    @property
    def made(self) -> int:
        """Clips whose masks were made, or found not to be possible."""
        return len(self._made)

    def clip(self, id: int) -> MaskedClip | None:
        """A clip, if its masks were made."""
        return self._made.get(id)

    def clips(self, *, verdict: Verdict | None = None, ids: Sequence[int] | None = None) -> list[MaskedClip]:
        """Clips that were made, with the doubts of the whole set: first those that the page has, then the doubtful."""
        made = self._with_set_doubts()
        with self._lock:
            listed = [id for id in self._listed if id in made]
        order = [*listed, *sorted(made.keys() - set(listed), key=lambda id: _doubtful_first(made[id]))]
        wanted = None if ids is None else set(ids)
        return [
            made[id]
            for id in order
            if (wanted is None or id in wanted) and (verdict is None or self.verdict(made[id]) == verdict)
        ]

    def keep_order(self, clips: Sequence[MaskedClip]) -> None:
        """Let clips that the page has got keep their places, while masks of others are still being made."""
        with self._lock:
            self._listed = [*dict.fromkeys([*self._listed, *(clip.id for clip in clips)])]

    def sort_anew(self) -> None:
        """Put the doubtful first again, whatever the page has."""
        with self._lock:
            self._listed = []

    def verdict(self, clip: MaskedClip) -> Verdict:
        """What was decided about a clip."""
        return self.verdicts.of(clip.id)

    def _with_set_doubts(self) -> dict[int, MaskedClip]:
        made = dict(self._made)
        masked = [clip for clip in made.values() if clip.quality is not None]
        compared = set_doubts([clip.quality for clip in masked if clip.quality is not None])
        return made | {clip.id: replace(clip, quality=quality) for clip, quality in zip(masked, compared, strict=True)}

    def _make_all(self) -> None:
        try:
            for id, source in enumerate(self._sources, start=1):
                if self._stop.is_set():
                    return
                self._made[id] = self._make(id, source)
        except Exception as error:
            if not self._stop.is_set():  # else the folder of pictures is gone
                self.failure = f"Making masks failed: {reason_of(error)}. The terminal says more."
                raise

    def _make(self, id: int, source: VideoSource) -> MaskedClip:
        loaded = load_source(source, self._spec, windows=self._windows)
        try:
            if loaded.error is not None:
                raise loaded.error
            windows = self._masks.masks(loaded)
        except VideoTcavError as error:
            reason = error.reason if isinstance(error, MediaError) else reason_of(error)
            return MaskedClip(id=id, source=source, problem=reason)
        qualities = [mask_quality(source.key, masks) for masks in windows]
        doubts = tuple(dict.fromkeys(doubt for quality in qualities for doubt in quality.doubts))
        worst = max(qualities, key=lambda quality: len(quality.doubts))
        picture = self._folder / f"{id}.mp4"
        write_video(picture, _outlined(loaded, windows), fps=_FPS)
        picture.chmod(0o600)  # the source may be readable for this user only
        quality = replace(worst, doubts=doubts)
        return MaskedClip(id=id, source=source, quality=quality, how=windows[0].how, picture=picture)


def _outlined(loaded: LoadedClips, windows: Sequence[ClipMasks]) -> torch.Tensor:
    """The frames of all windows with their outlines, as many as are shown."""
    assert loaded.clips is not None
    height = max(_LEAST_HEIGHT_PX, min(loaded.clips.shape[-2], _MOST_HEIGHT_PX))
    pictures = [
        outlined_frame(frame, masks.person[time], None if masks.object is None else masks.object[time], height=height)
        for clip, masks in zip(loaded.clips[: 1 + _MOST_FRAMES // loaded.clips.shape[1]], windows, strict=False)
        for time, frame in enumerate(clip)
    ]
    return torch.stack([torch.from_numpy(picture).permute(2, 0, 1) for picture in pictures[:_MOST_FRAMES]])


def _doubtful_first(clip: MaskedClip) -> tuple[int, str]:
    """Clips without masks are last: there is nothing to judge."""
    return 1 if clip.quality is None else -len(clip.quality.doubts), clip.source.key
