"""Verdicts for continuous integration: annotations in a change, and JUnit XML for whoever collects test results."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from video_tcav.core.escaping import workflow_message, workflow_property, xml_text
from video_tcav.core.files import atomic_path
from video_tcav.experiments.verdicts import Outcome

_LEVELS = {"contradicted": "error", "undecided": "warning", "not represented": "warning"}


def annotations(outcomes: Sequence[Outcome], file: str) -> tuple[str, ...]:
    """Workflow commands that GitHub shows at the line of each hypothesis that is not supported.

    Args:
        outcomes: of a run.
        file: the experiment file, as the repository calls it.
    """
    found = []
    for one in outcomes:
        if one.verdict in _LEVELS:
            place = f"file={workflow_property(file)},line={one.line},title={workflow_property(f'{one.verdict}: {one.name}')}"
            found.append(
                f"::{_LEVELS[one.verdict]} {place}::{workflow_message(f'{one.claim}: {one.reason} ({one.model}, {one.layer})')}"
            )
    return tuple(found)


def write_junit(outcomes: Sequence[Outcome], path: str | Path, *, suite: str) -> Path:
    """Each hypothesis as a test: contradicted ones fail, those without a decision are skipped.

    Raises:
        OutputError: if the file cannot be written.
    """
    contradicted = [one for one in outcomes if one.verdict == "contradicted"]
    open_ones = [one for one in outcomes if one.verdict in ("undecided", "not represented")]
    counts = {"tests": len(outcomes), "failures": len(contradicted), "skipped": len(open_ones), "errors": 0}
    numbers = {name: str(count) for name, count in counts.items()}
    root = ElementTree.Element("testsuites", numbers)
    inside = ElementTree.SubElement(root, "testsuite", {"name": xml_text(suite), **numbers})
    for one in outcomes:
        name = {"name": xml_text(one.name), "classname": xml_text(f"{one.model}.{one.target}")}
        case = ElementTree.SubElement(inside, "testcase", name)
        if one.verdict == "contradicted":
            failure = ElementTree.SubElement(case, "failure", {"message": xml_text(one.reason), "type": "contradicted"})
            failure.text = xml_text(f"{one.claim} (line {one.line}): {one.reason}")
        elif one.verdict != "supported":
            ElementTree.SubElement(case, "skipped", {"message": xml_text(f"{one.verdict}: {one.reason}")})
    ElementTree.indent(root)
    with atomic_path(Path(path)) as temporary:
        ElementTree.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)
    return Path(path)
