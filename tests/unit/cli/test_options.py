import pytest

from video_tcav.cli.options import parse_concept
from video_tcav.core.errors import InputError


def test_name_and_path():
    assert parse_concept("racket=a/b=c") == ("racket", "a/b=c")


@pytest.mark.parametrize("text", ["racket", "=path", "racket="])
def test_what_is_no_name_and_path(text):
    with pytest.raises(InputError, match="`--concept` must be NAME=PATH"):
        parse_concept(text)
