import pytest
import torch
from torch import nn

from video_tcav.core.errors import ModelError
from video_tcav.models.hooks import record_activations
from video_tcav.models.layers import layers_axes, list_layers
from video_tcav.models.load import load_model

from .networks import Convolutions


class Described(Convolutions):
    clip_spec = {"frames": 4, "size": 8, "mean": 0.2}


class Holder(nn.Module):
    """As a training module holds its network."""

    def __init__(self, *networks):
        super().__init__()
        self.loss = nn.CrossEntropyLoss()
        self.networks = nn.ModuleList(networks)

    def forward(self, clip):
        return sum(network(clip) for network in self.networks)


def compiled(network):
    return torch.compile(network, backend="eager")


@pytest.mark.parametrize(
    "wrap",
    [
        nn.DataParallel,
        torch.optim.swa_utils.AveragedModel,
        compiled,
        lambda network: compiled(nn.DataParallel(network)),
        lambda network: nn.DataParallel(compiled(network)),
    ],
)
def test_a_wrapped_network_is_the_network(wrap):
    network = Described()
    plain, model = load_model(network), load_model(wrap(network))
    assert model.name == "Described"
    assert (model.clip_spec, model.classes) == (plain.clip_spec, plain.classes)
    assert model.default_layers == plain.default_layers == ("stages.0", "stages.1", "stages.2")
    assert any("The network inside" in note for note in model.notes)
    clips = torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(model.logits(clips), plain.logits(clips))


def test_data_that_is_parallel_over_processes_is_seen_through(tmp_path):
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        model = load_model(nn.parallel.DistributedDataParallel(Described()))
    finally:
        torch.distributed.destroy_process_group()
    assert model.clip_spec.frames == 4
    assert model.default_layers == ("stages.0", "stages.1", "stages.2")


def test_a_holder_takes_the_clip_of_its_network():
    model = load_model(Holder(Described()))
    assert (model.clip_spec.frames, model.clip_spec.size, model.clip_spec.mean[0]) == (4, (8, 8), 0.2)
    assert "The clip is that of clip_spec in networks.0, which the network holds." in model.notes
    assert load_model(Holder(Described(), Described())).clip_spec.frames == 4
    other = Described()
    other.clip_spec = {"frames": 6, "size": 8}
    with pytest.raises(ModelError, match=r"must agree. Got unlike ones in networks.0 and networks.1"):
        load_model(Holder(Described(), other))


@pytest.mark.parametrize("in_place", [True, False])
def test_hooks_inside_a_part_that_was_compiled_are_called(in_place):
    network = Described()
    if in_place:
        network.stages.compile(backend="eager")
    else:
        network.stages = compiled(network.stages)
    network(torch.zeros(2, 3, 4, 8, 8))
    model = load_model(network)
    inner = "stages.1" if in_place else "stages._orig_mod.1"
    assert inner in [layer.name for layer in list_layers(model, probe=False)]
    assert inner in record_activations(model, [inner], torch.randn(2, 3, 4, 8, 8))
    assert layers_axes(model, [inner])[inner].dims == ("clip", "channel", "time", "height", "width")


@pytest.mark.parametrize("how", ["script", "trace"])
@pytest.mark.parametrize("wrap", [lambda network: network, nn.DataParallel])
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")
def test_torchscript_is_refused(how, wrap):
    network = nn.Sequential(nn.Conv3d(3, 4, 3), nn.AdaptiveAvgPool3d(1), nn.Flatten()).eval()
    made = torch.jit.script(network) if how == "script" else torch.jit.trace(network, torch.zeros(1, 3, 4, 8, 8))
    with pytest.raises(ModelError, match="as TorchScript, whose layers cannot be hooked reliably"):
        load_model(wrap(made))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")
def test_a_scripted_part_is_refused():
    network = Described()
    network.stages = torch.jit.script(network.stages)
    with pytest.raises(ModelError, match="Got stages as TorchScript"):
        load_model(network)


def test_an_exported_program_is_refused():
    network = nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten()).eval()
    exported = torch.export.export(network, (torch.zeros(2, 3, 4, 8, 8),)).module()
    with pytest.raises(ModelError, match="`model` must have an evaluation mode"):
        load_model(exported)
