"""The tail of a network: its logits are those of the whole network, or the layer is refused; never other numbers."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import resnet18, video
from torchvision.models.video.mvit import MSBlockConfig, MViT

from tests.unit.models.networks import Convolutions, Folded, FrameWise, Shift, huggingface, image_network, unchanged
from tests.unit.models.test_hf_models import FAMILIES, configuration
from video_tcav.core.errors import LayerNotFoundError, ModelError, NonFiniteError, ShapeError
from video_tcav.models import VideoModel, load_model, record_activations, record_gradients
from video_tcav.models.hooks import hooked, untouched
from video_tcav.models.layers import noise_clip
from video_tcav.models.outputs import replace_layer_tensor, tensors_in
from video_tcav.models.tail import Tail
from video_tcav.models.targets import Target
from video_tcav.models.unknown_tensors import UnknownTensor
from video_tcav.recording.fast.fast_paths import OptimisedPass, choose_fast_paths

CONVOLUTIONS = {"r3d_18": (4, 32), "mc3_18": (4, 32), "r2plus1d_18": (4, 32), "swin3d_t": (4, 32)}
ARCHITECTURES = (*CONVOLUTIONS, "s3d", "mvit", *FAMILIES, "CNN+LSTM", "CNN+GRU", "frame-wise ResNet", "shift")


def architecture(name: str) -> VideoModel:
    """A small network with random weights."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    if name in CONVOLUTIONS:
        frames, size = CONVOLUTIONS[name]
        return load_model(f"torchvision:{name}", frames=frames, size=size, device="cpu")
    if name in FAMILIES:
        network = transformers.AutoModelForVideoClassification.from_config(configuration(name))
        return load_model(network, device="cpu")
    resnet = resnet18(num_classes=8)
    resnet.fc = nn.Identity()
    networks = {
        "s3d": small_s3d,
        "mvit": small_mvit,
        "CNN+LSTM": lambda: Folded(image_network(), 8, nn.LSTM(8, 8, batch_first=True)),
        "CNN+GRU": lambda: Folded(image_network(), 8, nn.GRU(8, 8, batch_first=True)),
        "frame-wise ResNet": lambda: Folded(resnet, 512),
        "shift": Shift,
    }
    return load_model(networks[name](), device="cpu")


def small_s3d() -> nn.Module:
    """torchvision's, which otherwise takes 224 pixels and no fewer."""
    network = video.s3d(weights=None)
    network.avgpool = nn.AdaptiveAvgPool3d(1)
    network.clip_spec = {"frames": 8, "size": 32}
    return network


def small_mvit() -> nn.Module:
    """torchvision's, with a tenth of its blocks, class token and relative positions included."""
    kernel, unit = [3, 3, 3], [1, 1, 1]
    blocks = [
        MSBlockConfig(
            num_heads=heads,
            input_channels=before,
            output_channels=behind,
            kernel_q=kernel,
            kernel_kv=kernel,
            stride_q=stride,
            stride_kv=[1, 2, 2],
        )
        for heads, before, behind, stride in ((1, 16, 32, unit), (2, 32, 32, [1, 2, 2]), (2, 32, 32, unit))
    ]
    network = MViT(
        spatial_size=(32, 32),
        temporal_size=4,
        block_setting=blocks,
        residual_pool=True,
        residual_with_cls_embed=False,
        rel_pos_embed=True,
        proj_after_attn=True,
        num_classes=5,
    )
    network.clip_spec = {"frames": 4, "size": 32}
    return network


def clips_for(model: VideoModel, count: int, seed: int = 7) -> Tensor:
    """Clips of noise that no tail has been tried on."""
    return torch.cat([noise_clip(model, seed=seed + index) for index in range(count)])


def whole(model: VideoModel, inputs: Tensor) -> Tensor:
    with untouched(model.module), torch.no_grad():
        return model.logits(inputs)


def replaced(model: VideoModel, layer: str, activation: Tensor, inputs: Tensor) -> Tensor:
    """By definition: the whole network runs, and another tensor takes the place of the layer's."""
    with (
        untouched(model.module),
        torch.no_grad(),
        hooked(model, [layer], lambda _, output: replace_layer_tensor(output, activation.clone())),
    ):
        return model.logits(inputs)


def tail_logits(tail: Tail, *activations: Tensor, inputs: Tensor | None = None) -> list[Tensor]:
    with tail.running(), torch.no_grad():
        return [tail.logits(activation, inputs) for activation in activations]


def check(model: VideoModel, layer: str, *, needs_inputs: bool) -> Tail:
    """A recorded output and another one, put back, give what the whole network gives, to the last bit; also if repeated."""
    clips = 3  # a tail is tried on two
    tail, inputs = Tail(model, layer), clips_for(model, clips)
    assert tail.needs_inputs is needs_inputs
    activation = record_activations(model, [layer], inputs)[layer]
    assert tail.shape == (len(activation) // clips, *activation.shape[1:])
    edited = (activation + activation.flip(1)) / 2
    with unchanged(model):
        logits = tail_logits(tail, activation, edited, activation, edited, inputs=inputs if needs_inputs else None)
    expected = [whole(model, inputs), replaced(model, layer, edited, inputs)]
    assert not torch.equal(*expected)
    for index, values in enumerate(logits):
        assert torch.equal(values, expected[index % 2])
    return tail


def modules_that_compute(model: VideoModel, run: Callable[[], object]) -> list[str]:
    """Modules without children that are called with known tensors, in the order of their calls."""
    names: list[str] = []

    def note(name: str, inputs: object) -> None:
        if any(not isinstance(tensor, UnknownTensor) for tensor in tensors_in(inputs)):
            names.append(name)

    leaves = [(name, leaf) for name, leaf in model.module.named_modules() if next(leaf.children(), None) is None]
    hooks = [leaf.register_forward_pre_hook(lambda _, inputs, name=name: note(name, inputs)) for name, leaf in leaves]
    run()
    for hook in hooks:
        hook.remove()
    return names


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_gives_the_same_bits_without_computing_what_comes_before(name):
    model = architecture(name)
    order = modules_that_compute(model, lambda: whole(model, clips_for(model, 1)))
    assert len(model.default_layers) > 1
    for layer in model.default_layers:
        tail = check(model, layer, needs_inputs=False)
        activation = torch.zeros(tail.shape)
        computing = modules_that_compute(model, partial(tail_logits, tail, activation, activation))
        # those of the layer itself and before it, that are not called again behind it
        inside = [index for index, leaf in enumerate(order) if leaf == layer or leaf.startswith(f"{layer}.")]
        behind = order[inside[-1] + 1 :]
        assert computing == 2 * behind


def test_fast_paths_may_be_around_it():
    model = architecture("swin3d_t")
    paths = choose_fast_paths(model, clips_for(model, 1))
    assert paths.fused_attention
    passing = OptimisedPass(model, paths)
    batch = passing.batch(list(clips_for(model, 3)))
    layer = model.default_layers[-2]
    tail = Tail(model, layer)
    with passing.running():
        activation, expected = record_activations(model, [layer], batch)[layer], whole(model, batch)
        logits = tail_logits(tail, activation, activation)
    assert all(torch.equal(values, expected) for values in logits)


def test_batches_of_several_sizes_take_turns():
    model = architecture("frame-wise ResNet")
    tail, inputs = Tail(model, "image.layer3"), clips_for(model, 4)
    rows, fold = record_activations(model, ["image.layer3"], inputs)["image.layer3"], tail.shape[0]
    assert fold == 4
    counts = (4, 1, 3, 4, 1)
    for count, logits in zip(counts, tail_logits(tail, *(rows[: count * fold] for count in counts)), strict=True):
        torch.testing.assert_close(logits, whole(model, inputs)[:count])


def test_the_activation_has_the_memory_order_of_the_layer():
    strides = []

    def noting(self: "Stages", clip: Tensor) -> Tensor:
        features = self.layer(self.first(clip))
        strides.append(features.stride())
        return self.head(features)

    # kernels may round otherwise in another order
    model = stages(noting, layer=Returning(lambda features: features.contiguous(memory_format=torch.channels_last_3d)))
    tail, inputs = Tail(model, "layer"), clips_for(model, 3)
    activation = record_activations(model, ["layer"], inputs)["layer"]
    assert activation.stride() != activation.contiguous().stride()
    strides.clear()
    tail_logits(tail, activation.contiguous(), activation)
    assert strides == 2 * [activation.stride()]


class Stages(nn.Module):
    """A small network whose parts before and behind `layer` a test writes itself."""

    clip_spec = {"frames": 4, "size": 8}

    def __init__(self, forward: Callable[["Stages", Tensor], object], **modules: nn.Module) -> None:
        super().__init__()
        self.first, self.layer, self.last = (
            nn.Conv3d(3, 4, 3, padding=1),
            nn.Conv3d(4, 4, 3, padding=1),
            nn.Linear(4, 3),
        )
        for name, module in modules.items():
            setattr(self, name, module)
        self.run = forward

    def forward(self, clip: Tensor) -> object:
        return self.run(self, clip)

    def head(self, features: Tensor) -> Tensor:
        return self.last(features.mean((2, 3, 4)))


class Remembering(nn.Module):
    """Keeps what it gets for whoever asks later, as hooks that collect features do."""

    features: Tensor | None = None

    def __init__(self) -> None:
        super().__init__()
        self.collected: list[Tensor] = []

    def forward(self, features: Tensor) -> Tensor:
        self.features = features
        self.collected[:] = [features]
        return features


def stages(forward: Callable[[Stages, Tensor], object], **modules: nn.Module) -> VideoModel:
    torch.manual_seed(0)
    return load_model(Stages(forward, **modules), device="cpu", classes=list("abc"))


def in_place(self: Stages, clip: Tensor) -> Tensor:
    """Writes into what modules before the layer return, into the layer's output, and into a constant."""
    features = self.first(clip).relu_()
    features += 1
    features[:, 0] *= 2
    bias = self.constant(features)
    bias += 1
    features = self.layer(features)
    features += bias.sum()
    features[:, 1] = 0
    return self.head(features.relu_().mul_(2))


class Ones(nn.Module):
    """Returns numbers that depend on the shape alone."""

    def forward(self, features: Tensor) -> Tensor:
        return torch.ones(features.shape[1])


def shared(self: Stages, clip: Tensor) -> Tensor:
    features = self.relu(self.relu(self.first(clip)) - 0.1)
    return self.head(self.relu(self.layer(features)))


def with_constant_mask(self: Stages, clip: Tensor) -> Tensor:
    features = self.first(clip)
    mask = torch.arange(features.shape[-1]) > 3
    return self.head(self.layer(features).masked_fill(mask, 0.0))


WITHOUT_CLIPS: dict[str, Callable[[], VideoModel]] = {
    "in place": lambda: stages(in_place, constant=Ones()),
    "a module that runs before and behind the layer": lambda: stages(shared, relu=nn.ReLU(inplace=True)),
    "a mask by the shape alone": lambda: stages(with_constant_mask),
    "features that nobody reads": lambda: stages(
        lambda self, clip: self.head(self.layer(self.memory(self.first(clip)))), memory=Remembering()
    ),
    "a list of tensors": lambda: stages(
        lambda self, clip: self.head(self.layer(self.pair(self.first(clip))[1][0])),
        pair=Returning(lambda features: {0: 3, 1: [features, (features, None)]}),
    ),
    "probabilities": lambda: stages(lambda self, clip: self.head(self.layer(self.first(clip))).softmax(1)),
    "independent probabilities": lambda: stages(lambda self, clip: self.head(self.layer(self.first(clip))).sigmoid()),
    "a Hugging Face output": lambda: load_model(huggingface(), device="cpu"),
}


class Returning(nn.Module):
    """Returns whatever it is told to make of its input."""

    def __init__(self, make: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.make = make

    def forward(self, features: Tensor) -> object:
        return self.make(features)


@pytest.mark.parametrize("name", WITHOUT_CLIPS)
def test_without_clips(name):
    model = WITHOUT_CLIPS[name]()
    check(model, model.default_layers[0] if "Face" in name else "layer", needs_inputs=False)


def test_kinds_of_outputs_are_logits_again():
    for name in ("probabilities", "independent probabilities"):
        model = WITHOUT_CLIPS[name]()
        assert model.outputs.kind in ("softmax", "sigmoid")
        tail = Tail(model, "layer")
        logits = tail_logits(tail, torch.zeros(2, *tail.shape[1:]))[0]
        expected = model.module.last(model.module.layer.bias.new_zeros(2, 4))
        torch.testing.assert_close(
            model.outputs.probabilities(logits),
            expected.softmax(1) if model.outputs.kind == "softmax" else expected.sigmoid(),
        )


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv3d(4, 4, 3, padding=1), nn.BatchNorm3d(4)

    def forward(self, features: Tensor) -> Tensor:
        output = self.norm(self.conv(features))
        output += features
        return output.relu_()


def branching(self: Stages, clip: Tensor) -> Tensor:
    """Takes another way for half of all clips, by their values before the layer."""
    features = self.first(clip)
    bias = torch.tensor([1.0 if each.mean() > 0 else -1.0 for each in features])
    return self.last(self.layer(features).mean((2, 3, 4)) + bias[:, None])


def masked(self: Stages, clip: Tensor) -> Tensor:
    """A mask by values before the layer, which hides whatever stands there."""
    mask = self.mask(self.first(clip))
    return self.head(torch.where(mask, self.layer(self.first(clip)), torch.zeros(())))


def chosen(self: Stages, clip: Tensor) -> Tensor:
    """An integer by values before the layer chooses what is read behind it."""
    channel = self.index(self.first(clip))
    features = self.layer(self.first(clip)).mean((2, 3, 4))
    return self.last(features.gather(1, channel[:, None].expand(-1, 4)))


def hidden_nan(self: Stages, clip: Tensor) -> Tensor:
    skipped = torch.nan_to_num(self.first(clip)).amax((1, 2, 3, 4), keepdim=True)
    return self.head(self.layer(self.first(clip)) * skipped)


def of_the_clip(self: Stages, clip: Tensor) -> Tensor:
    return self.head(self.layer(self.first(clip)) + clip.mean((1, 2, 3, 4), keepdim=True))


def remembered(self: Stages, clip: Tensor) -> Tensor:
    return self.head(self.layer(self.memory(self.first(clip))) + self.memory.features)


def collected(self: Stages, clip: Tensor) -> Tensor:
    return self.head(self.layer(self.memory(self.first(clip))) + self.memory.collected[0])


def caught(self: Stages, clip: Tensor) -> Tensor:
    """Guards its own check of values, as defensive code does."""
    features = self.first(clip)
    try:
        scales = [5.0 if each.amax().item() > 4 else 1.0 for each in features]
    except RuntimeError:
        scales = [1.0] * len(clip)  # as for most clips
    return self.last(self.layer(features).mean((2, 3, 4)) * torch.tensor(scales)[:, None])


def in_numpy(self: Stages, clip: Tensor) -> Tensor:
    features = self.first(clip)
    scales = torch.from_numpy(features.detach().numpy().max((2, 3, 4)))
    return self.last(self.layer(features).mean((2, 3, 4)) * scales)


def written_into_a_constant(self: Stages, clip: Tensor) -> Tensor:
    features = self.first(clip)
    bias = torch.zeros(len(clip), 4, 1, 1, 1)
    bias[:, 0] = features.mean((1, 2, 3, 4))[:, None, None, None]
    return self.head(self.layer(features) + bias)


NEEDS_CLIPS: dict[str, Callable[[], VideoModel]] = {
    "inside a residual block": lambda: stages(
        lambda self, clip: self.head(self.block(self.first(clip))), block=Residual()
    ),
    "a branch by values": lambda: stages(branching),
    "a mask by values": lambda: stages(masked, mask=Returning(lambda features: features > 0)),
    "an index by values": lambda: stages(chosen, index=Returning(lambda features: features.mean((2, 3, 4)).argmax(1))),
    "NaN hidden": lambda: stages(hidden_nan),
    "the clip itself": lambda: stages(of_the_clip),
    "features that a module keeps": lambda: stages(remembered, memory=Remembering()),
    "features in a list": lambda: stages(collected, memory=Remembering()),
    "an error that is caught": lambda: stages(caught),
    "NumPy": lambda: stages(in_numpy),
    "a constant that is written into": lambda: stages(written_into_a_constant),
    "numbers of the clips": lambda: stages(
        lambda self, clip: self.last(
            self.layer(self.first(clip)).mean((2, 3, 4)) * torch.tensor(self.numbers(clip))[:, None]
        ),
        numbers=Returning(lambda clip: [round(float(each.amax()), 1) for each in clip]),
    ),
}


@pytest.mark.parametrize("name", NEEDS_CLIPS)
def test_where_more_than_the_layer_counts_clips_are_needed(name):
    model = NEEDS_CLIPS[name]()
    layer = "block.conv" if "residual" in name else "layer"
    tail = check(model, layer, needs_inputs=True)
    activation = torch.zeros(2, *tail.shape[1:])
    with pytest.raises(ModelError, match=rf"`inputs` must be given at {layer}, .* for each of 2 clips. Got none."):
        tail_logits(tail, activation)
    with pytest.raises(ModelError, match="Got 3. Give the prepared clips"):
        tail_logits(tail, activation, inputs=clips_for(model, 3))


class Sequence(nn.Module):
    """A recurrent layer on features over time; the head reads one of its outputs."""

    clip_spec = {"frames": 4, "size": 8}

    def __init__(
        self, read: Callable[[tuple[Tensor, tuple[Tensor, Tensor]]], Tensor], *, batch_first: bool = True
    ) -> None:
        super().__init__()
        self.first, self.last, self.read = nn.Conv3d(3, 5, 3, padding=1), nn.Linear(6, 3), read
        self.layer = nn.LSTM(5, 6, batch_first=batch_first)

    def forward(self, clip: Tensor) -> Tensor:
        frames = self.first(clip).mean((3, 4)).movedim(2, 1 if self.layer.batch_first else 0)
        return self.last(self.read(self.layer(frames)))


def chosen_by_the_layer(self: Stages, clip: Tensor) -> Tensor:
    features, channel = self.layer(self.first(clip))
    return self.last(features.mean((2, 3, 4)).gather(1, channel[:, None].expand(-1, 4)))


def opaque(self: Stages, clip: Tensor) -> Tensor:
    features, box = self.layer(self.first(clip))
    return self.head(features + box.features) + clip.mean((1, 2, 3, 4))[:, None]


class Box:
    def __init__(self, features: Tensor) -> None:
        self.features = features


def repeated(self: Stages, clip: Tensor) -> Tensor:
    return self.head(self.layer(self.layer(self.first(clip))))


def ignored(self: Stages, clip: Tensor) -> Tensor:
    features = self.first(clip)
    self.layer(features)
    return self.head(features)


REFUSED: dict[str, tuple[Callable[[], VideoModel], str]] = {
    "another output is read": (
        lambda: load_model(Sequence(lambda output: output[1][0][-1])),
        r"Got layer, where the network uses other outputs of it as well",
    ),
    "another output is read as well": (
        lambda: load_model(Sequence(lambda output: output[0][:, -1] + output[1][1][-1])),
        r"Got layer, where the network uses other outputs of it as well",
    ),
    "an integer of it is read": (
        lambda: stages(
            chosen_by_the_layer, layer=Returning(lambda features: (features, features.mean((2, 3, 4)).argmax(1)))
        ),
        r"Got layer, where the network uses other outputs of it as well",
    ),
    "in an object": (
        lambda: stages(opaque, layer=Returning(lambda features: (features, Box(2 * features)))),
        r"Got layer, whose output holds a tuple",
    ),
    "twice": (lambda: stages(repeated), r"Got layer, which runs twice"),
    "what it returns is ignored": (
        lambda: stages(ignored, layer=nn.ReLU(inplace=True)),
        r"Got layer, which no logit depends on",
    ),
    "rows of the clips mixed": (
        lambda: load_model(FrameWise(time_major=True), frames=4, size=16),
        r"Got image, whose rows are not those of one clip behind those of the other",
    ),
    "clips on another axis": (
        lambda: load_model(Sequence(lambda output: output[0][-1], batch_first=False)),
        r"Got layer, whose output is of shape \(4, 1, 6\) instead of \(2, 2, 6\)",
    ),
    "no clips": (
        lambda: stages(
            lambda self, clip: self.head(self.first(clip) + self.layer(clip)), layer=Returning(lambda _: torch.ones(()))
        ),
        r"Got layer, whose output for two clips is of shape \(\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_replaced_is_refused(name):
    build, problem = REFUSED[name]
    torch.manual_seed(0)
    model = build()
    with unchanged(model), pytest.raises(ModelError, match=rf"`layer` must .* replaced, clip by clip\. {problem}"):
        Tail(model, "image" if name.startswith("rows") else "layer")


def test_layers_and_activations_that_are_none_are_refused():
    model = stages(lambda self, clip: self.head(self.layer(self.first(clip))), spare=nn.Identity())
    with pytest.raises(LayerNotFoundError, match="must take part in the forward. Got spare, which does not run"):
        Tail(model, "spare")
    with pytest.raises(LayerNotFoundError, match="`layer` must name a layer .* Got 'nothing'"):
        Tail(model, "nothing")
    tail = Tail(model, "layer")
    assert tail.shape == (1, 4, 4, 8, 8)
    for shape in ((2, 4, 4, 8, 7), (0, 4, 4, 8, 8), (2, 4, 4, 8)):
        with pytest.raises(ShapeError, match=r"`activation` must be of the layer's shape \(1, 4, 4, 8, 8\) a clip"):
            tail_logits(tail, torch.zeros(shape))
    with torch.no_grad():
        model.module.last.bias.fill_(float("nan"))
    with pytest.raises(NonFiniteError, match="NaN or infinity in the logits for 2 of 2 clips"):
        Tail(model, "layer")


def test_a_network_that_asks_for_more_only_for_some_activations_is_never_answered_wrong():
    def sometimes(self: Stages, clip: Tensor) -> Tensor:
        before = self.first(clip)
        features = self.layer(before)
        while features.mean() > 10:
            features = self.layer(features)
        return self.head(features + before if features.mean() < -10 else features)

    tail = Tail(stages(sometimes), "layer")
    assert not tail.needs_inputs
    activation = torch.zeros(2, *tail.shape[1:])
    with pytest.raises(ModelError, match="Got layer, where the network uses what comes before it as well"):
        tail_logits(tail, activation, activation - 20)
    with pytest.raises(ModelError, match="Got layer, which runs twice for these clips"):
        tail_logits(tail, activation, activation + 20)


def test_a_layer_that_some_clips_pass_by_is_never_answered_wrong():
    def skipping(self: Stages, clip: Tensor) -> Tensor:
        features = self.first(clip)
        return self.head(self.layer(features) if clip.mean() < 1 else features)

    model = stages(skipping)
    tail, inputs = Tail(model, "layer"), clips_for(model, 2)
    assert tail.needs_inputs
    with pytest.raises(ModelError, match="Got layer, which does not run for these clips"):
        tail_logits(tail, torch.zeros(2, *tail.shape[1:]), inputs=inputs + 2)


@pytest.mark.parametrize("needs_inputs", [False, True])
def test_gradients_are_those_of_the_whole_network(needs_inputs):
    model = NEEDS_CLIPS["inside a residual block"]() if needs_inputs else architecture("CNN+LSTM")
    layer = "block.conv" if needs_inputs else "image.1"
    inputs, target = clips_for(model, 3), Target(class_index=1)
    recorded = record_gradients(model, [layer], inputs, target)
    activation = recorded.activations[layer].clone().requires_grad_()
    tail = Tail(model, layer)
    for _ in range(2):  # the first forward, and one that is replayed
        with unchanged(model), tail.running():
            values = target(tail.logits(activation, inputs))
            gradient = torch.autograd.grad(values.sum(), activation)[0]
        assert torch.equal(values.detach(), recorded.target)
        assert torch.equal(gradient, recorded.layers[layer])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_of_weights(dtype):
    torch.manual_seed(0)
    model = load_model(Convolutions().to(dtype), frames=4, size=16, device="cpu")
    inputs = clips_for(model, 3)
    activation = record_activations(model, ["stages.1"], inputs)["stages.1"]
    expected = whole(model, inputs).to(torch.promote_types(dtype, torch.float32))  # half precision has too few digits
    for logits in tail_logits(Tail(model, "stages.1"), activation, activation.double()):
        assert torch.equal(logits, expected)


def test_mixed_precision_around_it():
    model = architecture("r3d_18")
    inputs = clips_for(model, 2)
    tail = Tail(model, "layer3")
    with torch.autocast("cpu", torch.bfloat16):
        activation = record_activations(model, ["layer3"], inputs)["layer3"]
        assert torch.equal(tail_logits(tail, activation.float())[0], whole(model, inputs).float())


@pytest.mark.parametrize("training", [False, True])
def test_the_model_is_left_as_it_came(training):
    model = stages(lambda self, clip: self.head(self.layer(self.memory(self.first(clip)))), memory=Remembering())
    network = model.module
    network.first.forward = network.first.forward  # an attribute of the user's
    network.train(training)
    network.layer.weight.requires_grad_(False)
    memory = network.memory
    before = {name: dict(vars(module)) for name, module in network.named_modules()}
    with unchanged(model):
        tail = Tail(model, "layer")
        memory.features, memory.collected[:] = "mine", [torch.ones(1)]
        activation = torch.zeros(2, *tail.shape[1:])
        for stop in (None, ValueError, KeyboardInterrupt):
            try:
                with tail.running():
                    tail.logits(activation)
                    assert isinstance(memory.features, UnknownTensor)
                    if stop is not None:
                        raise stop
            except (ValueError, KeyboardInterrupt):
                pass
            assert memory.features == "mine"
            assert [tensor.tolist() for tensor in memory.collected] == [[1.0]]
    memory.features = None
    for name, module in network.named_modules():
        assert vars(module).keys() - {"features"} == before[name].keys() - {"features"}
        assert all(vars(module)[key] is value for key, value in before[name].items() if key != "features")


def test_an_error_in_the_network_leaves_it_as_it_came_and_the_next_forward_right():
    def failing(self: Stages, clip: Tensor) -> Tensor:
        features = self.layer(self.first(clip))
        if features.amax() > 1000:
            raise ValueError("too large")
        return self.head(features)

    model = stages(failing)
    tail, inputs = Tail(model, "layer"), clips_for(model, 2)
    activation = record_activations(model, ["layer"], inputs)["layer"]
    with unchanged(model):
        for first in (activation, activation + 2000):
            with tail.running(), torch.no_grad():
                if first is activation:
                    tail.logits(first)
                with pytest.raises(ValueError, match="too large"):
                    tail.logits(activation + 2000)
                again = tail.logits(activation)
            assert torch.equal(again, whole(model, inputs))
    assert torch.equal(tail_logits(tail, activation)[0], whole(model, inputs))


def test_the_activation_is_not_written_into():
    model = WITHOUT_CLIPS["in place"]()
    tail = Tail(model, "layer")
    activation = torch.ones(2, *tail.shape[1:])
    tail_logits(tail, activation, activation)
    assert (activation == 1).all()


def test_hooks_of_the_user_on_the_layer_change_its_output_once():
    model = stages(lambda self, clip: self.head(self.layer(self.first(clip))))
    handle = model.module.layer.register_forward_hook(lambda _module, _inputs, output: output * 2 + 1)
    tail, inputs = Tail(model, "layer"), clips_for(model, 2)
    activation = record_activations(model, ["layer"], inputs)["layer"]
    for logits in tail_logits(tail, activation, activation, inputs=inputs):
        assert torch.equal(logits, whole(model, inputs))
    handle.remove()


def test_it_takes_few_forwards():
    model = architecture("r3d_18")
    for layer in ("stem", "layer4"):
        clips = 0

        def count(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            nonlocal clips
            clips += 0 if isinstance(inputs[0], UnknownTensor) else len(inputs[0])

        with model.module.fc.register_forward_pre_hook(count):
            Tail(model, layer)
        assert clips == 4
