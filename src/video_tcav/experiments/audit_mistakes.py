"""Contradictions of an experiment file about its audit, each with its path in the file."""

from collections.abc import Iterator

from video_tcav.core.limits import shortened
from video_tcav.core.yaml_lines import YamlPath
from video_tcav.experiments.file import Experiment
from video_tcav.experiments.hypothesis import Hypothesis
from video_tcav.experiments.named import check_name

Mistakes = Iterator[tuple[YamlPath, str]]


def audit_contradictions(experiment: Experiment) -> Mistakes:
    """What keeps the audit of a file from being made."""
    audit = experiment.audit
    if audit is None:
        return
    if audit.clips is None:
        # With `at: random` targets have no clips, which leaves nothing to audit.
        with_clips = [name for name, source in experiment.targets.items() if source is not None]
        if len(with_clips) < 2:
            got = f"{len(with_clips)} of targets" if with_clips else "none"
            message = f"`audit.clips` must be of two classes or more. Got {got}. Name clips: under audit."
            yield ("audit",), message
    if audit.witnesses and experiment.against != "log_odds":
        # Slope and intervention are in units of the target, what an edit costs is in log-odds: side by side, and under one
        # margin, they would be figures of two questions.
        message = "`against` must be log_odds with witnesses, since an edit of the pixels is measured in log-odds."
        yield ("audit", "witnesses"), f"{message} Got {experiment.against}. Leave one of them out."
        return
    claimed = claimed_concepts(experiment)
    for concept, player in audit.witnesses.items():
        path: YamlPath = ("audit", "witnesses", concept)
        if not experiment.tests_concepts:
            yield path, "`witnesses` must be concepts of the file. Got no concepts. Add targets, concepts and random."
            return
        yield from check_name("witnesses", concept, experiment.all_concepts(), path)
        if concept in experiment.all_concepts() and concept not in claimed:
            names = shortened(sorted(claimed)) or "none"
            message = (
                f"`witnesses` must be of concepts that a hypothesis is about. Got {concept!r}; they are about {names}."
            )
            yield path, f"{message} Add a hypothesis, such as matters."
        # There is no version without the object alone: it takes a coalition of the shares.
        if player == "object" and not audit.shares:
            yield (
                path,
                "`shares` must be on for a witness of the object, whose removal they measure. Got shares: false. Leave it out.",
            )


def claimed_concepts(experiment: Experiment) -> set[str]:
    """Concepts that hypotheses are about."""
    return {hypothesis.about.concept for hypothesis in experiment.hypotheses if hypothesis.is_about_concept}


def claim_contradictions(hypothesis: Hypothesis, path: YamlPath, experiment: Experiment) -> Mistakes:
    """What keeps a claim about a model from being judged."""
    claim_path: YamlPath = (*path, hypothesis.kind)
    claim, audit = hypothesis.audit_claim, experiment.audit
    assert claim is not None
    if audit is None:
        message = f"`{hypothesis.kind}` must be about the audit of a model. Got no audit. Add audit: and its clips"
        concept = ", or name the concept and target" if hypothesis.kind == "order_matters" else ""
        yield claim_path, f"{message}{concept}."
