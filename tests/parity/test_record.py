"""The recording pass: partial graph against full graph, one pass against one per layer, and the model left as it came."""

import pytest
import torch
from torch import nn

from video_tcav.core.errors import LayerNotFoundError, ModelError, NonFiniteError
from video_tcav.models import load_model, record_activations, record_gradients, trace_layers
from video_tcav.models.targets import Target

LAYERS = ("stem", "left", "right", "joined")


class TwoPaths(nn.Module):
    """Two branches that meet, in-place activations, dropout and batch statistics: what recording can get wrong."""

    clip_spec = {"frames": 4, "stride": 1, "size": 8, "mean": 0.0, "std": 1.0}

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv3d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm3d(4)
        self.act = nn.ReLU(inplace=True)
        self.left = nn.Conv3d(4, 4, 3, padding=1)
        self.right = nn.Conv3d(3, 4, 1)
        self.joined = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(4, 3)
        self.unused = nn.Linear(2, 2)

    def forward(self, clip: torch.Tensor) -> torch.Tensor:
        deep = self.left(self.act(self.norm(self.stem(clip))))
        both = self.joined(deep + self.right(clip))
        return self.head(self.dropout(both.mean((2, 3, 4))))


@pytest.fixture
def model():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = TwoPaths().double()
    network.norm.running_var.fill_(2.0)
    return load_model(network, classes=["a", "b", "c"])


@pytest.fixture
def clips():
    return torch.randn(3, 3, 4, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def full_graph(model, layer, clips, target):
    """One layer at a time, with the whole graph: the definition, written out slowly."""
    kept = []

    def keep(_module, _inputs, output):
        kept.append(output)
        return output.clone()

    handle = model.layer(layer).register_forward_hook(keep)
    try:
        value = target(model.module.eval()(clips.clone().requires_grad_()))
        return kept[0].detach().clone(), torch.autograd.grad(value.sum(), kept[0])[0]
    finally:
        handle.remove()


@pytest.mark.parametrize("kind", ["log_odds", "logit"])
@pytest.mark.parametrize("layers", [LAYERS, LAYERS[::-1], ("right",), ("left", "joined")])
def test_partial_graph_equals_full_graph(model, clips, layers, kind):
    target = Target(class_index=1, kind=kind)
    found = record_gradients(model, layers, clips, target)
    assert tuple(found.layers) == layers
    for layer in layers:
        torch.testing.assert_close(
            found.layers[layer], full_graph(model, layer, clips, target)[1], rtol=1e-10, atol=1e-14
        )
    torch.testing.assert_close(found.target, target(model.module.eval()(clips)).detach())


def test_activations_are_those_before_in_place_changes(model, clips):
    last = trace_layers(model, LAYERS, clips[:1]).layers[-1]
    found = record_activations(model, LAYERS, clips, last=last)
    assert last == "joined"
    for layer in LAYERS:
        expected = full_graph(model, layer, clips, Target(class_index=0))[0]
        torch.testing.assert_close(found[layer], expected)


def test_gradient_of_one_clip_does_not_depend_on_the_batch(model, clips):
    target = Target(class_index=2)
    together = record_gradients(model, LAYERS, clips, target)
    for index in range(len(clips)):
        alone = record_gradients(model, LAYERS, clips[index : index + 1], target)
        for layer in LAYERS:
            torch.testing.assert_close(together.layers[layer][index : index + 1], alone.layers[layer])


def test_first_order_change_is_what_the_gradient_says(model, clips):
    """Adding a small step to the activation changes the target by gradient · step."""
    target = Target(class_index=0, kind="contrast", other_index=2)
    found = record_gradients(model, ("left",), clips, target)
    step = 1e-6 * torch.randn(
        found.layers["left"].shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
    )
    handle = model.layer("left").register_forward_hook(lambda _module, _inputs, output: output + step)
    changed = target(model.module.eval()(clips))
    handle.remove()
    expected = (found.layers["left"] * step).flatten(1).sum(1)
    torch.testing.assert_close(changed.detach() - found.target, expected, rtol=1e-3, atol=1e-12)


def snapshot(module):
    return (
        {name: value.clone() for name, value in module.state_dict().items()},
        [(part.training, len(part._forward_hooks)) for part in module.modules()],
        [(parameter.requires_grad, parameter.grad) for parameter in module.parameters()],
        torch.is_grad_enabled(),
    )


def assert_untouched(before, module):
    after = snapshot(module)
    assert all(torch.equal(value, after[0][name]) for name, value in before[0].items())
    assert before[1:] == after[1:]


class Interrupted(nn.Module):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def forward(self, _clip):
        raise self.error


@pytest.mark.parametrize("error", [None, RuntimeError("out of memory"), KeyboardInterrupt()])
def test_the_model_is_left_as_it_came(model, clips, error):
    model.module.train()
    model.module.left.eval()
    model.module.stem.weight.requires_grad_(False)
    if error is not None:
        model.module.head = Interrupted(error)
    before = snapshot(model.module)
    for record in (
        lambda: record_gradients(model, LAYERS, clips, Target(class_index=0)),
        lambda: record_activations(model, LAYERS, clips),
        lambda: trace_layers(model, LAYERS, clips[:1]),
    ):
        if error is None:
            record()
        else:
            with pytest.raises(type(error)):
                record()
        assert_untouched(before, model.module)


def test_nan_is_refused_and_counted(model, clips):
    clips[1] = torch.nan
    with pytest.raises(NonFiniteError, match="NaN or infinity in layer stem for 1 of 3 clips"):
        record_activations(model, LAYERS, clips)
    with pytest.raises(NonFiniteError, match="NaN or infinity in layer stem for 1 of 3 clips"):
        record_gradients(model, LAYERS, clips, Target(class_index=0))


def test_logits_are_named_where_the_layers_are_finite(model, clips):
    with torch.no_grad():
        model.module.head.bias[0] = torch.nan
    with pytest.raises(NonFiniteError, match="NaN or infinity in the logits for 3 of 3 clips"):
        record_gradients(model, LAYERS, clips, Target(class_index=0))


def test_a_layer_that_does_not_run_is_refused(model, clips):
    with pytest.raises(LayerNotFoundError, match="Got unused, which does not run"):
        trace_layers(model, ["unused"], clips[:1])


def test_a_layer_after_the_logits_is_refused(model, clips):
    class Extra(nn.Module):
        def forward(self, clip):
            self.side(clip)
            return self.inner(clip)

        def __init__(self, inner):
            super().__init__()
            self.inner, self.side = inner, nn.Conv3d(3, 1, 1).double()

    wrapped = load_model(Extra(model.module), classes=["a", "b", "c"], frames=4, size=8)
    with pytest.raises(ModelError, match="`layer` must influence the target. Got side"):
        record_gradients(wrapped, ["side"], clips, Target(class_index=0))
    with pytest.raises(ModelError, match="`layer` must influence the target. Got side"):
        record_gradients(wrapped, ["inner.stem", "side"], clips, Target(class_index=0))


def test_a_layer_that_runs_twice_is_refused(clips):
    class Twice(nn.Module):
        clip_spec = TwoPaths.clip_spec

        def __init__(self):
            super().__init__()
            self.part, self.head = nn.Conv3d(3, 3, 1).double(), nn.Linear(3, 2).double()

        def forward(self, clip):
            return self.head(self.part(self.part(clip)).mean((2, 3, 4)))

    with pytest.raises(ModelError, match="must run once in a forward. Got part, which runs twice"):
        trace_layers(load_model(Twice(), classes=["a", "b"]), ["part"], clips[:1])
