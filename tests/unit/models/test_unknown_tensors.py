"""No number comes from an unknown tensor: an operation on it gives an unknown one of the right shape, or raises."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from video_tcav.models.hooks import replaced_forwards
from video_tcav.models.unknown_tensors import UnknownTensor, UnknownValueError, unknown_recurrences

OPERATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "with a known tensor": lambda x: x + torch.ones(1, 3, 8),
    "chosen": lambda x: torch.where(x > 0, torch.ones(()), torch.zeros(())),
    "without NaN": lambda x: x.nan_to_num(),
    "index of a known tensor": lambda x: torch.arange(10)[x.argmax(-1)],
    "joined": lambda x: torch.cat([torch.ones(2, 1, 8), x], 1),
    "in place": lambda x: x.relu_().mul_(2),
    "view in place": lambda x: (x[:, 0].fill_(1), x)[1],
    "a known value put into it": lambda x: (x.__setitem__(0, torch.ones(3, 8)), x)[1],
    "zeros like it": torch.zeros_like,
    "another type": lambda x: x.to(torch.float16),
    "same device": lambda x: x.to("cpu"),
    "convolution": nn.Conv1d(3, 4, 3),
    "normalised": nn.LayerNorm(8),
    "attention": lambda x: F.scaled_dot_product_attention(x, x, x),
    "transformer": nn.TransformerEncoderLayer(8, 2, 8, batch_first=True).eval(),
    "einsum": lambda x: torch.einsum("abc,dc->abd", x, torch.ones(5, 8)),
    "sorted": lambda x: x.sort().indices,
    "of nothing but its shape": lambda x: x.new_ones(x.shape[0]),
}

VALUES: dict[str, Callable[[Tensor], object]] = {
    "branch": lambda x: bool(x.mean() > 0),
    "number": lambda x: x.sum().item(),
    "float": lambda x: float(x.sum()),
    "list": lambda x: x.tolist(),
    "NumPy": lambda x: x.numpy(),
    "array": np.asarray,
    "address": lambda x: x.data_ptr(),
    "exchange": torch.from_dlpack,
    "comparison": lambda x: torch.equal(x, torch.ones(2, 3, 8)),
    "which": lambda x: x.nonzero(),
    "index by a mask": lambda x: torch.ones(2, 3, 8)[x > 0],
    "range": lambda x: torch.arange(x.sum()),
    "write": lambda x: torch.ones(2, 3, 8).add_(x),
    "write into a part": lambda x: torch.ones(2, 3, 8)[:, 0].copy_(x[:, 0]),
    "write where it says": lambda x: torch.ones(2, 3, 8).masked_fill_(x > 0, 0),
    "output": lambda x: torch.add(x, 1, out=torch.empty(2, 3, 8)),
    "another shape in place": lambda x: x.squeeze_().transpose_(0, 1),
    "many at once": lambda x: torch._foreach_add_([torch.ones(2, 3, 8)], [x]),
}


def unknown() -> UnknownTensor:
    return UnknownTensor.like(torch.ones(2, 3, 8))


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("grad", [False, True])
def test_operations_give_unknown_tensors_of_the_same_shape_and_type(name, grad):
    with torch.set_grad_enabled(grad):
        result, expected = OPERATIONS[name](unknown()), OPERATIONS[name](torch.randn(2, 3, 8))
    assert isinstance(result, UnknownTensor)
    assert (result.shape, result.dtype, result.device) == (expected.shape, expected.dtype, expected.device)


@pytest.mark.parametrize("name", VALUES)
def test_values_are_refused_and_each_refusal_counts(name):
    before = UnknownTensor.refusals
    with pytest.raises(UnknownValueError, match="unknown|values"):
        VALUES[name](unknown())
    assert UnknownTensor.refusals == before + 1


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("options", [{}, {"batch_first": True}, {"bidirectional": True, "num_layers": 2}])
def test_recurrent_layers_have_the_shapes_of_pytorch(kind, options):
    layer, rows = kind(8, 5, **options), torch.randn(2, 3, 8)

    def shapes(output: object) -> object:
        return tuple(output.shape) if isinstance(output, Tensor) else [shapes(item) for item in output]  # type: ignore[union-attr]

    with replaced_forwards(unknown_recurrences(layer)):
        for given in (rows, rows[0]):
            assert shapes(layer(UnknownTensor.like(given))) == shapes(layer(given))
        assert isinstance(layer(UnknownTensor.like(rows))[0], UnknownTensor)
        assert not isinstance(layer(rows)[0], UnknownTensor)


def test_a_recurrent_layer_of_the_users_runs_itself():
    class Doubling(nn.GRU):
        def forward(self, rows: Tensor) -> Tensor:  # type: ignore[override]
            return torch.cat([rows, rows], -1)

    layer = Doubling(8, 5)
    with replaced_forwards(unknown_recurrences(layer)):
        assert layer(unknown()).shape == (2, 3, 16)


def test_it_says_what_it_is():
    assert repr(unknown()) == "UnknownTensor(shape=(2, 3, 8), dtype=torch.float32)"
