"""Proposals by words: what is found, in which order, what stands in the record, and that absent words are not called."""

import pytest

from tests.unit.words.colours import ColourEncoder, write_colours
from video_tcav.concepts import ConceptBank
from video_tcav.core.errors import InputError
from video_tcav.proposals import propose_by_text


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("VIDEO_TCAV_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def videos(tmp_path):
    """Red for two seconds in each of three videos, and blue."""
    for number in range(3):
        write_colours(tmp_path / "videos" / f"{number}.mp4", "blue", "red", "blue", seed=number)
    (tmp_path / "videos" / "broken.mp4").write_bytes(b"nothing")
    return tmp_path / "videos"


def test_windows_that_show_a_text_become_open_proposals_with_rank_and_score(tmp_path, videos):
    result = propose_by_text(videos, tmp_path / "bank", texts=["red thing"], encoder=ColourEncoder())
    (search,) = result.searches
    assert search.stands_out and search.p_adjusted < 0.01 and search.concept == "red thing"
    assert result.windows == 15 and result.videos == 3 and result.words == 1000 and len(result.skipped) == 1
    first = search.matches[:3]
    # the windows that lie within the red span, one a video: those at 1 s and 3 s overlap with it
    assert [(match.rank, round(match.start_s), round(match.end_s)) for match in first] == [(n, 2, 4) for n in (1, 2, 3)]
    assert len({match.path for match in first}) == 3
    with ConceptBank.open(tmp_path / "bank") as bank:
        clips = bank.clips(concept="red thing", verdict="open")
        assert len(clips) == search.added == result.clips == len(search.matches)
        best = clips[0]  # in the order of review, the best first
        assert best.fps == pytest.approx(10)
        facts = best.origin.proposer
        assert best.kind == "moving" and best.origin.label == "red thing" and best.frames == 20
        assert facts["name"] == "text" and facts["encoder"] == "colours" and facts["rank"] == 1
        assert facts["text_score"] == pytest.approx(search.matches[0].score, abs=1e-6)
        assert best.origin.score == pytest.approx(1 - search.matches[0].word_p)
        assert best.origin.times_s[0] == pytest.approx(2.0)
        from video_tcav.media import VideoSource, read_frames

        pixels = read_frames(VideoSource(path=best.path, kind="video"), [0, 10, 19]).float().mean((0, 2, 3))
        assert pixels[0] > 180 > pixels[2] + 100  # red
    assert "“red thing”: 3 windows" in search.sentence() or len(search.matches) > 3
    frame = result.to_frame()
    assert len(frame) == result.clips and frame["rank"].tolist()[0] == 1


def test_the_same_search_adds_nothing_and_embeds_nothing(tmp_path, videos):
    encoder = ColourEncoder()
    propose_by_text(videos, tmp_path / "bank", texts=["red"], encoder=encoder)
    seen = encoder.clips_seen
    again = propose_by_text(videos, tmp_path / "bank", texts=["red"], encoder=encoder)
    assert encoder.clips_seen == seen and again.clips == 0 and again.searches[0].matches
    other = propose_by_text(videos, tmp_path / "bank", texts=["blue"], encoder=encoder)
    assert encoder.clips_seen == seen and other.clips > 0


def test_an_absent_text_is_not_called_and_nothing_is_proposed_of_it(tmp_path, videos):
    result = propose_by_text(videos, tmp_path / "bank", texts=["red", "green", "quokka"], encoder=ColourEncoder())
    by_text = {search.text: search for search in result.searches}
    assert by_text["red"].stands_out
    for text in ("green", "quokka"):
        search = by_text[text]
        assert not search.stands_out and not search.matches and not search.added
        assert search.sentence().startswith(f"Nothing in these videos stands out for “{text}” (p = ")
    with ConceptBank.open(tmp_path / "bank") as bank:
        assert [concept.name for concept in bank.concepts()] == ["red"]
    # corrected for three texts
    assert by_text["red"].p_adjusted == pytest.approx(3 * by_text["red"].p_value)


def test_top_limits_clips_and_words_may_be_given(tmp_path, videos):
    words = [f"word {number}" for number in range(40)]
    result = propose_by_text(videos, tmp_path / "bank", texts=["red"], encoder=ColourEncoder(), top=2, words=words)
    assert result.clips == 2 and result.words == 40
    few = [f"word {number}" for number in range(19)]
    assert propose_by_text(videos, tmp_path / "b", texts=["quokka"], encoder=ColourEncoder(), words=few).words == 19


def test_words_that_are_nearer_than_the_text_are_named(tmp_path, videos):
    words = ["red", "teapot", *(f"word {number}" for number in range(78))]
    encoder = ColourEncoder()
    (search,) = propose_by_text(videos, tmp_path / "bank", texts=["a rather red thing"], encoder=encoder, words=words)
    of_texts = encoder.embed_texts(["a video of a rather red thing", "a video of red"])
    assert (search.nearer_words == ("red",)) == bool(of_texts[1, 0] > of_texts[0, 0])
    assert len(search.nearer_words) <= 3


def test_bad_input_is_refused_before_a_bank_is_made(tmp_path, videos):
    def call(**options):
        arguments = {"texts": ["red"], "encoder": ColourEncoder()} | options
        propose_by_text(videos, tmp_path / "bank", **arguments)

    for options, message in (
        ({"top": 0}, r"`top` must be at least 1"),
        ({"texts": []}, r"`text` must name a concept"),
        ({"words": ["a"]}, r"`words` must be at least 19"),
        ({"encoder": "hf"}, r"`encoder` must be hf:"),
        ({"template": "video"}, r"`template` must hold"),
    ):
        with pytest.raises(InputError, match=message):
            call(**options)
    assert not (tmp_path / "bank").exists()
