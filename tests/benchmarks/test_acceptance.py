from dataclasses import replace

import pytest

from tests.unit.reports.samples import ALL_MODELS, sample_calibration


@pytest.fixture(scope="module")
def good():
    return sample_calibration(ALL_MODELS)


def held(calibration):
    return {claim.claim: claim.holds for claim in calibration.claims()}


def test_good_numbers_keep_every_promise(good):
    assert {name: kept for name, kept in held(good).items() if kept is False} == {}
    assert [name for name, kept in held(good).items() if kept is None] == [
        "the source paper's t-test on the same questions (nothing is promised)"
    ]


@pytest.mark.parametrize(
    ("what", "change", "broken"),
    [
        ("type I", {"rate": 0.058}, "over all models, layers and CAV kinds"),
        ("type I", {"rate": 0.075}, "the same in each of them"),
        ("power", {"rate": 0.9}, "power at 40 clips"),
        ("non-cause", {"rate": 0.1}, "values of other factors without an interventional effect"),
        ("motion effect", {"effect": -5.0}, "motion effect"),
        ("order effect", {"rate": 1.0, "low": 0.96}, "order effect"),
    ],
)
def test_bad_numbers_break_their_promise(good, what, change, broken):
    rows = tuple(
        replace(one, **change) if one.what == what and one.test == "permutation" and one.at == "random" else one
        for one in good.rejections
    )
    kept = held(replace(good, rejections=rows))
    assert [name for name in kept if broken in name and kept[name] is False]


def test_effects_at_class_clips_stand_beside_and_are_not_judged(good):
    rows = tuple(replace(one, tcav_effect=-one.tcav_effect) if one.at == "class" else one for one in good.agreements)
    assert held(replace(good, agreements=rows)) == held(good)
    turned = tuple(replace(one, tcav_effect=-one.tcav_effect) for one in good.agreements)
    assert [name for name, kept in held(replace(good, agreements=turned)).items() if kept is False] == [
        "TCAV effect against interventional effect, Pearson correlation: at least 0.90",
        "TCAV effect against interventional effect, rank correlation: at least 0.85",
    ]
