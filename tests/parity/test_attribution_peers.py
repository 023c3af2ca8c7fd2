"""Maps are those of the peer libraries where these are right, before upsampling, on r3d_18."""

import pytest
import torch
from torch import nn

import video_tcav as vt
from video_tcav.attribution import (
    EigenCAM,
    GradCAM,
    GradCAMPlusPlus,
    HiResCAM,
    IntegratedGradients,
    LayerCAM,
    XGradCAM,
)

CLASS = 7
LAYERS = ("layer2", "layer4")


@pytest.fixture(scope="module")
def model():
    """r3d_18 with random weights; running statistics as if trained, so that no layer is dead."""
    loaded = vt.load_model("torchvision:r3d_18", frames=8, size=64, classes=[str(number) for number in range(10)])
    loaded.module.train()
    with torch.no_grad():
        for seed in range(2):
            loaded.module(torch.randn(4, 3, 8, 64, 64, generator=torch.Generator().manual_seed(seed)))
    loaded.module.eval()
    return loaded


@pytest.fixture(scope="module")
def clips():
    return torch.randn(2, 3, 8, 64, 64, generator=torch.Generator().manual_seed(5))


def out_of_place(module: nn.Module) -> nn.Module:
    """The peers read gradients at hooks, which in-place ReLUs behind a layer would change."""
    for part in module.modules():
        if isinstance(part, nn.ReLU):
            part.inplace = False
    return module


def relative(ours, theirs):
    """Largest difference, by the largest value."""
    theirs = torch.as_tensor(theirs)
    return float((ours - theirs).abs().max() / theirs.abs().max())


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("GradCAM", GradCAM),
        ("HiResCAM", HiResCAM),
        ("LayerCAM", LayerCAM),
        ("XGradCAM", XGradCAM),
        ("GradCAMPlusPlus", GradCAMPlusPlus),
    ],
)
def test_pytorch_grad_cam(model, clips, layer, name, method):
    import pytorch_grad_cam
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    peer = getattr(pytorch_grad_cam, name)(out_of_place(model.module), [model.layer(layer)])
    try:
        targets = [ClassifierOutputTarget(CLASS)] * len(clips)
        outputs = peer.activations_and_grads(clips)
        sum(target(output) for target, output in zip(targets, outputs, strict=True)).backward()
        [activations], [gradients] = peer.activations_and_grads.activations, peer.activations_and_grads.gradients
        theirs = peer.get_cam_image(clips, model.layer(layer), targets, activations.numpy(), gradients.numpy(), False)
    finally:
        peer.activations_and_grads.release()
        model.module.zero_grad()
    ours = method(layers=(layer,))(model, clips, target=CLASS, against="logit").layers[layer]
    assert relative(ours, theirs) < 1e-5


@pytest.mark.parametrize("layer", LAYERS)
def test_eigencam_of_pytorch_grad_cam_but_for_its_arbitrary_sign(model, clips, layer):
    from pytorch_grad_cam.utils.svd_on_activations import get_2d_projection

    seen = {}
    handle = model.layer(layer).register_forward_hook(lambda _m, _i, output: seen.update(out=output))
    with torch.no_grad():
        model.logits(clips)
    handle.remove()
    theirs = torch.as_tensor(get_2d_projection(seen["out"].numpy()))
    ours = EigenCAM(layers=(layer,))(model, clips, target=CLASS).layers[layer]
    for own, other in zip(ours, theirs, strict=True):
        assert min(relative(own, other), relative(own, -other)) < 1e-5


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(("name", "method"), [("GradCAM", GradCAM), ("LayerCAM", LayerCAM), ("XGradCAM", XGradCAM)])
def test_torch_cam(model, clips, layer, name, method):
    from torchcam import methods

    with getattr(methods, name)(out_of_place(model.module), layer, input_shape=(3, 8, 64, 64)) as peer:
        logits = model.module(clips)
        [theirs] = peer([CLASS] * len(clips), logits, normalized=False)
    model.module.zero_grad()
    ours = method(layers=(layer,))(model, clips, target=CLASS, against="logit").layers[layer].clamp(min=0)
    assert relative(ours, theirs) < 1e-5


@pytest.mark.parametrize("layer", LAYERS)
def test_captum_layer_grad_cam(model, clips, layer):
    from captum.attr import LayerGradCam

    theirs = LayerGradCam(out_of_place(model.module), model.layer(layer)).attribute(clips, target=CLASS)[:, 0]
    ours = GradCAM(layers=(layer,))(model, clips, target=CLASS, against="logit").layers[layer]
    assert relative(ours, theirs.detach()) < 1e-5


def test_captum_integrated_gradients_and_completeness(model, clips):
    from captum.attr import IntegratedGradients as Peer

    with torch.enable_grad():
        theirs, gap = Peer(model.module).attribute(clips, target=CLASS, n_steps=16, return_convergence_delta=True)
    found = IntegratedGradients(steps=16)(model, clips, target=CLASS, against="logit")
    assert relative(found.layers["input"], theirs.sum(1).detach()) < 1e-5
    with torch.no_grad():
        change = model.logits(clips)[:, CLASS] - model.logits(torch.zeros_like(clips))[:, CLASS]
    total = found.layers["input"].sum((1, 2, 3))
    torch.testing.assert_close(total - change, gap.to(total.dtype), atol=1e-4, rtol=1e-3)
