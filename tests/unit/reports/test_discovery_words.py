"""Where and when a component is, against the definition written out slowly; and why one is not confirmed."""

import numpy as np
import pytest

from tests.unit.reports.discovery_sample import component
from video_tcav.discovery.sentences import component_sentence, removal_text
from video_tcav.reports.discovery.where_and_when import where_and_when
from video_tcav.reports.discovery.words import kind_words, stability_words, why_not_confirmed


def test_shares_of_thirds_equal_those_of_a_fine_grid():
    generator = np.random.default_rng(0)
    maps = [generator.uniform(size=(4, 5, 7)) for _ in range(3)]
    place = where_and_when(maps)
    # each position as 3 × 3 × 3 smaller ones, so that thirds have whole numbers of them
    fine = [np.kron(values / values.sum(), np.full((3, 3, 3), 1 / 27)) for values in maps]
    mean = sum(fine) / len(fine)
    time, height, width = mean.shape
    for third in range(3):
        along = mean[third * time // 3 : (third + 1) * time // 3].sum()
        down = mean[:, third * height // 3 : (third + 1) * height // 3].sum()
        across = mean[:, :, third * width // 3 : (third + 1) * width // 3].sum()
        found = place.along[third], place.down[third], place.across[third]
        assert found == pytest.approx((along, down, across))
    assert sum(place.moments) == pytest.approx(1)


def test_compactness_is_the_share_of_positions_with_half_of_it():
    values = np.zeros((2, 3, 4))
    assert where_and_when([values]) is None
    values[0, 0, 0] = 3
    assert where_and_when([values]).compactness == pytest.approx(0.5 / 24)
    assert where_and_when([np.ones((2, 3, 4))]).compactness == pytest.approx(0.5)
    values[0, 0, 1], values[0, 0, 2] = 2, 1  # half of 6 is the first position
    assert where_and_when([values]).compactness == pytest.approx(1 / 24)


def test_every_clip_counts_the_same_and_negative_presence_is_none():
    left, right = np.zeros((1, 1, 3)), np.zeros((1, 1, 3))
    left[..., 0], left[..., 2] = 100, -50
    right[..., 2] = 1
    place = where_and_when([left, right])
    assert place.across == pytest.approx((0.5, 0, 0.5))
    assert place.when == "The layer has one moment alone."


def test_what_is_everywhere_is_said_to_be_nowhere_in_particular():
    place = where_and_when([np.ones((3, 3, 3))])
    assert place.where.endswith("at no fixed side of the picture.") and place.when == "At no particular time."


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "both tests would be significant alone, but not among so many components"),
        ({"effect_p": 0.2, "p_value": 0.2}, "it is not shown to move the class"),
        ({"presence_p": 0.2, "p_value": 0.2}, "not shown to have more or less of it"),
        ({"effect": -1.0, "p_value": 1.0}, "the class has more of it although it lowers the class"),
        (
            {"effect": -1.0, "effect_p": 0.2, "p_value": 1.0, "removed": -1.0, "removed_p": 0.001},
            "more of it although it lowers the class",
        ),
        ({"effect_p": 0.048, "p_value": 0.053, "removed": 1.0, "removed_p": 0.9}, "it is not shown to move the class"),
        ({"stability": 0.2, "p_adjusted": 0.01}, "it is unstable"),
        ({"effect": float("nan"), "p_value": 1.0}, "too few clips have it to compare"),
        ({"p_adjusted": 0.01}, "it does not hold in the clips that it was not found in"),
    ],
)
def test_why_a_component_is_not_confirmed(fields, words):
    text = why_not_confirmed(component(1, **{"confirmed": False, "p_adjusted": 0.3, **fields}), 0.05)
    assert words in text.lower() and text.endswith(".") and text[0].isupper() and text.count(" and ") <= 1


def test_removal_is_said_as_a_loss_or_a_gain():
    removal = {
        "removed": -4.615,
        "removed_low": -5.14,
        "removed_high": -4.05,
        "removed_elsewhere": -0.48,
        "removed_p": 1e-8,
    }
    lowers = component(1, confirmed_by="removal", presence_class=-1.0, **removal)
    words = (
        "taken out where it is, clips with it gain 4.62 logits [4.05, 5.14], and 0.48 if as much is taken out elsewhere"
    )
    assert removal_text(lowers, "logits") in (words, words.replace("4.62", "4.61"))
    assert component_sentence(lowers, "tennis", "logits").startswith(
        "component-1@stages.2 lowers tennis (by removal: taken out where it is, clips with it gain"
    )
    by_slope = component_sentence(
        component(1, removed=2.0, removed_low=1.0, removed_high=3.0, removed_elsewhere=2.0), "t", "u"
    )
    assert "raises t (by its slope, +2.40 u [+1.10, +3.70]; without it clips lose 2.00, adjusted p" in by_slope


def test_a_confirmed_one_lacks_nothing():
    assert why_not_confirmed(component(1), 0.05) == ""


def test_kind_and_stability_say_what_was_not_measured_and_what_is_unstable():
    nan = float("nan")
    none = {f"{name}{end}": nan for name in ("freezing", "reversal", "shuffling") for end in ("", "_low", "_high")}
    assert kind_words(component(1, kind="unclear", **none)) == "Unclear: no twin could be measured."
    assert kind_words(component(1, kind="order")).startswith("Order: it goes when clips are played backwards.")
    assert stability_words(component(1, stability=0.31)).startswith("Unstable: cosine 0.31")
