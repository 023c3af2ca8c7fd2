import sys

import pytest
import torchvision

from video_tcav.core.errors import MissingExtraError
from video_tcav.core.extras import check_installed
from video_tcav.models import load_model
from video_tcav.proposals import parse_detector


def test_a_missing_package_names_its_extra():
    check_installed("numpy", extra="hf", needed_for="nothing")
    with pytest.raises(MissingExtraError, match=r'^hf:x needs an extra\. .*: pip install "video-tcav\[hf\]"$'):
        check_installed("no_such_package_anywhere", extra="hf", needed_for="hf:x")


@pytest.fixture
def no_torchvision(monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torchvision", None)


def test_models_of_torchvision_name_the_extra(no_torchvision):
    with pytest.raises(MissingExtraError, match=r'^torchvision:r3d_18 needs .*"video-tcav\[torchvision\]"$'):
        load_model("torchvision:r3d_18")


@pytest.mark.parametrize(
    ("spec", "extra"),
    [("onnx:yolox.onnx", "detect"), ("torchvision:ssd300_vgg16", "torchvision"), ("hf:user/model", "hf")],
)
def test_detectors_name_the_extra(no_torchvision, spec, extra):
    with pytest.raises(MissingExtraError, match=rf'needs an extra\. .*"video-tcav\[{extra}\]"$'):
        parse_detector(spec, ["person"])


def test_a_module_of_torchvision_in_memory_is_known():
    model = load_model(torchvision.models.video.r3d_18(num_classes=3))
    assert any("Known as torchvision's r3d_18" in note for note in model.notes)
