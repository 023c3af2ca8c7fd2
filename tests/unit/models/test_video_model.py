import dataclasses
import hashlib

import pytest
import torch

from video_tcav.core.errors import ClassNotFoundError, LayerNotFoundError, ModelError
from video_tcav.models.load import load_model

from .networks import Convolutions


def small(**options):
    return load_model(Convolutions(**options), frames=4, size=8, classes=["wave", "walk", "2"])


def test_logits_carry_gradients_in_the_models_own_type():
    model = load_model(Convolutions().double(), frames=4, size=8)
    inputs = torch.randn(2, 3, 4, 8, 8, requires_grad=True)
    logits = model.logits(inputs)
    assert logits.dtype == model.dtype == torch.float64
    assert logits.shape == (2, 3)
    logits.sum().backward()
    assert inputs.grad is not None


def test_logits_must_fit_the_classes():
    model = dataclasses.replace(small(), classes=("a", "b"))
    with pytest.raises(ModelError, match=r"must return one row of logits a clip, \(1, 2\). Got shape \(1, 3\)"):
        model.logits(torch.zeros(1, 3, 4, 8, 8))


def test_a_class_name_wins_over_a_number():
    model = small()
    assert [model.class_index(name) for name in ("wave", "walk", "2", "1", 0, 2)] == [0, 1, 2, 1, 0, 2]


@pytest.mark.parametrize("target", ["waev", "3", -1])
def test_an_unknown_class_names_the_closest(target):
    with pytest.raises(ClassNotFoundError, match=r"one of the model's 3 classes or its number\. Got '.*'\. "):
        small().class_index(target)
    with pytest.raises(ClassNotFoundError, match=r"Closest: wave"):
        small().class_index("waev")
    with pytest.raises(ClassNotFoundError, match=r"Got '9{59}…"):  # more digits than Python turns into a number
        small().class_index("9" * 5000)


def test_layers_by_name():
    model = small()
    assert model.layer("stages.1") is model.module.stages[1]
    with pytest.raises(LayerNotFoundError, match=r"Got 'stage.1'\. Closest: .*stages.1.*`video-tcav layers"):
        model.layer("stage.1")
    with pytest.raises(LayerNotFoundError, match=r"Got ''"):
        model.layer("")


def test_the_digest_is_of_names_and_bytes():
    model = small()
    digest = hashlib.sha256()
    for name, tensor in sorted(model.module.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode() + tensor.numpy().tobytes())
    assert model.weights_digest == digest.hexdigest()
    other = small()
    with torch.no_grad():
        other.module.head.bias[0] += 1
    assert other.weights_digest != model.weights_digest


def test_the_object_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        small().name = "other"
    assert small().device == torch.device("cpu")


def test_its_repr_is_one_line_that_says_what_it_is():
    text = repr(small())
    assert "\n" not in text and len(text) < 120
    assert text.endswith(": 3 classes, 4 frames of 8 × 8 pixels, on cpu>")
    native = dataclasses.replace(small(), clip_spec=dataclasses.replace(small().clip_spec, size=None))
    assert "4 frames of native size" in repr(native)
