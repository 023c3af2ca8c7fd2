"""Models of Hugging Face: classifiers, adapters, a trainer's folder, encoders with probes, and zero-shot models."""

import warnings
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.unit.words.hf_folders import tokenizer, write_encoder
from video_tcav.models import VideoModel, load_model

from .family import CLASSES, Family

SIZES = {"hidden_size": 48, "num_attention_heads": 4, "num_labels": len(CLASSES)}
LAYERS = {"num_hidden_layers": 3, "intermediate_size": 64}
AUTO = transformers.AutoModelForVideoClassification
TEXTS = ("swinging", "racket", "standing", "something", "film")
"""Words that the small tokenizer knows."""


def configuration(family: str) -> Any:
    if family == "videomae":
        return transformers.VideoMAEConfig(image_size=64, patch_size=8, num_frames=8, **SIZES, **LAYERS)
    if family == "timesformer":
        return transformers.TimesformerConfig(image_size=64, patch_size=8, num_frames=8, **SIZES, **LAYERS)
    if family == "vivit":
        return transformers.VivitConfig(image_size=64, tubelet_size=[2, 8, 8], num_frames=8, **SIZES, **LAYERS)
    if family == "videoprism":
        depth = {"num_spatial_layers": 3, "num_temporal_layers": 2, "intermediate_size": 64}
        return transformers.VideoPrismVisionConfig(
            image_size=64, tubelet_size=[1, 8, 8], num_frames=8, **SIZES, **depth
        )
    predictor = {"pred_hidden_size": 48, "pred_num_attention_heads": 4, "pred_num_hidden_layers": 1}
    depth = {"num_hidden_layers": 3, "num_pooler_layers": 1, "mlp_ratio": 2}
    return transformers.VJEPA2Config(crop_size=64, patch_size=8, frames_per_clip=8, **predictor, **depth, **SIZES)


def network(family: str, seed: int = 0, auto: Any = AUTO) -> Any:
    """A network with weights large enough that its outputs depend on the clip."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = auto.from_config(configuration(family)).eval()
        for name, parameter in module.named_parameters():
            if parameter.ndim > 1 and "position" not in name:
                nn.init.normal_(parameter, std=0.08)
    return module


def saved(folder: Path, module: Any) -> Path:
    module.save_pretrained(folder)
    return folder


def logits(module: Any, clips: Tensor) -> Tensor:
    return module.eval()(**{module.main_input_name: clips}).logits.flatten(1)  # VideoPrism's is (clip, 1, class)


def classifier(family: str, name: str) -> Family:
    return Family(
        name=name,
        load=lambda folder: load_model(f"hf:{saved(folder, network(family))}", classes=CLASSES, device="cpu"),
        original=lambda folder, _model, clips: logits(AUTO.from_pretrained(folder), clips),
    )


def write_adapter(folder: Path, family: str = "videomae") -> tuple[Path, Path]:
    """Folders of a base model with other classes, and of a LoRA adapter that brings a head."""
    import peft

    base = saved(folder / "base", network(family))
    settings = peft.LoraConfig(
        r=4, target_modules=["query", "value"], modules_to_save=["classifier"], init_lora_weights=False
    )
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # between versions of peft and transformers
        torch.manual_seed(3)
        adapted = peft.get_peft_model(AUTO.from_pretrained(base), settings)
        nn.init.normal_(adapted.base_model.model.classifier.modules_to_save["default"].weight)
    adapted.save_pretrained(folder / "adapter")
    return base, folder / "adapter"


def load_adapter(folder: Path) -> VideoModel:
    base, adapter = write_adapter(folder)
    return load_model(f"hf:{base}", adapter=adapter, classes=CLASSES, device="cpu")


def adapter_logits(folder: Path, _model: VideoModel, clips: Tensor) -> Tensor:
    import peft

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        module = peft.PeftModel.from_pretrained(AUTO.from_pretrained(folder / "base"), str(folder / "adapter"))
    return module.eval()(pixel_values=clips).logits


def write_trainer_folder(folder: Path) -> Path:
    """What the Trainer leaves after two steps, with a checkpoint for each."""
    clips = [
        {"pixel_values": torch.randn(8, 3, 64, 64, generator=torch.Generator().manual_seed(number)), "labels": number}
        for number in range(2)
    ]
    quiet = {"report_to": "none", "disable_tqdm": True, "logging_strategy": "no", "use_cpu": True}
    settings = transformers.TrainingArguments(
        output_dir=str(folder), max_steps=2, save_steps=1, per_device_train_batch_size=2, **quiet
    )
    transformers.Trainer(model=network("videomae"), args=settings, train_dataset=clips).train()
    return folder


def write_probe(folder: Path, family: str, *, attentive: bool) -> tuple[Path, Path]:
    """Folder of an encoder, and file of a probe; the attentive one as V-JEPA 2's evaluation saves it."""
    encoder = saved(folder / "encoder", network(family, auto=transformers.AutoModel))
    generator = torch.Generator().manual_seed(4)
    metadata = None
    if attentive:
        tensors = meta_names(network("vjepa2", seed=5).state_dict())
        metadata = {"num_heads": "4"}  # not the 16 of published probes
    else:
        tensors = {
            "linear.weight": torch.randn(5, 48, generator=generator),
            "linear.bias": torch.randn(5, generator=generator),
        }
    save_file(tensors, folder / "probe.safetensors", metadata=metadata)
    return encoder, folder / "probe.safetensors"


def meta_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Pooler and classifier by the names of facebookresearch/vjepa2, with its joint projections."""
    tensors, joint = {}, {}
    for name, tensor in state.items():
        if not name.startswith(("pooler.", "classifier.")):
            continue
        changed = name.replace("cross_attention_layer.layer_norm", "cross_attention_block.norm")
        changed = changed.replace("cross_attention_layer.mlp", "cross_attention_block.mlp")
        changed = changed.replace("self_attention_layers.", "blocks.").replace("layer_norm", "norm")
        changed = changed.replace("self_attn.out_proj", "attn.proj").replace("classifier.", "linear.")
        for letter in "qkv":
            for block, place in (("cross_attention_layer.cross_attn", "xattn"), ("self_attn", "attn")):
                if f"{block}.{letter}_proj." in changed:
                    where = changed.replace(f"{block}.{letter}_proj.", f"{place}.@.")
                    where = where.replace("pooler.xattn", "pooler.cross_attention_block.xattn")
                    joint.setdefault(where, {})[letter] = tensor
                    changed = ""
        if changed:
            tensors[f"module.{changed}"] = tensor.clone()
    for where, letters in joint.items():
        if "xattn" in where:
            tensors[f"module.{where.replace('@', 'q')}"] = letters["q"].clone()
            tensors[f"module.{where.replace('@', 'kv')}"] = torch.cat([letters["k"], letters["v"]])
        else:
            tensors[f"module.{where.replace('@', 'qkv')}"] = torch.cat([letters["q"], letters["k"], letters["v"]])
    return tensors


def attentive_logits(folder: Path, _model: VideoModel, clips: Tensor) -> Tensor:
    """The same classifier, with the head where transformers has it."""
    module = network("vjepa2", seed=5)
    module.vjepa2.load_state_dict(transformers.AutoModel.from_pretrained(folder / "encoder").state_dict())
    for norm in (each for each in module.pooler.modules() if isinstance(each, nn.LayerNorm)):
        norm.eps = 1e-5  # nn.LayerNorm's own, which facebookresearch/vjepa2 takes
    return logits(module, clips)


def linear_logits(folder: Path, _model: VideoModel, clips: Tensor) -> Tensor:
    from safetensors.torch import load_file

    encoder, probe = (
        transformers.AutoModel.from_pretrained(folder / "encoder").eval(),
        load_file(folder / "probe.safetensors"),
    )
    tokens = encoder(**{encoder.main_input_name: clips}).last_hidden_state
    rows = tokens[:, 0] if encoder.config.model_type in ("timesformer", "vivit") else tokens.mean(1)
    return rows @ probe["linear.weight"].T + probe["linear.bias"]


def probed(family: str, name: str, *, attentive: bool = False) -> Family:
    def load(folder: Path) -> VideoModel:
        encoder, probe = write_probe(folder, family, attentive=attentive)
        return load_model(f"hf:{encoder}", probe=probe, classes=CLASSES, device="cpu")

    return Family(name=name, load=load, original=attentive_logits if attentive else linear_logits)


VISION = {"image_size": 64, "patch_size": 8, "num_hidden_layers": 3, "hidden_size": 48, "num_attention_heads": 4}
PRISM = {"image_size": 64, "tubelet_size": [1, 8, 8], "num_spatial_layers": 3, "num_temporal_layers": 2}


def zero_shot(family: str, name: str) -> Family:
    vision = PRISM if family == "videoprism" else VISION
    if family == "siglip":  # whose towers are of one width
        vision = vision | {"hidden_size": 16, "num_attention_heads": 2}

    def load(folder: Path) -> VideoModel:
        return load_model(f"hf:{write_encoder(folder, family, **vision)}", classes=TEXTS, device="cpu")

    return Family(name=name, load=load, original=lambda folder, _model, clips: similarities(folder, clips))


def similarities(folder: Path, clips: Tensor) -> Tensor:
    """What transformers' own forward returns; for a clip of frames, by the mean of their unit embeddings."""
    module = transformers.AutoModel.from_pretrained(folder).eval()
    kind = module.config.model_type
    longest = {"padding": "max_length", "max_length": 12} if kind in ("siglip", "videoprism") else {"padding": True}
    tokens = tokenizer(12)([f"a video of {text}" for text in TEXTS], return_tensors="pt", **longest)
    tokens.pop("token_type_ids", None)
    if kind == "xclip":
        return module(pixel_values=clips, **tokens).logits_per_video
    if kind == "videoprism":  # its own forward divides by the sum over the videos of a batch
        output = module(pixel_values_videos=clips, **tokens)
        return 100 * output.video_embeds @ output.text_embeds.T
    # image embeddings as transformers returns them are unit vectors
    output = module(pixel_values=clips.flatten(0, 1), **tokens)
    rows = nn.functional.normalize(output.image_embeds.unflatten(0, (len(clips), -1)).mean(1), dim=-1)
    similar = module.logit_scale.exp() * rows @ output.text_embeds.T
    return similar + module.logit_bias if kind == "siglip" else similar


NAMES = {
    "videomae": "VideoMAE",
    "timesformer": "TimeSformer",
    "vivit": "ViViT",
    "vjepa2": "V-JEPA 2",
    "videoprism": "VideoPrism",
}
HUGGING_FACE = [
    *(classifier(family, name) for family, name in NAMES.items()),
    Family(name="LoRA adapter on VideoMAE", load=load_adapter, original=adapter_logits),
    Family(
        name="Trainer's folder of VideoMAE",
        load=lambda folder: load_model(f"hf:{write_trainer_folder(folder)}", device="cpu"),
        original=lambda folder, _model, clips: logits(AUTO.from_pretrained(folder / "checkpoint-2"), clips),
    ),
    probed("vjepa2", "V-JEPA 2 encoder, attentive probe", attentive=True),
    *(probed(family, f"{name} encoder, linear probe") for family, name in NAMES.items()),
    zero_shot("xclip", "X-CLIP, zero-shot"),
    zero_shot("clip", "CLIP over frames, zero-shot"),
    zero_shot("siglip", "SigLIP over frames, zero-shot"),
    zero_shot("videoprism", "VideoPrism-LvT, zero-shot"),
]
