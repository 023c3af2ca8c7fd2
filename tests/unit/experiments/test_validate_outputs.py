import pytest

from video_tcav.core.errors import ExperimentError
from video_tcav.experiments.validate import check_experiment

from .files import SMALL, write

NUMBERS = SMALL.replace(
    "model: rendered:r2plus1d-motion", "model: {spec: 'rendered:r2plus1d-motion', outputs: numbers}"
)


@pytest.mark.parametrize("against", ["log_odds", "logit"])
def test_a_regression_has_no_effects_in_log_odds(tmp_path, against):
    with pytest.raises(ExperimentError, match="`against` must be number.*Got (log_odds|logit)"):
        check_experiment(write(tmp_path, f"{NUMBERS}against: {against}\n"))


def test_a_regression_and_a_classifier_do_not_share_a_unit(tmp_path):
    classifier = write(tmp_path, f"{SMALL}against: number\n")
    with pytest.raises(ExperimentError, match="`against` must be log_odds, logit or contrast:CLASS. Got number"):
        check_experiment(classifier)
    experiment = check_experiment(write(tmp_path, f"{NUMBERS}against: number\n"))
    assert experiment.against == "number"


def test_a_regression_calls_clips_no_class(tmp_path):
    with pytest.raises(ExperimentError, match="`only_right` must not be given for a regression"):
        check_experiment(write(tmp_path, f"{NUMBERS}against: number\nonly_right: true\n"))
    assert check_experiment(write(tmp_path, f"{SMALL}only_right: true\n")).only_right
