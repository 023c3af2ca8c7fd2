"""What holds for every method: batches, targets, errors, and that nothing is left behind."""

import gc

import psutil
import pytest
import torch

import video_tcav as vt
from tests.unit.models.networks import Convolutions, unchanged
from video_tcav.attribution import AttributionMap, EigenCAM, GradCAM, HiResCAM, make_method
from video_tcav.attribution import method as method_module
from video_tcav.core.errors import (
    AxesError,
    ClassNotFoundError,
    EmptyMapError,
    LayerNotFoundError,
    NonFiniteError,
    ShapeError,
)
from video_tcav.models import Target


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return vt.load_model(Convolutions(), frames=4, size=(12, 16), classes=["a", "b", "c"])


def clips(count=3, seed=0):
    return torch.randn(count, 3, 4, 12, 16, generator=torch.Generator().manual_seed(seed))


def test_several_layers_come_from_one_pass_and_are_those_of_one_alone(model):
    layers = model.default_layers
    forwards = []
    handle = model.module.register_forward_hook(lambda *_: forwards.append(1))
    GradCAM(layers=layers)(model, clips(), target="a")  # the first call finds axes, spacing and batch
    forwards.clear()
    together = GradCAM(layers=layers)(model, clips(), target="a")
    assert len(forwards) == 1
    handle.remove()
    assert tuple(together.layers) == layers
    for layer in layers:
        alone = GradCAM(layers=(layer,))(model, clips(), target="a")
        torch.testing.assert_close(together.layers[layer], alone.layers[layer])


def test_the_deepest_stage_is_the_default(model):
    assert tuple(GradCAM()(model, clips(), target=0).layers) == model.default_layers[-1:]


def test_batches_do_not_matter(model, monkeypatch):
    whole = HiResCAM()(model, clips(5), target="b")
    monkeypatch.setattr(method_module, "batch_size", lambda *_: 2)
    parts = HiResCAM()(model, clips(5), target="b")
    torch.testing.assert_close(whole.values(), parts.values())
    torch.testing.assert_close(whole.target, parts.target)
    single = torch.cat([HiResCAM()(model, one[None], target="b").values() for one in clips(5)])
    torch.testing.assert_close(whole.values(), single)


def test_targets_by_name_number_and_object(model):
    by_name = HiResCAM()(model, clips(), target="b", against="contrast:a")
    by_object = HiResCAM()(model, clips(), target=Target(class_index=1, kind="contrast", other_index=0))
    torch.testing.assert_close(by_name.values(), by_object.values())
    with torch.no_grad():
        logits = model.logits(clips())
    torch.testing.assert_close(by_name.target, logits[:, 1] - logits[:, 0])


def test_hirescam_adds_up_where_the_head_is_linear(model):
    found = HiResCAM()(model, clips(), target="a", against="logit")
    torch.testing.assert_close(
        found.layers["stages.2"].sum((1, 2, 3)) + model.module.head.bias[0].detach(), found.target
    )


def test_values_saliency_and_layers():
    first = torch.zeros(1, 2, 2, 2)
    first[0, 0, 0, 0], first[0, 1, 1, 1] = 4.0, -2.0
    found = AttributionMap(
        method="gradcam", layers={"x": first, "y": -first}, clip_shape=(2, 2, 2), target=torch.zeros(1)
    )
    assert torch.equal(found.values("x"), first)
    assert torch.equal(found.saliency("y"), (-first).clamp(min=0))
    assert torch.equal(found.values(), torch.zeros(1, 2, 2, 2))  # the average of two that cancel
    with pytest.raises(LayerNotFoundError, match="`layer` must be one of x, y. Got 'z'"):
        found.values("z")
    negative = AttributionMap(method="gradcam", layers={"x": -first.abs()}, clip_shape=(2, 2, 2), target=torch.zeros(1))
    with pytest.raises(
        EmptyMapError, match="`gradcam` must find something that raises the target. Got a map that is neg"
    ):
        negative.saliency()


@pytest.mark.parametrize(
    ("layers", "options", "error", "message"),
    [
        (("stages.9",), {"target": "a"}, LayerNotFoundError, "`layer` must name a layer"),
        (("head",), {"target": "a"}, AxesError, "`layer` must have positions to be mapped"),
        (None, {"target": "d"}, ClassNotFoundError, "`target` must be one of the model's 3 classes"),
    ],
)
def test_what_cannot_be_asked(model, layers, options, error, message):
    with unchanged(model), pytest.raises(error, match=message):
        GradCAM(layers=layers)(model, clips(), **options)


def test_clips_that_are_none(model):
    for wrong in (torch.zeros(3, 4, 12, 16), torch.zeros(1, 4, 3, 12, 16), torch.zeros(0, 3, 4, 12, 16)):
        with pytest.raises(ShapeError, match="`clips` must be a batch of prepared clips, channels_first"):
            GradCAM()(model, wrong, target=0)
    for wrong in (torch.zeros(1, 3, 5, 12, 16), torch.zeros(1, 3, 4, 12, 12)):
        with pytest.raises(ShapeError, match=r"`clips` must have 4 frames of \(12, 16\), as the model was loaded for"):
            GradCAM()(model, wrong, target=0)
    with pytest.raises(NonFiniteError, match="must give finite numbers"):
        GradCAM()(model, clips() * float("nan"), target=0)
    with pytest.raises(NonFiniteError, match="must give finite numbers"):
        EigenCAM()(model, clips() * float("nan"), target=0)


def test_a_dead_layer_is_an_error_and_never_a_blank_picture(model):
    with torch.no_grad():
        model.module.head.weight.zero_()
    with pytest.raises(
        EmptyMapError, match="`gradcam` must find something. Got a map of zeros at stages.2 for 3 of 3 clips"
    ):
        GradCAM()(model, clips(), target=0)
    assert not GradCAM()(model, clips(), target=0, allow_empty=True).values().any()


def test_a_training_model_with_gradients_comes_back_as_it_was(model):
    model.module.train()
    model.module.head.weight.grad = torch.ones_like(model.module.head.weight)
    with torch.no_grad():  # also where the caller has turned gradients off
        for name in ("gradcam", "ig", "ablationcam"):
            with unchanged_in(model):
                make_method(name)(model, clips(), target=0)
    assert torch.equal(model.module.head.weight.grad, torch.ones_like(model.module.head.weight))


class unchanged_in:
    """As `unchanged`, inside `no_grad`."""

    def __init__(self, model):
        self.module = model.module

    def __enter__(self):
        self.state = {name: tensor.clone() for name, tensor in self.module.state_dict().items()}

    def __exit__(self, *_):
        assert all(torch.equal(tensor, self.state[name]) for name, tensor in self.module.state_dict().items())
        assert self.module.training and not torch.is_grad_enabled()
        assert not any(part._forward_hooks for part in self.module.modules())
        assert all(parameter.requires_grad for parameter in self.module.parameters())


def test_memory_is_flat_and_no_hook_is_left_after_a_thousand_explanations(model):
    method, inputs = GradCAM(layers=model.default_layers), clips(1)
    process = psutil.Process()

    def many(count):
        for _ in range(count):
            method(model, inputs, target=0).values()
        gc.collect()
        return process.memory_info().rss / 2**20

    with unchanged(model):
        many(100)
        before = many(100)
        after = many(800)
    assert after - before < 15  # MB
