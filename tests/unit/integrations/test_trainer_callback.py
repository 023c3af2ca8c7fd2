"""The callback for the Trainer of Hugging Face, in real trainings of a tiny VideoMAE."""

import json

import numpy as np
import pytest
import torch

import video_tcav as vt
from video_tcav.core.errors import ExperimentError, MissingExtraError, ModelError
from video_tcav.integrations import HuggingFaceCallback, trainer_callback

transformers = pytest.importorskip("transformers")
pytest.importorskip("accelerate")

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")
ENCODER = "videomae.encoder.layer"


@pytest.fixture
def classifier(shapes):
    config = transformers.VideoMAEConfig(
        image_size=32,
        patch_size=16,
        num_frames=16,
        tubelet_size=4,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        id2label=dict(enumerate(shapes.DIRECTIONS)),
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return transformers.VideoMAEForVideoClassification(config)


@pytest.fixture
def file(experiment_file, tmp_path):
    lines = experiment_file.read_text().splitlines()
    lines[1] = "model: hf:not/there"
    path = tmp_path / "motion.yaml"
    path.write_text("\n".join(lines).replace("[stages.1, stages.2]", f"[{ENCODER}.1]"))
    return path


@pytest.fixture
def examples(shapes):
    names = [*shapes.DIRECTIONS]
    clips = shapes.render([names[n % 4] for n in range(8)], seed=9)[..., 8:40, 8:40]
    return [{"pixel_values": (clip / 255 - 0.45) / 0.225, "labels": n % 4} for n, clip in enumerate(clips)]


def train(model, examples, folder, *callbacks, **options):
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=2,
        per_device_train_batch_size=4,
        use_cpu=True,
        seed=4,
        disable_tqdm=True,
        logging_strategy="epoch",
        **{"report_to": "none", "save_strategy": "no", **options},
    )
    trainer = transformers.Trainer(model=model, args=arguments, train_dataset=examples, callbacks=list(callbacks))
    trainer.remove_callback(transformers.PrinterCallback)
    trainer.train()
    return trainer


def test_effects_of_every_epoch_are_logged_and_training_is_as_without(classifier, file, examples, tmp_path):
    plain = transformers.VideoMAEForVideoClassification(classifier.config)
    plain.load_state_dict(classifier.state_dict())
    train(plain, examples, tmp_path / "plain")
    callback = HuggingFaceCallback(file, out=tmp_path / "runs")
    trainer = train(classifier, examples, tmp_path / "out", callback, report_to="tensorboard", save_strategy="epoch")
    for name, tensor in plain.state_dict().items():
        assert torch.equal(tensor, classifier.state_dict()[name]), name
    assert classifier.training
    assert sorted(callback.runs) == [1, 2]
    effects = [callback.runs[n].analyses[0].get("moves-right", f"{ENCODER}.1").result.effect for n in (1, 2)]
    name = f"tcav/right/moves-right/{ENCODER}.1/effect"
    assert [entry[name] for entry in trainer.state.log_history if name in entry] == effects
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "out" / "runs" / "tcav"), size_guidance={"scalars": 0}).Reload()
    assert [(each.step, each.value) for each in events.Scalars(name)] == [
        (2, np.float32(effects[0])),
        (4, np.float32(effects[1])),
    ]
    # a Trainer's folder is loaded by its last checkpoint, with a note, and is the network that was measured
    model = vt.load_model(f"hf:{tmp_path / 'out'}", device="cpu")
    assert any("checkpoint-4, the last of 2 checkpoint(s)" in note for note in model.notes)
    assert [*callback.runs[2].record["model_digests"].values()] == [model.weights_digest]
    state = json.loads((tmp_path / "out" / "checkpoint-4" / "trainer_state.json").read_text())
    assert [entry[name] for entry in state["log_history"] if name in entry] == effects


def test_mistakes_end_train_before_the_first_epoch(classifier, file, examples, tmp_path):
    (tmp_path / "runs" / "epoch-001").mkdir(parents=True)
    with pytest.raises(ExperimentError, match="no run of a later epoch than 0, .* Got epoch-001"):
        train(classifier, examples, tmp_path / "out", HuggingFaceCallback(file, out=tmp_path / "runs"))


def test_only_the_first_process_runs_it(classifier, file, tmp_path):
    arguments = transformers.TrainingArguments(output_dir=str(tmp_path / "out"), report_to="none", use_cpu=True)
    second = transformers.TrainerState(is_world_process_zero=False, epoch=1.0)
    callback = HuggingFaceCallback(file, out=tmp_path / "runs")
    callback.on_train_begin(arguments, second, None, model=classifier)
    callback.on_epoch_end(arguments, second, None, model=classifier)
    assert not callback.runs
    assert not (tmp_path / "runs").exists()


def test_sharded_weights_are_refused(classifier, file):
    class Arguments:
        fsdp, deepspeed = ["full_shard"], None

    with pytest.raises(ModelError, match=r"`model` must be whole on the first process. Got one in shards \(fsdp\)"):
        HuggingFaceCallback(file).on_train_begin(Arguments(), transformers.TrainerState(), None, model=classifier)


def test_without_transformers_the_extra_is_named(file, monkeypatch):
    monkeypatch.setattr(trainer_callback, "_Callback", object)
    with pytest.raises(MissingExtraError, match=r'^HuggingFaceCallback needs an extra. Install it with: .*\[hf\]"$'):
        HuggingFaceCallback(file)
