"""The functions for arrays: the numbers of a run from activations and gradients, and what they refuse."""

import numpy as np
import pytest
import torch

import video_tcav as vt
from tests.unit.tcav.test_run import RUN, run
from video_tcav import gram
from video_tcav.core import errors
from video_tcav.gram import FactoredKernel, Gram, gram_matrices, measure_concept
from video_tcav.media import find_videos
from video_tcav.media.loader import read_clips
from video_tcav.models import parse_target, record_activations, record_gradients

CLIPS, CONCEPT, CLASS = 24, 9, 6
LABELS = np.arange(CLIPS) < CONCEPT


def arrays() -> tuple[np.ndarray, np.ndarray]:
    """A layer with an output of 3 × 5 values."""
    generator = np.random.default_rng(0)
    activations = generator.normal(size=(CLIPS, 3, 5)) + 10
    activations[LABELS] += 0.5
    return activations, generator.normal(size=(CLASS, 3, 5)) + 1


def measured(**changes):
    return measure_concept(gram_matrices(*arrays()), LABELS, **{**RUN, **changes})


def test_effect_score_and_magnitude_are_those_of_the_definition():
    activations, gradients = (values.reshape(len(values), -1) for values in arrays())
    cav = activations[LABELS].mean(0) - activations[~LABELS].mean(0)
    found = measured()
    np.testing.assert_allclose(found.draws.by_clip, gradients @ cav)
    np.testing.assert_allclose(found.directional_derivatives, gradients @ cav / np.linalg.norm(cav))
    assert found.effect == pytest.approx((gradients @ cav).mean())
    assert found.tcav_score == (gradients @ cav > 0).mean()
    assert found.effect_low < found.effect < found.effect_high
    assert found.p_perm == gram.permutation_p(found.z, found.draws.null_statistics)
    assert found.p_value == max(found.p_perm, found.p_t)
    assert (found.n_concept_clips, found.n_random_clips, found.n_class_clips) == (CONCEPT, CLIPS - CONCEPT, CLASS)
    assert len(found.draws.bootstrap) == RUN["bootstraps"]


@pytest.mark.parametrize("cav", ["mean", "ridge", "logistic", "svm"])
def test_inner_products_of_ones_own_give_the_same_wherever_their_origin_is(cav):
    activations, gradients = (values.reshape(len(values), -1) for values in arrays())
    few = {"permutations": 19, "random_sets": 3, "bootstraps": 5}
    own = measure_concept(
        Gram(kernel=activations @ activations.T, cross=gradients @ activations.T), LABELS, cav=cav, **few
    )
    found = measured(cav=cav, **few)
    assert own.effect == pytest.approx(found.effect, rel=1e-4)
    assert own.p_value == found.p_value
    assert own.cav_auc == found.cav_auc


def test_windows_of_one_video_are_one_group():
    videos = np.repeat([f"video {number}" for number in range(CLIPS // 3)], 3)
    found = measured(groups=videos, class_groups=["a", "a", "b", "b", "c", "c"])
    assert (found.n_groups, found.n_concept_groups) == (8, 3)
    assert found.p_smallest == pytest.approx(1 / 56)


def test_a_factor_stands_for_a_large_kernel():
    activations, gradients = (values.reshape(len(values), -1) for values in arrays())
    centred = activations - activations.mean(0)
    found = measure_concept(Gram(kernel=FactoredKernel(centred), cross=gradients @ centred.T), LABELS, **RUN)
    assert found.effect == pytest.approx(measured().effect)
    assert found.tcav_magnitude == pytest.approx(measured().tcav_magnitude, rel=1e-5)


def test_layers_share_their_permutations_so_that_max_t_corrects_them():
    first, second = measured(), measured()
    np.testing.assert_array_equal(first.draws.null, second.draws.null)
    adjusted = gram.adjust(
        [first.p_value, second.p_value],
        "maxt",
        observed=[first.z, second.z],
        nulls=[first.draws.null_statistics, second.draws.null_statistics],
    )
    assert adjusted == pytest.approx([first.p_perm, second.p_perm])  # one and the same test twice


def test_a_run_has_the_numbers_of_its_arrays(shapes, shapes_weights, shapes_clips):
    """Activations and gradients taken by hand, clip by clip, against `run_tcav` on the same files."""
    model = vt.load_model(f"file:{shapes.__file__}:build", weights=shapes_weights, device="cpu")
    layer = "stages.2"

    def inputs(name: str) -> torch.Tensor:
        clips = [read_clips(source, model.clip_spec)[0] for source in find_videos(shapes_clips / name)]
        return torch.stack([model.prepare(clip) for clip in clips])

    random, concept = (
        record_activations(model, [layer], inputs(name))[layer].numpy() for name in ("random", "moves-right")
    )
    target = parse_target(model, "right", "log_odds")
    gradients = record_gradients(model, [layer], inputs("right"), target).layers[layer].numpy()
    space = gram_matrices(np.concatenate([random, concept]), gradients)
    labels = np.arange(len(random) + len(concept)) >= len(random)
    found = measure_concept(space, labels, **RUN)
    (row,) = run(model, shapes_clips, layers=[layer], concepts={"moves-right": shapes_clips / "moves-right"}).results
    for name in ("p_value", "p_smallest", "tcav_score", "cav_auc", "p_represented", "represented", "n_groups"):
        assert getattr(found, name) == getattr(row, name), name
    for name in ("effect", "effect_low", "effect_high", "z", "tcav_magnitude", "tcav_score_std", "null_mean"):
        assert getattr(found, name) == pytest.approx(getattr(row, name), rel=1e-4, abs=1e-5), name


def spoiled(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values.flat[3] = np.nan
    return values


def lopsided(activations: np.ndarray, gradients: np.ndarray) -> Gram:
    space = gram_matrices(activations, gradients)
    return Gram(kernel=space.kernel + np.arange(CLIPS), cross=space.cross)


@pytest.mark.parametrize(
    ("refused", "error", "message"),
    [
        (lambda a, g: gram_matrices(a, g[:, :2]), errors.ShapeError, "as many features as `activations`. Got 10 and 15"),
        (lambda a, g: gram_matrices(a[:, 0, 0], g), errors.ShapeError, r"one row a clip.*Got shape \(24,\)"),
        (lambda a, g: gram_matrices(a[:0], g), errors.ShapeError, r"Got shape \(0, 3, 5\)"),
        (lambda a, g: gram_matrices(spoiled(a), g), errors.NonFiniteError, "`activations` must hold finite numbers"),
        (lambda a, g: gram_matrices(a, spoiled(g)), errors.NonFiniteError, "`gradients` must hold finite numbers"),
        (lambda a, g: gram_matrices(a.astype(str), g), errors.NonFiniteError, "or text"),
        (lambda a, g: measure_concept(gram_matrices(a, g), LABELS[:-1]), errors.ShapeError, "as there are 23 labels"),
        (lambda a, g: measure_concept(gram_matrices(a, g), np.arange(CLIPS)), errors.InputError, "`labels` must be"),
        (lambda a, g: measure_concept(gram_matrices(a, g), LABELS[None]), errors.InputError, r"Got .shape \(1, 24\)"),
        (lambda a, g: measure_concept(gram_matrices(a[:11], g), LABELS[:11]), errors.InputError, "at least 3 clips"),
        (lambda a, g: measured(groups=["one"] * CLIPS), errors.InputError, "at least 3 independent groups"),
        (lambda a, g: measured(groups=range(5)), errors.ShapeError, "`groups` must name one a clip, of 24 clips. Got 5"),
        (lambda a, g: measured(class_groups=range(5)), errors.ShapeError, "`class_groups` must name one a clip"),
        (lambda a, g: measured(cav="forest"), errors.InputError, "`cav` must be one of mean, ridge, logistic, svm"),
        (lambda a, g: measured(cav=3), errors.InputError, "`cav` must be a name, or an object with"),
        (lambda a, g: measured(significance="z"), errors.InputError, "`significance` must be one of studentised, permutation"),
        (lambda a, g: measured(permutations=0), errors.InputError, "`permutations` must be at least 1"),
        (lambda a, g: measured(seed=-1), errors.InputError, "`seed` must be at least 0"),
        (lambda a, g: measure_concept(lopsided(a, g), LABELS), errors.InputError, "must have a symmetric K"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_is_refused_in_one_line(refused, error, message):
    with pytest.raises(error, match=message) as caught:
        refused(*arrays())
    assert "\n" not in str(caught.value)
