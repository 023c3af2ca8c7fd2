"""Scores of texts, their p among other words, windows of videos and names of clips, against definitions written out."""

import numpy as np
import pytest
import torch

from video_tcav.core.errors import InputError, SourceError
from video_tcav.media import file_digest, read_frames
from video_tcav.media.timeline import read_timeline
from video_tcav.words import common_words, neutral_prompts, suggest_names
from video_tcav.words.text_scores import TextRows, clip_p, presence_p, text_scores
from video_tcav.words.windows import embed_windows
from video_tcav.words.word_lists import checked_texts, other_words, prompts, read_words

from .colours import ColourEncoder, write_colours


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_lists_are_words_and_prompts_each_once():
    assert len(set(common_words())) == 1000 and len(set(neutral_prompts())) == 50
    assert all(word.isalpha() and word.islower() for word in common_words())


def test_a_score_is_the_cosine_less_the_mean_cosine_with_neutral_prompts():
    rng = np.random.default_rng(0)
    clips, texts, neutral = (unit(rng.standard_normal((count, 5))) for count in (4, 3, 6))
    scores = text_scores(clips, texts, neutral)
    for i, clip in enumerate(clips):
        for j, text in enumerate(texts):
            expected = float(clip @ text) - np.mean([clip @ prompt for prompt in neutral])
            assert scores[i, j] == pytest.approx(expected)
    embedded = TextRows(texts=texts, words=texts, neutral=neutral)
    np.testing.assert_allclose(clips @ embedded.differences()[0].T, scores)


def slow_presence_p(text, words):
    """Ranks counted one by one, each for the best 1, 3, 10 and 30 clips."""
    pool = [text, *words.T]
    smallest = []
    for member in pool:
        ranks = []
        for count in (1, 3, 10, 30):
            if count <= len(text):
                level = np.mean(sorted(member)[-count:])
                ranks.append(sum(np.mean(sorted(other)[-count:]) >= level for other in pool))
        smallest.append(min(ranks))
    return sum(rank <= smallest[0] for rank in smallest) / len(pool)


@pytest.mark.parametrize("clips", [1, 5, 40])
def test_presence_is_ranked_among_words(clips):
    rng = np.random.default_rng(clips)
    scores, words = rng.standard_normal((clips, 6)), rng.standard_normal((clips, 59))
    scores[0, 0] = 9  # in one clip alone
    expected = [slow_presence_p(column, words) for column in scores.T]
    np.testing.assert_allclose(presence_p(scores, words), expected)
    assert presence_p(scores, words)[0] <= 4 / 60  # words that are first by another count are as good


def test_texts_drawn_as_the_words_are_called_as_often_as_the_level_says():
    rng = np.random.default_rng(1)
    clips = unit(rng.standard_normal((50, 8)) + 1)  # all of one kind, so that words go together
    called = [
        presence_p(clips @ unit(rng.standard_normal((1, 8))).T, clips @ unit(rng.standard_normal((199, 8))).T)[0]
        <= 0.05
        for _ in range(400)
    ]
    assert 0.01 < np.mean(called) < 0.08


def test_a_clip_is_compared_with_each_word():
    p = clip_p(np.array([2.0, -1.0]), np.array([[1.0, 3.0, 0.0], [0.0, 0.0, -1.0]]))
    assert p.tolist() == [2 / 4, 4 / 4]


def test_texts_words_and_templates_are_checked(tmp_path):
    assert checked_texts(["  a  racket ", "a racket"]) == ("a racket",)
    for text in ("", "x" * 61, "a\x07"):
        with pytest.raises(InputError, match=r"`text` must be 1 to 60 printable characters"):
            checked_texts([text])
    with pytest.raises(InputError, match=r"`text` must name a concept"):
        checked_texts([])
    with pytest.raises(InputError, match=r"`template` must hold \{\} once"):
        prompts(["a"], "a video")
    assert "actor" not in other_words(None, ["Actor"]) and len(other_words(None, ["Actor"])) == 999
    with pytest.raises(InputError, match=r"`words` must be at least 19\. Got 2"):
        other_words(["a", "b", "a", "red"], ["red"])
    (tmp_path / "words.txt").write_text("one\n\n two \n", encoding="utf-8")
    assert read_words(tmp_path / "words.txt") == ("one", "two")
    with pytest.raises(InputError, match=r"`words` must be a text file"):
        read_words(tmp_path)


def test_windows_are_cut_at_a_stride_and_show_their_own_frames(tmp_path):
    path = write_colours(tmp_path / "a.mp4", "red", "green", frames=20)  # 4 s
    embedded = embed_windows(ColourEncoder(), path, length_s=2, stride_s=1)
    spans = [(round(w.start_s, 3), round(w.end_s, 3)) for w in embedded.windows]
    assert spans == [(0, 2), (1, 3), (2, 4)]
    timeline = read_timeline(embedded.windows[0].source)
    for window, row in zip(embedded.windows, embedded.rows, strict=True):
        # frames on display at the middles of four equal times
        wanted = window.start_s + (np.arange(4) + 0.5) / 4 * 2
        indices = [int(np.flatnonzero(timeline.timestamps_s <= time + 1e-6)[-1]) for time in wanted]
        expected = ColourEncoder().embed_clips([read_frames(window.source, indices)])[0]
        np.testing.assert_allclose(row, expected / np.linalg.norm(expected), atol=1e-6)
    assert embedded.rows[0, 0] > 0.9 > embedded.rows[1, 0] > embedded.rows[2, 0]


def test_short_videos_rests_copies_and_broken_files(tmp_path):
    write_colours(tmp_path / "short.mp4", "red", frames=5)
    write_colours(tmp_path / "long.mp4", "red", "green", frames=17, seed=1)  # 3.4 s
    (tmp_path / "copy.mp4").write_bytes((tmp_path / "long.mp4").read_bytes())
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    embedded = embed_windows(ColourEncoder(), tmp_path, length_s=2, stride_s=2)
    spans = [(w.source.path.name, round(w.start_s, 2), round(w.end_s, 2)) for w in embedded.windows]
    # a copy is embedded once; the rest of 1.4 s is more than half of a window
    assert spans == [("copy.mp4", 0, 2), ("copy.mp4", 2, 3.4), ("short.mp4", 0, 0.5)]
    assert [skipped.path for skipped in embedded.skipped] == [str(tmp_path / "broken.mp4")]
    with pytest.raises(
        InputError, match=r"must hold a video that can be used\. Got 1 that cannot, the first: .*broken"
    ):
        embed_windows(ColourEncoder(), tmp_path / "broken.mp4")
    with pytest.raises(InputError, match=r"`stride_s` must be positive"):
        embed_windows(ColourEncoder(), tmp_path, stride_s=0)
    with pytest.raises(SourceError, match=r"must be files for a search by words"):
        embed_windows(ColourEncoder(), torch.zeros(8, 3, 16, 16, dtype=torch.uint8))


def test_embeddings_are_kept_by_content_of_video_and_encoder(tmp_path, cache):
    path = write_colours(tmp_path / "a.mp4", "red", "blue")
    encoder = ColourEncoder()
    first = embed_windows(encoder, path)
    seen = encoder.clips_seen
    (tmp_path / "elsewhere").mkdir()
    moved = path.rename(tmp_path / "elsewhere" / "b.mp4")
    again = embed_windows(encoder, moved)
    assert encoder.clips_seen == seen and np.array_equal(first.rows, again.rows)
    assert again.windows[0].video_digest == file_digest(moved)
    embed_windows(encoder, moved, length_s=1)  # other windows
    assert encoder.clips_seen > seen
    seen = encoder.clips_seen
    for path in list(cache.rglob("*.safetensors")):
        path.write_bytes(b"damaged")
    np.testing.assert_allclose(embed_windows(encoder, moved).rows, first.rows)
    assert encoder.clips_seen > seen
    encoder.digest = "colours 2"
    seen = encoder.clips_seen
    embed_windows(encoder, moved)
    assert encoder.clips_seen > seen
    encoder.digest, files = None, len(list(cache.rglob("*.safetensors")))
    embed_windows(encoder, moved)  # nothing is known of its weights
    embed_windows(ColourEncoder(), moved, length_s=0.7, keep=False)
    assert len(list(cache.rglob("*.safetensors"))) == files


def test_embeddings_of_words_are_kept_too(cache):
    class Counting(ColourEncoder):
        texts_seen = 0

        def embed_texts(self, texts):
            self.texts_seen += len(texts)
            return super().embed_texts(texts)

    encoder = Counting()
    first = TextRows.embed(encoder, ["red"], ["a", "b"], keep=True)
    again = TextRows.embed(encoder, ["blue"], ["a", "b"], keep=True)
    assert encoder.texts_seen == 2 + 1 + 50 + 1 + 50
    np.testing.assert_array_equal(first.words, again.words)
    assert not np.array_equal(TextRows.embed(encoder, ["blue"], ["a", "c"], keep=True).words, first.words)
    TextRows.embed(encoder, ["blue"], ["a", "d"])
    assert len(list(cache.rglob("*.safetensors"))) == 2


def test_names_are_the_nearest_words_with_their_margin(tmp_path):
    for number in range(3):
        write_colours(tmp_path / f"{number}.mp4", "green", seed=number)
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    encoder = ColourEncoder()
    names = suggest_names(encoder, tmp_path, words=["red", "green", "blue", "teapot"], count=2)
    assert names[0].word == "green" and [name.rank for name in names] == [1, 2]
    assert names.words == 4 and names.clips == 3 and names.encoder == "colours" and len(names.skipped) == 1
    assert names[0].margin == pytest.approx(names[0].score - names[1].score)
    assert names.to_frame().columns.tolist() == ["word", "rank", "score", "margin"]
    # what both sets show is no name
    mixed = [write_colours(tmp_path / "mixed" / f"{n}.mp4", "green", "red", seed=n) for n in range(2)]
    others = suggest_names(encoder, mixed, words=["red", "green", "blue"], background=tmp_path / "0.mp4")
    assert others[0].word == "red"
    assert suggest_names(encoder, tmp_path / "0.mp4", count=3)[2].rank == 3
    with pytest.raises(InputError, match=r"`clips` must hold a file that can be used\. Got .*broken"):
        suggest_names(encoder, tmp_path / "broken.mp4")
    with pytest.raises(InputError, match=r"`words` must be at least 2"):
        suggest_names(encoder, tmp_path, words=["red"])
