"""What stands behind a path: labels, comparisons, splits and formats."""

import pytest

from video_tcav.media.selections import Selection, parse_selection


@pytest.mark.parametrize(
    ("text", "selection"),
    [
        ("list.csv", Selection(path="list.csv")),
        ("list.csv::a label", Selection(path="list.csv", label="a label")),
        ("list.csv::split=val", Selection(path="list.csv", split="val")),
        ("list.csv::split=val::EF<40", Selection(path="list.csv", label="EF<40", split="val")),
        ("list.csv::format=jester::split=a::x", Selection(path="list.csv", label="x", split="a", format="jester")),
        ("list.csv::split=a::format=jester", Selection(path="list.csv", split="a", format="jester")),
        ("list::a::b", Selection(path="list::a", label="b")),
        ("list.csv::x::split=a", Selection(path="list.csv::x", split="a")),  # a label comes last
        ("::x", Selection(path="::x")),
    ],
)
def test_path_and_selection(text, selection):
    assert parse_selection(text) == selection


def test_a_path_that_exists_is_one(tmp_path):
    for name in ("a::b", "a::split=x"):
        (tmp_path / name).touch()
        assert parse_selection(f"{tmp_path}/{name}") == Selection(path=f"{tmp_path}/{name}")
        assert parse_selection(f"{tmp_path}/{name}::c") == Selection(path=f"{tmp_path}/{name}", label="c")


def test_the_kind_of_labels_is_one_of_the_list():
    noun = parse_selection("epic.csv::noun = a knife")
    assert (noun.kind_of_labels(("verb", "noun")), noun.kind_of_labels(("EF",))) == ("noun", None)
    assert parse_selection("epic.csv::take").kind_of_labels(("verb", "take")) is None
