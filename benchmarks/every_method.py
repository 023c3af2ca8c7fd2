"""Every attribution method on every published architecture at full size with random weights: seconds, or why it does not apply.

python benchmarks/every_method.py [--model swin3d_t]...

Methods of many passes run with few of them, so the seconds compare architectures rather than methods.
"""

import argparse
import tempfile
import time

import torch
import transformers
from rich.console import Console
from rich.table import Table

import video_tcav as vt
from video_tcav.attribution import METHODS
from video_tcav.core.errors import EmptyMapError, MethodError
from video_tcav.models import VideoModel
from video_tcav.models.layers import noise_clip

TORCHVISION = ("r3d_18", "r2plus1d_18", "s3d", "mvit_v2_s", "swin3d_t")
SIZES = {"hidden_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4, "num_labels": 5}
HUGGINGFACE = {
    "videomae": lambda: transformers.VideoMAEConfig(intermediate_size=192, **SIZES),
    "timesformer": lambda: transformers.TimesformerConfig(intermediate_size=192, **SIZES),
    "vivit": lambda: transformers.VivitConfig(intermediate_size=192, **SIZES),
    "vjepa2": lambda: transformers.VJEPA2Config(
        crop_size=224, frames_per_clip=16, mlp_ratio=2, num_pooler_layers=1, pred_hidden_size=96,
        pred_num_attention_heads=4, pred_num_hidden_layers=1, **SIZES,
    ),
}  # fmt: skip
FEW = {
    "scorecam": {"channels": 4},
    "ablationcam": {"channels": 4},
    "ig": {"steps": 4},
    "smoothgrad": {"samples": 4},
    "rise": {"masks": 8},
    "extremal": {"steps": 2},
    "temporalmask": {"steps": 2},
    "occlusion": {"window": (0.5, 0.5, 0.5), "stride": (0.5, 0.5, 0.5)},
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", action="append", choices=(*TORCHVISION, *HUGGINGFACE))
    chosen = parser.parse_args().model or (*TORCHVISION, *HUGGINGFACE)
    console = Console()
    for name in chosen:
        model = load(name)
        spec = model.clip_spec
        table = Table(f"{name}, {spec.frames} frames, {spec.size}", "seconds", "", box=None, pad_edge=False)
        clip = noise_clip(model, seed=1)
        for method, kind in METHODS.items():
            start, said = time.perf_counter(), ""
            try:
                shape = tuple(kind(**FEW.get(method, {}))(model, clip, target=0).values().shape)
                assert shape == (1, clip.shape[spec.time_dim + 1], *clip.shape[-2:])
            except (MethodError, EmptyMapError) as error:
                said = str(error)
            table.add_row(method, f"{time.perf_counter() - start:.1f}", said)
        console.print(table)


def load(name: str) -> VideoModel:
    """One architecture with random weights; Hugging Face's at full clip size, with few and narrow layers."""
    if name in TORCHVISION:
        return vt.load_model(f"torchvision:{name}", device="cpu")

    torch.manual_seed(0)
    network = transformers.AutoModelForVideoClassification.from_config(HUGGINGFACE[name]())
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        return vt.load_model(f"hf:{folder}", device="cpu")


if __name__ == "__main__":
    main()
