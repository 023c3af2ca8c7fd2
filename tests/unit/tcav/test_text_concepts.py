"""Concepts in words: against ridge regression in activation space, what is said of them, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.linear_model import Ridge

import video_tcav as vt
from tests.unit.words.colours import ColourEncoder
from video_tcav.core import random_streams
from video_tcav.core.errors import InputError, MediaError
from video_tcav.gram.embedding_map import fit_map, group_folds
from video_tcav.models import parse_target, record_activations, record_gradients
from video_tcav.rendered import render, sample_factors
from video_tcav.tcav.text_concepts.measure import word_p
from video_tcav.words.encoder import clip_rows, text_rows
from video_tcav.words.word_lists import common_words, neutral_prompts

LAYER, TARGET = "stages.3", "playing tennis"


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("VIDEO_TCAV_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def model():
    return vt.load_model("rendered:r2plus1d-scene", device="cpu")


def clips(count, *, seed, **factors):
    return [render(clip).clip for clip in sample_factors(count, seed=seed, **factors)]


@pytest.fixture(scope="module")
def pool():
    return clips(30, seed=1)


@pytest.fixture(scope="module")
def of_class():
    return clips(6, seed=2, scene="court")


@pytest.fixture(scope="module")
def greenish():
    """Clips with the colour that the word green stands for."""
    return clips(10, seed=3, scene="lawn")


def run(model, pool, of_class, **options):
    arguments = {
        "target": TARGET,
        "texts": ["green", "teapot"],
        "encoder": ColourEncoder(),
        "random": pool,
        "clips": of_class,
        "layers": [LAYER],
        "space": "spacetime",
        "bootstraps": 50,
        "keep": False,
    }
    return vt.run_text_tcav(model, **(arguments | options))


def rows_of(model, where, target=None):
    """Activations, or gradients, averaged (or summed) over positions."""
    rows = []
    for clip in where:
        inputs = model.prepare(clip)[None]
        if target is None:
            rows.append(record_activations(model, [LAYER], inputs)[LAYER].mean((2, 3, 4))[0])
        else:
            rows.append(record_gradients(model, [LAYER], inputs, target).layers[LAYER].sum((2, 3, 4))[0])
    return torch.stack(rows).double().numpy()


def test_it_is_ridge_regression_from_embeddings_to_activations(model, pool, of_class, greenish):
    result = run(model, pool, of_class, concepts={"green": greenish})
    green, teapot = result
    activations, gradients = rows_of(model, pool), rows_of(model, of_class, parse_target(model, TARGET, "log_odds"))
    encoder = ColourEncoder()
    frames = [2, 6, 10, 14]  # the encoder's four of the model's sixteen
    embeddings = clip_rows(encoder, [clip[frames] for clip in pool])
    centre = text_rows(encoder, neutral_prompts()).mean(0)
    direction = text_rows(encoder, ["a video of green"])[0] - centre
    centred = activations - activations.mean(0)
    fit = fit_map(
        centred @ centred.T, embeddings, direction[None], group_folds(np.arange(30), [0, random_streams.TEXT_FOLDS])
    )
    rows = embeddings - embeddings.mean(0)
    ridge = Ridge(alpha=fit.penalty * (rows**2).sum(), solver="svd").fit(embeddings, activations)
    vector = ridge.coef_ @ direction
    cav = vector / np.linalg.norm(vector)
    slopes = gradients @ cav
    assert green.derivative == pytest.approx((gradients @ vector).mean(), rel=1e-3)
    assert green.effect == pytest.approx(slopes.mean() * (activations @ cav).std(), rel=1e-3)
    assert green.tcav_score == (slopes > 0).mean()
    assert green.r_squared == pytest.approx(fit.r_squared, abs=1e-4)
    assert green.correlation == pytest.approx(fit.correlations[0], abs=1e-4)
    difference = rows_of(model, greenish).mean(0) - activations.mean(0)
    assert green.cosine == pytest.approx(cav @ difference / np.linalg.norm(difference), abs=1e-3)
    values = np.concatenate([rows_of(model, greenish) @ cav, activations @ cav])
    assert green.clip_auc == pytest.approx((values[:10, None] > values[10:]).mean(), abs=0.01)
    assert green.effect_between == pytest.approx(slopes.mean() * (cav @ difference), rel=1e-2)
    words = (
        text_rows(encoder, [f"a video of {word}" for word in common_words() if word not in ("teapot", "green")])
        - centre
    )
    derivatives = gradients.mean(0) @ ridge.coef_ @ words.T
    assert green.words_mean == pytest.approx(derivatives.mean(), abs=1e-2 * derivatives.std())
    assert green.words_sd == pytest.approx(derivatives.std(), rel=1e-2)
    assert green.p_words == pytest.approx(word_p(green.derivative, derivatives), abs=0.003)
    assert green.p_value == max(green.p_words, green.p_t) and green.effect_low < green.effect < green.effect_high
    assert not teapot.is_checked and np.isnan(teapot.cosine) and np.isnan(teapot.effect_between)


def test_p_among_words_is_the_worse_of_two_questions():
    words = np.array([1.0, 2.0, 3.0, 2.0])  # around 2
    # as far from 0 as 1.5 are three, as far from 2 as 0.5 are two
    assert word_p(1.5, words) == pytest.approx((1 + 3) / 5)
    # nothing is as far from 2 as −4, or from 0
    assert word_p(-4.0, words) == pytest.approx(1 / 5)
    # 0 is as far from 2 as none, and every word is farther from 0
    assert word_p(0.0, words) == 1.0


def test_texts_are_apart_from_clips_and_say_whether_they_were_checked(model, pool, of_class, greenish, tmp_path):
    result = run(model, pool, of_class, concepts={"green": greenish}, out=tmp_path / "out")
    texts = {row.text: row for row in result.strongest()}
    sentences = dict(zip(texts, result.sentences(), strict=True))
    assert "cosine" in texts["green"].check_text() and texts["teapot"].check_text() == "Not checked against clips."
    for text, row in texts.items():
        assert sentences[text].startswith(f"“{text}” in words")
        assert (row.check_text() in sentences[text]) == row.represented
        assert row.represented or "does not represent it" in sentences[text]
    content = json.loads((tmp_path / "out" / "text_results.json").read_text())
    assert content["constants"]["encoder"] == "colours" and content["text_results"][1]["cosine"] is None
    assert content["provenance"]["encoder"]["digest"] == "colours 1"
    frame = pd.read_parquet(tmp_path / "out" / "text_results.parquet")
    assert (
        frame["text"].tolist()
        == ["green", "teapot"]
        == pd.read_csv(tmp_path / "out" / "text_results.csv")["text"].tolist()
    )
    assert not (tmp_path / "out" / "results.json").exists()  # those of clips
    assert "Concepts in words" in result._repr_html_() and "not checked" in result._repr_html_()
    assert repr(result) == "<TextTcavResult for 'playing tennis': 2 results, 2 texts>"
    assert "“green” in words" in repr(result.summary())


def test_random_clips_for_the_gradient_and_workers_change_nothing_else(model, pool):
    first = run(model, pool, None, at="random", seed=3)
    again = run(model, pool, None, at="random", seed=3)
    assert first.results == again.results or first.to_frame().equals(again.to_frame())
    assert first.constants.n_class_clips + first.constants.n_clips == 30 and first.constants.at == "random"


def test_sketched_rows_give_nearly_the_same(model, pool, of_class):
    exact, sketched = run(model, pool, of_class), run(model, pool, of_class, sketch=1024)
    assert sketched[0].effect == pytest.approx(exact[0].effect, rel=0.2)
    assert sketched[0].r_squared == pytest.approx(exact[0].r_squared, abs=0.1)


def test_windows_of_a_video_are_one_group_and_stills_are_checked_against_frozen_clips(model, pool, of_class, greenish):
    windows = run(model, [clip.repeat(2, 1, 1, 1) for clip in pool], of_class, windows=2)
    assert windows.constants.n_clips == 60 and windows.constants.n_groups == 30
    stills = run(model, pool, of_class, concepts={"green": [clip[:1] for clip in greenish]})
    assert stills[0].is_checked and 0 < stills[0].p_clips <= 1


def test_a_file_that_goes_between_passes_is_named(model, of_class, tmp_path, monkeypatch):
    from video_tcav.media import write_video
    from video_tcav.tcav.text_concepts import embedded_clips

    for number, clip in enumerate(clips(11, seed=4)):
        write_video(tmp_path / "v" / f"{number}.mp4", clip, fps=12.5)

    def without_a_file(sources, *arguments, **options):
        (tmp_path / "v" / "3.mp4").unlink()
        return load_clips(sources, *arguments, **options)

    load_clips = embedded_clips.load_clips
    monkeypatch.setattr(embedded_clips, "load_clips", without_a_file)
    with pytest.raises(MediaError, match=r"3\.mp4"):
        run(model, tmp_path / "v", of_class)


def test_clips_of_the_concept_are_not_learned_from(model, pool, of_class, greenish):
    alone = run(model, pool, of_class, concepts={"green": greenish})
    among = run(model, [*pool, *greenish[:4]], of_class, concepts={"green": greenish})
    assert among.constants.n_clips == alone.constants.n_clips == 30
    assert among[0].r_squared == pytest.approx(alone[0].r_squared)


def test_what_cannot_be_asked_is_refused(model, pool, of_class, greenish):
    for options, message in (
        (
            {"concepts": {"gren": greenish}},
            r"`concepts` must be named as the texts.* Got 'gren', and the texts green, teapot",
        ),
        ({"random": pool[:9]}, r"`random` must hold clips of at least 10 independent groups .* Got 9 clips of 9"),
        ({"clips": of_class[:1]}, r"`clips` must hold clips of at least 2 independent groups"),
        ({"texts": []}, r"`text` must name a concept"),
        ({"words": ["a", "b"]}, r"`words` must be at least 19"),
        ({"bootstraps": 1}, r"`bootstraps` must be at least 2"),
        ({"clips": None}, r"`clips` must be given"),
        ({"encoder": "clip"}, r"`encoder` must be hf:"),
    ):
        with pytest.raises(InputError, match=message):
            run(model, pool, of_class, **options)
