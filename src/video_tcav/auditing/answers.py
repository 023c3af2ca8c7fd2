"""Answers of an audited model as arrays over clips: what it says of each version, and how sure it is of the clip's class."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from torch import Tensor

from video_tcav.auditing.pending_clips import PassedClip
from video_tcav.auditing.plan import AuditPlan
from video_tcav.masks.quality import SMALLER, small_beside_others
from video_tcav.media.memory_clips import InMemorySource
from video_tcav.models import Target, VideoModel
from video_tcav.models.output_kinds import Outputs

LIKELY = 0.5
"""Probability from which on a class is said to be there, where classes do not exclude each other."""
ANSWER_COLUMNS = [
    *("clip", "window", "label", "lender", "lender_label"),
    *("version", "log_odds", "right", "says_lender", "predicted"),
]


@dataclass(frozen=True, kw_only=True)
class AuditedClip:
    """One clip of an audit.

    Attributes:
        clip: the source's key.
        window: which clip of the source.
        path: the file; empty for a clip in memory.
        start_s: of the segment; `None` from the start.
        end_s: likewise.
        label: its class.
        group: what it belongs to.
        lender: key of the video whose scene it gets; `None` if it gets none.
        lender_label: class of that.
        masks: how its masks were found; empty where there are none.
        person_share: share of all pixels that are the person's, in the frames in which there is one; `None` without masks.
        doubts: what a person should look at of the masks; empty if nothing.
        filled: how the scene behind the person was filled in; empty without masks.
    """

    clip: str
    window: int
    path: str
    start_s: float | None
    end_s: float | None
    label: str
    group: str
    lender: str | None
    lender_label: str | None
    masks: str
    person_share: float | None
    doubts: str
    filled: str


@dataclass(frozen=True, kw_only=True, eq=False)
class VersionAnswers:
    """What the model says of one version of each clip.

    Attributes:
        passed: whether there is such a version of the clip.
        log_odds: of the clip's class; NaN where there is none.
        right: whether the model says the clip's class: as the most probable one, or with probability 1/2 where classes do not
            exclude each other.
        says_lender: whether it says the class of the clip that lends its scene.
        predicted: index of the most probable class; −1 where there is none.
    """

    passed: Bool[np.ndarray, " clip"]
    log_odds: Float[np.ndarray, " clip"]
    right: Bool[np.ndarray, " clip"]
    says_lender: Bool[np.ndarray, " clip"]
    predicted: Int[np.ndarray, " clip"]


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditAnswers:
    """All answers of an audit.

    Attributes:
        clips: in the order of the plan.
        classes: of the model.
        versions: by the name of the version or coalition.
        clip_objects: whether the masks of each clip tell objects.
    """

    clips: tuple[AuditedClip, ...]
    classes: tuple[str, ...]
    versions: Mapping[str, VersionAnswers]
    clip_objects: Bool[np.ndarray, " clip"]

    @property
    def has_objects(self) -> bool:
        """Whether masks of any clip tell objects."""
        return bool(self.clip_objects.any())

    @property
    def labels(self) -> list[str]:
        """Class of each clip."""
        return [clip.label for clip in self.clips]

    @property
    def groups(self) -> Int[np.ndarray, " clip"]:
        """Number of each clip's group."""
        return np.unique([clip.group for clip in self.clips], return_inverse=True)[1]

    def to_frame(self) -> pd.DataFrame:
        """One row a clip and version."""
        rows = [
            {
                "clip": clip.clip,
                "window": clip.window,
                "label": clip.label,
                "lender": clip.lender,
                "lender_label": clip.lender_label,
                "version": name,
                "log_odds": float(answers.log_odds[number]),
                "right": bool(answers.right[number]),
                "says_lender": bool(answers.says_lender[number]),
                "predicted": self.classes[answers.predicted[number]],
            }
            for number, clip in enumerate(self.clips)
            for name, answers in self.versions.items()
            if answers.passed[number]
        ]
        return pd.DataFrame(rows, columns=ANSWER_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class ClipAnswer:
    """What the model says of one version of one clip; see `VersionAnswers`."""

    log_odds: float
    right: bool
    says_lender: bool
    predicted: int

    @classmethod
    def of(
        cls, logits: Float[Tensor, " class"], outputs: Outputs, class_index: int, lender: int | None
    ) -> "ClipAnswer":
        """From the logits of a version.

        Args:
            logits: of all classes.
            outputs: what they are.
            class_index: the clip's class.
            lender: class of the clip that lends its scene.
        """
        # float64: log-odds of a sure model are differences of logits in their last digits
        row = logits.double()[None]
        predicted = int(row.argmax())
        likely = (outputs.probabilities(row)[0] >= LIKELY).nonzero().flatten().tolist()
        # of classes that do not exclude each other several may be said at once, or none
        said = {predicted} if outputs.is_exclusive else set(likely)
        return cls(
            log_odds=float(Target(class_index=class_index, outputs=outputs.kind)(row)),
            right=class_index in said,
            says_lender=lender in said,
            predicted=predicted,
        )


class AnswerCollector:
    """Collects the answers of clips as they come, without their logits.

    Args:
        model: from `load_model`.
        plan: knows the classes.
        number: of the model among those that are passed.
    """

    def __init__(self, model: VideoModel, plan: AuditPlan, number: int = 0) -> None:
        self._model, self._plan, self._number = model, plan, number
        self._answers: dict[tuple[str, int], dict[str, ClipAnswer]] = {}
        self._clips: dict[tuple[str, int], AuditedClip] = {}
        self._objects: dict[tuple[str, int], bool] = {}

    def add(self, clip: PassedClip) -> None:
        """Add a clip."""
        plan, key = self._plan, (clip.source.key, clip.window)
        # by the plan, not by the lender's own label, which may be spelled otherwise or be a number
        lender = None if clip.lender is None else plan.classes[clip.lender.key]
        self._answers[key] = {
            name: ClipAnswer.of(logits[self._number], self._model.outputs, plan.classes[clip.source.key], lender)
            for name, logits in clip.logits.items()
        }
        facts = clip.facts
        self._objects[key] = facts is not None and facts.has_object
        in_memory = isinstance(clip.source, InMemorySource)
        self._clips[key] = AuditedClip(
            clip=clip.source.key,
            window=clip.window,
            path="" if in_memory else str(clip.source.path),
            start_s=clip.source.start_s,
            end_s=clip.source.end_s,
            label=self._model.classes[plan.classes[clip.source.key]],
            group=plan.group_of(clip.source),
            lender=None if clip.lender is None else clip.lender.key,
            lender_label=None if lender is None else self._model.classes[lender],
            masks="" if facts is None else facts.how,
            person_share=None if facts is None else facts.person_share,
            doubts="" if facts is None else facts.doubts,
            filled="" if facts is None else facts.filled,
        )

    def answers(self) -> AuditAnswers:
        """The answers of all clips that were added, in the order of the plan."""
        position = {source.key: number for number, source in enumerate(self._plan.sources)}
        # clips come in the order of their passes, along chains of lenders: tables and draws need one that does not depend on it
        keys = sorted(self._clips, key=lambda key: (position[key[0]], key[1]))
        names = dict.fromkeys(name for key in keys for name in self._answers[key])
        return AuditAnswers(
            clips=_compared([self._clips[key] for key in keys]),
            classes=self._model.classes,
            versions={name: version_answers([self._answers[key].get(name) for key in keys]) for name in names},
            clip_objects=np.asarray([self._objects[key] for key in keys], dtype=bool),
        )


def _compared(clips: Sequence[AuditedClip]) -> tuple[AuditedClip, ...]:
    """The clips, with the doubts about masks that come of comparing them with each other."""
    masked = [clip for clip in clips if clip.person_share is not None]
    small = small_beside_others([clip.person_share or 0.0 for clip in masked])
    smaller = {(clip.clip, clip.window) for clip, is_small in zip(masked, small, strict=True) if is_small}
    return tuple(
        replace(clip, doubts="; ".join(filter(None, (clip.doubts, SMALLER))))
        if (clip.clip, clip.window) in smaller
        else clip
        for clip in clips
    )


def version_answers(answers: Sequence[ClipAnswer | None]) -> VersionAnswers:
    """The answers to one version as arrays; `None` where there is no such version of the clip."""

    def column(name: str, missing: Any) -> Iterable[Any]:
        return [missing if answer is None else getattr(answer, name) for answer in answers]

    return VersionAnswers(
        passed=np.asarray([answer is not None for answer in answers], dtype=bool),
        # NaN, as a mean over a clip without such a version must not pass unnoticed as one with 0
        log_odds=np.asarray(column("log_odds", np.nan), dtype=float),
        right=np.asarray(column("right", False), dtype=bool),
        says_lender=np.asarray(column("says_lender", False), dtype=bool),
        predicted=np.asarray(column("predicted", -1), dtype=int),
    )
