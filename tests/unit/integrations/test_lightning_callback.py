"""The callback for Lightning, in real trainings of two epochs on the CPU."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import video_tcav as vt
from video_tcav.core.errors import ExperimentError, InputError, MissingExtraError, ModelError
from video_tcav.integrations import LightningCallback, lightning_callback

lightning = pytest.importorskip("lightning.pytorch")
from lightning.pytorch.loggers import TensorBoardLogger  # noqa: E402  after the skip

pytestmark = [
    # Lightning's own, about what this training leaves out on purpose
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning"),
    pytest.mark.filterwarnings("ignore::lightning.fabric.utilities.warnings.PossibleUserWarning"),
    pytest.mark.filterwarnings("ignore:.*(num_workers|tensorboardX|GPU|log_every_n_steps).*:UserWarning"),
]


class Training(lightning.LightningModule):
    """A classifier with a submodule that stays in evaluation mode, and random numbers in training."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.dropout = net, nn.Dropout(0.2)

    def forward(self, clips):
        return self.net(clips)

    def training_step(self, batch, _index):
        clips, labels = batch
        return nn.functional.cross_entropy(self.net(self.dropout(clips)), labels)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


@pytest.fixture
def batches(shapes):
    labels = torch.arange(8) % 4
    clips = shapes.normalised(shapes.render([[*shapes.DIRECTIONS][label] for label in labels], seed=9))
    return DataLoader(TensorDataset(clips, labels), batch_size=4, shuffle=True)


def train(module, batches, *callbacks, logger=False, **options):
    torch.manual_seed(4)
    trainer = lightning.Trainer(
        **{"max_epochs": 2, **options},
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=logger,
        enable_checkpointing=options.get("enable_checkpointing", False),
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, batches)
    return trainer


def test_effects_of_every_epoch_are_logged_and_training_is_as_without(
    shapes, network, experiment_file, batches, tmp_path
):
    plain = Training(shapes.build())
    plain.net.load_state_dict(network.state_dict())
    train(plain, batches)
    module, logger = Training(network), TensorBoardLogger(str(tmp_path / "logs"))
    module.net.stages[0].eval()
    callback = LightningCallback(experiment_file, out=tmp_path / "runs", network="net")
    train(module, batches, callback, logger=logger)
    for name, tensor in plain.net.state_dict().items():
        assert torch.equal(tensor, module.net.state_dict()[name]), name
    assert not module.net.stages[0].training
    assert module.net.stages[1].training
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["epoch-001", "epoch-002"]
    assert sorted(callback.runs) == [1, 2]
    # the last run is of the network as training left it
    model = vt.load_model(network, device="cpu")
    assert [*callback.runs[2].record["model_digests"].values()] == [model.weights_digest]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(logger.log_dir, size_guidance={"scalars": 0}).Reload()
    effects = events.Scalars("tcav/right/moves-right/stages.2/effect")
    expected = [callback.runs[n].analyses[0].get("moves-right", "stages.2").result.effect for n in (1, 2)]
    assert [(each.step, each.value) for each in effects] == [(2, np.float32(expected[0])), (4, np.float32(expected[1]))]
    assert expected[0] != expected[1]


def test_every_second_epoch_and_the_whole_module(experiment_file, network, batches, tmp_path):
    text = experiment_file.read_text().replace("[stages.1, stages.2]", "[net.stages.2]")
    (tmp_path / "whole.yaml").write_text(text)
    callback = LightningCallback(tmp_path / "whole.yaml", out=tmp_path / "runs", every=2, trackers=())
    train(Training(network), batches, callback)
    assert [*callback.runs] == [2]
    assert {stored.result.layer for stored in callback.runs[2].analyses[0].found} == {"net.stages.2"}


def test_a_diverged_network_gives_a_warning_and_training_goes_on(experiment_file, network, batches, tmp_path):
    class Diverges(lightning.Callback):
        def on_train_epoch_end(self, trainer, pl_module):
            pl_module.net.head.weight.data.fill_(torch.nan if trainer.current_epoch == 0 else 0.1)

        def on_train_epoch_start(self, trainer, pl_module):
            pl_module.net.head.weight.data.fill_(0.1)

    callback = LightningCallback(experiment_file, out=tmp_path / "runs", network="net")
    with pytest.warns(UserWarning, match="The experiment was not run after epoch 1: .*NaN"):
        trainer = train(Training(network), batches, Diverges(), callback)
    assert trainer.current_epoch == 2


def test_mistakes_end_fit_before_the_first_epoch(experiment_file, network, batches, tmp_path):
    missing = tmp_path / "missing.yaml"
    missing.write_text(experiment_file.read_text().replace("green: ", "green: elsewhere"))
    with pytest.raises(ExperimentError, match="missing.yaml:4: "):
        train(Training(network), batches, LightningCallback(missing, network="net", out=tmp_path / "runs"))
    with pytest.raises(
        ModelError, match="`network` must be a submodule of Training. Got 'backbone'. It has net, dropout"
    ):
        train(Training(network), batches, LightningCallback(experiment_file, network="backbone", out=tmp_path / "runs"))
    (tmp_path / "runs" / "epoch-002").mkdir(parents=True)
    with pytest.raises(ExperimentError, match="no run of a later epoch than 0, .* Got epoch-002, of another training"):
        train(Training(network), batches, LightningCallback(experiment_file, network="net", out=tmp_path / "runs"))
    with pytest.raises(InputError, match="`every` must be at least 1"):
        LightningCallback(experiment_file, every=0)


def test_a_training_that_goes_on_keeps_its_runs(experiment_file, network, batches, tmp_path):
    callback = LightningCallback(experiment_file, out=tmp_path / "runs", network="net")
    first = train(Training(network), batches, callback, max_epochs=1)
    first.save_checkpoint(tmp_path / "last.ckpt")
    resumed = LightningCallback(experiment_file, out=tmp_path / "runs", network="net")
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        callbacks=[resumed],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(Training(network), batches, ckpt_path=tmp_path / "last.ckpt", weights_only=True)
    assert [*resumed.runs] == [2]
    # the checkpoint is one that `load_model` takes: the prefix of the attribute is taken off, and nothing is unpickled
    model = vt.load_model(type(network)(4), weights=tmp_path / "last.ckpt", device="cpu")
    assert any("prefix 'net.' was taken off" in note for note in model.notes)
    assert model.weights_digest == next(iter(callback.runs[1].record["model_digests"].values()))


def test_only_the_first_process_runs_it(experiment_file, network, tmp_path):
    class Second:
        """What the callback asks of a trainer, as the second of two processes sees it."""

        is_global_zero, current_epoch, global_step, loggers = False, 0, 2, ()
        waited = 0

        @property
        def strategy(self):
            return self

        def barrier(self):
            self.waited += 1

    trainer, callback = Second(), LightningCallback(experiment_file, out=tmp_path / "runs", network="net")
    callback.on_train_start(trainer, Training(network))
    callback.on_train_epoch_end(trainer, Training(network))
    assert trainer.waited == 1
    assert not (tmp_path / "runs").exists()


def test_sharded_weights_are_refused(experiment_file, network):
    class FSDPStrategy:
        pass

    class Sharded:
        strategy, is_global_zero, current_epoch = FSDPStrategy(), True, 0

    with pytest.raises(ModelError, match="`model` must be whole on the first process. Got one in shards .FSDPStrategy"):
        LightningCallback(experiment_file).on_train_start(Sharded(), Training(network))


def test_without_lightning_the_extra_is_named(experiment_file, monkeypatch):
    monkeypatch.setattr(lightning_callback, "_Callback", object)
    with pytest.raises(
        MissingExtraError, match=r'^LightningCallback needs an extra. Install it with: .*\[lightning\]"$'
    ):
        LightningCallback(experiment_file)
