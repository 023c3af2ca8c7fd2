"""Each caution stands where its cause was planted, once, and nowhere else."""

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.unit.tcav.test_summaries import ONE
from video_tcav.gram import significance_test
from video_tcav.gram.design import Design
from video_tcav.gram.gram import Gram
from video_tcav.gram.kernel import kernel_of
from video_tcav.recording.class_answers import ClassAnswer
from video_tcav.tcav.cautions import class_clip_cautions, few_groups_caution, result_cautions, spread_cautions
from video_tcav.tcav.comparison import Comparison
from video_tcav.tcav.concept_result import ConceptResult

CLASSES = ("tennis", "golf", "dancing")


def noticed(*rows: ConceptResult) -> tuple[str, ...]:
    return result_cautions(rows, trained=True, permutations=9999)


def test_results_without_contradictions_need_no_caution():
    nothing = replace(ONE, layer="early", effect=0.1, effect_low=-1.0, p_value=0.4, p_perm=0.3, p_t=0.4, p_adjusted=1.0)
    assert noticed(ONE, nothing) == ()


def test_random_weights():
    [line] = result_cautions([ONE], trained=False, permutations=9999)
    assert "weights are random" in line


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"p_perm": 0.08, "p_t": 0.01}, "p_perm decided (do the clips differ for the response?), p_t = 0.01"),
        ({"p_perm": 0.01, "p_t": 0.08}, "p_t decided (would other clips of the class respond?), p_perm = 0.01"),
    ],
)
def test_an_interval_without_zero_beside_a_large_p(changes, reason):
    [line] = noticed(replace(ONE, p_value=0.08, **changes))
    assert line.startswith("swing: interval and p disagree at deep: +2.00 [+1.00, +3.00], uncorrected p = 0.08; ")
    assert reason in line


def test_an_interval_with_zero_beside_a_small_p():
    [line] = noticed(replace(ONE, effect_low=-0.5))
    assert "agree, but bootstrap draws are skewed" in line
    lines = noticed(replace(ONE, effect_low=-0.5, significance="permutation", p_t=0.2))
    assert "the plain permutation test takes the class clips as given, the interval does not" in lines[-1]


def test_a_concept_gets_one_line_however_many_rows_disagree():
    rows = [
        replace(ONE, layer=f"layer{n}", twin=twin, p_value=0.08, effect=n + 1.0)
        for n in range(4)
        for twin in ("none", "motion")
    ]
    [line] = noticed(*rows, ONE)
    assert "at layer0, layer0 (motion), layer1 and 5 more: +4.00" in line
    # the effect of a twin by itself is not what is tested
    assert noticed(replace(ONE, twin="frozen", p_value=0.08), ONE) == ()


def test_the_t_test_is_known_to_contradict_the_interval():
    assert significance_test("ttest").warning in noticed(replace(ONE, effect_low=-0.5, significance="ttest"))
    assert len(noticed(replace(ONE, effect_low=-0.5, significance="ttest"))) == 1


def test_correction_alone_is_no_contradiction():
    assert noticed(replace(ONE, p_adjusted=0.3)) == ()


def test_groups_in_unequal_shares():
    [line] = noticed(replace(ONE, null_mean=0.8), replace(ONE, layer="early", null_mean=0.9))
    assert "unequal shares, which alone gives +0.90 at early" in line


def answers(*predicted: int | None, probability: float = 0.8) -> list[ClassAnswer]:
    return [ClassAnswer(0.0, index, probability if index == 0 else 0.1) for index in predicted]


def about_class_clips(given: list[ClassAnswer], *, only_right: bool = False) -> tuple[str, ...]:
    return class_clip_cautions(given, 0, CLASSES, only_right=only_right)


def test_class_clips_that_the_model_gets_right_need_no_caution():
    assert about_class_clips(answers(0, 0, 0)) == ()


def test_class_clips_of_another_class_are_counted():
    [line] = about_class_clips(answers(0, 0, 2, 1, 2))
    assert line.startswith("class clips: the model does not call 3 of 5 tennis (2 dancing, 1 golf).")
    assert line.endswith("Leave them out with --only-right.")
    [left_out] = about_class_clips(answers(0, 0, 2, 1, 2), only_right=True)
    assert "3 of 5 tennis (2 dancing, 1 golf); they were left out" in left_out


def test_classes_that_do_not_exclude_each_other():
    [line] = about_class_clips(answers(0, None))
    assert "does not call 1 of 2 tennis (probabilities below 1/2)" in line


def test_plain_numbers_have_no_classes():
    assert about_class_clips([ClassAnswer(3.2), ClassAnswer(-1.0)]) == ()


def test_class_clips_that_the_model_is_sure_of():
    [line] = about_class_clips(answers(0, 0, probability=0.997))
    assert "mean probability 0.997" in line
    assert "gradients there say little" in line
    assert line.endswith("Use --at random.")
    assert "over 0.999" in about_class_clips(answers(0, 0, probability=1.0))[0]
    assert about_class_clips(answers(0, 0, probability=0.98)) == ()
    # the clips that count are those that are used
    sure = answers(0, 0, 1, probability=0.999)
    assert len(about_class_clips(sure)) == 1
    assert len(about_class_clips(sure, only_right=True)) == 2


def comparison(n_concept: int, n_random: int, *, groups: list[int] | None = None) -> Comparison:
    count = n_concept + n_random
    numbers = np.arange(count)
    design = Design(
        labels=numbers < n_concept,
        units=numbers,
        groups=numbers if groups is None else np.asarray(groups),
        n_units=count,
        n_groups_total=count,
    )
    return Comparison(
        concept="swing", versus="random", negatives="as given", design=design, rows={"none": numbers}, warnings=()
    )


def test_fewer_than_ten_groups_are_said_in_one_line():
    assert few_groups_caution([comparison(10, 10)], 10, at="class") == ()
    [line] = few_groups_caution([comparison(9, 40), comparison(9, 30)], 4, at="class")
    assert "(4 of class clips, 9 of swing)" in line
    assert "5 of random clips set aside" in few_groups_caution([comparison(20, 40)], 5, at="random")[0]


def spread(n_concept: int, n_random: int, scale: float, significance: str = "permutation", **groups) -> tuple[str, ...]:
    compared = comparison(n_concept, n_random, **groups)
    responses = np.random.default_rng(0).normal(size=n_concept + n_random)
    for rows, wanted in ((compared.design.labels, scale), (~compared.design.labels, 1.0)):
        responses[rows] *= wanted / responses[rows].std(ddof=1)
    cross = np.stack([responses, responses])
    gram = Gram(kernel=kernel_of(np.outer(responses, responses), np.arange(len(responses))), cross=cross)
    return spread_cautions([compared], {"deep": gram}, significance_test(significance))


@pytest.mark.parametrize(
    ("n_concept", "n_random", "scale", "alarms"),
    # false alarms as simulations of the whole test found them: 25.8 %, 16.7 %, 23.1 % and 0.1 %
    [(10, 100, 2.0, 0.258), (20, 60, 2.0, 0.167), (60, 20, 0.33, 0.231), (10, 100, 0.5, 0.001)],
)
def test_sets_that_differ_in_size_and_spread(n_concept, n_random, scale, alarms):
    [line] = spread(n_concept, n_random, scale)
    said = float(line.split("has about ")[1].split("%")[0]) / 100
    assert math.isclose(said, alarms, rel_tol=0.2, abs_tol=0.005)
    assert f"spread {scale:.2g} times as wide" in line
    assert ("misses effects" in line) == (alarms < 0.05)


@pytest.mark.parametrize(
    ("n_concept", "n_random", "scale", "significance"),
    [
        (20, 20, 3.0, "permutation"),
        (10, 100, 1.1, "permutation"),
        (10, 100, 3.0, "studentised"),
        (10, 100, 3.0, "ttest"),
    ],
)
def test_spread_alone_size_alone_and_tests_that_bear_both(n_concept, n_random, scale, significance):
    assert spread(n_concept, n_random, scale, significance) == ()


def test_spread_between_groups_is_no_matter_where_groups_hold_both():
    assert spread(10, 100, 3.0, groups=[*range(10), *(n % 10 for n in range(100))]) == ()
