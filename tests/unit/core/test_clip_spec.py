"""Clip specifications as users write them in Python."""

import numpy as np
import pytest

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import InputError


def test_one_number_is_a_square_and_stands_for_all_channels():
    spec = ClipSpec(size=112, mean=0.5, std=np.float32(0.25))
    assert spec == ClipSpec(size=(112, 112), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    assert ClipSpec(size=[8, 16], mean=np.array([0.1, 0.2, 0.3])).size == (8, 16)
    assert ClipSpec(size=None).size is None


@pytest.mark.parametrize("fields", [{"size": "112"}, {"size": (1, 2, 3)}, {"mean": (0.5,)}, {"std": None}])
def test_other_values_say_what_to_do_in_one_line(fields):
    (name,) = fields
    with pytest.raises(InputError, match=rf"`{name}` must be one number or \d\. Got .*\. Give ") as error:
        ClipSpec(**fields)
    assert "\n" not in str(error.value)
