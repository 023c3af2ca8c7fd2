"""Vectors, groups, names, order: against clips whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from video_tcav.concepts import Origin
from video_tcav.core.errors import InputError
from video_tcav.models import layer_axes, load_model, record_activations
from video_tcav.proposals import ClipEmbedder, group_clips, group_name
from video_tcav.proposals.embedding import nearest_cosine, thumbnails
from video_tcav.proposals.grouping import motion_words, varied_order
from video_tcav.rendered import render, sample_factors


@pytest.fixture(scope="module")
def model():
    return load_model("rendered:r2plus1d-motion", device="cpu")


def _origin(right=0.0, down=0.0, growth=0.0, *, label="person", side=50.0):
    times_s = np.arange(25) / 25
    size = side * (1 + growth * (times_s - 0.5))
    left, top = 100 + right * side * times_s - size / 2, 100 + down * side * times_s - size / 2
    boxes = np.stack([left, top, left + size, top + size], axis=1)
    return Origin(
        video="v.mp4", video_digest="0", start_s=0.0, end_s=1.0, times_s=tuple(times_s),
        boxes=tuple(map(tuple, boxes)), label=label, score=0.9, proposer={},
    )  # fmt: skip


def test_a_vector_is_the_deepest_stage_averaged_over_positions(model):
    clip = render(sample_factors(1, seed=0)[0]).clip
    embedder = ClipEmbedder(model)
    (vector,) = embedder([clip], fps=12.5)
    layer = model.default_layers[-1]
    activation = record_activations(model, [layer], model.prepare(clip)[None])[layer]
    expected = layer_axes(model, layer).positions(activation)[0].flatten(0, 2).mean(0)
    np.testing.assert_allclose(vector, expected.numpy(), rtol=1e-5, atol=1e-6)
    assert embedder.space.startswith(f"{model.weights_digest}:{layer}:")
    slower = replace(model, clip_spec=replace(model.clip_spec, stride=2 * model.clip_spec.stride))
    assert ClipEmbedder(slower).space != embedder.space


def test_clips_of_any_size_and_length_keep_their_order(model):
    clips = [render(one, size=size, frames=frames).clip for one, size, frames in
             zip(sample_factors(3, seed=1), (48, 64, 100), (5, 16, 40), strict=True)]  # fmt: skip
    together = ClipEmbedder(model)(clips, fps=12.5)
    apart = np.concatenate([ClipEmbedder(model)([clip], fps=12.5) for clip in clips])
    np.testing.assert_allclose(together, apart, rtol=1e-4, atol=1e-5)
    assert ClipEmbedder(model)([], fps=25).shape == (0, 0)


def test_thumbnails_tell_the_same_from_another():
    clip, other = (render(one).clip for one in sample_factors(2, seed=2))
    noisy = (clip.int() + torch.randint(-4, 5, clip.shape)).clamp(0, 255).to(torch.uint8)
    assert nearest_cosine(thumbnails(noisy), [thumbnails(clip)]) > 0.98
    assert nearest_cosine(thumbnails(other), [thumbnails(clip)]) < 0.9
    assert nearest_cosine(thumbnails(clip), []) == 0.0


@pytest.mark.parametrize(
    ("move", "words"),
    [
        ((0.0, 0.0), ["in place"]),
        ((1.2, 0.1), ["fast", "rightwards"]),
        ((-1.2, 0.1), ["fast", "leftwards"]),
        ((-0.4, 0.1), ["slow", "leftwards"]),
        ((0.1, 0.5), ["slow", "downwards"]),
        ((0.1, -1.5), ["fast", "upwards"]),
        ((0.0, 0.0, 0.5), ["approaching"]),
        ((0.0, 0.0, -0.5), ["receding"]),
    ],
)
def test_motion_is_told_in_words_whatever_the_size(move, words):
    for side in (20.0, 80.0):
        assert motion_words(_origin(*move, side=side)) == words


def test_a_group_is_named_by_what_most_of_it_is():
    left, right, still = _origin(-1.2), _origin(1.2), _origin()
    assert group_name([left, left, still]) == "person, fast, leftwards"
    assert group_name([left, right]) == "person, fast"
    assert group_name([left, still]) == "person"
    assert group_name([_origin(label="car"), still, _origin(label="car")]) == "car, in place"


@pytest.mark.parametrize("method", ["hdbscan", "kmeans"])
def test_groups_are_the_clouds_that_were_made(method):
    generator = np.random.default_rng(0)
    middles = np.eye(3, 12) * 4 + 3  # all share a direction, as rectified activations do
    truth = np.repeat(np.arange(3), 12)
    vectors = middles[truth] + generator.normal(0, 0.2, (36, 12))
    found = group_clips(vectors, method=method, seed=0)
    if method == "hdbscan":
        assert {tuple(sorted(set(found[truth == each]) - {-1})) for each in range(3)} == {(0,), (1,), (2,)}
    else:
        assert all(len(set(truth[found == each])) == 1 for each in set(found))
    np.testing.assert_array_equal(found, group_clips(vectors, method=method, seed=0))


def test_few_clips_and_none_make_no_group():
    assert group_clips(np.ones((4, 3))).tolist() == [-1] * 4
    assert group_clips(np.random.default_rng(0).normal(size=(30, 3)), method="none").tolist() == [-1] * 30
    with pytest.raises(InputError, match=r"`group` must be one of none, hdbscan, kmeans\. Got 'dbscan'"):
        group_clips(np.ones((4, 3)), method="dbscan")


def test_the_order_has_quality_and_variety():
    vectors = np.array([[1.0, 0], [1, 0.01], [0, 1], [0.01, 1]])
    assert varied_order([0.9, 0.8, 0.5, 0.1], vectors) == [0, 2, 1, 3]
    assert varied_order([], np.zeros((0, 0))) == []
