"""Calls of foreign methods: what they get, and what they may not return."""

import numpy as np
import pytest
import torch

import video_tcav as vt
from video_tcav.attribution import GradCAM
from video_tcav.attribution.attribution_map import to_clip
from video_tcav.benchmark.contract import NotApplicable, components_of, map_of_clip, network_for_method
from video_tcav.core.errors import MethodError

CLIP = torch.randn(1, 3, 16, 64, 64, generator=torch.Generator().manual_seed(0))
CLIPS = {name: CLIP.expand(count, -1, -1, -1, -1) for name, count in
         (("class_clips", 3), ("random_clips", 4), ("new_clips", 2))}  # fmt: skip


@pytest.fixture(scope="module")
def model():
    return vt.load_model("rendered:r2plus1d-object", device="cpu")


def mapped(model, method, name="m"):
    with network_for_method(model, name) as network:
        return map_of_clip(method, name, model, network, layer="stages.3", clip=CLIP, target=1)


def found(model, entries):
    with network_for_method(model, "m") as network:
        return components_of(lambda **_: entries, "m", network, layer="stages.2", clips=CLIPS, target=1, seed=0)


def test_a_function_gets_a_copy_of_the_model_its_layer_and_gradients(model):
    calls = []

    def method(*, model, clip, target, layer):
        calls.append((model, layer, target))
        clip.requires_grad_()
        model(clip)[0, target].backward()
        return clip.grad[0].abs().sum(0)

    with torch.no_grad():
        values = mapped(model, method)
    network, layer, target = calls[0]
    assert network is not model.module and layer is network.get_submodule("stages.3") and target == 1
    assert all(parameter.grad is None for parameter in model.module.parameters()) and not CLIP.requires_grad
    inputs = CLIP.clone().requires_grad_()
    (slopes,) = torch.autograd.grad(model.logits(inputs)[0, 1], inputs)
    torch.testing.assert_close(values, slopes.abs().sum(1))


def test_a_coarse_map_is_enlarged_and_arrays_of_any_kind_will_do(model):
    coarse = np.arange(4 * 2 * 2).reshape(4, 2, 2)
    expected = to_clip(torch.from_numpy(coarse).float()[None], (16, 64, 64))
    for returned in (coarse, coarse.tolist(), torch.from_numpy(coarse), torch.from_numpy(coarse).bfloat16()):
        torch.testing.assert_close(mapped(model, lambda returned=returned, **_: returned), expected)


def test_a_method_of_this_package_works_as_it_does_elsewhere(model):
    torch.testing.assert_close(mapped(model, GradCAM()), GradCAM()(model, CLIP, target=1).values())


def fails(**_):
    raise ValueError("no such head\nand more")


def says_not(**_):
    raise NotImplementedError("convolutions alone")


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (fails, r"`method` must run\. Got ValueError: no such head from m\. Call it by itself"),
        (lambda clip: clip, r"`method` must run\. Got TypeError: .*unexpected keyword argument"),
        (lambda **_: torch.zeros(1, 16, 64, 64), r"at most 16 × 64 × 64\. Got shape \(1, 16, 64, 64\) from m"),
        (lambda **_: torch.zeros(32, 64, 64), r"Got shape \(32, 64, 64\) from m"),
        (lambda **_: torch.zeros(0, 64, 64), r"Got shape \(0, 64, 64\)"),
        (lambda **_: torch.full((4, 4, 4), float("nan")), "Got NaN or infinity from m"),
        (lambda **_: None, "Got a NoneType of object from m"),
        (lambda **_: "map", "Got a str of <U3 from m"),
        (lambda **_: [[1], [2, 3]], "Got ValueError: .* from m"),
        (lambda **_: np.ones((4, 4, 4), complex), "Got a ndarray of complex128"),
    ],
)
def test_what_is_no_map_is_refused_in_one_line(model, method, message):
    with pytest.raises(MethodError, match=message) as raised:
        mapped(model, method)
    assert "\n" not in str(raised.value)


def test_a_method_may_say_that_it_does_not_apply(model):
    with pytest.raises(NotApplicable, match="NotImplementedError: convolutions alone"):
        mapped(model, says_not)
    with pytest.raises(NotApplicable, match="`rollout` must start at one layer of tokens"):
        mapped(model, vt.attribution.make_method("rollout"))


def weights_changed(*, model, **_):
    with torch.no_grad():
        model.head.bias.add_(1)
    return torch.zeros(1, 1, 1)


def left_in_training(*, model, **_):
    model.stages.train()
    return torch.zeros(1, 1, 1)


@pytest.mark.parametrize("method", [weights_changed, left_in_training])
def test_a_model_that_is_left_changed_is_refused(model, method):
    with pytest.raises(
        MethodError, match=r"`method` must leave the model as it was\. Got rendered:r2plus1d-object with"
    ):
        mapped(model, method)
    assert mapped(model, GradCAM()).shape == (1, 16, 64, 64)  # the original is untouched


MAPS = np.ones((2, 4, 4, 4))


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([], "return 1 to 100 components. Got 0"),
        ([{"map": MAPS}] * 101, "return 1 to 100 components. Got 101"),
        ([MAPS], "return mappings with map, .* Got a ndarray"),
        ([{"direction": np.ones(3)}], "return mappings with map, .* Got the keys direction"),
        ([{"map": MAPS, "maps": 1}], "Got the keys map, maps"),
        ([{"map": MAPS[0]}], r"at most 16 × 64 × 64\. Got shape \(4, 4, 4\) in component 1"),
        ([{"map": MAPS}, {"map": np.ones((3, 4, 4, 4))}], r"of 2 clips, .* Got shape \(3, 4, 4, 4\) in component 2"),
        ([{"map": np.ones((2, 17, 4, 4))}], r"Got shape \(2, 17, 4, 4\)"),
        ([{"map": MAPS * np.inf}], "Got NaN or infinity in component 1"),
        ([{"map": -MAPS}], "return maps of concepts that are not negative. Got -1 in component 1"),
        ([{"map": MAPS, "direction": np.ones((2, 2))}], r"directions that are vectors\. Got shape \(2, 2\)"),
        ([{"map": MAPS, "direction": np.zeros(2)}], "directions that are not zero"),
        ([{"map": MAPS, "presence": np.ones(3)}], "a presence of each of 2 clips. Got 3 in component 1"),
    ],
)
def test_what_are_no_components_is_refused_in_one_line(model, entries, message):
    with pytest.raises(MethodError, match=message) as raised:
        found(model, entries)
    assert "\n" not in str(raised.value)


def test_presence_is_the_average_of_the_map_unless_it_is_given(model):
    maps = np.stack([np.zeros((4, 4, 4)), np.arange(64).reshape(4, 4, 4)])
    plain, with_presence = found(model, [{"map": maps}, {"map": maps, "presence": [2, 1], "direction": None}])
    assert plain.presence.tolist() == [0, 31.5] and with_presence.presence.tolist() == [2, 1]
    assert plain.direction.size == with_presence.direction.size == 0
