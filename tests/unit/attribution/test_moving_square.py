"""The test for swapped axes: the map's maximum must lie on the square, in the right frames, whatever a layer's layout."""

import pytest
import torch

from video_tcav.attribution import METHODS, ConceptMap, make_method
from video_tcav.core.errors import MethodError

from .square import GRID, LAYOUTS, reader, square_clip

GRADIENT = (
    "gradcam",
    "hirescam",
    "gradcam++",
    "xgradcam",
    "layercam",
    "eigencam",
    "inputxgradient",
    "ig",
    "smoothgrad",
)
OTHERS = ("scorecam", "ablationcam", "occlusion", "rise")


def hits(values):
    """Whether the largest value is on the square, or in a patch that the square touches."""
    _, there = square_clip()
    near = torch.nn.functional.max_pool3d(there[None, None].double(), (3, 7, 7), 1, (1, 3, 3))[0, 0] > 0
    return bool(near[values == values.max()].all())


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", [*GRADIENT, *OTHERS])
def test_the_maximum_is_on_the_square(name, layout):
    model, (clip, _) = reader(layout), square_clip()
    layers = ("read",) if "cam" in name else None
    found = make_method(name, layers=layers, seed=0)(model, clip, target="square")
    assert hits(found.values()[0]), found.layers
    if layers:
        assert found.layers["read"].shape == (1, *GRID)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_so_is_the_concept_map_and_it_adds_up_to_the_derivative(layout):
    model, (clip, _) = reader(layout), square_clip()
    seen = {}
    handle = model.layer("read").register_forward_hook(lambda _m, _i, output: seen.update(read=output))
    model.logits(clip)
    handle.remove()
    cav = torch.randn(seen["read"].numel(), generator=torch.Generator().manual_seed(0), dtype=torch.float64).abs()
    found = ConceptMap(cavs={"read": cav})(model, clip, target="square")
    activation = seen["read"].detach().requires_grad_()
    moved = activation + 1e-6 * cav.reshape(activation.shape)

    def rest(read):
        positions = read.unflatten(0, (1, -1)).transpose(1, 2) if layout == "frame_by_frame" else read
        dim = {"channels_last": 4, "tokens": 2, "tokens_time_fastest": 2}.get(layout, 1)
        logits = model.module.head(positions.sum([axis for axis in range(1, positions.ndim) if axis != dim]))
        return logits[:, 0] - logits[:, 1:].logsumexp(1)

    slope = (rest(moved) - rest(activation)) / 1e-6
    prefix = 0.0
    if layout.startswith("tokens"):  # the class token has no position
        (gradient,) = torch.autograd.grad(rest(activation), activation)
        prefix = float((gradient * cav.reshape(activation.shape))[:, 0].sum())
    assert found.layers["read"].sum().item() + prefix == pytest.approx(float(slope.detach()), rel=1e-4)


def test_every_method_is_tried_here_or_says_why_not():
    tried = {*GRADIENT, *OTHERS}
    assert {"rollout", "extremal", "temporalmask"} == set(METHODS) - tried
    model, (clip, _) = reader("channels_first"), square_clip()
    with pytest.raises(MethodError, match="`rollout` must start at one layer of tokens"):
        make_method("rollout", layers=["read"])(model, clip, target="square")
    with pytest.raises(MethodError, match="`layers` must go with a method that looks at layers"):
        make_method("ig", layers=["read"])
    with pytest.raises(MethodError, match="`method` must be one of gradcam, "):
        make_method("cam")
