from collections import OrderedDict, namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch

from video_tcav.core.errors import ModelError
from video_tcav.models.outputs import layer_tensor, output_rows, replace_layer_tensor

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


Scores = namedtuple("Scores", "hidden logits")


@dataclass
class Answer:
    features: torch.Tensor
    scores: torch.Tensor | None = None


WIDE = torch.zeros(2, 768)


@pytest.mark.parametrize(
    "output",
    [
        VALUES,
        (VALUES, 1),
        [VALUES],
        (None, VALUES),
        (torch.zeros(()), VALUES),
        {"loss": None, "logits": VALUES},
        {"features": WIDE, "logits": VALUES},
        {"scores": VALUES, "features": WIDE},
        {"output": {"features": WIDE, "logits": VALUES}},
        [{"pred": VALUES}],
        ((VALUES,),),
        Scores(WIDE, VALUES),
        Answer(WIDE, VALUES),
        SimpleNamespace(logits=VALUES),
        (torch.zeros(2, 5, 7, 7), VALUES),
    ],
)
def test_rows_are_found(output):
    assert output_rows(output, clips=2) is VALUES
    assert output_rows(output, clips=2, classes=3) is VALUES


@pytest.mark.parametrize(
    "output",
    [
        None,
        "text",
        (),
        {"embedding": VALUES},
        Answer(WIDE),
        (INDEX,),
        torch.zeros(2, 3, 4),
        {"logits": torch.zeros(2, 8, 3)},
    ],
)
def test_no_rows_is_an_error(output):
    with pytest.raises(ModelError, match=r"`model` must return one row of logits a clip, \(2, class\)\. Got"):
        output_rows(output, clips=2)


@pytest.mark.parametrize("output", [(WIDE, VALUES), [VALUES, OTHER], {"scores": VALUES, "probs": OTHER}])
def test_several_possible_rows_are_refused(output):
    with pytest.raises(ModelError, match=r"one tensor that can be the logits. Got 2: .*\(2, 3\)"):
        output_rows(output, clips=2)


def test_the_number_of_classes_tells_rows_from_other_tensors():
    assert output_rows((WIDE, VALUES), clips=2, classes=3) is VALUES


@pytest.mark.parametrize(
    ("shape", "clips", "classes", "rows"),
    [
        ((2,), 2, None, (2, 1)),
        ((1,), 1, 1, (1, 1)),
        ((), 1, 1, (1, 1)),
        ((5,), 1, 5, (1, 5)),
        ((2, 5, 1, 1, 1), 2, None, (2, 5)),
    ],
)
def test_squeezed_outputs_are_rows(shape, clips, classes, rows):
    assert output_rows(torch.zeros(shape), clips=clips, classes=classes).shape == rows


@pytest.mark.parametrize(("shape", "clips"), [((16, 4), 2), ((1, 4), 2), ((4,), 2)])
def test_another_number_of_rows_is_refused(shape, clips):
    with pytest.raises(ModelError, match=r"one row of logits a clip"):
        output_rows(torch.zeros(shape), clips=clips)
