"""Type I error on a trained model: concept = random clips, so that there is nothing to find."""

import numpy as np
import pytest
import torch

from video_tcav.gram.effects import effects
from video_tcav.gram.gram import Gram
from video_tcav.gram.label_permutations import permutation_null, permutation_p
from video_tcav.gram.resampling import random_set_effects
from video_tcav.gram.significance.random_set_ttest import random_set_ttest
from video_tcav.models import load_model, record_activations, record_gradients
from video_tcav.models.targets import Target

DRAWS, POOL, CONCEPT, RANDOM = 1000, 300, 20, 60


@pytest.fixture(scope="module")
def recorded(shapes, shapes_weights) -> dict[str, Gram]:
    """Gram products of 300 random clips and 20 class clips at the deepest two stages."""
    model = load_model(f"file:{shapes.__file__}:build", weights=shapes_weights, device="cpu")
    every = list(shapes.DIRECTIONS)
    pool = shapes.normalised(shapes.render([every[i % 4] for i in range(POOL)], seed=77))
    own = shapes.normalised(shapes.render(["right"] * 20, seed=78))
    layers = ("stages.1", "stages.2")
    rows = record_activations(model, layers, pool)
    gradients = record_gradients(model, layers, own, Target(class_index=model.class_index("right"))).layers
    found = {}
    for layer in layers:
        centred = (rows[layer].flatten(1) - rows[layer].flatten(1).mean(0)).double().numpy()
        found[layer] = Gram(kernel=centred @ centred.T, cross=gradients[layer].flatten(1).double().numpy() @ centred.T)
    return found


def draw(inner: Gram, seed: int) -> Gram:
    rows = np.random.default_rng(seed).choice(POOL, CONCEPT + RANDOM, replace=False)
    return Gram(kernel=inner.kernel[np.ix_(rows, rows)], cross=inner.cross[:, rows])


def comparison():
    from tests.unit.gram.test_design import design

    names = "".join(chr(300 + index) for index in range(CONCEPT + RANDOM))
    return design("c" * CONCEPT + "r" * RANDOM, names, names)


@pytest.mark.parametrize(("cav", "permutations"), [("mean", 199), ("ridge", 99)])
@pytest.mark.parametrize("layer", ["stages.1", "stages.2"])
def test_permutation_test_rejects_at_its_level(recorded, layer, cav, permutations):
    one, p_values = comparison(), []
    for trial in range(DRAWS):
        inner = draw(recorded[layer], trial)
        own = effects(cav, inner.kernel, inner.cross.mean(0), one.labels[None])[0]
        null = permutation_null(cav, {"": inner}, one, permutations=permutations, seed=trial)[""]
        p_values.append(permutation_p(float(own), null))
    rejected = np.mean(np.array(p_values) <= 0.05)
    assert 0.03 <= rejected <= 0.07
    assert 0.45 <= np.median(p_values) <= 0.55


def test_the_papers_ttest_does_not(recorded):
    """Why the t-test carries its warning: it calls a large share of meaningless concepts significant."""
    labels, rejected = comparison().labels, 0
    for trial in range(200):
        inner = draw(recorded["stages.2"], trial)
        ours = random_set_effects("mean", inner, labels, sets=50, seed=trial)
        theirs = random_set_effects("mean", inner, labels, sets=50, seed=trial, against_random=True)
        rejected += random_set_ttest(ours, theirs)[1] <= 0.05
    assert rejected / 200 > 0.3


def test_a_real_cause_is_found_in_every_draw(shapes, shapes_weights, recorded):
    model = load_model(f"file:{shapes.__file__}:build", weights=shapes_weights, device="cpu")
    every = list(shapes.DIRECTIONS)
    own = shapes.normalised(shapes.render(["right"] * 20, seed=78))
    pool = torch.cat(
        [
            shapes.normalised(shapes.render(["right"] * CONCEPT, seed=79)),
            shapes.normalised(shapes.render([every[i % 4] for i in range(RANDOM)], seed=80)),
        ]
    )
    rows = record_activations(model, ["stages.2"], pool)["stages.2"].flatten(1).double()
    gradients = record_gradients(model, ["stages.2"], own, Target(class_index=1)).layers["stages.2"].flatten(1)
    centred = (rows - rows.mean(0)).numpy()
    inner = Gram(kernel=centred @ centred.T, cross=gradients.double().numpy() @ centred.T)
    one = comparison()
    effect = float(effects("mean", inner.kernel, inner.cross.mean(0), one.labels[None])[0])
    null = permutation_null("mean", {"": inner}, one, permutations=999, seed=0)[""]
    assert effect > 0
    assert permutation_p(effect, null) == pytest.approx(0.001)
