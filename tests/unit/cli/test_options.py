import pytest

from video_tcav.cli.options import parse_concepts
from video_tcav.core.errors import InputError


def test_names_and_paths():
    assert parse_concepts(["racket=a/b=c", "ball = d", "racket=e"]) == {"racket": ["a/b=c", "e"], "ball": ["d"]}
    assert parse_concepts(None) == {}


@pytest.mark.parametrize("text", ["racket", "=path", "racket="])
def test_what_is_no_name_and_path(text):
    with pytest.raises(InputError, match="`--concept` must be NAME=PATH"):
        parse_concepts([text])
