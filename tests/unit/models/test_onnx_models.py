"""ONNX graphs as models: the network's own outputs and maps, its clip, and a clear word where gradients would be needed."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

import video_tcav as vt
from video_tcav.attribution import RISE, IntegratedGradients, Occlusion
from video_tcav.core.errors import LayerNotFoundError, MethodError, MissingExtraError, ModelError
from video_tcav.models.loaders import onnx_graph
from video_tcav.models.model_file import Model, with_paths_in

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.onnx", "ignore:.*legacy TorchScript.*")


def export(network: nn.Module, path: Path, clips: torch.Tensor, *, any_batch: bool = True, **metadata: str) -> Path:
    axes = {"clip": {0: "count"}, "logits": {0: "count"}} if any_batch else None
    names = {"input_names": ["clip"], "output_names": ["logits"]}
    torch.onnx.export(network, (clips,), str(path), dynamo=False, dynamic_axes=axes, **names)
    graph = onnx.load(str(path))
    onnx.helper.set_model_props(graph, metadata)
    onnx.save(graph, str(path))
    return path


@pytest.fixture(scope="module")
def trained(shapes) -> nn.Module:
    return shapes.train(60)[0].eval()


@pytest.fixture(scope="module")
def clips(shapes) -> torch.Tensor:
    return shapes.normalised(shapes.render(["left", "right", "up"], seed=3))


@pytest.fixture(scope="module")
def graph(trained, shapes, clips, tmp_path_factory) -> Path:
    classes = json.dumps([*shapes.DIRECTIONS])
    path = tmp_path_factory.mktemp("onnx") / "shapes.onnx"
    return export(trained, path, clips, classes=classes, mean="0.45", std="0.225", stride="1")


@pytest.fixture
def model(graph):
    return vt.load_model(f"onnx:{graph}", device="cpu")


def test_the_clip_is_that_of_the_input_and_of_the_metadata(model, shapes, graph):
    wanted = vt.load_model(shapes.build(), device="cpu").clip_spec
    assert model.clip_spec == wanted
    assert model.classes == tuple(shapes.DIRECTIONS)
    assert model.name == f"onnx:{graph}"
    assert model.notes == ()


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("any_batch", [True, False])
def test_outputs_are_those_of_the_network(trained, clips, tmp_path, count, any_batch):
    path = export(trained, tmp_path / "net.onnx", clips[:2], any_batch=any_batch)
    model = vt.load_model(f"onnx:{path}", device="cpu", mean=0.45, std=0.225)
    with torch.no_grad():
        torch.testing.assert_close(model.logits(clips[:count]), trained(clips[:count]))


def test_time_first_and_softmax_are_recognised(trained, clips, tmp_path):
    class Exported(nn.Sequential):
        def forward(self, clip):
            return super().forward(clip.transpose(1, 2)).softmax(1)

    model = vt.load_model(
        f"onnx:{export(Exported(trained), tmp_path / 'net.onnx', clips.transpose(1, 2))}", device="cpu"
    )
    assert (model.clip_spec.layout, model.clip_spec.frames, model.outputs.kind) == ("time_first", 16, "softmax")


def test_predictions_are_those_of_the_network(model, trained, shapes_clips):
    by_graph = vt.predict(model, shapes_clips / "right")
    by_module = vt.predict(vt.load_model(trained, device="cpu", classes=model.classes), shapes_clips / "right")
    for one, other in zip(by_graph.predictions, by_module.predictions, strict=True):
        assert one.labels[0].label == other.labels[0].label
        assert one.labels[0].probability == pytest.approx(other.labels[0].probability, abs=1e-5)


@pytest.mark.parametrize("method", [Occlusion(), RISE(masks=20)])
def test_maps_without_gradients_are_those_of_the_network(model, trained, clips, method):
    by_module = method(vt.load_model(trained, device="cpu"), clips[:1], target=1)
    by_graph = method(model, clips[:1], target=1)
    torch.testing.assert_close(by_graph.layers["input"], by_module.layers["input"], atol=1e-4, rtol=1e-3)


def test_explain_measures_deletion(model, shapes_clips):
    [explanation] = vt.explain(model, shapes_clips / "right" / "000.mp4", methods=["occlusion"]).explanations
    assert 0 <= explanation.deletion <= 1


@pytest.mark.parametrize("method", [IntegratedGradients(), "extremal", "temporalmask"])
def test_methods_with_gradients_say_what_to_use(model, shapes_clips, method):
    with pytest.raises(
        MethodError, match="must have gradients for this. Got an ONNX graph. Use predict, or .* occlusion"
    ):
        vt.explain(model, shapes_clips / "right" / "000.mp4", methods=[method])


def test_whatever_needs_layers_says_what_to_use(model, shapes_clips):
    for call in (
        lambda: vt.explain(model, shapes_clips / "right" / "000.mp4"),
        lambda: vt.list_layers(model),
        lambda: vt.run_tcav(
            model,
            target="right",
            clips=shapes_clips / "right",
            concepts={"green": shapes_clips / "green"},
            random=shapes_clips / "random",
            layers=["stages.2"],
        ),
    ):
        with pytest.raises(
            LayerNotFoundError, match="`model` must have layers for this. Got onnx:.*Use predict, or"
        ) as error:
            call()
        assert "\n" not in str(error.value)


def test_the_digest_is_that_of_the_weights(trained, clips, graph, model, tmp_path):
    assert vt.load_model(f"onnx:{graph}", device="cpu").weights_digest == model.weights_digest
    other = onnx.load(str(graph))
    other.graph.initializer[0].raw_data = bytes(len(other.graph.initializer[0].raw_data))
    outside = {"save_as_external_data": True, "location": "tensors.bin", "size_threshold": 0}
    onnx.save(onnx.load(str(graph)), str(tmp_path / "a.onnx"), **outside)
    first = vt.load_model(f"onnx:{tmp_path / 'a.onnx'}", device="cpu")
    with torch.no_grad():
        torch.testing.assert_close(first.logits(clips), trained(clips))
    (tmp_path / "tensors.bin").unlink()
    onnx.save(other, str(tmp_path / "a.onnx"), **outside)  # the graph is the same, the file beside it is not
    assert vt.load_model(f"onnx:{tmp_path / 'a.onnx'}", device="cpu").weights_digest != first.weights_digest


def test_files_that_cannot_be_used(trained, clips, graph, tmp_path, monkeypatch):
    with pytest.raises(ModelError, match="`model` must name an ONNX file. Got .*none.onnx, which does not exist"):
        vt.load_model(f"onnx:{tmp_path / 'none.onnx'}")
    (tmp_path / "text.onnx").write_text("no graph")
    with pytest.raises(ModelError, match="`model` must be a readable ONNX file. Got .*text.onnx: .* Export it again"):
        vt.load_model(f"onnx:{tmp_path / 'text.onnx'}")
    pictures = export(nn.Conv2d(3, 2, 3), tmp_path / "pictures.onnx", torch.zeros(1, 3, 8, 8))
    with pytest.raises(
        ModelError, match="must take one batch of clips, .* Got .*pictures.onnx, which takes clip tensor"
    ):
        vt.load_model(f"onnx:{pictures}")
    with pytest.raises(ModelError, match="`weights` must not be given for an ONNX file"):
        vt.load_model(f"onnx:{graph}", weights="x.safetensors")
    with pytest.raises(ModelError, match=r"must take a clip of shape \(1, 3, 8, 48, 48\)"):
        vt.load_model(f"onnx:{graph}", frames=8)
    monkeypatch.setattr(onnx_graph, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r'needs an extra. Install it with: pip install "video-tcav\[onnx\]"'):
        vt.load_model(f"onnx:{graph}")


def test_an_experiment_file_means_a_path_beside_itself(tmp_path):
    assert with_paths_in(Model(spec="onnx:net.onnx"), tmp_path).spec == f"onnx:{tmp_path / 'net.onnx'}"
