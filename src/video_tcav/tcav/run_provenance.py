"""Provenance of a run: settings, and the digests of its model and of every clip."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from video_tcav.core.provenance import provenance
from video_tcav.recording.recording import Recording
from video_tcav.tcav.plan import Plan


def run_provenance(plan: Plan, recorded: Recording, settings: Mapping[str, Any], **facts: Any) -> dict[str, Any]:
    """What it takes to repeat a run, followed by `facts`.

    Args:
        plan: knows the clips.
        recorded: knows the model.
        settings: the question and all settings that can change results.
        facts: of this kind of run.
    """
    model = recorded.model
    return provenance(
        settings=settings,
        model=model.for_provenance(),
        clip_spec=asdict(model.clip_spec),
        clips={"gradient": plan.digests_of(plan.class_sources), "random": plan.digests_of(plan.random)}
        | {concept.name: plan.digests_of(concept.sources) for concept in plan.concepts},
        spilled=recorded.spilled(),
        **facts,
    )
