"""Verdicts in continuous integration: names cannot break out of what they are put in."""

import xml.etree.ElementTree as ElementTree
from dataclasses import fields

import pytest

from video_tcav.cli import run as command
from video_tcav.experiments.ci_reports import annotations, write_junit
from video_tcav.experiments.measured_pairs import PairedRow
from video_tcav.experiments.outcome import Outcome
from video_tcav.experiments.witnesses import ThreeWitnesses, Witness

HOSTILE = [
    "b\ufffex\uffff",
    "\x00\x0b\x1b[31mred",
    "sw\udcff",
    "n\n::stop-commands::zz",
    "]]></testcase><x a='",
    "%0A::error::x",
    "\u202egnp",
]


def outcome(text: str, verdict: str) -> Outcome:
    values = {field.name: text if "str" in str(field.type) else 1 for field in fields(Outcome)}
    return Outcome(**{**values, "verdict": verdict})


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("verdict", ["supported", "contradicted", "undecided"])
def test_junit_is_xml_with_one_case_an_outcome(tmp_path, text, verdict):
    write_junit([outcome(text, verdict)], tmp_path / "j.xml", suite=text)
    [suite] = ElementTree.parse(tmp_path / "j.xml").getroot()
    [case] = suite
    assert case.tag == "testcase"
    assert [child.tag for child in case] == {"contradicted": ["failure"], "undecided": ["skipped"]}.get(verdict, [])


@pytest.mark.parametrize("text", HOSTILE)
def test_an_annotation_is_one_command(text):
    [line] = annotations([outcome(text, "contradicted")], f"a,{text}.yaml")
    assert line.splitlines() == [line]
    assert line.startswith("::error file=a%2C")
    line.encode("utf-8")


def witnesses(text: str) -> ThreeWitnesses:
    witness = Witness(by=text, value=1.0, low=0.5, high=1.5, p_value=0.01, says="raises")
    values = {field.name: text for field in fields(ThreeWitnesses)}
    said = dict.fromkeys(("effect", "intervention", "edit"), witness)
    return ThreeWitnesses(**{**values, **said, "verdict": "disagree"})


def paired(text: str) -> PairedRow:
    numbers = {field.name: 1 for field in fields(PairedRow)}
    return PairedRow(**{**numbers, **dict.fromkeys(("model", "target", "concept", "layer", "remark"), text)})


class Finished:
    """What the command prints of a run."""

    def __init__(self, text: str) -> None:
        self.experiment, self.path, self.text = self, text, text
        self.title, self.outcomes, self.witnesses = text, [outcome(text, "supported")], [witnesses(text)]
        self.pairs = [paired(text)]

    def all_models(self):
        return {self.text: 1, "other": 2}

    def counts(self):
        return {"supported": 1}

    def warnings(self):
        return [self.text]

    def remarks(self):
        return []


@pytest.mark.parametrize("text", [*HOSTILE, "::error::boo", "##[error]boo"])
def test_the_log_of_a_run_has_no_command_and_no_control(capsys, text):
    command.outcomes(Finished(text))
    said = capsys.readouterr().out
    assert not [line for line in said.splitlines() if line.lstrip().startswith("::") or "##[" in line]
    assert not [letter for letter in said if (letter != "\n" and ord(letter) < 32) or letter in "\x9b\u202e"]
    said.encode("utf-8")
