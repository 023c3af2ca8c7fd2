"""Pretrained models and processors of Hugging Face by an auto class: families checked, weights complete and never unpickled."""

import pickle
import warnings
from collections.abc import Collection
from typing import Any

import torch

from video_tcav.core.errors import ModelError, WeightsError
from video_tcav.core.limits import shortened
from video_tcav.models.error_lines import first_line
from video_tcav.models.loaders.hf_config import float32_option, transformers


def checked_family(source: str, families: Collection[str], *, argument: str, cure: str) -> str:
    """The family (`model_type`) of a folder or hub id, which must be one of those allowed.

    Args:
        source: hub id, or folder with config.json.
        families: that are allowed.
        argument: what errors call the argument.
        cure: what to do about another family, a sentence.

    Raises:
        ModelError: if there is no configuration, or it is of another family.
    """
    try:
        family = transformers.AutoConfig.from_pretrained(source, trust_remote_code=False).model_type
    except (OSError, ValueError) as reason:
        raise ModelError(
            f"`{argument}` must name a folder with config.json, or a model of the Hugging Face hub. Got hf:{source}:"
            f" {first_line(reason)}. Check the name and the connection."
        ) from reason
    if family not in families:
        raise ModelError(
            f"`{argument}` must be one of the families {', '.join(families)}. Got hf:{source}, which is {family}. {cure}"
        )
    return family


def load_whole_model(auto: Any, source: str, *, argument: str, **options: Any) -> Any:
    """The network with all of its weights, in float32; see `checked_family` for the arguments, `options` go to transformers.

    Raises:
        WeightsError: if weights cannot be read safely, do not fit, or are not all there: what lacks would be random numbers.
    """
    try:
        # weights are initialised at random before they are read
        with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the pickle protocol
            # not in the type of the configuration, which may be a coarser one than that of the weights
            options |= float32_option()
            module, report = auto.from_pretrained(
                source, trust_remote_code=False, weights_only=True, output_loading_info=True, **options
            )
    except pickle.UnpicklingError as reason:
        raise WeightsError(
            f"`{argument}` must have weights of tensors only. Got hf:{source}, a pickle that wants to run code."
            " Save it with safetensors."
        ) from reason
    except (OSError, ValueError, RuntimeError) as reason:
        raise WeightsError(
            f"`{argument}` must have weights in the folder or on the hub, and fit. Got hf:{source}: {first_line(reason)}."
            " Check the checkpoint."
        ) from reason
    missing = sorted(report["missing_keys"])
    if missing:
        raise WeightsError(
            f"`{argument}` must have all weights of its configuration. Got hf:{source} with {len(missing)} missing:"
            f" {shortened(missing, 3)}. Choose a whole checkpoint."
        )
    return module.float()


def load_processor_part(auto: Any, source: str, part: str, *, argument: str) -> Any:
    """A tokenizer or processor, called `part` in errors; see `checked_family` for the other arguments.

    Raises:
        ModelError: if it cannot be read, or needs a package that is not installed.
    """
    try:
        return auto.from_pretrained(source, trust_remote_code=False)
    except Exception as reason:  # tokenizers raise whatever their file formats do
        raise ModelError(
            f"`{argument}` must have a {part} that can be read. Got hf:{source}: {first_line(reason)}."
            f" Save it there with save_pretrained."
        ) from reason
