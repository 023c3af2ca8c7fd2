"""Every method on every family of published architectures, small and with random weights; or one line that says why not."""

import pytest
import torch

import video_tcav as vt
from tests.unit.models.networks import unchanged
from tests.unit.models.test_hf_models import FAMILIES, configuration
from video_tcav.attribution import METHODS, ClampMap, ConceptAxis
from video_tcav.core.errors import MethodError
from video_tcav.models.hooks import record_activations
from video_tcav.models.layers import noise_clip

CONVOLUTIONS = {"r3d_18": (8, 32), "r2plus1d_18": (8, 32), "s3d": (16, 224), "swin3d_t": (8, 32)}
QUICK = {
    "scorecam": {"channels": 4},
    "ablationcam": {"channels": 4},
    "ig": {"steps": 2},
    "smoothgrad": {"samples": 2},
    "rise": {"masks": 4, "cells": (2, 2, 2)},
    "extremal": {"steps": 2, "cells": (2, 4, 4)},
    "temporalmask": {"steps": 2},
    "occlusion": {"window": (4, 16, 16), "stride": (4, 16, 16)},
}
SLOW = {"s3d", "mvit_v2_s"}
"""At their own size alone: a few methods are enough there; benchmarks/every_method.py tries all."""
FOR_SLOW = ("gradcam", "rollout", "inputxgradient")
NO_ROLLOUT = {"r3d_18", "r2plus1d_18", "s3d", "swin3d_t", "mvit_v2_s", "timesformer"}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Each model is built once."""
    transformers = pytest.importorskip("transformers")
    root, built = tmp_path_factory.mktemp("hf"), {}

    def get(name):
        if name not in built:
            if name in FAMILIES:
                with torch.random.fork_rng():
                    torch.manual_seed(0)
                    network = transformers.AutoModelForVideoClassification.from_config(configuration(name))
                network.save_pretrained(root / name)
                built[name] = vt.load_model(f"hf:{root / name}", device="cpu")
            else:
                frames, size = CONVOLUTIONS.get(name, (None, None))
                built[name] = vt.load_model(f"torchvision:{name}", frames=frames, size=size, device="cpu")
        return built[name]

    return get


@pytest.mark.parametrize("architecture", [*CONVOLUTIONS, "mvit_v2_s", *FAMILIES])
def test_every_method_runs_or_says_why_not(models, architecture):
    model = models(architecture)
    clip = noise_clip(model, seed=3)
    time_dim = model.clip_spec.time_dim + 1
    expected = (1, clip.shape[time_dim], *clip.shape[-2:])
    for name, kind in METHODS.items():
        if architecture in SLOW and name not in FOR_SLOW:
            continue
        method = kind(**QUICK.get(name, {}))
        with unchanged(model):
            if name == "rollout" and architecture in NO_ROLLOUT:
                with pytest.raises(MethodError, match=r"`rollout` must .*\. Got .*\. *|another method"):
                    method(model, clip, target=0)
                continue
            found = method(
                model, clip, target=0, allow_empty=True
            )  # hiding parts may change nothing in a random network
        assert found.values().shape == expected, name
        assert torch.isfinite(found.values()).all(), name


@pytest.mark.parametrize("architecture", [*(name for name in CONVOLUTIONS if name not in SLOW), *FAMILIES])
def test_the_clamp_map_adds_up_at_the_deepest_stage(models, architecture):
    model = models(architecture)
    layer, clip = model.stages()[-1], noise_clip(model, seed=3)
    activation = record_activations(model, [layer], clip)[layer]
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(activation.numel(), generator=generator, dtype=torch.float64)
    spread = float(activation.double().norm())
    axis = ConceptAxis(vector=vector / vector.norm(), concept_mean=spread / 4, random_mean=-spread / 4)
    with unchanged(model):
        found = ClampMap(axes={layer: axis})(model, clip, target=0, allow_empty=True)
    total = found.sums[layer]
    assert float(total.gap) <= 0.01
    sum_of_map = float(found.layers[layer].sum() + total.unplaced)
    assert sum_of_map == pytest.approx(float(total.total), rel=0.01, abs=1e-3)


@pytest.mark.parametrize("family", ["timesformer", "vivit"])
def test_where_the_class_token_alone_has_a_gradient_the_map_is_refused(models, family):
    model = models(family)
    last = {"timesformer": "timesformer.encoder.layer.4", "vivit": "vivit.layers.4"}[family]
    from video_tcav.attribution import GradCAM
    from video_tcav.core.errors import EmptyMapError

    assert last not in model.default_layers
    with pytest.raises(EmptyMapError, match=r"`gradcam` must find something. Got a map of zeros at .* earlier layer"):
        GradCAM(layers=(last,))(model, noise_clip(model, seed=3), target=0)
