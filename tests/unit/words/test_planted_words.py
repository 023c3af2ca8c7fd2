"""Planted truth: an encoder that learned what is rendered finds it, calls nothing absent, and gives CAVs like those of clips."""

import numpy as np
import pytest
import torch

import video_tcav as vt
from video_tcav.media import write_video
from video_tcav.proposals import propose_by_text
from video_tcav.rendered import render, render_batch
from video_tcav.words import common_words, suggest_names
from video_tcav.words.encoder import clip_rows
from video_tcav.words.text_scores import TextRows, presence_p, text_scores

from .two_towers import MOTIONS, OBJECTS, SCENES, sampled, train_towers

FACTOR_OF = {
    **{text: ("motion", value) for value, text in MOTIONS.items()},
    **{text: ("object", value) for value, text in OBJECTS.items() if text},
    **{text: ("scene", value) for value, text in SCENES.items()},
}


@pytest.fixture(scope="module")
def encoder():
    return train_towers()


@pytest.fixture(scope="module")
def asked(encoder):
    return TextRows.embed(encoder, list(FACTOR_OF), common_words())


def embedded(encoder, factors):
    return clip_rows(encoder, list(render_batch(factors)))


def test_what_is_present_is_found_at_the_top(encoder, asked):
    factors = sampled(400, seed=77)
    scores = text_scores(embedded(encoder, factors), asked.texts, asked.neutral)
    precision = {}
    for (text, (factor, value)), column in zip(FACTOR_OF.items(), scores.T, strict=True):
        best = np.argsort(-column)[:20]
        precision[text] = np.mean([getattr(factors[at], factor) == value for at in best])
    assert min(precision.values()) >= 0.9, precision


def test_what_is_absent_is_not_called_and_most_of_what_is_present_is(encoder, asked):
    """Half of the words that the encoder knows are absent from each of two sets of clips."""
    called = {True: [], False: []}
    for seed, chosen in enumerate(
        (
            {"motion": ["run"], "object": ["ball", "none"], "scene": ["lawn", "street"]},
            {"motion": ["swing"], "object": ["racket", "none"], "scene": ["court", "gym"]},
        )
    ):
        rows = embedded(encoder, sampled(100, seed=90 + seed, **chosen))
        p = presence_p(text_scores(rows, asked.texts, asked.neutral), text_scores(rows, asked.words, asked.neutral))
        for (factor, value), p_value in zip(FACTOR_OF.values(), p, strict=True):
            called[value in chosen[factor]].append(p_value <= 0.05)
    assert not any(called[False]), called
    assert np.mean(called[True]) >= 0.75, called


def test_words_that_the_encoder_never_learned_are_called_as_rarely_as_the_level_says(encoder, asked):
    rows = embedded(encoder, sampled(100, seed=5))
    scores = text_scores(rows, asked.words, asked.neutral)
    first, second = scores[:, ::2], scores[:, 1::2]
    assert (presence_p(first, second) <= 0.05).mean() < 0.09


def test_videos_are_searched_by_words(encoder, tmp_path):
    for number, clip in enumerate(sampled(8, seed=6, scene="lawn", object="ball")):
        write_video(tmp_path / "v" / f"{number}.mp4", render(clip).clip, fps=12.5)
    result = propose_by_text(
        tmp_path / "v", tmp_path / "bank", texts=["on a lawn", "in a gym", "on a court"], encoder=encoder, keep=False
    )
    assert [search.stands_out for search in result] == [True, False, False]
    assert result[0].added == 8 and result.clips == 8
    assert "Nothing in these videos stands out for “in a gym”" in result.sentences()[1]


@pytest.mark.parametrize(
    ("rule", "text", "least", "count"),
    # a racket is a few pixels large: with 40 clips of it the cosine is 0.64 to 0.69, with 80 it is 0.75 to 0.79
    [("motion", "swinging", 0.9, 40), ("scene", "on a court", 0.9, 40), ("object", "a racket", 0.7, 80)],
)
def test_a_text_cav_is_like_that_of_clips_and_finds_the_cause(encoder, rule, text, least, count):
    factor, value = FACTOR_OF[text]
    no_cause = next(other for other, (kind, _) in FACTOR_OF.items() if kind != factor and other != text)

    def clips(count, seed, **chosen):
        return [render(clip).clip for clip in sampled(count, seed=seed, **chosen)]

    result = vt.run_text_tcav(
        vt.load_model(f"rendered:r2plus1d-{rule}", device="cpu"),
        target="playing tennis",
        texts=[text, no_cause],
        encoder=encoder,
        random=clips(3 * count, 5),
        clips=clips(12, 9, **{factor: value}),
        concepts={text: clips(count, 6, **{factor: value})},
        layers=["stages.3"],
        bootstraps=100,
    )
    cause, other = result
    assert cause.cosine >= least and cause.p_clips <= 0.01 and cause.clip_auc > 0.6
    assert cause.represented and cause.effect_low > 0 and cause.p_adjusted <= 0.05
    assert f"“{text}” in words raises playing tennis" in result.sentences()[0]
    assert other.p_adjusted > 0.05 and not other.is_checked


def test_clips_of_one_factor_get_its_name(encoder):
    words = [*FACTOR_OF, *common_words()[::10]]
    clips = torch.stack([render(clip).clip for clip in sampled(20, seed=8, scene="gym")])
    background = torch.stack([render(clip).clip for clip in sampled(20, seed=9)])
    names = suggest_names(encoder, clips, words=words, background=background)
    assert names[0].word == "in a gym" and names[0].margin > 0
