"""Methods that hide parts of a clip, and those of its pixels, against the libraries that have them, on a small 3-D network."""

import captum.attr
import pytest
import torch
from torch import nn

from tests.unit.attribution import tiny
from tests.unit.models.networks import Convolutions
from video_tcav.attribution.channel_cam import AblationCAM, ScoreCAM
from video_tcav.attribution.input_gradients import InputXGradient, IntegratedGradients, SmoothGrad
from video_tcav.attribution.occlusion import Occlusion
from video_tcav.models import VideoModel, load_model

LAYER, CLASS = "stages.1", 2


class Logits(nn.Module):
    """A plain network of the same weights: peers know nothing of clips."""

    def __init__(self, inner: Convolutions) -> None:
        super().__init__()
        self.stages, self.head = inner.stages, inner.head

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        return self.head(self.stages(clip).mean((2, 3, 4)))


@pytest.fixture
def model() -> VideoModel:
    module = Logits(tiny.convolutions().module).float()
    for parameter in module.parameters():
        parameter.requires_grad_(False)
    return load_model(module, frames=tiny.FRAMES, size=(tiny.HEIGHT, tiny.WIDTH), classes=["a", "b", "c"])


@pytest.fixture
def clips() -> torch.Tensor:
    return tiny.noise_clips(2).float()


def ours(method, model, clips):
    found = method(model, clips, target=CLASS, against="logit")
    return next(iter(found.layers.values()))


def test_score_cam_is_torchcams(model, clips):
    methods = pytest.importorskip("torchcam.methods")
    found = ours(ScoreCAM(layers=(LAYER,)), model, clips)
    for clip, one in zip(clips, found, strict=True):
        with methods.ScoreCAM(model.module, LAYER, input_shape=tuple(clip.shape)) as extractor:
            model.module(clip[None])
            (theirs,) = extractor(CLASS, normalized=False)
        assert torch.allclose(one.clamp(min=0), theirs[0], atol=1e-5)


class Image(nn.Module):
    """A network of pictures; pytorch-grad-cam's Ablation-CAM takes no clips."""

    def __init__(self) -> None:
        super().__init__()
        self.look = nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU())
        self.rest = nn.Sequential(nn.Conv2d(6, 5, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(5, 3)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return self.head(self.rest(self.look(picture)))


class OneFrame(nn.Module):
    """The same for a clip of one frame."""

    def __init__(self, image: Image) -> None:
        super().__init__()
        self.image = image

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        return self.image(clip[:, :, 0])


def test_ablation_cam_is_pytorch_grad_cams(clips):
    peer = pytest.importorskip("pytorch_grad_cam")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    image = tiny.network(Image).float()
    model = load_model(OneFrame(image), frames=1, size=(tiny.HEIGHT, tiny.WIDTH), classes=["a", "b", "c"])
    picture = clips[:1, :, 0]
    activation, score = image.look(picture).detach(), float(image(picture).detach()[0, CLASS])
    with peer.AblationCAM(image, [image.look], batch_size=4) as extractor:
        weights = extractor.get_cam_weights(
            picture, image.look, [targets.ClassifierOutputTarget(CLASS)], activation.numpy(), None
        )
    theirs = torch.einsum("nc,nchw->nhw", torch.as_tensor(weights), activation)
    found = ours(AblationCAM(layers=("image.look",)), model, clips[:1, :, :1])
    assert torch.allclose(found[:, 0], theirs * score, atol=1e-5)  # theirs is divided by the score


def test_input_times_gradient_and_integrated_gradients_are_captums(model, clips):
    leaf = clips.clone().requires_grad_()
    theirs = captum.attr.InputXGradient(model.module).attribute(leaf, target=CLASS).detach()
    assert torch.allclose(ours(InputXGradient(), model, clips), theirs.sum(1), atol=1e-6)
    theirs = captum.attr.IntegratedGradients(model.module).attribute(clips, target=CLASS, n_steps=20)
    assert torch.allclose(ours(IntegratedGradients(steps=20), model, clips), theirs.sum(1), atol=1e-6)


@pytest.mark.parametrize(("window", "stride"), [((2, 4, 4), (1, 2, 2)), ((2, 3, 5), (2, 2, 3))])
def test_occlusion_is_captums(model, clips, window, stride):
    still = clips[:, :, 2:3].expand_as(clips)
    for baseline, instead in (("grey", 0), ("frozen", still)):
        theirs = captum.attr.Occlusion(model.module).attribute(
            clips, (3, *window), strides=(3, *stride), target=CLASS, baselines=instead
        )
        found = ours(Occlusion(window=window, stride=stride, baseline=baseline), model, clips)
        assert torch.allclose(found, theirs[:, 0], atol=1e-6)


def test_smoothgrad_tends_to_captums(model, clips):
    deviation = 0.1 * float(clips[0].max() - clips[0].min())
    found = ours(SmoothGrad(samples=400, noise=0.1), model, clips[:1])
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = captum.attr.NoiseTunnel(captum.attr.Saliency(model.module)).attribute(
            clips[:1].clone().requires_grad_(), nt_samples=400, stdevs=deviation, target=CLASS, abs=False
        )
    assert torch.corrcoef(torch.stack([found.flatten(), theirs.sum(1).flatten()]))[0, 1] > 0.97
