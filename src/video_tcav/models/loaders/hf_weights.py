"""Weights of Hugging Face classifiers: renamed as transformers does, complete, and of the configuration's sizes."""

import pickle
import warnings
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import torch

from video_tcav.core.errors import WeightsError
from video_tcav.core.limits import shortened
from video_tcav.models.error_lines import first_line
from video_tcav.models.loaders.hf_config import float32_option, transformers
from video_tcav.models.weights.loading import Weights, choose_match, fit_weights, read_weights
from video_tcav.models.weights.tensor_names import NameMatch, match_names, shared_prefix, unwrapped_name


def load_classifier(
    source: str, config: Any, weights: str | None, *, brought: Collection[str] = ()
) -> tuple[Any, tuple[str, ...]]:
    """The video classifier of a configuration with its published weights, or those of a file; and notes on loading them.

    Tensors that are `brought` by an adapter need not be among them.
    """
    auto = transformers.AutoModelForVideoClassification
    # Its other attention implementations are not there: `from_pretrained` would raise.
    options: dict[str, Any] = {"attn_implementation": "eager"} if config.model_type == "timesformer" else {}
    # A configuration in half precision would round weights of a file that are not.
    options |= float32_option()
    if weights is not None:
        return _from_file(auto, config, options, read_weights(weights))
    module, report = _from_pretrained(
        auto, source, config=config, trust_remote_code=False, weights_only=True, name=source, **options
    )
    if getattr(module, "_hf_peft_config_loaded", False):
        raise WeightsError(
            f"`model` must hold a whole model. Got hf:{source}, a PEFT adapter. Give its base model, and the adapter's folder as"
            " --adapter."
        )
    missing = sorted(set(report["missing_keys"]) - set(brought))
    mismatched = sorted(mismatch for mismatch in report["mismatched_keys"] if mismatch[0] not in brought)
    if missing and Path(source).is_dir():
        content = read_weights(source)
        # Names that all begin alike have what training wrappers put before them.
        if any(shared_prefix(state_dict.tensors) for state_dict in content.state_dicts):
            return _from_file(auto, config, options, content)
    if mismatched:
        raise _size_error(f"hf:{source}", *mismatched[0], config=config)
    if missing:
        raise WeightsError(
            f"`weights` must hold a whole classifier. Got hf:{source} with {len(missing)} missing:"
            f" {shortened(missing, 3)}. Choose a checkpoint that was fine-tuned."
        )
    surplus = sorted(report["unexpected_keys"])
    note = f"Left out of hf:{source}: {shortened(surplus, 4)}, which the model lacks."
    return module, ((note,) if surplus else ())


def _from_file(auto: Any, config: Any, options: Any, weights: Weights) -> tuple[Any, tuple[str, ...]]:
    """Weights by the module's names; or else by older names, which transformers maps to those of today."""
    with torch.random.fork_rng(devices=[]):
        module = auto.from_config(config, **options)
    _check_head(module, config, weights)
    try:
        return module, fit_weights(module, weights)
    except WeightsError as misfit:
        renamed = _renamed_matches(module, config, options, weights)
        if not renamed:
            raise misfit from None
        match, notes = choose_match(renamed, weights)
        module.load_state_dict(dict(match.tensors))
        prefix = (f"The prefix {match.prefix!r} was taken off the names of {weights.path}.",) if match.prefix else ()
        old = f"Older names of tensors in {weights.path} were brought to those of transformers {transformers.__version__}."
        return module, (*weights.notes, *notes, *prefix, old)


def _renamed_matches(module: Any, config: Any, options: Any, weights: Weights) -> list[NameMatch]:
    """State dicts whose tensors all fit after transformers has renamed them."""
    matches = []
    for content in weights.state_dicts:
        prefix = _shared_wrappers(content.tensors)
        if weights.choice and weights.choice != content.location and f"{weights.choice}." != prefix:
            continue
        tensors = {name.removeprefix(prefix): tensor for name, tensor in content.tensors.items()}
        try:
            renamed, report = _from_pretrained(
                type(module), None, config=config, state_dict=tensors, name="weights", **options
            )
        except WeightsError:
            continue
        if not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")):
            state = renamed.state_dict()
            sources = dict.fromkeys(state, "")
            matches.append(NameMatch(state_dict=content, prefix=prefix, tensors=state, sources=sources, surplus=()))
    return matches


def _from_pretrained(kind: Any, source: str | None, *, name: str, **options: Any) -> tuple[Any, dict[str, Any]]:
    """Module and report; sizes that differ are in the report, so that the caller refuses them in its own words."""
    try:
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the pickle protocol
            return kind.from_pretrained(source, output_loading_info=True, ignore_mismatched_sizes=True, **options)
    except pickle.UnpicklingError as reason:
        raise WeightsError(
            f"`weights` must hold tensors only. Got hf:{name}, a pickle that wants to run code. Save it with safetensors."
        ) from reason
    except (OSError, ValueError, RuntimeError) as reason:
        raise WeightsError(
            f"`weights` must be in the folder or on the hub, and fit. Got hf:{name}: {first_line(reason)}."
            " Check the checkpoint."
        ) from reason


def _check_head(module: Any, config: Any, weights: Weights) -> None:
    """Name the configuration where the head of weights that fit by name is of another size."""
    name, wanted = "classifier.weight", module.state_dict()
    for match in match_names(weights.state_dicts, wanted):
        if name in match.tensors and match.tensors[name].shape != wanted[name].shape:
            raise _size_error(weights.path, name, match.tensors[name].shape, wanted[name].shape, config)


def _size_error(
    source: str | Path, name: str, shape: Sequence[int], wanted: Sequence[int], config: Any
) -> WeightsError:
    heads = f" The head has {shape[0]} outputs, but id2label of config.json names {config.num_labels}."
    return WeightsError(
        f"`weights` must fit the configuration. Got {source} with {name} {tuple(shape)} where the model has {tuple(wanted)}."
        f"{heads if name.startswith('classifier') else ''} Give the config.json that was saved with the weights."
    )


def _shared_wrappers(names: Collection[str]) -> str:
    """The names of wrappers (`module.`, `_orig_mod.`, `model.`) with which all tensor names begin."""
    prefix = ""
    while True:
        shared = shared_prefix([name.removeprefix(prefix) for name in names])
        # `unwrapped_name` leaves nothing of a wrapper's name; the other three are what users call the attribute.
        if not shared or (unwrapped_name(shared.rstrip(".")) and shared not in ("model.", "net.", "network.")):
            return prefix
        prefix += shared
