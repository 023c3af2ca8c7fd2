from collections import OrderedDict, namedtuple
from dataclasses import dataclass

import pytest
import torch

from video_tcav.core.errors import ModelError
from video_tcav.models.outputs import layer_tensor, output_logits, replace_layer_tensor

Pair = namedtuple("Pair", "index values")
VALUES, OTHER, INDEX = torch.ones(2, 3), torch.zeros(2, 3), torch.arange(3)


@dataclass
class Fields:
    index: torch.Tensor
    values: torch.Tensor | None


@pytest.mark.parametrize(
    "output",
    [
        VALUES,
        (VALUES, (2, 3, 4)),
        (INDEX, VALUES),
        [None, VALUES],
        {"index": INDEX, "values": VALUES},
        OrderedDict(values=VALUES),
        Pair(INDEX, VALUES),
        Fields(INDEX, VALUES),
        (INDEX, [{"deep": VALUES}]),
    ],
)
def test_the_first_floating_tensor_is_found_and_replaced(output):
    before = repr(output)
    assert layer_tensor(output) is VALUES
    replaced = replace_layer_tensor(output, OTHER)
    assert type(replaced) is type(output)
    assert layer_tensor(replaced) is OTHER
    assert repr(output) == before  # nothing in place


def test_a_model_output_keeps_its_type_and_attributes():
    modeling_outputs = pytest.importorskip("transformers.modeling_outputs")
    output = modeling_outputs.BaseModelOutput(last_hidden_state=VALUES, hidden_states=(VALUES,))
    replaced = replace_layer_tensor(output, OTHER)
    assert type(replaced) is type(output)
    assert replaced.last_hidden_state is OTHER
    assert replaced[0] is OTHER
    assert replaced.hidden_states[0] is VALUES
    assert output.last_hidden_state is VALUES


@pytest.mark.parametrize("output", [None, INDEX, (2, 3), {"index": INDEX}])
def test_no_floating_tensor_is_an_error(output):
    with pytest.raises(ModelError, match=r"`layer` must output a floating tensor"):
        layer_tensor(output)


@pytest.mark.parametrize("output", [VALUES, (VALUES, 1), [VALUES], {"loss": None, "logits": VALUES}])
def test_logits_are_found(output):
    assert output_logits(output) is VALUES


@pytest.mark.parametrize("output", [None, "text", (), {"scores": VALUES}, (INDEX,), Fields(INDEX, VALUES)])
def test_no_logits_is_an_error(output):
    with pytest.raises(ModelError, match=r"`model` must return logits"):
        output_logits(output)


def test_logits_are_one_row_a_clip():
    with pytest.raises(ModelError, match=r"one row of logits a clip, \(clip, class\). Got shape \(2, 3, 4\)"):
        output_logits(torch.zeros(2, 3, 4))
