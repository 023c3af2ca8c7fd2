"""Settings classes: checks, keywords of functions, provenance, methods text."""

import inspect
from dataclasses import dataclass
from typing import Literal

import pytest

from video_tcav.core.errors import InputError
from video_tcav.core.settings import Settings, setting, settings_of, takes_settings


@dataclass(frozen=True, kw_only=True)
class Kitchen(Settings):
    """Of a test."""

    heat: Literal["low", "high"] = setting("low", "How hot it is.", methods="It was cooked at {value} heat.")
    minutes: int | None = setting(None, "How long.", least=1, most=90)
    loud: bool = setting(False, "Whether to ring a bell.", changes_results=False)


@takes_settings(kitchen=Kitchen)
def cook(dish: str, *, kitchen: Kitchen) -> str:
    """Cook something."""
    return f"{dish} at {kitchen.heat} for {kitchen.minutes}"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"heat": "hot"}, "`heat` must be one of low, high. Got 'hot'."),
        ({"minutes": 0}, "`minutes` must be at least 1. Got 0."),
        ({"minutes": 91}, "`minutes` must be at most 90. Got 91."),
        ({"minutes": 1.5}, r"`minutes` must be a whole number. Got 1.5."),
        ({"minutes": True}, "`minutes` must be a whole number. Got True."),
    ],
)
def test_values_out_of_bounds_are_refused_in_one_line(values, message):
    with pytest.raises(InputError, match=message):
        Kitchen(**values)


def test_fields_are_keywords_of_a_function():
    assert cook("soup") == "soup at low for None"
    assert cook("soup", heat="high", minutes=5) == "soup at high for 5"
    assert cook("soup", kitchen=Kitchen(minutes=7), heat="high") == "soup at high for 7"
    assert list(inspect.signature(cook).parameters) == ["dish", "heat", "minutes", "loud"]
    assert "minutes: How long." in (cook.__doc__ or "")
    with pytest.raises(TypeError, match="unexpected keyword argument 'salt'"):
        cook("soup", salt=1)


def test_only_what_can_change_results_stands_in_provenance():
    assert Kitchen(loud=True).for_provenance() == {"heat": "low", "minutes": None}


def test_the_methods_text_tells_what_is_not_the_default():
    assert Kitchen().methods_sentences() == ()
    assert Kitchen(heat="high").methods_sentences() == ("It was cooked at high heat.",)


def test_each_setting_knows_its_option_choices_and_bounds():
    heat, minutes, loud = settings_of(Kitchen)
    assert (heat.option, heat.choices, heat.optional) == ("--heat", ("low", "high"), False)
    assert (minutes.type, minutes.optional, minutes.info.least) == (int, True, 1)
    assert (loud.type, loud.default, loud.choices) == (bool, False, ())
