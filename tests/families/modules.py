"""torchvision's networks, and a network of one's own with a checkpoint of Lightning."""

import logging
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import get_model

from tests.unit.models.networks import Convolutions
from video_tcav.models import VideoModel, load_model

from .family import CLASSES, Family

TORCHVISION: dict[str, dict[str, Any]] = {
    "r3d_18": {"frames": 8, "size": 64},
    "mc3_18": {"frames": 8, "size": 64},
    "r2plus1d_18": {"frames": 8, "size": 64},
    "swin3d_t": {"frames": 8, "size": 128},
}
"""Small clips for networks that take any."""


def published(name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return get_model(name, weights=None, num_classes=len(CLASSES)).eval()


def load_published(folder: Path, name: str) -> VideoModel:
    save_file(published(name).state_dict(), folder / "weights.safetensors")
    clip = TORCHVISION[name]
    return load_model(
        f"torchvision:{name}", weights=folder / "weights.safetensors", classes=CLASSES, device="cpu", **clip
    )


SOURCE = "from tests.unit.models.networks import Convolutions\n\n\ndef build():\n    return Convolutions(5)\n"
CLIP = {"frames": 8, "size": 32}


def write_lightning(folder: Path) -> Path:
    """What Lightning's own trainer saves after one step."""
    import lightning

    class Training(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = Convolutions(len(CLASSES))
            self.loss = nn.CrossEntropyLoss(weight=torch.ones(len(CLASSES)))

        def training_step(self, batch: list[Tensor], _index: int) -> Tensor:
            return self.loss(self.net(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters())

    clips = torch.utils.data.TensorDataset(torch.randn(2, 3, 8, 32, 32), torch.tensor([0, 1]))
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about workers, loggers and checkpoints
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        trainer = lightning.Trainer(max_steps=1, accelerator="cpu", enable_checkpointing=False, **quiet)
        trainer.fit(Training(), torch.utils.data.DataLoader(clips, batch_size=2))
        trainer.save_checkpoint(folder / "last.ckpt")
    return folder / "last.ckpt"


def load_lightning(folder: Path) -> VideoModel:
    checkpoint = write_lightning(folder)
    (folder / "model.py").write_text(SOURCE, encoding="utf-8")
    return load_model(f"file:{folder / 'model.py'}:build", weights=checkpoint, classes=CLASSES, device="cpu", **CLIP)


def lightning_outputs(folder: Path, _model: VideoModel, clips: Tensor) -> Tensor:
    state = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    network = Convolutions(len(CLASSES)).eval()
    network.load_state_dict({name.removeprefix("net."): state[name] for name in state if name.startswith("net.")})
    return network(clips)


MODULES = [
    *(
        Family(
            name=f"{name} (torchvision)",
            load=lambda folder, name=name: load_published(folder, name),
            original=lambda _folder, _model, clips, name=name: published(name)(clips),
        )
        for name in TORCHVISION
    ),
    Family(name="Lightning checkpoint of a network of your own", load=load_lightning, original=lightning_outputs),
]
