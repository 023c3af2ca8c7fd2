"""Which device `auto` takes, and that what needs float64 leaves a device without it. Unproven on a real Apple GPU."""

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from video_tcav.core.errors import InputError
from video_tcav.models.axes.probe import _profile
from video_tcav.models.devices import pick_device, where_float64


@pytest.mark.parametrize(
    ("cuda", "mps", "device"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu"), (True, False, "cuda")],
)
def test_auto_takes_the_first_gpu_that_is_there(monkeypatch, cuda, mps, device):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert pick_device("auto") == torch.device(device)


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="needs a machine without Metal")
def test_metal_where_there_is_none_is_one_line():
    with pytest.raises(
        InputError, match="`device` must be auto or a device that is here. Got 'mps'. Write cpu or cuda:0."
    ):
        pick_device("mps")


def test_sums_in_float64_leave_a_device_that_has_none():
    with FakeTensorMode():  # tensors of any device, without values
        values = torch.empty(2, 3, device="mps")
        assert where_float64(values).device.type == "cpu"
        assert where_float64(torch.empty(2, device="cuda")).device.type == "cuda"
    assert where_float64(torch.ones(2)).device.type == "cpu"
    assert _profile(torch.ones(2, 3), 0).tolist() == [3, 3]
