"""Text on audits in the report of a run: what was asked, verdicts on claims about a model, and the methods."""

from pathlib import PureWindowsPath

from video_tcav.core.wording import percent
from video_tcav.experiments import Outcome, Run
from video_tcav.reports.run.text import listed, short_model

WHAT_IT_NEEDS = "What does the model need: the person or the scene, motion or one frame, the order of frames?"
UNSEEN_BY_AUDITS = (
    "What a model would say of edits that were not made, and which part of person or scene it needs. Edited clips are unlike "
    "those that it was trained on."
)
_SENTENCES = {
    "scene_alone_suffices": "From the scene alone it is right about {size}.",
    "person_alone_suffices": "From the person alone it is right about {size}.",
    "background_bias": "With the person over the scene of another class it says the scene's class for {size}.",
}
_ORDER_SENTENCES = {
    "playing": "Playing frames backwards costs {size}.",
    "shuffling": "Shuffling frames costs {size}.",
}


def audited_sentence(outcome: Outcome) -> str:
    """What was decided about a model by its audit."""
    # The claim says which order was tested; an outcome has no field for it.
    sentence = _SENTENCES.get(outcome.kind) or _ORDER_SENTENCES[outcome.claim.partition(" ")[0]]
    of_class = f" of “{outcome.target}”" if outcome.target else ""
    as_claimed = "" if outcome.verdict == "supported" else ", which is not what was claimed"
    return sentence.format(size=f"{percent(outcome.effect)} {outcome.unit}{of_class}{as_claimed}")


def audits_text(run: Run) -> str:
    """A paragraph on how models were audited; nothing where they were not."""
    if not run.audits:
        return ""
    first = run.audits[0].result  # all models were audited on the same clips
    clips, groups = first.answers.clips, {clip.group for clip in first.answers.clips}
    models = listed([short_model(audit.model) for audit in run.audits])
    versions = listed([row.version.replace("_", " ") for row in first if row.label is None])
    # without the folders of the machine, whichever its separators are
    source = PureWindowsPath(first.masks).name
    masks = f" Masks of the person were those of {source}." if source else ""
    shares = (
        " Shares of order, motion, scene, person and object in the log-odds are exact Shapley values over all coalitions of "
        "what was left in a clip."
        if first.shares
        else ""
    )
    return (
        f"We audited {models} on {len(clips)} clips of {len(first.labels)} classes in {len(groups)} groups, each in the versions "
        f"{versions}.{masks} SHAcc and SBErr are the shares of clips with the person over the scene of another class of which "
        "the model says the class of the person, and of the scene. Intervals of shares are Wilson's with the effective number "
        f"of clips of the groups, those of losses are from a bootstrap of groups.{shares} A claim about a model counts as "
        "supported or contradicted where a two-sided test of the claimed share is significant."
    )
