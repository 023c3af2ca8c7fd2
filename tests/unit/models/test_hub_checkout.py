"""torch.hub checkouts: published clips, probabilities of heads, and SlowFast's two pathways as one clip."""

import dataclasses
import warnings

import pytest
import torch
from torch import nn

import video_tcav as vt
from tests.families.family import CLASSES, square_is_hit
from tests.families.hub import CHECKOUT, load, original_network
from video_tcav.attribution import ConceptMap
from video_tcav.core.errors import AxesError, ModelError, WeightsError
from video_tcav.models import load_model
from video_tcav.models.hooks import record_activations, record_gradients
from video_tcav.models.layers import layers_axes, noise_clip
from video_tcav.models.loaders.hub_checkout import ENTRIES
from video_tcav.models.targets import parse_target

pytestmark = [  # of pytorchvideo and Hiera: when they are imported, and in the gradient of X3D's Swish
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:'saved_variables' is deprecated:DeprecationWarning"),
]


def logits_alone(network):
    """The network without what turns its logits into probabilities."""
    if type(network).__name__ == "Hiera":
        network.head.act_func = nn.Identity()
    else:
        network.blocks[-1].activation = None
    return network


@pytest.mark.parametrize("entry", ["x3d_s", "r2plus1d_r50", "hiera_base_16x224"])
def test_effects_of_probabilities_are_those_of_the_logits(entry):
    model = load(entry)
    assert model.outputs.kind == "softmax"
    assert not model.outputs.is_assumed
    plain = load_model(logits_alone(original_network(entry)), classes=CLASSES, outputs="logits", device="cpu")
    clips = torch.cat([noise_clip(model, seed=seed) for seed in (3, 4)])
    layers = model.stages()[1:2]
    expected = record_gradients(plain, layers, clips, parse_target(plain, "run", "log_odds"))
    actual = record_gradients(model, layers, clips, parse_target(model, "run", "log_odds"))
    torch.testing.assert_close(actual.target, expected.target, rtol=1e-4, atol=1e-5)
    largest = float(expected.layers[layers[0]].abs().max())
    torch.testing.assert_close(actual.layers[layers[0]], expected.layers[layers[0]], rtol=1e-3, atol=1e-4 * largest)


def test_both_pathways_find_the_square_in_the_right_frames():
    model = load("slowfast_r50")
    assert len(model.stages()) == 8
    sizes = {tuple(record_activations(model, [layer], noise_clip(model))[layer].shape)[2] for layer in model.stages()}
    assert sizes == {8, 32}
    for layer in model.stages():
        assert square_is_hit(model, layer), layer


def test_a_concept_map_has_the_frames_of_its_pathway():
    model = load("slowfast_r50")
    slow, fast = model.stages()[:2]
    clip = noise_clip(model)
    activations = record_activations(model, [slow, fast], clip)
    for layer, frames in ((slow, 8), (fast, 32)):
        cav = torch.randn(activations[layer].numel(), generator=torch.Generator().manual_seed(0))
        maps = ConceptMap(cavs={layer: cav})(model, clip, target="run")
        assert maps.layers[layer].shape[1] == frames
        assert maps.values().shape[1] == 32


def test_a_twin_changes_both_pathways_and_pairs_their_rows():
    model = load("slowfast_r50")
    generator = torch.Generator().manual_seed(0)
    clips = [
        (f"clip-{number}", torch.randint(0, 256, (32, 3, 64, 64), dtype=torch.uint8, generator=generator))
        for number in range(12)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # so few clips show nothing, which the result says
        result = vt.run_tcav(
            model,
            target="run",
            clips=clips[:3],
            concepts={"moving": clips[3:7]},
            random=clips[7:],
            twins=["frozen"],
            layers=model.stages()[:2],
            permutations=20,
            bootstraps=20,
        )
    table = result.to_frame()
    assert {(row.layer, row.twin) for row in table.itertuples() if row.twin == "frozen"} == {
        (layer, "frozen") for layer in model.stages()[:2]
    }


def test_hiera_is_in_order_at_its_stages_and_answers_as_before():
    model, network = load("hiera_base_16x224"), original_network("hiera_base_16x224")
    clip = noise_clip(model)
    with torch.no_grad():
        _, intermediates = network(clip, return_intermediates=True)
    recorded = record_activations(model, model.stages(), clip)
    for layer, published in zip(model.stages(), intermediates, strict=True):
        torch.testing.assert_close(recorded[layer], published)
    with pytest.raises(AxesError, match=r"Choose another layer\.$"):
        layers_axes(model, ["blocks.0.block"])


@pytest.mark.parametrize("entry", ["slowfast_r50", "hiera_base_16x224"])
def test_a_network_in_memory_is_known_too_and_stays_as_it_is(entry):
    network = original_network(entry)
    before, forward = list(network.state_dict()), type(network).forward
    model = load_model(network, classes=CLASSES, device="cpu")
    assert model.default_layers == load(entry).default_layers
    assert list(network.state_dict()) == before
    assert type(network).forward is forward
    assert model.module is not network
    expected = load(entry).values(noise_clip(model))
    assert torch.equal(model.values(noise_clip(model)), expected)


def test_a_checkpoint_of_the_published_form_is_loaded(tmp_path):
    trained = original_network("slowfast_r50", seed=5)
    torch.save({"model_state": trained.state_dict(), "epoch": 3}, tmp_path / "SLOWFAST.pyth")
    model = load("slowfast_r50", weights=tmp_path / "SLOWFAST.pyth")
    assert model.trained
    assert torch.equal(
        model.module.blocks[0].multipathway_blocks[1].conv.weight, trained.blocks[0].multipathway_blocks[1].conv.weight
    )
    with pytest.raises(WeightsError, match="`weights` must fit the model"):
        load_model(f"hub:{CHECKOUT}:slowfast_r50", weights=tmp_path / "SLOWFAST.pyth", classes=CLASSES[:2])


def test_clips_are_those_that_are_published(tmp_path):
    """The entry's name says the clip where the network does not."""
    (tmp_path / "hubconf.py").write_text(
        "from torch import nn\n\n\n"
        "def x3d_m(pretrained=False, **options):\n"
        "    layers = nn.Conv3d(3, 2, 9, 9), nn.AdaptiveAvgPool3d(1), nn.Flatten()\n"
        "    return nn.Sequential(*layers)\n",
        encoding="utf-8",
    )
    spec = load_model(f"hub:{tmp_path}:x3d_m", device="cpu").clip_spec
    assert (spec.frames, spec.fps, spec.size) == (16, 6.0, (256, 256))
    assert (spec.mean, spec.std) == ((0.45,) * 3, (0.225,) * 3)
    chosen = load_model(f"hub:{tmp_path}:x3d_m", frames=12, size=36, stride=2, device="cpu").clip_spec
    assert (chosen.frames, chosen.stride, chosen.fps, chosen.size) == (12, 2, None, (36, 36))


def test_every_published_entry_exists():
    published = pytest.importorskip("pytorchvideo.models.hub")
    for name in ENTRIES:
        package = pytest.importorskip("hiera") if name.startswith("hiera") else published
        assert callable(getattr(package, name))


def hubconf(folder, source):
    (folder / "hubconf.py").write_text(f"import torch\nfrom torch import nn\n\n\n{source}", encoding="utf-8")
    return f"hub:{folder}:entry"


def test_the_entry_loads_its_own_weights_only_when_it_is_asked_to(tmp_path):
    spec = hubconf(
        tmp_path,
        "class Net(nn.Module):\n"
        "    clip_spec = {'frames': 4, 'size': 16}\n\n"
        "    def __init__(self):\n"
        "        super().__init__()\n"
        "        self.stages = nn.Sequential(nn.Conv3d(3, 2, 3))\n\n"
        "    def forward(self, clip):\n"
        "        return self.stages(clip).mean((2, 3, 4))\n\n\n"
        "def entry(pretrained=True):\n"
        "    network = Net()\n"
        "    if pretrained:\n"
        "        nn.init.ones_(network.stages[0].weight)\n"
        "        nn.init.zeros_(network.stages[0].bias)\n"
        "    return network\n",
    )
    random, pretrained = load_model(spec), load_model(spec, weights="DEFAULT")
    assert (random.trained, pretrained.trained) == (False, True)
    assert (pretrained.module.stages[0].weight == 1.0).all()


def test_an_entry_that_ignores_the_word_for_its_weights_is_not_taken_for_trained(tmp_path):
    spec = hubconf(
        tmp_path,
        "def entry(pretrained=False):\n"
        "    network = nn.Sequential(nn.Conv3d(3, 2, 3), nn.AdaptiveAvgPool3d(1), nn.Flatten())\n"
        "    network.clip_spec = {'frames': 4, 'size': 16}\n"
        "    return network\n",
    )
    assert not load_model(spec, device="cpu").trained
    with pytest.raises(ModelError, match="Got DEFAULT for hub:.*, whose weights are random") as error:
        load_model(spec, weights="DEFAULT", device="cpu")
    assert "\n" not in str(error.value)


def test_what_cannot_be_loaded_is_refused_in_one_line(tmp_path):
    with pytest.raises(
        ModelError, match=r"^`model` must name a folder with hubconf\.py\. Got [^\n]*, which has none\."
    ):
        load_model(f"hub:{tmp_path}:entry")
    with pytest.raises(ModelError, match=r"^`model` must name a torch\.hub checkout and an entry\. Got 'hub:folder'"):
        load_model("hub:folder")
    with pytest.raises(ModelError, match=r"hubconf.py. Got 'entry', which is none. Known are slow, x3d_m\."):
        load_model(hubconf(tmp_path, "def x3d_m():\n    pass\n\ndef slow():\n    pass\n\ndef _helper():\n    pass\n"))
    (tmp_path / "absent").mkdir()
    with pytest.raises(ModelError, match="Got ModuleNotFoundError: No module named 'absent_package'"):
        load_model(hubconf(tmp_path / "absent", "import absent_package\n"))


def test_the_single_cells_of_slow_frames_would_show_exchanged_axes():
    """The check behind the column "axes" can fail for either pathway."""
    from tests.unit.models.networks import layers_that_single_cells_contradict

    model = load("slowfast_r50")
    swapped = {"time": "width", "width": "time"}

    def exchanged(axes):
        return dataclasses.replace(axes, dims=tuple(swapped.get(name, name) for name in axes.dims))

    assert set(model.stages()[:2]) <= layers_that_single_cells_contradict(model, exchanged)
