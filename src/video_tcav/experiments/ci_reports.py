"""Verdicts for continuous integration: GitHub annotations and JUnit XML."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from video_tcav.core.escaping import workflow_message, workflow_property, xml_text
from video_tcav.core.files import atomic_path
from video_tcav.experiments.outcome import Outcome

# GitHub marks a change as failed only by the exit code: --fail-on-contradicted of `run`.
_LEVELS = {"contradicted": "error", "undecided": "warning", "not represented": "warning"}


def annotations(outcomes: Sequence[Outcome], file: str) -> tuple[str, ...]:
    """GitHub workflow commands: an annotation at the line of each hypothesis that is not supported.

    Args:
        outcomes: of a run.
        file: the experiment file, as the repository calls it.
    """
    commands = []
    for outcome in outcomes:
        if outcome.verdict in _LEVELS:
            title = workflow_property(f"{outcome.verdict}: {outcome.name}")
            position = f"file={workflow_property(file)},line={outcome.line},title={title}"
            message = workflow_message(f"{outcome.claim}: {outcome.reason} ({outcome.model}, {outcome.place})")
            commands.append(f"::{_LEVELS[outcome.verdict]} {position}::{message}")
    return tuple(commands)


def write_junit(outcomes: Sequence[Outcome], path: str | Path, *, suite: str) -> Path:
    """Write JUnit XML, a test for each hypothesis: contradicted ones fail, undecided and not represented ones are skipped.

    Raises:
        OutputError: if the file cannot be written.
    """
    contradicted = [outcome for outcome in outcomes if outcome.verdict == "contradicted"]
    undecided = [outcome for outcome in outcomes if outcome.verdict in ("undecided", "not represented")]
    counts = {"tests": len(outcomes), "failures": len(contradicted), "skipped": len(undecided), "errors": 0}
    numbers = {name: str(count) for name, count in counts.items()}
    root = ElementTree.Element("testsuites", numbers)
    inside = ElementTree.SubElement(root, "testsuite", {"name": xml_text(suite), **numbers})
    for outcome in outcomes:
        # claims in words in a class of their own, as they are weaker than those about clips
        words = ".in words" if outcome.is_in_words else ""
        classname = f"{outcome.model}.{outcome.target or 'audit'}{words}"
        name = {"name": xml_text(outcome.name), "classname": xml_text(classname)}
        case = ElementTree.SubElement(inside, "testcase", name)
        if outcome.verdict == "contradicted":
            failure = ElementTree.SubElement(
                case, "failure", {"message": xml_text(outcome.reason), "type": "contradicted"}
            )
            failure.text = xml_text(f"{outcome.claim} (line {outcome.line}): {outcome.reason}")
        elif outcome.verdict != "supported":
            ElementTree.SubElement(case, "skipped", {"message": xml_text(f"{outcome.verdict}: {outcome.reason}")})
    ElementTree.indent(root)
    with atomic_path(Path(path)) as temporary:
        ElementTree.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)
    return Path(path)
