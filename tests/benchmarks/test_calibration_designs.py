"""Simulated designs, shifted responses, whole runs and tables of `benchmarks.calibration`."""

import json

import numpy as np
import pytest
from benchmarks.calibration.causes import CauseRow, equal_means
from benchmarks.calibration.designs import DesignRow, cells, design_table
from benchmarks.calibration.gate import GateCell, gate_table
from benchmarks.calibration.outcomes import outcomes, scalar_gram
from benchmarks.calibration.simulated_designs import ClassGradients, ManyChannels, MixedGroups, PureGroups
from benchmarks.calibration.tables import markdown, write_tables
from benchmarks.calibration.whole_runs import RunDesign, whole_run_table

from video_tcav.gram.arrays import make_design, measure_concept
from video_tcav.gram.gram import Gram


def effects_of(simulation, sets: int) -> np.ndarray:
    generator = np.random.default_rng(1)
    effects = []
    for _ in range(sets):
        design = simulation.design(generator)
        difference = design.labels / design.labels.sum() - ~design.labels / (~design.labels).sum()
        effects.append(float(simulation.gram(design, generator).cross.mean(0) @ difference))
    return np.array(effects)


@pytest.mark.parametrize(
    "simulation",
    [
        PureGroups(concept=10, random=30, spread=2, shift=1.5, concept_distribution="lognormal"),
        PureGroups(concept=10, random=30, shift=1.0, random_distribution="mirrored", gradients=ClassGradients(mean=-2)),
        PureGroups(concept=5, random=15, clips=3, uneven=True, shift=1.0),
        MixedGroups(people=10, concept=1, random=3, concept_people=3, random_people=5),
        ManyChannels(channels=50, effect=0.5),
    ],
)
def test_a_simulation_has_the_effect_it_claims(simulation):
    effects = effects_of(simulation, 600)
    assert effects.mean() == pytest.approx(simulation.effect, abs=4.5 * effects.std() / np.sqrt(600))


def test_half_the_variance_of_many_channels_is_noise_times_noise():
    simulation = ManyChannels(channels=2000)
    along_mean_gradient = 1 / simulation.concept + 1 / simulation.random
    assert effects_of(simulation, 400).var() == pytest.approx(2 * along_mean_gradient, rel=0.25)


def test_people_hold_both_kinds_and_some_one_kind_alone():
    design = MixedGroups(people=4, concept=2, random=3, concept_people=2, random_people=5).design(
        np.random.default_rng(0)
    )
    mixed, concept, random = design.strata
    assert (len(mixed), len(concept), len(random)) == (4, 2, 5)
    assert design.labels.sum() == 2 * 6
    assert (~design.labels).sum() == 3 * 9


def test_outcomes_are_those_of_the_program():
    generator = np.random.default_rng(3)
    labels = np.arange(40) < 15
    gram = scalar_gram(generator.standard_normal(40) + labels, 1 + generator.standard_normal(12))
    outcome = outcomes({"": gram}, make_design(labels), range(12), seed=5)[""]
    measured = measure_concept(gram, labels, permutations=499, bootstraps=512, seed=5)
    assert (outcome.p_perm, outcome.p_t, outcome.p_value) == (measured.p_perm, measured.p_t, measured.p_value)
    assert (outcome.low, outcome.high) == (measured.effect_low, measured.effect_high)
    plain = measure_concept(gram, labels, significance="permutation", permutations=499, bootstraps=512, seed=5)
    assert outcome.p_plain == plain.p_value


def test_unequal_spread_misleads_the_plain_permutation_alone():
    (cell,) = [cell for cell in cells() if cell.name == "10 against 100, concept 3 × as wide"]
    (row,) = design_table(sets=300, jobs=1, only=[cell])
    assert row.plain > 0.25
    assert row.both < 0.09


def test_a_plain_bootstrap_counts_noise_times_noise_three_times():
    (cell,) = [cell for cell in cells() if cell.name == "the same, effect 1"]
    (row,) = design_table(sets=100, jobs=1, only=[cell])
    assert row.t > row.t_joint + 0.1


def test_the_same_seed_gives_the_same_table_on_any_number_of_processes():
    chosen = cells()[:1]
    assert design_table(sets=300, seed=4, jobs=1, only=chosen) == design_table(sets=300, seed=4, jobs=2, only=chosen)


def test_every_cell_of_equal_means_has_limits():
    names = [(cell.part, cell.name) for cell in cells()]
    assert len(set(names)) == len(names)
    assert all(cell.size for cell in cells() if cell.part in ("exchangeable", "spread", "skew", "groups"))


def test_limits_decide_what_holds():
    row = DesignRow(
        part="spread", name="x", sets=100, effect=0, plain=0.2, perm=0.05, t=0.05, both=0.05, t_joint=0.05, coverage=0.95,
        coverage_joint=0.95, size=(0.035, 0.065), coverage_limits=None,
    )  # fmt: skip
    assert row.holds
    assert not DesignRow(**{**vars(row), "both": 0.02}).holds
    assert not DesignRow(**{**vars(row), "coverage_limits": (0.96, 1.0)}).holds
    assert DesignRow(**{**vars(row), "size": None}).holds is None


def test_one_channel_of_many_is_found_and_a_spread_is_a_region():
    moved = GateCell(name="moved", limits=(0.9, 1.0), channels=2000, moved=6.0)
    narrow = GateCell(name="narrow", limits=(0.0, 0.07), channels=100, spread=0.5)
    first, second = gate_table(sets=30, jobs=1, cells=[moved, narrow])
    assert first.holds
    assert first.auc > 0.8
    assert second.represented < 0.25
    assert second.region > 0.9


def test_whole_runs_have_a_row_a_correction():
    rows = whole_run_table(runs=4, jobs=1, designs=[RunDesign(name="runs", spreads=(1.0, 2.0), layers=2)])
    assert [(row.correction, row.size) for row in rows] == [("holm", 12), ("maxt", 12)]


def test_after_the_shift_no_class_gradient_has_an_effect():
    generator = np.random.default_rng(2)
    is_concept = np.arange(30) < 12
    activations, gradients = generator.standard_normal((30, 7)), generator.standard_normal((5, 7))
    activations[is_concept] += 2
    shifted = activations.copy()
    shifted[is_concept] -= activations[is_concept].mean(0) - activations[~is_concept].mean(0)
    gram = equal_means(Gram(kernel=activations @ activations.T, cross=gradients @ activations.T), is_concept)
    np.testing.assert_allclose(gram.kernel, shifted @ shifted.T, atol=1e-9)
    np.testing.assert_allclose(gram.cross, gradients @ shifted.T, atol=1e-9)


def test_effects_of_the_wrong_sign_break_a_promise():
    row = CauseRow(what="power", model="m", at="random", concept_clips=10, random_clips=60, draws=100, plain=0.9, perm=0.9,
                   t=0.9, both=0.9, wrong_sign=0.02, wrong_sign_plain=0.0)  # fmt: skip
    assert row.holds
    assert not CauseRow(**{**vars(row), "wrong_sign": 0.04}).holds
    assert CauseRow(**{**vars(row), "at": "class", "wrong_sign": 0.2}).holds is None


def test_tables_are_written_as_text_json_csv_and_figure(tmp_path):
    rows = design_table(sets=2, jobs=1, only=cells()[:2])
    write_tables({"Designs": rows, "Nothing": ()}, tmp_path, "page", {"sets": 2})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["designs.csv", "page.json", "page.md", "page.png"]
    assert json.loads((tmp_path / "page.json").read_text())["tables"]["Designs"][0]["name"] == "5 against 100"
    text = (tmp_path / "page.md").read_text()
    assert markdown(rows) in text
    assert text.count("**exchangeable**") == 1
