"""Claims about a model as a whole, which its audit judges: the order of frames, scene or person alone, swapped scenes."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from video_tcav.core.sections import Name, Section

# Without 0 and 1: a share is never more than all nor less than nothing, so that such a claim could not fail.
Bound = Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False)]


class AuditClaim(Section):
    """A share of clips with a bound that the claim sets."""

    at_least: Bound | None = Field(None, description="the share is claimed to be this or more")
    at_most: Bound | None = Field(None, description="the share is claimed to be this or less")
    label: Name | None = Field(None, description="clips of this class alone; of all classes if not given")

    @model_validator(mode="after")
    def _one_bound(self) -> "AuditClaim":
        if (self.at_least is None) == (self.at_most is None):
            got = "neither" if self.at_least is None else "both"
            raise ValueError(f"a claim about a model must have at_least or at_most. Got {got}. Write one of them")
        return self

    @property
    def bound(self) -> float:
        """The share that is claimed."""
        return self.at_least if self.at_least is not None else self.at_most or 0.0

    @property
    def claims_more(self) -> bool:
        """Whether the share is claimed to be the bound or more, not less."""
        return self.at_least is not None


class OrderClaim(AuditClaim):
    """The accuracy that is lost when frames change places."""

    # Reversed frames still move smoothly, so that what is lost is due to order alone; shuffled ones do not.
    when: Literal["reversed", "shuffled"] = Field(
        "reversed", description="how frames change places: played backwards, or in random order"
    )
