import json

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import get_model, get_model_weights

from video_tcav.core.clip_spec import ClipSpec
from video_tcav.core.errors import InputError, ModelError, WeightsError
from video_tcav.models.load import load_model
from video_tcav.models.loaders.torchvision_zoo import describe_torchvision

from .networks import Convolutions

SOURCE = """
import torch
from torch import nn
from parts import width

class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.stages = nn.Sequential(nn.Conv3d(3, width, 3, padding=1), nn.Conv3d(width, 5, 3, padding=1))
        self.head = nn.Linear(5, num_classes)
    def forward(self, clip):
        return self.head(self.stages(clip).mean((2, 3, 4)))

def build(num_classes=2):
    return Net(num_classes)

def described():
    net = Net(2)
    net.clip_spec = {"frames": 6, "stride": 3, "size": 20, "mean": 0.2}
    return net

def seeded():
    torch.manual_seed(3)
    return Net(2)

def time_first():
    net = Net(2)
    inner = net.forward
    net.forward = lambda clip: inner(clip.transpose(1, 2))
    from video_tcav.core.clip_spec import ClipSpec
    net.clip_spec = ClipSpec(frames=4, size=(8, 8), layout="time_first")
    return net

def raises():
    raise RuntimeError("no such backbone.\\nsecond line")

def no_module():
    return 3

def bad_spec():
    net = Net(2)
    net.clip_spec = {"fps": 15, "depth": 3}
    return net

def no_logits():
    return nn.Identity()

value = 3
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.py").write_text(SOURCE, encoding="utf-8")
    (tmp_path / "parts.py").write_text("width = 4\n", encoding="utf-8")
    return tmp_path


def from_file(folder, factory="build", **options):
    return load_model(f"file:{folder}/model.py:{factory}", **{"frames": 4, "size": 8} | options)


class TestFile:
    def test_defaults(self, folder):
        model = from_file(folder)
        assert model.name == f"file:{folder}/model.py:build"
        assert model.clip_spec == ClipSpec(frames=4, size=(8, 8))
        assert model.classes == ("0", "1")
        assert model.default_layers == ("stages.0", "stages.1")
        assert not model.module.training
        assert model.input_name is None

    def test_classes_reach_the_factory(self, folder):
        model = from_file(folder, classes=["a", "b", "c"])
        assert model.classes == ("a", "b", "c")
        assert model.module.head.out_features == 3
        with pytest.raises(InputError, match=r"must name the 2 outputs of the model. Got 3 names"):
            from_file(folder, "seeded", classes=["a", "b", "c"])

    def test_overrides_win_over_metadata_wins_over_the_module(self, folder):
        assert load_model(f"file:{folder}/model.py:described").clip_spec == ClipSpec(
            frames=6, stride=3, size=(20, 20), mean=(0.2,) * 3
        )
        metadata = {"stride": "5", "size": "native", "std": "0.3,0.3,0.3", "classes": '["x", "y"]', "accuracy": "1"}
        net = from_file(folder, "described").module
        save_file(net.state_dict(), folder / "w.safetensors", metadata)
        path = f"file:{folder}/model.py:described"
        model = load_model(path, weights=folder / "w.safetensors")
        assert model.clip_spec == ClipSpec(frames=6, stride=5, size=None, mean=(0.2,) * 3, std=(0.3,) * 3)
        assert model.classes == ("x", "y")
        assert model.trained
        model = load_model(path, weights=folder / "w.safetensors", stride=7, size=(8, 10), mean=0.1, classes=["p", "q"])
        assert model.clip_spec == ClipSpec(frames=6, stride=7, size=(8, 10), mean=(0.1,) * 3, std=(0.3,) * 3)
        assert model.classes == ("p", "q")

    def test_random_weights_are_told_from_those_that_the_factory_makes(self, folder):
        assert not from_file(folder).trained
        assert from_file(folder, "seeded").trained

    def test_time_first(self, folder, clip):
        model = load_model(f"file:{folder}/model.py:time_first")
        prepared = model.prepare(clip[:4])
        assert prepared.shape == (4, 3, 8, 8)
        assert model.logits(prepared[None]).shape == (1, 2)

    def test_two_folders_may_have_files_of_the_same_name(self, folder, tmp_path):
        other = tmp_path / "other"
        other.mkdir()
        (other / "model.py").write_text(SOURCE, encoding="utf-8")
        (other / "parts.py").write_text("width = 7\n", encoding="utf-8")
        assert from_file(folder).module.stages[0].out_channels == 4
        assert from_file(other).module.stages[0].out_channels == 7

    def test_the_global_random_state_is_untouched(self, folder):
        state = torch.get_rng_state()
        from_file(folder)
        from_file(folder, "seeded")
        load_model("torchvision:r3d_18", frames=2, size=16)
        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.parametrize(
        ("factory", "message"),
        [
            ("raises", r"Got RuntimeError: no such backbone from .*model.py:raises"),
            ("no_module", r"returns a torch\.nn\.Module\. Got int"),
            ("missing", r"must name a function in .*model.py. Got 'missing'"),
            ("value", r"must name a function in .*model.py. Got 'value'"),
            ("bad_spec", r"must hold fields of a ClipSpec, or outputs. Got 'depth'"),
            ("no_logits", r"must return one row of logits a clip"),
        ],
    )
    def test_a_factory_that_fails(self, folder, factory, message):
        with pytest.raises(ModelError, match=message) as caught:
            from_file(folder, factory)
        assert "\n" not in str(caught.value)

    def test_a_file_that_fails(self, folder):
        with pytest.raises(ModelError, match=r"must name a Python file. Got .*nowhere.py"):
            load_model("file:nowhere.py:build")
        (folder / "broken.py").write_text("import surely_not_installed_anywhere", encoding="utf-8")
        with pytest.raises(ModelError, match=r"can be imported. Got ModuleNotFoundError: .*surely_not"):
            load_model(f"file:{folder}/broken.py:build")
        with pytest.raises(ModelError, match=r"must name a file and a function"):
            load_model(f"file:{folder}/model.py")

    def test_weights_that_do_not_fit(self, folder):
        save_file({"head.weight": torch.zeros(9, 5)}, folder / "w.safetensors")
        with pytest.raises(WeightsError, match=r"1 of another shape: head.weight .* 5 missing: stages"):
            from_file(folder, weights=folder / "w.safetensors")
        save_file({"a": torch.zeros(1)}, folder / "w.safetensors", {"classes": "[3]"})
        with pytest.raises(WeightsError, match=r"`classes` must be a JSON list"):
            from_file(folder, weights=folder / "w.safetensors")
        save_file({"a": torch.zeros(1)}, folder / "w.safetensors", {"frames": "some"})
        with pytest.raises(WeightsError, match=r"`frames` of .*w.safetensors must be a whole number"):
            from_file(folder, weights=folder / "w.safetensors")

    def test_a_clip_that_the_model_does_not_take(self, folder):
        with pytest.raises(ModelError, match=r"must take a clip of shape \(1, 3, 1, 112, 112\). Got RuntimeError"):
            load_model(nn.Sequential(nn.Conv3d(3, 2, 3)), frames=1)


class TestModule:
    def test_a_module_at_hand(self, tmp_path):
        network = Convolutions().train()
        model = load_model(network, frames=4, size=8, classes=["a", "b", "c"])
        assert model.module is network
        assert model.name == "Convolutions"
        assert model.trained
        save_file({name: t + 1 for name, t in network.state_dict().items()}, tmp_path / "w.safetensors")
        digest = model.weights_digest
        assert load_model(network, weights=tmp_path / "w.safetensors", frames=4, size=8).weights_digest != digest

    @pytest.mark.parametrize("wrap", [lambda z: (z, z), lambda z: {"logits": z}])
    def test_wrapped_logits(self, wrap):
        model = load_model(Convolutions(wrap=wrap), frames=4, size=8)
        assert model.logits(torch.zeros(2, 3, 4, 8, 8)).shape == (2, 3)


class TestTorchvision:
    def test_published_preprocessing_and_names(self, clip):
        model = load_model("torchvision:r3d_18")
        weights = get_model_weights("r3d_18").DEFAULT
        assert torch.equal(model.prepare(clip), weights.transforms()(clip))
        assert model.classes == tuple(weights.meta["categories"])
        assert model.clip_spec == ClipSpec(
            frames=16,
            fps=15.0,
            size=(112, 112),
            resize=(128, 171),
            mean=(0.43216, 0.394666, 0.37645),
            std=(0.22803, 0.22145, 0.216989),
        )
        assert not model.trained
        assert model.weights_digest == load_model("torchvision:r3d_18").weights_digest  # a fixed seed
        assert model.notes == ()
        (note,) = load_model("torchvision:r3d_18", classes=model.classes[::-1]).notes
        assert f"output 0 is {model.classes[-1]!r} here, and {model.classes[0]!r} there" in note

    def test_published_weights_by_name(self, tmp_path, monkeypatch):
        # torch.hub takes a file that is already in its folder, so nothing is downloaded.
        published = get_model_weights("s3d").DEFAULT
        folder = tmp_path / "hub" / "checkpoints"
        folder.mkdir(parents=True)
        network = get_model("s3d", weights=None)
        torch.save(network.state_dict(), folder / published.url.rsplit("/", 1)[-1])
        monkeypatch.setenv("TORCH_HOME", str(tmp_path))
        for name in ("KINETICS400_V1", "DEFAULT"):
            model = load_model("torchvision:s3d", weights=name)
            assert model.trained
            assert model.classes == tuple(published.meta["categories"])
            assert torch.equal(model.module.state_dict()["classifier.1.weight"], network.classifier[1].weight)

    def test_a_checkpoint_tells_the_number_of_classes(self, tmp_path):
        network = get_model("mc3_18", weights=None, num_classes=5)
        torch.save({"state_dict": {f"module.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "w.pth")
        model = load_model("torchvision:mc3_18", weights=tmp_path / "w.pth")
        assert model.classes == ("0", "1", "2", "3", "4")
        assert model.trained
        (tmp_path / "c.json").write_text(json.dumps(list("abcde")), encoding="utf-8")
        assert "Assumed" not in " ".join(model.notes)
        torch.save(get_model("mc3_18", weights=None).state_dict(), tmp_path / "k.pth")
        (note,) = load_model("torchvision:mc3_18", weights=tmp_path / "k.pth").notes
        assert note.startswith("Assumed: the 400 outputs are the classes of Kinetics-400 in their published order")
        named = load_model("torchvision:mc3_18", weights=tmp_path / "w.pth", classes=tmp_path / "c.json")
        assert named.classes == tuple("abcde")
        with pytest.raises(InputError, match=r"must name the 5 outputs of the model. Got 2"):
            load_model("torchvision:mc3_18", weights=tmp_path / "w.pth", classes=["a", "b"])
        with pytest.raises(
            WeightsError, match=r"must fit the model.*missing: features.0.0.0.weight.*Its keys: state_dict"
        ):
            load_model("torchvision:s3d", weights=tmp_path / "w.pth")

    def test_overrides(self, clip):
        model = load_model(
            "torchvision:mc3_18", frames=4, stride=3, size=32, mean=0.5, std=(0.1, 0.2, 0.3), classes=["a", "b"]
        )
        assert model.clip_spec == ClipSpec(
            frames=4, stride=3, fps=None, size=(32, 32), mean=(0.5,) * 3, std=(0.1, 0.2, 0.3)
        )
        assert model.prepare(clip[:4]).shape == (3, 4, 32, 32)
        assert model.module.fc.out_features == 2
        native = load_model("torchvision:mc3_18", frames=4, size="native")
        assert native.prepare(clip[:4]).shape == (3, 4, 50, 72)

    @pytest.mark.parametrize(
        ("spec", "options", "error", "message"),
        [
            ("torchvision:resnet18", {}, ModelError, "must be one of torchvision's r3d_18, .*Got 'resnet18'"),
            (
                "torchvision:",
                {},
                ModelError,
                "must start with torchvision:, hf:, file:, hub:, timm:, mmaction:, onnx: or rendered:",
            ),
            (
                "swin3d_t",
                {},
                ModelError,
                "must start with torchvision:, hf:, file:, hub:, timm:, mmaction:, onnx: or rendered:. Got 'swin3d_t'",
            ),
            (
                "torchvision:r3d_18",
                {"weights": "IMAGENET1K_V1"},
                WeightsError,
                "one of KINETICS400_V1, DEFAULT, or a file",
            ),
            ("torchvision:r3d_18", {"weights": "none.pth"}, WeightsError, "must be a file. Got none.pth"),
            ("torchvision:s3d", {"size": 64, "frames": 4}, ModelError, "must take a clip of shape"),
            ("torchvision:mvit_v2_s", {"frames": 8}, ModelError, r"must be 16 and \(224, 224\). Got 8"),
            ("torchvision:r3d_18", {"device": "gpu"}, InputError, "`device` must be auto or a device"),
            ("torchvision:r3d_18", {"size": "huge"}, InputError, "`size` of the options must be pixels"),
            ("torchvision:r3d_18", {"frames": 0}, InputError, "`frames` must be at least 1"),
        ],
    )
    def test_errors(self, spec, options, error, message):
        with pytest.raises(error, match=message) as caught:
            load_model(spec, **options)
        assert "\n" not in str(caught.value)

    def test_default_layers_exist_and_are_stages(self):
        expected = {
            "r3d_18": ("layer1", "layer2", "layer3", "layer4"),
            "s3d": ("features.3", "features.6", "features.12", "features.15"),
            "swin3d_t": ("features.0", "features.2", "features.4", "features.6"),
            "mvit_v1_b": ("blocks.0", "blocks.2", "blocks.13", "blocks.14"),
            "mvit_v2_s": ("blocks.0", "blocks.2", "blocks.13", "blocks.14"),
        }
        for name, stages in expected.items():
            with torch.device("meta"):
                network = get_model(name, weights=None)
            assert describe_torchvision(network, {}).default_layers == stages
            assert all(network.get_submodule(stage) is not None for stage in stages)


@pytest.mark.assets
def test_mini_r2plus1d_reaches_its_stated_accuracy(assets):
    av = pytest.importorskip("av")
    folder = assets / "models" / "mini_r2plus1d"
    model = load_model(f"file:{folder}/mini_r2plus1d.py:build", weights=folder / "mini_r2plus1d_weizmann.safetensors")
    assert model.clip_spec == ClipSpec(frames=16, stride=2)
    assert model.default_layers == ("stages.0", "stages.1", "stages.2", "stages.3")
    correct = []
    for path in sorted(assets.glob("clips/weizmann/*/*.avi")):
        if path.name.startswith(("daria", "shahar")):
            with av.open(str(path)) as container:
                video = [torch.from_numpy(f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
            stride = 2 if len(video) >= 32 else 1
            start = (len(video) - 16 * stride) // 2
            clip = torch.stack(video[start : start + 16 * stride : stride]).permute(0, 3, 1, 2)
            with torch.no_grad():
                logits = model.logits(model.prepare(clip)[None])
            correct.append(model.classes[int(logits.argmax())] == path.parent.name)
    assert len(correct) == 20
    assert sum(correct) == 17  # 85 %, as its README says
