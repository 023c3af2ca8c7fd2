"""Image networks over the frames of a clip."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from video_tcav.models import VideoModel, load_model

from .family import CLASSES, Family

SIZE, WHOLE = 64, 224  # the last stage of ResNet18 has too few positions in smaller pictures for single cells to tell


def timm_network(name: str, **options: object) -> nn.Module:
    """timm's own network with a classifier for each frame, seeded."""
    import timm

    with torch.random.fork_rng():
        torch.manual_seed(2)
        return timm.create_model(name, num_classes=len(CLASSES), **options).eval()


def head_of(network: nn.Module) -> nn.Linear:
    return network.get_classifier()


def load_mean(folder: Path, name: str, **options: object) -> VideoModel:
    """The classifier of pictures as that of frames: its weights are saved by the names of the video's head."""
    network = timm_network(name, **options)
    head = head_of(network)
    backbone = timm_network(name, **options)
    backbone.reset_classifier(0)
    names = set(backbone.state_dict())
    tensors = {f"backbone.{key}": value for key, value in network.state_dict().items() if key in names}
    tensors |= {"head.weight": head.weight.detach().clone(), "head.bias": head.bias.detach().clone()}
    save_file(tensors, folder / "frames.safetensors")
    clip = {"size": options.get("img_size", WHOLE), "frames": 4}
    return load_model(f"timm:{name}", weights=folder / "frames.safetensors", classes=CLASSES, device="cpu", **clip)


def mean_logits(name: str, clips: Tensor, **options: object) -> Tensor:
    """The mean of what timm says of each frame."""
    network = timm_network(name, **options)
    return torch.stack([network(frame) for frame in clips.transpose(0, 1)]).mean(0)


def over_frames(name: str, **options: object) -> Family:
    return Family(
        name=f"{name} over frames (timm)",
        load=lambda folder: load_mean(folder, name, **options),
        original=lambda _folder, _model, clips: mean_logits(name, clips, **options),
    )


def lstm_tensors() -> dict[str, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        lstm, head = nn.LSTM(512, 16, 2, batch_first=True), nn.Linear(16, len(CLASSES))
    tensors = {f"lstm.{name}": 2 * tensor for name, tensor in lstm.state_dict().items()}
    return tensors | {f"head.{name}": 4 * tensor for name, tensor in head.state_dict().items()}


def lstm_backbone() -> nn.Module:
    network = timm_network("resnet18")
    network.reset_classifier(0)
    return network


def load_lstm(folder: Path) -> VideoModel:
    backbone = {f"backbone.{name}": tensor for name, tensor in lstm_backbone().state_dict().items()}
    save_file(backbone | lstm_tensors(), folder / "lstm.safetensors")
    options = {"weights": folder / "lstm.safetensors", "size": WHOLE, "frames": 4}
    return load_model("timm:resnet18", head="lstm", classes=CLASSES, device="cpu", **options)


def lstm_logits(clips: Tensor) -> Tensor:
    """Frame after frame through a cell of each layer, as an LSTM is defined."""
    tensors, backbone = lstm_tensors(), lstm_backbone().eval()
    states = [torch.zeros(len(clips), 16) for _ in range(2)]
    cells = [torch.zeros(len(clips), 16) for _ in range(2)]
    for frame in clips.transpose(0, 1):
        row = backbone(frame)
        for layer in range(2):
            gates = row @ tensors[f"lstm.weight_ih_l{layer}"].T + tensors[f"lstm.bias_ih_l{layer}"]
            gates = gates + states[layer] @ tensors[f"lstm.weight_hh_l{layer}"].T + tensors[f"lstm.bias_hh_l{layer}"]
            enter, forget, new, leave = gates.chunk(4, 1)
            cells[layer] = forget.sigmoid() * cells[layer] + enter.sigmoid() * new.tanh()
            states[layer] = row = leave.sigmoid() * cells[layer].tanh()
    return states[1] @ tensors["head.weight"].T + tensors["head.bias"]


FRAMES = [
    over_frames("resnet18"),
    over_frames("vit_tiny_patch16_224", img_size=SIZE),
    over_frames("test_convnext"),
    Family(
        name="resnet18 over frames with an LSTM (timm)",
        load=load_lstm,
        original=lambda _folder, _model, clips: lstm_logits(clips),
    ),
]
