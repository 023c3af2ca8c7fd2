"""Clips cut anew: other frames in place of those that there are, as one step of undo."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from video_tcav.concepts.bank.changes import Step, remember
from video_tcav.concepts.bank.clips import ids_json
from video_tcav.concepts.bank.files import clip_path, settle
from video_tcav.concepts.bank.insertion import encoded, file_shape, remove_unnamed
from video_tcav.concepts.bank.records import BankClip, NewClip, Origin
from video_tcav.concepts.bank.verdicts import clips_in_words
from video_tcav.core.errors import VideoTcavError
from video_tcav.core.sqlite import Database
from video_tcav.media import file_digest

_COLUMNS = ("digest", "ending", "frames", "width", "height", "fps", "origin")


@dataclass(frozen=True, kw_only=True, eq=False)
class NewFrames:
    """Frames that replace those of a clip.

    Attributes:
        clip: of the bank.
        frames: RGB; one picture for a still.
        fps: frames per second.
        origin: where they were cut from.
    """

    clip: BankClip
    frames: UInt8[Tensor, "time 3 height width"]
    fps: float
    origin: Origin


def replace_frames(database: Database, cuts: Sequence[NewFrames], *, reviewer: str) -> None:
    """Encode new frames for clips; the old files stay until the step of undo is gone."""
    paths = []
    try:
        with ExitStack() as staged_files:
            rows = []
            for cut in cuts:
                file = staged_files.enter_context(encoded(database, cut.frames, cut.clip.kind, cut.fps))
                values = _values(cut) | {"digest": file_digest(file), "ending": file.suffix}
                paths.append(clip_path(database.folder, values["digest"], values["ending"]))
                rows.append((file, cut.clip.id, values))
            with database.transaction() as change:
                before = {id: _before(change, id) for _, id, _ in rows}
                for (file, id, values), path in zip(rows, paths, strict=True):
                    settle(file, path)
                    assignments = ", ".join(f"{name} = ?" for name in _COLUMNS)
                    change.execute(
                        f"UPDATE clips SET {assignments} WHERE id = ?", [*(values[name] for name in _COLUMNS), id]
                    )
                # vectors of what the clips showed before
                change.execute(
                    "DELETE FROM embeddings WHERE clip_id IN (SELECT value FROM json_each(?))", [ids_json(before)]
                )
                words = f"{clips_in_words(list(before))} cut anew"
                remember(change, Step(words=words, reviewer=reviewer, clips=before))
    except VideoTcavError:
        for path in paths:
            remove_unnamed(database, path)
        raise


def _values(cut: NewFrames) -> dict[str, Any]:
    clip = cut.clip
    shape = file_shape(cut.frames, clip.kind)
    NewClip(  # which refuses what cannot be
        concept=clip.concept,
        kind=clip.kind,
        verdict=clip.verdict,
        origin=cut.origin,
        tube=clip.tube,
        quality=clip.quality,
        fps=cut.fps,
        **shape,
    )
    return {**shape, "fps": float(cut.fps), "origin": cut.origin.to_json()}


def _before(change: Any, id: int) -> dict[str, Any]:
    return dict(change.execute(f"SELECT {', '.join(_COLUMNS)} FROM clips WHERE id = ?", [id]).fetchone())
