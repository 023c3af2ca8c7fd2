"""Attention weights of any transformer, fused or not, recorded without changing the model.

Fused attention never materialises its weights, and most models return none. So every call of PyTorch's scaled dot-product
attention inside the block is replaced by its explicit form, whose weights can be recorded and have gradients; attention
that a model computes explicitly is recorded at its softmax.
"""

import math
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
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

_REPLACEMENT_LOCK = threading.Lock()


def attention_weights(keep: Keep) -> AbstractContextManager[Any]:
    """Call `keep` with the weights `(row, head, query, key)` of every attention that runs inside; they are part of the graph.

    A row is a clip, or part of one where attention is divided.
    """
    return _AttentionRecorder(keep)


class _AttentionRecorder(TorchFunctionMode):
    def __init__(self, keep: Keep) -> None:
        super().__init__()
        self._keep = keep

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        options = kwargs or {}
        if getattr(func, "__name__", "") == _FUSED:  # by name: another thread may have replaced it at present
            return _explicit_attention(self._keep, *args, **options)
        if func is F.multi_head_attention_forward:
            return self._multi_head(args, options)
        output = func(*args, **options)
        dim = args[1] if len(args) > 1 else options.get("dim")
        if func in _SOFTMAX and isinstance(output, Tensor) and output.ndim == 4 and dim in (-1, 3):  # over the keys
            self._keep(output)
        return output

    def _multi_head(self, args: Any, options: Any) -> tuple[Tensor, Tensor | None]:
        """Calls inside PyTorch's own module do not reach this mode, so the attention function is replaced during the call.

        By one thread at a time, and for that thread alone.
        """
        weights: list[Weights] = []
        with _REPLACEMENT_LOCK:
            fused, thread = F.scaled_dot_product_attention, threading.get_ident()

            def replacement(*inputs: Any, **settings: Any) -> Tensor:
                if threading.get_ident() != thread:
                    return fused(*inputs, **settings)
                return _explicit_attention(weights.append, *inputs, **settings)

            try:
                F.scaled_dot_product_attention = replacement
                # With need_weights PyTorch would compute them by another path, without the function replaced here.
                output, _ = F.multi_head_attention_forward(*args, **{**options, "need_weights": False})
            finally:
                F.scaled_dot_product_attention = fused
        self._keep(weights[0])
        if not options.get("need_weights", True):
            return output, None
        return output, weights[0].mean(1) if options.get("average_attn_weights", True) else weights[0]


def _explicit_attention(
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
    """`torch.nn.functional.scaled_dot_product_attention` as its documentation defines it, with its weights passed to `keep`."""
    if enable_gqa:  # grouped queries: each key and value serves several heads
        groups = query.shape[-3] // key.shape[-3]
        key, value = (tensor.repeat_interleave(groups, -3) for tensor in (key, value))
    scores = query @ key.mT * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        earlier = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~earlier, -math.inf)
    if attn_mask is not None:
        scores = scores.masked_fill(~attn_mask, -math.inf) if attn_mask.dtype == torch.bool else scores + attn_mask
    weights = scores.softmax(-1)
    if weights.ndim == 4:
        keep(weights)
    return F.dropout(weights, dropout_p) @ value
