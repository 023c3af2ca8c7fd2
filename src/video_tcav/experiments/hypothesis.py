"""Hypotheses of an experiment file: a claim about a concept, or a text, and a target, or about a model: thirteen kinds."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from video_tcav.core.sections import Name, Section
from video_tcav.experiments.audit_claims import AuditClaim, OrderClaim

Kind = Literal[
    "matters",
    "more_than",
    "motion_matters",
    "order_matters",
    "does_not_matter",
    "same_in",
    "would_change",
    "needed",
    "carries",
    "scene_alone_suffices",
    "person_alone_suffices",
    "background_bias",
    "text_matters",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
Direction = Literal["positive", "negative", "either"]
EffectPart = Literal["whole", "motion", "order"]
Margin = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
OPERATIONS: dict[Kind, str] = {"would_change": "clamp", "needed": "remove", "carries": "restore"}
"""The intervention that a kind of hypothesis is about."""
AUDIT_VERSIONS: dict[Kind, str] = {
    "scene_alone_suffices": "scene_only",
    "person_alone_suffices": "person_only",
    "background_bias": "swap",
}
"""The version of clips that a kind of claim about a model is judged by."""


class About(Section):
    """The concept and the target of a hypothesis."""

    concept: Name = Field(description="one of the concepts")
    target: Name = Field(description="one of the targets")


class TextClaim(Section):
    """The text and the target of a claim about a concept in words."""

    text: Name = Field(description="one of the texts of words")
    target: Name = Field(description="one of the targets")

    @field_validator("text")
    @classmethod
    def _single_blanks(cls, text: str) -> str:
        return " ".join(text.split())  # as the texts themselves are read


class MoreThan(About):
    than: Name = Field(description="the concept to compare with")


class Bounded(About):
    part: EffectPart = Field(
        "whole", description="what of the effect: all of it, or what motion or the order of frames adds"
    )
    margin: Margin | None = Field(None, description="what would matter; the experiment's if not given")


class SameIn(Bounded):
    models: tuple[Name, Name] = Field(description="names of two models")


class WouldChange(About):
    by: float = Field(
        description="by at least so much of the target, up where it is positive, down where it is negative; with expect: either "
        "its size alone counts"
    )

    @field_validator("by")
    @classmethod
    def _some_change(cls, by: float) -> float:
        if by == 0:
            raise ValueError("by must not be 0. Got 0. Write the least change that would count")
        return by


class Needed(About):
    share: Share = Field(description="in at least this share of the class clips the first class changes without it")


class Carries(About):
    part: Literal["motion", "order"] = Field(
        description="of what frozen class clips lose (motion), or of what reversed ones lose (order)"
    )
    share: Share = Field(description="at least this share of that comes back through the concept alone")


def _order_form(value: Any) -> str:
    """A claim about a concept names it, or its target; one about the model has neither."""
    is_about = isinstance(value, About) or (isinstance(value, Mapping) and bool({"concept", "target"} & value.keys()))
    return "concept" if is_about else "model"


OrderMatters = Annotated[
    Annotated[About, Tag("concept")] | Annotated[OrderClaim, Tag("model")], Discriminator(_order_form)
]


class Hypothesis(Section):
    """A claim that the run supports, contradicts, or leaves undecided."""

    name: Name | None = Field(None, description="in your own words; made from its parts if not given")
    matters: About | None = Field(None, description="the concept moves the target")
    more_than: MoreThan | None = Field(None, description="the concept moves it more than another does")
    motion_matters: About | None = Field(None, description="the motion of the concept moves it")
    order_matters: OrderMatters | None = Field(
        None,
        description="the order of its frames moves it; without a concept: accuracy that the audited model loses when frames "
        "change places",
    )
    does_not_matter: Bounded | None = Field(None, description="the effect is smaller than the margin")
    same_in: SameIn | None = Field(None, description="two models differ by less than the margin")
    would_change: WouldChange | None = Field(
        None, description="with the concept instead of without it, the rest of the network says so much more: clamp"
    )
    needed: Needed | None = Field(None, description="without the concept the first class of many clips changes: remove")
    carries: Carries | None = Field(
        None, description="what motion or the order of frames does goes through the concept: restore"
    )
    scene_alone_suffices: AuditClaim | None = Field(
        None, description="share of clips that the audited model is right about where the person is filled in"
    )
    person_alone_suffices: AuditClaim | None = Field(
        None, description="share of clips that it is right about where the scene is one colour"
    )
    background_bias: AuditClaim | None = Field(
        None, description="SBErr: share of swapped clips of which it says the scene's class"
    )
    text_matters: TextClaim | None = Field(
        None, description="the concept in words moves the target: a weaker claim than matters, judged apart"
    )
    expect: Direction = Field("positive", description="the direction of the effect")
    layer: Name | None = Field(None, description="where to look; the experiment's deepest layer if not given")
    model: Name | None = Field(None, description="which of several models")
    family: Name = Field("all", description="hypotheses of one family are corrected together")
    least_agreement: float | None = Field(
        None,
        gt=0,
        le=1,
        description="share of plain edits whose sign effects at the layer must predict, or else it is undecided",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "Hypothesis":
        # Optional keys rather than a union of classes: the kind is a key of the mapping, as it reads best in YAML.
        kinds = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            got = " and ".join(kinds) or "none"
            raise ValueError(
                f"a hypothesis must have exactly one of {', '.join(KINDS)}. Got {got}. Write two hypotheses, or one"
            )
        if kinds[0] in ("does_not_matter", "same_in", "needed", "carries") and self.expect != "positive":
            raise ValueError(f"{kinds[0]} has no direction. Got expect: {self.expect}. Leave it out")
        if kinds[0] == "would_change" and self.expect == "negative":
            raise ValueError("would_change has its direction in by. Got expect: negative. Write by with a minus")
        if kinds[0] == "same_in" and self.model is not None:
            raise ValueError("same_in names its models itself. Got model as well. Leave it out")
        # By value: a file that was resolved has every key.
        of_concepts = {
            "expect": self.expect != "positive",
            "layer": self.layer is not None,
            "least_agreement": self.least_agreement is not None,
        }
        needless = [name for name, is_set in of_concepts.items() if is_set]
        if self.audit_claim is not None and needless:
            raise ValueError(f"a claim about a model has no {needless[0]}. Got {kinds[0]} with it. Leave it out")
        if self.text_matters is not None and self.least_agreement is not None:
            raise ValueError("text_matters has no least_agreement. Got it. Leave it out")
        return self

    @property
    def kind(self) -> Kind:
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def is_about_concept(self) -> bool:
        """Whether it is about a concept of clips, and not about a text or a model."""
        return isinstance(getattr(self, self.kind), About)

    @property
    def about(self) -> About:
        """The concept and target; only of a claim about these."""
        about = getattr(self, self.kind)
        assert isinstance(about, About)
        return about

    @property
    def audit_claim(self) -> AuditClaim | None:
        """The claim about the model, where it is one."""
        claim = getattr(self, self.kind)
        return claim if isinstance(claim, AuditClaim) else None

    @property
    def audit_version(self) -> str | None:
        """The version of clips that a claim about the model is judged by."""
        claim = self.audit_claim
        return claim.when if isinstance(claim, OrderClaim) else AUDIT_VERSIONS.get(self.kind)

    @property
    def part(self) -> EffectPart:
        """The effect that is tested: of the clips, or what motion or the order of frames adds."""
        if not self.is_about_concept:
            return "whole"
        parts: dict[Kind, EffectPart] = {"motion_matters": "motion", "order_matters": "order"}
        return parts.get(self.kind) or getattr(self.about, "part", "whole")

    @property
    def operation(self) -> str | None:
        """The intervention that the claim is about; none where it is about an effect."""
        return OPERATIONS.get(self.kind)

    @property
    def direction(self) -> Direction:
        """The direction that is claimed."""
        if self.would_change is None or self.expect == "either":
            return self.expect
        return "positive" if self.would_change.by > 0 else "negative"

    @property
    def stated_size(self) -> float | None:
        """The size that the claim itself states, which stands in for the margin of the experiment."""
        if self.audit_claim is not None:
            return self.audit_claim.bound
        if self.would_change is not None:
            return abs(self.would_change.by)
        if not self.is_about_concept:  # a text: an effect of any size is claimed
            return None
        return getattr(self.about, "share", None) or getattr(self.about, "margin", None)
