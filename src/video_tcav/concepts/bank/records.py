"""What a bank holds: a clip, where it was cut from, what a person decided, and how many there are of each."""

import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from video_tcav.core.errors import InputError

Verdict = Literal["open", "accepted", "rejected"]
Kind = Literal["moving", "still", "focus", "scene"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
KINDS: tuple[Kind, ...] = get_args(Kind)

Box = tuple[float, float, float, float]

_LONGEST_NAME = 80
_FORBIDDEN = frozenset("/\\:")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a clip was cut from.

    Attributes:
        video: path of the video, absolute, as the user gave it.
        video_digest: SHA-256 of that file, in hex.
        start_s: begin of the span in the video.
        end_s: its end.
        times_s: when each frame of the clip is on display in the video.
        boxes: left, top, right and bottom in pixels of the video, one a frame; empty for the whole picture.
        label: what the detector called it; empty if nothing.
        score: mean confidence of the detector, in [0, 1].
        proposer: what cut it: detector, settings, versions; `{"name": "import"}` for files that were imported. A `group`
            in it names what the clip shares with others, where that is not the video.
    """

    video: str
    video_digest: str
    start_s: float
    end_s: float
    times_s: tuple[float, ...]
    boxes: tuple[Box, ...]
    label: str
    score: float
    proposer: Mapping[str, Any]

    def to_json(self) -> str:
        """The origin as JSON.

        Raises:
            InputError: if it holds what JSON cannot say: NaN, infinity, or an object of Python.
        """
        plain = {
            "video": str(self.video),
            "video_digest": str(self.video_digest),
            "start_s": float(self.start_s),
            "end_s": float(self.end_s),
            "times_s": [float(time_s) for time_s in self.times_s],
            "boxes": [[float(side) for side in box] for box in self.boxes],
            "label": str(self.label),
            "score": float(self.score),
            "proposer": dict(self.proposer),
        }
        try:
            return json.dumps(plain, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"`origin` must hold numbers, words and lists of them. Got: {error}. Leave out what JSON cannot say."
            ) from error

    @classmethod
    def from_json(cls, text: str) -> "Origin":
        """The origin that `to_json` wrote.

        Raises:
            ValueError: if the text is something else (also TypeError and KeyError).
        """
        found = json.loads(text)
        boxes = tuple((float(left), float(top), float(right), float(low)) for left, top, right, low in found["boxes"])
        return cls(
            video=str(found["video"]),
            video_digest=str(found["video_digest"]),
            start_s=float(found["start_s"]),
            end_s=float(found["end_s"]),
            times_s=tuple(float(time_s) for time_s in found["times_s"]),
            boxes=boxes,
            label=str(found["label"]),
            score=float(found["score"]),
            proposer=dict(found["proposer"]),
        )


@dataclass(frozen=True, kw_only=True)
class BankClip:
    """One clip of a bank.

    Attributes:
        id: its number in the bank; never given to another clip.
        path: the file in the bank.
        digest: SHA-256 of that file, in hex.
        concept: the concept it stands for; empty if none yet.
        kind: `moving` follows the tube, `still` is one sharp picture of it, `focus` has the surroundings greyed, `scene` the
            tube.
        verdict: what a person decided.
        origin: where it was cut from.
        tube: the same for all versions of one tube.
        quality: higher is better; the order of review.
        frames: how many.
        width: in pixels.
        height: in pixels.
        fps: frames per second.
    """

    id: int
    path: Path
    digest: str
    concept: str
    kind: Kind
    verdict: Verdict
    origin: Origin
    tube: str
    quality: float
    frames: int
    width: int
    height: int
    fps: float


@dataclass(frozen=True, kw_only=True)
class ConceptCount:
    """How many clips a concept has.

    Attributes:
        name: of the concept.
        open: clips that nobody has judged.
        accepted: clips that show it.
        rejected: clips that do not.
        videos: distinct source videos among the accepted.
    """

    name: str
    open: int
    accepted: int
    rejected: int
    videos: int


def concept_name(name: str) -> str:
    """The name as a bank keeps it: without blanks around it, in one spelling of accents.

    Raises:
        InputError: if it cannot name a concept.
    """
    clean = unicodedata.normalize("NFC", name).strip() if isinstance(name, str) else ""
    good = 0 < len(clean) <= _LONGEST_NAME and clean.isprintable() and not _FORBIDDEN & set(clean)
    if not good or clean.startswith("."):
        raise InputError(
            f"`concept` must be 1 to {_LONGEST_NAME} printable characters without / \\ : and not start with a dot. "
            f"Got {_shown(name)}. Choose another name."
        )
    return clean


def check_origin(origin: Origin, frames: int) -> None:
    """Refuse an origin that does not describe a clip of so many frames.

    Raises:
        InputError: if it does not.
    """
    if len(origin.times_s) != frames or len(origin.boxes) not in (0, frames):
        raise InputError(
            f"`origin` must have a time for each of the {frames} frames, and a box for each or none. Got "
            f"{len(origin.times_s)} times, {len(origin.boxes)} boxes. Give one a frame."
        )
    if not (math.isfinite(origin.start_s) and math.isfinite(origin.end_s) and origin.start_s <= origin.end_s):
        raise InputError(f"`end_s` must not be before `start_s`. Got {origin.start_s} to {origin.end_s}. Swap them.")
    if not 0 <= origin.score <= 1:
        raise InputError(f"`score` must be from 0 to 1. Got {origin.score}. Scale the detector's confidence.")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 2 * _LONGEST_NAME else f"{text[:_LONGEST_NAME]}… ({len(text)} characters)"
