"""What a request may ask for; everything else is refused before the bank sees it."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from video_tcav.concepts.bank import Kind, Verdict

MOST_IDS = 5000

Id = Annotated[int, Field(ge=1, le=2**63 - 1, strict=True)]
PathId = Annotated[int, Field(ge=1, le=2**63 - 1)]
Text = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
Ids = Annotated[list[Id], Field(min_length=1, max_length=MOST_IDS)]
IdList = Annotated[str, Field(max_length=10_000, pattern=r"^[1-9][0-9]{0,17}(,[1-9][0-9]{0,17})*$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Wanted(_Strict):
    """Which clips of the bank, and which part of them."""

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
        """What the bank is asked for."""
        asked: dict[str, Any] = {name: getattr(self, name) for name in ("concept", "verdict", "label", "video", "kind")}
        asked["ids"] = [int(one) for one in self.ids.split(",")] if self.ids else None
        return asked


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
    """A request that needs no words."""
