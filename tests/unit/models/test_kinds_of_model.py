"""The table of kinds of model in docs/models.md: each kind is read right, by the definition, or refused in one line."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import nn

from tests.docs.blocks import DOCS
from video_tcav.core.errors import AxesError, ModelError
from video_tcav.models.layers import layers_axes, noise_clip
from video_tcav.models.load import load_model
from video_tcav.models.targets import parse_target

from .kinds import CLASS, KINDS, Refused, Right

CLIP = {"frames": 4, "size": 16}


def cases(kind: type) -> list[Any]:
    return [
        pytest.param(case, id=f"{name}-{number}")
        for name, networks in KINDS.items()
        for number, case in enumerate(networks)
        if isinstance(case, kind)
    ]


def clip_of(network: nn.Module) -> Mapping[str, int]:
    """What clip a network is given, if it does not say so."""
    return {} if hasattr(network, "clip_spec") or hasattr(network, "config") else CLIP


@pytest.fixture(autouse=True)
def seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("case", cases(Right))
def test_a_kind_that_is_read_right(case, tmp_path):
    network = case.build()
    model = case.load(network, tmp_path, **clip_of(network), **case.options)
    clips = torch.cat([noise_clip(model, seed=seed) for seed in (5, 6)]).to(model.dtype)
    with torch.no_grad():
        expected = case.target(case.rows(network.eval()(clips)).double())
        actual = parse_target(model, min(CLASS, len(model.classes) - 1), "log_odds")(model.logits(clips)).double()
    torch.testing.assert_close(actual, expected, rtol=case.tolerance, atol=case.tolerance)
    assert (model.outputs.kind, model.outputs.is_assumed) == (case.outputs, case.assumed)
    is_said = any(remark.startswith("Outputs are ") for remark in model.remarks())
    assert is_said == (case.assumed or case.outputs != "logits")
    assert model.classes == case.classes
    assert model.clip_spec.mean == pytest.approx(case.mean)
    assert model.default_layers == case.layers
    if case.dims:
        assert layers_axes(model, case.layers)[case.layers[0]].dims == case.dims
    else:
        with pytest.raises(AxesError, match=r"^`layer` must [^\n]* Choose another layer\.$"):
            layers_axes(model, case.layers)


@pytest.mark.parametrize("case", cases(Refused))
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")
def test_a_kind_that_is_refused_in_one_line(case):
    network = case.build()
    with pytest.raises(ModelError, match=rf"^`model` must [^\n]*{case.message}[^\n]*\.$"):
        load_model(network, **clip_of(network))


def table() -> dict[str, tuple[str, str]]:
    """What happens and what to say, by the kind of model."""
    page = (DOCS / "models.md").read_text(encoding="utf-8")
    part = page.split("\n## Kinds of model\n", 1)[1].split("\n## ", 1)[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]
    return {kind: (happens, say) for kind, happens, say in rows[2:]}


def test_the_table_of_kinds_is_what_is_tested():
    rows = table()
    assert list(rows) == list(KINDS)
    for kind, networks in KINDS.items():
        happens, say = rows[kind]
        refused = [isinstance(case, Refused) or not case.dims for case in networks]
        assert happens.startswith("refused") == all(isinstance(case, Refused) for case in networks), kind
        assert ("refused" in happens) == any(refused), kind
        options = {
            f"--{name} {value}" for case in networks if isinstance(case, Right) for name, value in case.options.items()
        }
        assert options == set(re.findall(r"`(--outputs \w+)`", say)), kind
