"""Schemas of requests: everything else is refused before it comes to the bank."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from video_tcav.concepts.bank import Kind, Verdict
from video_tcav.concepts.bank.records import LONGEST_NOTE

MOST_IDS = 5000  # of 19 digits: fit into the largest body

Id = Annotated[int, Field(ge=1, le=2**63 - 1, strict=True)]
PathId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Text = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
Ids = Annotated[list[Id], Field(min_length=1, max_length=MOST_IDS)]
Seconds = Annotated[float, Field(ge=0, le=10**6, allow_inf_nan=False)]
Pixels = Annotated[float, Field(ge=-(10**5), le=10**5, allow_inf_nan=False)]
VideoKey = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
IdList = Annotated[str, Field(max_length=10_000, pattern=r"^[1-9][0-9]{0,17}(,[1-9][0-9]{0,17})*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClipFilters(_Strict):
    """Filters of clips. Without a kind, each tube is there once, by its best version; `all` is every version."""

    concept: Text | None = None
    verdict: Verdict | None = None
    label: Text | None = None
    video: Text | None = None
    kind: Kind | Literal["all"] | None = None
    text: Text | None = None
    disputed: bool = False
    ids: IdList | None = None
    like: PathId | None = None
    words: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")] | None = None
    sort: Literal["quality", "confident", "unsure", "added", "alike", "unlike"] = "quality"

    def filters(self) -> dict[str, Any]:
        """The filters of `ConceptBank.clips`, without those of the reviewer."""
        filters: dict[str, Any] = self.model_dump(
            include={"concept", "verdict", "label", "video", "text", "disputed"}, exclude_none=True
        )
        ids = [int(id) for id in self.ids.split(",")] if self.ids else None
        kind = None if self.kind == "all" else self.kind
        return filters | {"kind": kind, "ids": ids, "tubes": self.kind is None and ids is None}


class ClipQuery(ClipFilters):
    """A page of clips."""

    offset: Annotated[int, Field(ge=0, le=2**31)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 60


class Judge(_Strict):
    """A verdict on clips, and on all other versions of their tubes unless they are judged `alone`."""

    ids: Ids
    verdict: Verdict
    alone: bool = False
    settle: bool = False  # what reviewers disagree on


class MaskFilters(_Strict):
    """Filters of clips whose masks are judged."""

    verdict: Verdict | None = None
    ids: IdList | None = None


class MaskQuery(MaskFilters):
    """A page of such clips."""

    offset: Annotated[int, Field(ge=0, le=2**31)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 60


class JudgeMasks(_Strict):
    """A verdict on the masks of clips."""

    ids: Ids
    verdict: Verdict


class Move(_Strict):
    """Clips into a concept; `""` takes them out of theirs."""

    ids: Ids
    concept: Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
    alone: bool = False


class Copy(_Strict):
    """Clips into a further concept."""

    ids: Ids
    concept: Name


class Note(_Strict):
    """A reviewer's note about a clip."""

    id: Id
    text: Annotated[str, Field(max_length=LONGEST_NOTE, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]


class DrawnBox(_Strict):
    """A box in pixels of the video, at a time."""

    time_s: Seconds
    left: Pixels
    top: Pixels
    right: Pixels
    bottom: Pixels


class Cut(_Strict):
    """A span of a video, and the boxes in it."""

    start_s: Seconds
    end_s: Seconds
    boxes: Annotated[list[DrawnBox], Field(max_length=200)] = []


class CutAnew(Cut):
    """Another span, other boxes for a clip; without boxes it keeps those that it has."""

    id: Id


class CutNew(Cut):
    """A new clip of a video."""

    video: VideoKey
    concept: Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]


class NewConcept(_Strict):
    """A concept without clips."""

    name: Name


class Rename(_Strict):
    """A concept's new name."""

    name: Name
    new: Name


class Split(_Strict):
    """A concept that shows two things."""

    name: Name


class Nothing(_Strict):
    """An empty body."""
