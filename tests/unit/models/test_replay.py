"""Replay of modules: what they returned before a layer, once, and what they do afterwards."""

from collections import OrderedDict

import pytest
import torch
from torch import Tensor, nn

from video_tcav.models.hooks import replaced_forwards
from video_tcav.models.replay import Replay, copied, is_plain, unchanged_attributes
from video_tcav.models.unknown_tensors import UnknownTensor


class Counting(nn.Module):
    """Adds one, and counts how often."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, values: Tensor) -> Tensor:
        self.calls += 1
        return values + 1


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Counting()
        self.outer = nn.Sequential(self.inner, Counting())
        self.shared, self.layer = Counting(), nn.Identity()

    def forward(self, values: Tensor) -> Tensor:
        values = self.shared(self.shared(self.outer(values)))
        return self.shared(self.layer(values.mul_(10)))


def test_calls_before_the_layer_return_what_they_returned_and_later_ones_run():
    network = Network()
    replay = Replay(network, network.layer)
    with replay.recording():
        assert network(torch.zeros(2)).tolist() == [41.0, 41.0]
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    with replaced_forwards(replay.forwards()):
        for _ in range(2):
            replay.begin()
            assert network(torch.full((2,), 7.0)).tolist() == [41.0, 41.0]  # 7 is never read
    assert (network.inner.calls, network.shared.calls) == (1, 3 + 2)
    assert network(torch.full((2,), 7.0)).tolist() == [111.0, 111.0]


@pytest.mark.parametrize(
    ("output", "plain"),
    [
        (torch.ones(1), True),
        ((torch.ones(1), (2, 3, 4), None, "grid"), True),
        (OrderedDict(tokens=[torch.ones(1)], size=torch.Size([1, 2])), True),
        ((), True),
        (object(), False),
        ((torch.ones(1), {"state": object()}), False),
        (iter([torch.ones(1)]), False),
    ],
)
def test_outputs_that_can_be_copied(output, plain):
    assert is_plain(output) is plain


def test_a_copy_can_be_written_into():
    known, unknown = torch.ones(2), UnknownTensor.like(torch.ones(2))
    copy = copied({"known": known, "unknown": [unknown]})
    copy["known"] += 1
    assert known.tolist() == [1.0, 1.0]
    assert copy["unknown"][0] is unknown


def test_attributes_containers_and_buffers_are_put_back():
    network = Network()
    network.register_buffer("mask", torch.ones(2))
    network.kept, network.listed, mask = {"a": 1}, [1], network.mask
    with pytest.raises(KeyboardInterrupt), unchanged_attributes(network):
        network.mask, network.kept["b"], network.new = torch.zeros(2), 2, 3
        network.kept["a"] = 4
        network.listed.append(2)
        network.layer = nn.ReLU()
        raise KeyboardInterrupt
    assert network.mask is mask
    assert (network.kept, network.listed, hasattr(network, "new")) == ({"a": 1}, [1], False)
    assert isinstance(network.layer, nn.Identity)


def test_hooks_that_remove_themselves_stay_removed():
    network, calls = Network(), []

    def hook(*_arguments):
        calls.append(1)
        handle.remove()

    handle = network.inner.register_forward_pre_hook(hook)
    with unchanged_attributes(network):
        network.inner(torch.zeros(1))
    network.inner(torch.zeros(1))
    assert calls == [1]
