"""Verdicts for continuous integration: annotations in a change, and JUnit XML for whoever collects test results."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

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
            place = f"file={_property(file)},line={one.line},title={_property(f'{one.verdict}: {one.name}')}"
            found.append(
                f"::{_LEVELS[one.verdict]} {place}::{_message(f'{one.claim}: {one.reason} ({one.model}, {one.layer})')}"
            )
    return tuple(found)


def _message(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")


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
    inside = ElementTree.SubElement(root, "testsuite", {"name": _xml(suite), **numbers})
    for one in outcomes:
        name = {"name": _xml(one.name), "classname": _xml(f"{one.model}.{one.target}")}
        case = ElementTree.SubElement(inside, "testcase", name)
        if one.verdict == "contradicted":
            failure = ElementTree.SubElement(case, "failure", {"message": _xml(one.reason), "type": "contradicted"})
            failure.text = _xml(f"{one.claim} (line {one.line}): {one.reason}")
        elif one.verdict != "supported":
            ElementTree.SubElement(case, "skipped", {"message": _xml(f"{one.verdict}: {one.reason}")})
    ElementTree.indent(root)
    with atomic_path(Path(path)) as temporary:
        ElementTree.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)
    return Path(path)


def _xml(text: str) -> str:
    """Text without the control characters that XML cannot hold."""
    return "".join(letter for letter in text if letter in "\t\n\r" or ord(letter) >= 32)
