"""Results as sequences."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from video_tcav.core.item_sequence import ItemSequence


@dataclass(frozen=True, kw_only=True)
class Letters(ItemSequence[str]):
    FIELD: ClassVar[str] = "letters"

    letters: tuple[str, ...]
    name: str = "all"


def test_items_come_by_index_in_a_loop_and_in_slices_of_the_same_type():
    letters = Letters(letters=("a", "b", "c"), name="three")
    assert len(letters) == 3 and list(letters) == ["a", "b", "c"] and letters[-1] == "c" and "b" in letters
    assert letters[1:] == Letters(letters=("b", "c"), name="three")
    with pytest.raises(IndexError, match="out of range"):
        letters[3]
