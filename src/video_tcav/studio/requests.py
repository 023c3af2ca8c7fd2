"""Schemas of requests: everything else is refused before it comes to the bank."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from video_tcav.concepts.bank import Kind, Verdict

MOST_IDS = 5000  # of 19 digits: fit into the largest body

Id = Annotated[int, Field(ge=1, le=2**63 - 1, strict=True)]
PathId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Text = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
Ids = Annotated[list[Id], Field(min_length=1, max_length=MOST_IDS)]
IdList = Annotated[str, Field(max_length=10_000, pattern=r"^[1-9][0-9]{0,17}(,[1-9][0-9]{0,17})*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClipQuery(_Strict):
    """Filters of clips, and a page of them."""

    concept: Text | None = None
    verdict: Verdict | None = None
    label: Text | None = None
    video: Text | None = None
    kind: Kind | None = None
    ids: IdList | None = None
    like: PathId | None = None
    offset: Annotated[int, Field(ge=0, le=2**31)] = 0
    limit: Annotated[int, Field(ge=1, le=500)] = 60

    def filters(self) -> dict[str, Any]:
        """The arguments of `ConceptBank.clips` and `count`."""
        filters: dict[str, Any] = self.model_dump(include={"concept", "verdict", "label", "video", "kind"})
        return filters | {"ids": [int(id) for id in self.ids.split(",")] if self.ids else None}


class Judge(_Strict):
    """A verdict on clips."""

    ids: Ids
    verdict: Verdict


class Move(_Strict):
    """Clips into a concept; `""` takes them out of theirs."""

    ids: Ids
    concept: Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]


class NewConcept(_Strict):
    """A concept without clips."""

    name: Name


class Rename(_Strict):
    """A concept's new name."""

    name: Name
    new: Name


class Nothing(_Strict):
    """An empty body."""
