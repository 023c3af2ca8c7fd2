"""Checkpoints as training leaves them: each loads the right tensors and says what was decided, or is refused."""

import argparse
import collections
import datetime
import json
import pathlib
import re
import subprocess

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from video_tcav.core.errors import WeightsError
from video_tcav.models.load import load_model
from video_tcav.models.weights.loading import fit_weights, read_weights


class Network(nn.Module):
    clip_spec = {"frames": 4, "size": 8}

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv3d(3, 4, 3, padding=1), nn.BatchNorm3d(4))
        self.head = nn.Linear(4, 2)

    def forward(self, clip):
        return self.head(self.backbone(clip).mean((2, 3, 4)))


def network(seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Network()


STATE, AVERAGE, OTHER = (network(seed).state_dict() for seed in (1, 2, 3))


def under(prefix, state=STATE):
    return {prefix + name: tensor for name, tensor in state.items()}


def infixed(part):
    return {name.replace("backbone.", f"backbone.{part}."): tensor for name, tensor in STATE.items()}


def loaded(path, content, choice=""):
    torch.save(content, path)
    module = network(0)
    notes = fit_weights(module, read_weights(f"{path}{choice}"))
    return module.state_dict(), notes


def same(state, expected):
    return all(torch.equal(tensor, expected[name]) for name, tensor in state.items())


LAYOUTS = {
    "plain": (STATE, None),
    "Lightning": ({"epoch": 1, "state_dict": under("model."), "loops": {}, "callbacks": {}}, "'model.' was taken off"),
    "Lightning, criterion": ({"state_dict": under("net.") | {"criterion.weight": torch.ones(2)}}, "criterion.weight"),
    "Lightning, metric": ({"state_dict": under("net.") | {"train_acc.tp": torch.ones(2)}}, "train_acc.tp"),
    "loss weights at the top": (STATE | {"loss_fn.weight": torch.ones(2)}, "Left out of .*: loss_fn.weight"),
    "another network beside": ({"state_dict": under("net.") | {"lpips.w": torch.ones(2)}}, "lpips.w"),
    "DDP": (under("module."), "'module.'"),
    "compile": (under("_orig_mod."), "'_orig_mod.'"),
    "DDP of compile": ({"model": under("module._orig_mod.")}, r"'module\._orig_mod\.'"),
    "Lightning of compile": ({"state_dict": under("model._orig_mod.")}, r"'model\._orig_mod\.'"),
    "compile of DDP": (under("_orig_mod.module."), r"'_orig_mod\.module\.'"),
    "compiled part": (infixed("_orig_mod"), "without the components that wrapper modules"),
    "DataParallel part": ({"state_dict": infixed("module")}, "without the components that wrapper modules"),
    "FSDP": ({"model": infixed("_fsdp_wrapped_module")}, "without the components"),
    "checkpointed activations": (infixed("_checkpoint_wrapped_module"), "without the components"),
    "SlowFast": ({"epoch": 1, "model_state": STATE, "optimizer_state": {}, "cfg": "A: 1"}, "from model_state"),
    "TimeSformer": ({"epoch": 1, "model_state": under("model.")}, "'model.'"),
    "tutorial": ({"epoch": 1, "model_state_dict": STATE, "optimizer_state_dict": {}, "loss": torch.ones(())}, None),
    "DeepSpeed": ({"module": STATE, "epoch": 1, "dp_world_size": 8}, "from module"),
    "AveragedModel": ({"n_averaged": torch.tensor(3), **under("module.")}, "averages over training"),
    "averages alone": ({"model_ema": STATE}, "averages over training"),
    "MoCo-like depth": ({"trainer": {"model": {"state_dict": STATE}}}, r"from trainer\.model\.state_dict"),
    "the same twice": ({"state_dict": STATE, "model": STATE}, None),
    "optimizer": ({"net": STATE, "optimizer": {"state": {0: {"exp_avg": torch.ones(2)}}}}, "from net"),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_of_training_loops(tmp_path, name):
    content, said = LAYOUTS[name]
    state, notes = loaded(tmp_path / "c.pt", content)
    assert same(state, STATE)
    if said is not None:
        assert re.search(said, " ".join(notes))
    assert not any("\n" in note for note in notes)


@pytest.mark.parametrize(
    ("content", "choice"),
    [
        ({"model": STATE, "model_ema": AVERAGE}, "::model_ema"),
        ({"state_dict": STATE, "state_dict_ema": AVERAGE}, "::state_dict_ema"),
        ({"model": STATE, "ema": under("module.", AVERAGE)}, "::ema"),
        ({"model": STATE, "ema_state_dict": under("module.", AVERAGE)}, "::ema_state_dict"),
        ({"state_dict": under("model.") | under("ema_model.module.", AVERAGE)}, "::ema_model"),
        ({"state_dict": under("model.") | under("model_ema.", AVERAGE)}, "::model_ema"),
        (STATE | under("ema.", AVERAGE), "::ema"),
        ({"state_dict": under("m."), "callbacks": {"EMA": {"ema_weights": under("m.", AVERAGE)}}}, None),
    ],
)
def test_the_plain_weights_are_taken_before_averages_and_that_is_said(tmp_path, content, choice):
    state, notes = loaded(tmp_path / "c.pt", content)
    assert same(state, STATE)
    assert any("are the plain ones" in note and "not the averages" in note for note in notes)
    if choice is not None:
        state, notes = loaded(tmp_path / "c.pt", content, choice)
        assert same(state, AVERAGE)
        assert any("averages over training" in note for note in notes)


def test_averages_that_are_no_state_dict_are_mentioned(tmp_path):
    _, notes = loaded(tmp_path / "c.pt", {"model": STATE, "ema": {"shadow_params": list(AVERAGE.values())}})
    assert any("not the averages (ema)" in note for note in notes)


def test_averages_of_mmengine_stand_in_the_place_of_the_plain_weights(tmp_path):
    content = {"meta": {}, "state_dict": STATE, "ema_state_dict": under("module.", OTHER), "message_hub": {}}
    state, notes = loaded(tmp_path / "c.pt", content)
    assert same(state, STATE)
    assert any("where mmengine keeps averages" in note for note in notes)


def test_averages_of_lightning_stand_in_the_place_of_the_plain_weights(tmp_path):
    swapped = {"state_dict": under("net."), "current_model_state": under("net.", OTHER), "averaging_state": {}}
    state, notes = loaded(tmp_path / "c.pt", swapped)
    assert same(state, STATE)
    assert any("where Lightning keeps averages; the plain ones are ::current_model_state" in note for note in notes)
    state, _ = loaded(tmp_path / "c.pt", swapped, "::current_model_state")
    assert same(state, OTHER)
    # at the end of training both are the averages
    _, notes = loaded(tmp_path / "c.pt", swapped | {"current_model_state": under("net.")})
    assert not any("where Lightning" in note for note in notes)


@pytest.mark.parametrize(
    ("content", "labels", "choice"),
    [
        (
            {"state_dict": under("teacher.") | under("student.", OTHER)},
            "state_dict.teacher, state_dict.student",
            "student",
        ),
        (under("online.") | under("target.", OTHER), "online, target", "target"),
        (
            {"student": under("module."), "teacher": under("module.", OTHER)},
            "student.module, teacher.module",
            "teacher",
        ),
        ({"generator": STATE, "discriminator": OTHER}, "generator, discriminator", "discriminator"),
    ],
)
def test_several_sets_of_weights_are_refused_until_one_is_chosen(tmp_path, content, labels, choice):
    with pytest.raises(WeightsError, match=f"must be one set of weights. Got .* with 2 that fit: {labels}. Say which"):
        loaded(tmp_path / "c.pt", content)
    assert same(loaded(tmp_path / "c.pt", content, f"::{choice}")[0], OTHER)
    with pytest.raises(WeightsError, match=r"must hold nothing. Got .* Choose one of these"):
        loaded(tmp_path / "c.pt", content, "::nothing")


def test_sizes_tell_sets_of_weights_apart(tmp_path):
    small = {name: tensor.flatten()[:1] for name, tensor in STATE.items()}
    assert same(loaded(tmp_path / "c.pt", {"a": under("net.", small), "b": STATE})[0], STATE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"state_dict": under("model.") | {"model.head2.weight": torch.ones(1)}}, "1 unexpected: model.head2.weight"),
        (STATE | {"aux_head.weight": torch.ones(1)}, "1 unexpected: aux_head.weight"),
        (STATE | {"head.weight": torch.ones(9, 4)}, r"1 of another shape: head.weight \(9, 4\) where .* \(2, 4\)"),
        ({"state_dict": under("backbone.backbone.") | {"cls_head.fc": torch.ones(1)}}, None),
        ({"epoch": 3, "state_dict": {"conv.weight": torch.ones(1)}}, "Its keys: epoch, state_dict"),
        ({"backbone": {"0.weight": torch.ones(1)}, "head": {"weight": torch.ones(1)}}, "Its keys: backbone, head"),
        ({"epoch": 3, "weights": [1, 2]}, r"something else: the keys epoch \(int\), weights \(list\)"),
        ([torch.ones(1)], "something else: list"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_loaded(tmp_path, content, message):
    module = network(0)
    torch.save(content, tmp_path / "c.pt")
    if message is None:
        fit_weights(module, read_weights(tmp_path / "c.pt"))
        return
    with pytest.raises(WeightsError, match=message) as caught:
        fit_weights(module, read_weights(tmp_path / "c.pt"))
    assert "\n" not in str(caught.value)
    assert same(module.state_dict(), network(0).state_dict())


def test_a_wrapper_module_takes_the_weights_of_its_network(tmp_path):
    torch.save(STATE, tmp_path / "c.pt")
    for module in (nn.DataParallel(network(0)), nn.ModuleDict({"network": network(0)})):
        fit_weights(module, read_weights(tmp_path / "c.pt"))
        assert same(next(module.children()).state_dict(), STATE)


class TestTypes:
    @pytest.mark.parametrize(
        "extra",
        [
            argparse.Namespace(lr=0.1, path=pathlib.Path("x")),
            np.float64(0.7),
            np.int64(3),
            np.arange(3),
            np.dtype("float32"),
            pathlib.Path("x"),
            pathlib.PureWindowsPath("x"),
            datetime.datetime(2024, 1, 2),
            datetime.timedelta(1),
            collections.defaultdict(list, a=[1]),
            collections.deque([1, 2]),
            {pathlib.Path("x"): frozenset({1})},
            collections.OrderedDict(a=collections.defaultdict(dict, b=np.float32(1))),
        ],
        ids=lambda extra: type(extra).__name__,
    )
    def test_harmless_objects_beside_the_weights(self, tmp_path, extra):
        assert same(loaded(tmp_path / "c.pt", {"model": STATE, "args": extra})[0], STATE)

    def test_weights_inside_a_dict_of_another_type(self, tmp_path):
        state = collections.defaultdict(list, STATE)
        assert same(loaded(tmp_path / "c.pt", {"model": state})[0], STATE)

    @pytest.mark.parametrize("zipped", [True, False])
    def test_formats_of_torch(self, tmp_path, zipped):
        content = {"model": STATE, "args": argparse.Namespace(lr=np.float64(1))}
        torch.save(content, tmp_path / "c.pt", _use_new_zipfile_serialization=zipped)
        module = network(0)
        fit_weights(module, read_weights(tmp_path / "c.pt"))
        assert same(module.state_dict(), STATE)

    def test_other_types_are_named_with_a_way_on(self, tmp_path):
        torch.save({"model": STATE, "args": Settings()}, tmp_path / "c.pt")
        with pytest.raises(WeightsError, match="run code of .*Settings beside the keys model, args") as caught:
            read_weights(tmp_path / "c.pt")
        assert "torch.save(c['model'], 'tensors.pt')" in str(caught.value)
        assert "\n" not in str(caught.value)

    def test_nothing_runs(self, tmp_path):
        torch.save({"model": STATE, "args": Command(["touch", str(tmp_path / "ran")])}, tmp_path / "c.pt")
        allowed = set(torch.serialization.get_safe_globals())
        with pytest.raises(WeightsError, match=r"wants to run code of \w+\.Popen"):
            read_weights(tmp_path / "c.pt")
        assert not (tmp_path / "ran").exists()
        assert set(torch.serialization.get_safe_globals()) == allowed

    @pytest.mark.filterwarnings("ignore:.*torch.jit")
    def test_a_scripted_module(self, tmp_path):
        torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(tmp_path / "c.pt"))
        with pytest.raises(WeightsError, match="a TorchScript archive, which is a program"):
            read_weights(tmp_path / "c.pt")


class Settings:
    pass


class Command:
    def __init__(self, words):
        self.words = words

    def __reduce__(self):
        return subprocess.Popen, (self.words,)


class TestFolders:
    def test_the_last_checkpoint_of_a_trainer_by_its_number(self, tmp_path):
        for step, state in ((90, OTHER), (1000, STATE), (200, AVERAGE)):
            (tmp_path / f"checkpoint-{step}").mkdir()
            save_file(state, tmp_path / f"checkpoint-{step}" / "model.safetensors")
        module = network(0)
        notes = fit_weights(module, read_weights(tmp_path))
        assert same(module.state_dict(), STATE)
        assert notes[0].startswith("Weights are those of checkpoint-1000, the last of 3 checkpoint(s)")
        best = {"best_model_checkpoint": "somewhere/checkpoint-200"}
        (tmp_path / "checkpoint-1000" / "trainer_state.json").write_text(json.dumps(best))
        assert "calls checkpoint-200 the best: give that folder" in read_weights(tmp_path).notes[0]
        save_file(AVERAGE, tmp_path / "model.safetensors")
        fit_weights(module, read_weights(tmp_path))
        assert same(module.state_dict(), AVERAGE)

    @pytest.mark.parametrize(
        ("index", "names", "save"),
        [
            ("model.safetensors.index.json", "model-{}.safetensors", save_file),
            ("pytorch_model.bin.index.json", "pytorch_model-{}.bin", torch.save),
        ],
    )
    def test_shards(self, tmp_path, index, names, save):
        half = len(STATE) // 2
        parts = [dict(list(STATE.items())[:half]), dict(list(STATE.items())[half:])]
        for number, part in enumerate(parts):
            save(part, tmp_path / names.format(number))
        shard_of = {name: names.format(number) for number, part in enumerate(parts) for name in part}
        (tmp_path / index).write_text(json.dumps({"weight_map": shard_of}))
        for path in (tmp_path, tmp_path / index):
            module = network(0)
            fit_weights(module, read_weights(path))
            assert same(module.state_dict(), STATE)
        (tmp_path / names.format(1)).unlink()
        with pytest.raises(WeightsError, match="must have all shards beside their index"):
            read_weights(tmp_path)
        (tmp_path / index).write_text(json.dumps({"weight_map": {"a": "../elsewhere"}}))
        with pytest.raises(WeightsError, match=r"names '\.\./elsewhere'"):
            read_weights(tmp_path)

    @pytest.mark.parametrize(
        ("file", "message"),
        [
            ("global_step5/zero_pp_rank_0_mp_rank_00_optim_states.pt", "ZeRO. Merge them .*zero_to_fp32.py"),
            ("zero_to_fp32.py", "ZeRO. Merge them"),
            ("__0_0.distcp", "format_utils dcp_to_torch"),
            (
                "adapter_config.json",
                r"a PEFT adapter \(LORA\) for some/base. Give the base model, and this folder as --adapter",
            ),
            ("epoch=1.ckpt", "Got .* with epoch=1.ckpt. Give the file itself"),
        ],
    )
    def test_folders_without_a_whole_model(self, tmp_path, file, message):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(json.dumps({"peft_type": "LORA", "base_model_name_or_path": "some/base"}))
        with pytest.raises(WeightsError, match=message) as caught:
            read_weights(tmp_path)
        assert "\n" not in str(caught.value)

    def test_a_shard_of_deepspeed(self, tmp_path):
        (tmp_path / "zero_pp_rank_0_mp_rank_00_model_states.pt").write_bytes(b"")
        with pytest.raises(WeightsError, match="shards of DeepSpeed's ZeRO"):
            read_weights(tmp_path / "zero_pp_rank_0_mp_rank_00_model_states.pt")


class TestModels:
    def test_notes_reach_the_model(self, tmp_path):
        torch.save({"state_dict": under("model.")}, tmp_path / "c.pt")
        model = load_model(network(0), weights=tmp_path / "c.pt")
        assert same(model.module.state_dict(), STATE)
        assert any("'model.' was taken off" in note for note in model.notes)

    def test_metadata_of_weights_counts_for_a_module_in_memory(self, tmp_path):
        metadata = {"classes": '["a", "b"]', "stride": "5"}
        save_file(STATE, tmp_path / "w.safetensors", metadata)
        model = load_model(network(0), weights=tmp_path / "w.safetensors")
        assert (model.classes, model.clip_spec.stride) == (("a", "b"), 5)

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (["a", "a"], "Got 'a' twice in the metadata of"),
            (["a", ""], "Got an empty name in the metadata of"),
            ([], "Got none in the metadata of"),
            ([1, 2], "Got other values in the metadata of"),
        ],
    )
    def test_class_names_in_metadata_are_checked(self, tmp_path, names, message):
        save_file(STATE, tmp_path / "w.safetensors", {"classes": json.dumps(names)})
        with pytest.raises(WeightsError, match=message):
            load_model(network(0), weights=tmp_path / "w.safetensors")


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda tensor: (50 * tensor).to(torch.int8), "torch.int8"),
        (lambda tensor: tensor > 0, "torch.bool"),
        (lambda tensor: tensor.to(torch.complex64), "torch.complex64"),
        (lambda tensor: tensor.to_sparse(), "torch.float32, torch.sparse_coo"),
    ],
)
def test_tensors_of_another_kind_are_refused_and_nothing_is_loaded(tmp_path, change, kind):
    torch.save({name: change(tensor) for name, tensor in STATE.items()}, tmp_path / "w.pt")
    module = network(2)
    with pytest.raises(
        WeightsError, match=rf"must hold numbers of the model's kind.*backbone.0.weight as {kind} where"
    ):
        fit_weights(module, read_weights(tmp_path / "w.pt"))
    assert all(torch.equal(tensor, AVERAGE[name]) for name, tensor in module.state_dict().items())


def test_half_precision_weights_are_taken(tmp_path):
    torch.save({name: tensor.half() for name, tensor in STATE.items()}, tmp_path / "w.pt")
    module = network(2)
    fit_weights(module, read_weights(tmp_path / "w.pt"))
    torch.testing.assert_close(module.head.weight, STATE["head.weight"], rtol=1e-3, atol=1e-3)


def test_the_prefix_of_averages_at_the_top_can_be_asked_for(tmp_path):
    path = tmp_path / "w.pt"
    prefixed = [("online_model", STATE), ("ema_model", AVERAGE)]
    torch.save({f"{prefix}.{name}": tensor for prefix, state in prefixed for name, tensor in state.items()}, path)
    hint = next(note for note in fit_weights(network(3), read_weights(path)) if "to take those, write" in note)
    choice = re.search(r"write (\S+)\.$", hint)
    module = network(3)
    fit_weights(module, read_weights(choice[1]))
    assert torch.equal(module.head.weight, AVERAGE["head.weight"])
