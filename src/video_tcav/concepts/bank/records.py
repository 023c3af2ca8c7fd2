"""Records of a concept bank: a clip, its origin in a source video, and the counts of a concept."""

import json
import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from video_tcav.core.checks import one_of, positive, require
from video_tcav.core.errors import InputError
from video_tcav.core.limits import excerpt, parse_json

Verdict = Literal["open", "accepted", "rejected"]
Kind = Literal["moving", "still", "focus", "scene"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
KINDS: tuple[Kind, ...] = get_args(Kind)

Box = tuple[float, float, float, float]

LONGEST_NAME = 80
LONGEST_NOTE = 2000
_FORBIDDEN = frozenset("/\\:")  # a concept becomes a folder of an export, and `BANK::NAME:KIND` is split at colons


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
        # Converted field by field: callers pass NumPy numbers and paths, which JSON does not take.
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
        content = parse_json(text)
        # unpacked one by one, so that a box of three or five numbers is refused
        boxes = tuple((float(left), float(top), float(right), float(low)) for left, top, right, low in content["boxes"])
        texts: dict[str, Any] = {name: str(content[name]) for name in ("video", "video_digest", "label")}
        numbers: dict[str, Any] = {name: float(content[name]) for name in ("start_s", "end_s", "score")}
        times_s = tuple(map(float, content["times_s"]))
        return cls(**texts, **numbers, times_s=times_s, boxes=boxes, proposer=dict(content["proposer"]))


@dataclass(frozen=True, kw_only=True)
class NewClip:
    """A clip that is to be added to a bank; checked when it is made.

    Attributes:
        concept: the concept it stands for; empty if none yet.
        kind: `moving` follows the tube, `still` is one sharp picture of it, `focus` has the surroundings greyed, `scene` the
            tube.
        verdict: what a person decided.
        origin: where it was cut from.
        tube: the same for all versions of one tube.
        quality: higher is better; the order of review.
        frames: how many.
        width: of the file, in pixels.
        height: of the file, in pixels.
        fps: frames per second.

    Raises:
        InputError: if a value is not possible.
    """

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

    def __post_init__(self) -> None:
        # A frozen dataclass is changed so: names that look alike must be one concept.
        object.__setattr__(self, "concept", concept_name(self.concept) if self.concept else "")
        # Rows that are read are checked as well: a name that somebody wrote into the database could become a path.
        one_of("kind", self.kind, KINDS)
        one_of("verdict", self.verdict, VERDICTS)
        _check_origin(self.origin, self.frames)
        require(math.isfinite(self.quality), "quality", "be a number", self.quality, "Give 0 where it is not known.")
        positive("fps", self.fps, "25 is usual.")


@dataclass(frozen=True, kw_only=True)
class BankClip(NewClip):
    """One clip of a bank: what was added, and its place there.

    Attributes:
        id: its number in the bank; never given to another clip.
        path: the file in the bank.
        digest: SHA-256 of that file, in hex.
        settled_by: who settled what reviewers disagreed on; `None` where nobody has.
    """

    id: int
    path: Path
    digest: str
    settled_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class Review:
    """What one reviewer said about a clip.

    Attributes:
        clip: its number.
        reviewer: who; empty where nobody gave a name.
        verdict: what the reviewer decided.
        note: in free words; empty for none.
    """

    clip: int
    reviewer: str
    verdict: Verdict
    note: str


@dataclass(frozen=True, kw_only=True)
class ConceptCount:
    """How many clips a concept has.

    Attributes:
        name: of the concept.
        number: in the order in which concepts were made; it stays when others are added, and when the concept is renamed.
        open: clips that nobody has judged.
        accepted: clips that show it.
        rejected: clips that do not.
        videos: distinct source videos among the accepted.
    """

    name: str
    number: int
    open: int
    accepted: int
    rejected: int
    videos: int


def reviewer_name(name: str) -> str:
    """A reviewer's name in its one spelling, as `concept_name`; empty for nobody in particular."""
    clean = _spelled(name)
    if len(clean) > LONGEST_NAME or not clean.isprintable():
        raise InputError(
            f"`reviewer` must be at most {LONGEST_NAME} printable characters. "
            f"Got {excerpt(name, 2 * LONGEST_NAME)}. Choose another name."
        )
    return clean


def note_text(text: str) -> str:
    """A note without blanks around it; refuses what is too long."""
    clean = text.strip()
    rule = f"be at most {LONGEST_NOTE} characters"
    require(len(clean) <= LONGEST_NOTE, "note", rule, len(clean), "Shorten it.")
    return clean


def _spelled(name: Any) -> str:
    return unicodedata.normalize("NFC", name).strip() if isinstance(name, str) else ""


def concept_name(name: str) -> str:
    """A concept's name in its one spelling, without blanks around it, accents composed (NFC); refuses what is none."""
    clean = _spelled(name)
    good = 0 < len(clean) <= LONGEST_NAME and clean.isprintable() and not _FORBIDDEN & set(clean)
    if not good or clean.startswith("."):
        raise InputError(
            f"`concept` must be 1 to {LONGEST_NAME} printable characters without / \\ : and not start with a dot. "
            f"Got {excerpt(name, 2 * LONGEST_NAME)}. Choose another name."
        )
    return clean


def _check_origin(origin: Origin, frames: int) -> None:
    """Refuse an origin that does not describe a clip of so many frames."""
    if len(origin.times_s) != frames or len(origin.boxes) not in (0, frames):
        raise InputError(
            f"`origin` must have a time for each of the {frames} frames, and a box for each or none. Got "
            f"{len(origin.times_s)} times, {len(origin.boxes)} boxes. Give one a frame."
        )
    if not (math.isfinite(origin.start_s) and math.isfinite(origin.end_s) and origin.start_s <= origin.end_s):
        raise InputError(f"`end_s` must not be before `start_s`. Got {origin.start_s} to {origin.end_s}. Swap them.")
    require(0 <= origin.score <= 1, "score", "be from 0 to 1", origin.score, "Scale the detector's confidence.")
