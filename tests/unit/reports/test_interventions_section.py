"""What a report says of interventions: where they were made, and only there."""

import math
from dataclasses import asdict, fields, replace

import pytest

from tests.unit.reports.sample_run import LAYERS, Sample, write_run
from tests.unit.reports.test_demo_page import Page
from video_tcav.core.files import read_json, write_json
from video_tcav.experiments import load_run
from video_tcav.experiments.decisions import VERDICTS
from video_tcav.reports import RunView, write_report
from video_tcav.reports.run.answer import answer
from video_tcav.tcav.interventions.effects import InterventionEffect

SMALL = Sample(
    models=("only",), concepts=("court", "nothing"), twins=False, tests=("studentised",), shown=0, previews=0
)


def edited(operation: str, **changes) -> InterventionEffect:
    numbers = dict.fromkeys((field.name for field in fields(InterventionEffect)), math.nan)
    about = {"concept": "court", "versus": "random", "twin": "none", "layer": LAYERS[-1], "operation": operation}
    size = {"effect": -2.0, "effect_low": -3.0, "effect_high": -1.0, "standard_error": 0.5, "freedom": 9.0, "far": 0.0}
    return InterventionEffect(**{**numbers, **about, **size, **changes})


MADE = (
    edited("step", effect=1.25, effect_low=0.5, effect_high=2.0),
    edited("clamp", p_value=0.005, null_low=-0.3, null_high=0.4, manifold=0.9, far=0.4),
    edited(
        "remove", p_value=0.01, changed=0.6, changed_low=0.3, changed_high=0.85, changed_clips=9.0,
        changed_null=0.05, changed_p=0.02,
    ),
    edited("restore", twin="order", effect=0.7, effect_low=0.4, effect_high=0.9, p_value=0.03),
    edited("clamp", twin="motion", effect=99.0),
    *(edited("dose", multiple=multiple, effect=multiple) for multiple in (-1.0, 1.0, 2.0)),
)  # fmt: skip


def written(folder, sample: Sample) -> tuple[Page, str]:
    page = write_report(write_run(folder, sample), folder / "report.html")
    return Page(page.read_text()), page.with_suffix(".md").read_text()


def plain(page: Page) -> str:
    return page.text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    steps = {"court": (1.25, 0.5, 2.0)}
    return written(tmp_path_factory.mktemp("edits"), replace(SMALL, edits=MADE, steps=steps))


def test_every_operation_has_its_column_with_interval_and_p(pages):
    text = plain(pages[0])
    section = text[text.index("What would it say?") : text.index("Before you believe it")]
    assert "Step Clamp Remove Restored of reversed" in section
    assert "Restored of frozen" not in section
    assert "+1.25 +0.50 to +2.00 −2.00 −3.00 to −1.00 p = 0.005" in section
    assert "p = 0.01 60 % change class 70 % 40 % to 90 % p = 0.03" in section
    assert "Edits lead far from all clips (40 %)" in section
    assert "Clamp −0.30 to +0.40 0.90" in section  # relabelled CAVs, and the data's own directions
    assert "60 % (30 % to 85 %; relabelled 5 %, p 0.02)" in section
    assert "+99" not in section  # that is the difference to a twin
    assert "| court | stages.1 | −1.50 | +1.25 (+0.50 to +2.00) | −2.00 (−3.00 to −1.00, p = 0.005) |" in pages[1]
    assert "dose curves" in pages[1]


def test_a_slope_that_a_step_does_not_bear_out_is_said_everywhere(pages):
    text = plain(pages[0])
    assert "The slope does not tell what the model would say." in text
    assert "Slope and step differ" in text
    assert "court for playing tennis at stages.1: slope −1.50, step +1.25 log-odds" in text
    assert "1 slope that a whole step does not bear out" in text


def test_the_table_of_all_numbers_has_the_step(pages):
    text = plain(pages[0])
    numbers = text[text.index("All numbers") :]
    assert "Step Step interval" in numbers
    assert "+1.25 +0.50 to +2.00" in numbers


def test_the_methods_say_what_was_done(pages):
    text = plain(pages[0])
    assert "From stages.1 on, the rest of the network was run again with edited activations." in text
    assert "compared with the same along 199 CAVs of permuted labels" in text


def test_a_run_without_interventions_says_nothing_of_them(tmp_path):
    page, note = written(tmp_path, SMALL)
    for text in (plain(page), note):
        assert "What would it say?" not in text
        assert "Step" not in text
        assert "Slope and step" not in text
        assert "edited activations" not in text


def test_verdicts_on_shares_are_percentages(tmp_path):
    run = write_run(tmp_path, SMALL)
    share = {
        "kind": "needed", "effect": 0.62, "effect_low": 0.4, "effect_high": 0.81, "margin": 0.5, "verdict": "supported",
        "unit": "of the class clips", "claim": "without nothing, 50% or more change", "name": "needed", "p_adjusted": 0.01,
    }  # fmt: skip
    first, *others = [asdict(outcome) for outcome in run.outcomes]
    carries = {**share, "kind": "carries", "effect_low": -0.1, "name": "carried", "verdict": "contradicted"}
    write_json(tmp_path / "hypotheses.json", [{**first, **share}, {**first, **carries}, *others[2:]])
    run = load_run(tmp_path)
    page = Page(write_report(run, tmp_path / "report.html").read_text())
    text = plain(page)
    assert "It is 62 % of the class clips, interval 40 % to 81 %; adjusted p = 0.01." in text
    assert "claimed share 50 % of the class clips" in text
    (findings,) = [lines for _, lines in answer(RunView(run=run)).findings]
    said = " ".join(findings).replace("\N{NO-BREAK SPACE}", " ")
    assert "Without nothing, 62 % of the clips of “playing tennis” get another first class." in said
    assert "comes back through nothing alone, which is not what was claimed." in said
    assert "odds" not in said
    assert set(run.counts()) == set(VERDICTS)
    drawn = [
        attributes for tag, attributes in page.elements if tag == "svg" and "margin" in str(attributes.get("class"))
    ]
    assert any("62" in str(attributes.get("aria-label")) for attributes in drawn)
    assert read_json(tmp_path / "hypotheses.json")[0]["unit"] == "of the class clips"
