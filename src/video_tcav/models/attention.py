"""Attention weights of any transformer, fused or not, without asking the model for them.

Fused attention never writes its weights down, and most models return none. So every call of PyTorch's scaled dot-product
attention inside the block is answered by its written-out form, whose weights can be kept and have gradients; attention
that a model writes out itself is seen at its softmax. The model is not touched.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

Weights = Float[Tensor, "row head query key"]
Keep = Callable[[Weights], None]
_FUSED = "scaled_dot_product_attention"
_SOFTMAX = (torch.softmax, torch.Tensor.softmax, F.softmax, torch.special.softmax)

_REPLACED = threading.Lock()


@contextmanager
def attention_weights(keep: Keep) -> Iterator[None]:
    """Call `keep` with the weights of every attention that runs inside; they are part of the graph.

    Args:
        keep: told of weights `(row, head, query, key)`; a row is a clip, or a part of one where attention is divided.
    """
    with _Watch(keep):
        yield


class _Watch(TorchFunctionMode):
    def __init__(self, keep: Keep) -> None:
        super().__init__()
        self._keep = keep

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        if getattr(func, "__name__", "") == _FUSED:  # by name: another thread may have replaced it for the moment
            return _written_out(self._keep, *args, **options)
        if func is F.multi_head_attention_forward:
            return self._multi_head(args, options)
        found = func(*args, **options)
        if func in _SOFTMAX and isinstance(found, Tensor) and found.ndim == 4 and _over_keys(args, options):
            self._keep(found)
        return found

    def _multi_head(self, args: Any, options: Any) -> tuple[Tensor, Tensor | None]:
        """What PyTorch's own module calls runs out of this mode's sight, so the attention in it is replaced for the call.

        By one thread at a time, and for that thread alone.
        """
        seen: list[Weights] = []
        with _REPLACED:
            fused, own = F.scaled_dot_product_attention, threading.get_ident()

            def answer(*inputs: Any, **settings: Any) -> Tensor:
                if threading.get_ident() != own:
                    return fused(*inputs, **settings)
                return _written_out(seen.append, *inputs, **settings)

            try:
                F.scaled_dot_product_attention = answer
                output, _ = F.multi_head_attention_forward(*args, **{**options, "need_weights": False})
            finally:
                F.scaled_dot_product_attention = fused
        self._keep(seen[0])
        if not options.get("need_weights", True):
            return output, None
        return output, seen[0].mean(1) if options.get("average_attn_weights", True) else seen[0]


def _over_keys(args: Any, options: Any) -> bool:
    """Whether a softmax runs over the last of four dimensions."""
    return (args[1] if len(args) > 1 else options.get("dim")) in (-1, 3)


def _written_out(
    keep: Keep,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """What `torch.nn.functional.scaled_dot_product_attention` computes, by its documentation, with its weights kept."""
    if enable_gqa:
        key, value = (part.repeat_interleave(query.shape[-3] // part.shape[-3], -3) for part in (key, value))
    scores = query @ key.mT * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~seen, -math.inf)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    weights = scores.softmax(-1)
    if weights.ndim == 4:
        keep(weights)
    return F.dropout(weights, dropout_p) @ value
