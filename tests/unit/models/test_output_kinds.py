"""What outputs are: the same network with and without its softmax or sigmoid must give the same answers."""

import pytest
import torch
from torch import nn

from video_tcav.core.errors import InputError, ModelError, NonFiniteError
from video_tcav.models import load_model, parse_target
from video_tcav.models.hooks import record_gradients
from video_tcav.models.output_kinds import Outputs

CLASSES = 4


class Network(nn.Module):
    """Logits of a small network, through any last step."""

    clip_spec = {"frames": 4, "size": 8}

    def __init__(self, last=lambda z: z, classes=CLASSES, scale=20.0):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Conv3d(3, 6, 3, padding=1)
        self.head = nn.Linear(6, classes)
        self.last, self.scale = last, scale

    def forward(self, clips):
        return self.last(self.scale * self.head(self.body(clips).relu().mean((2, 3, 4))))


def by_hand(z):
    powers = z.exp()
    return powers / powers.sum(1, keepdim=True)


CLIPS = torch.randn(3, 3, 4, 8, 8, generator=torch.Generator().manual_seed(1))
SOFTMAX = [lambda z: z.softmax(1), by_hand, lambda z: z.softmax(-1)[:, None].mean(1), nn.Softmax(dim=1)]
SIGMOID = [torch.sigmoid, nn.Sigmoid(), lambda z: z.sigmoid().clone(), lambda z: (z / 2).tanh() / 2 + 0.5]


def gradients(model, against="log_odds"):
    return record_gradients(model, ["body"], CLIPS, parse_target(model, "1", against))


@pytest.mark.parametrize("last", SOFTMAX)
@pytest.mark.parametrize("against", ["log_odds", "contrast:2"])
def test_a_softmax_changes_no_target_and_no_gradient(last, against):
    plain, soft = load_model(Network()), load_model(Network(last))
    assert (plain.outputs.kind, soft.outputs.kind) == ("logits", "softmax")
    expected, actual = gradients(plain, against), gradients(soft, against)
    torch.testing.assert_close(actual.target, expected.target, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(actual.layers["body"], expected.layers["body"], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("last", SIGMOID)
def test_a_sigmoid_changes_no_target_of_a_multi_label_network(last):
    plain = load_model(Network(), outputs="sigmoid_logits")
    behind = load_model(Network(last))
    assert behind.outputs.kind == "sigmoid"
    torch.testing.assert_close(gradients(behind).target, plain.values(CLIPS)[:, 1].detach(), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(gradients(behind).layers["body"], gradients(plain).layers["body"], rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("last", "classes", "kind"),
    [
        (lambda z: z, 4, "logits"),
        (lambda z: z.log_softmax(1), 4, "logits"),
        (lambda z: z, 1, "sigmoid_logits"),
        (lambda z: z.squeeze(-1), 1, "sigmoid_logits"),
        (torch.sigmoid, 1, "sigmoid"),
        (lambda z: {"logits": z.softmax(1)}, 4, "softmax"),
        (lambda z: (None, z.sigmoid()), 4, "sigmoid"),
    ],
)
def test_what_a_trial_shows(last, classes, kind):
    assert load_model(Network(last, classes)).outputs.kind == kind


@pytest.mark.parametrize("last", [lambda z: (0 * z).sigmoid(), lambda z: torch.cat([z.sigmoid()] * 2, 1)])
def test_sigmoids_whose_rows_sum_to_one_are_no_softmax(last):
    assert load_model(Network(last, 2, scale=0.0)).outputs.kind == "sigmoid"


def test_a_sigmoid_beside_what_it_leaves_is_a_softmax():
    soft = load_model(Network(lambda z: torch.cat([z.sigmoid(), 1 - z.sigmoid()], 1), 1))
    assert soft.outputs.kind == "softmax"


@pytest.mark.parametrize(
    ("last", "classes", "what"),
    [
        (lambda z: 100 * z.softmax(1), 4, "rows that all sum to 100"),
        (lambda z: (100 * z.softmax(1)).half(), 4, "rows that all sum to (100|99|100.)"),
        (lambda z: z.softmax(1) + z.flip(1).softmax(1), 4, "rows that all sum to 2,"),
        (lambda z: -z.log_softmax(1), 4, "negative logarithms of probabilities"),
        (nn.functional.logsigmoid, 4, "logarithms of sigmoid probabilities"),
        (nn.Softmax(dim=1), 1, "a softmax over a single output"),
    ],
)
def test_functions_of_probabilities_are_not_taken_for_logits(last, classes, what):
    with pytest.raises(ModelError, match=f"`model` must return logits, probabilities .*Got {what}"):
        load_model(Network(last, classes))
    assert load_model(Network(last, classes), outputs="numbers").outputs.kind == "numbers"


def test_a_logit_beside_a_fixed_zero_is_a_logit():
    network = Network(lambda z: torch.cat([z.abs() + 30, 0 * z], 1), 1)
    assert load_model(network).outputs.kind == "logits"


def test_a_head_that_is_pooled_keeps_its_kind():
    for pool in (nn.AdaptiveAvgPool1d(1), nn.AvgPool1d(3)):
        network = Network(lambda z, pool=pool: pool(nn.functional.linear(z, torch.eye(4))[..., None].repeat(1, 1, 3)))
        network.head.weight.data *= 1e-3
        network.head.bias.data = torch.full((4,), 0.02)  # values near 0.4
        assert load_model(network).outputs.kind == "logits"


def test_small_logits_are_no_probabilities():
    network = Network(scale=1e-3)
    network.head.bias.data += 500  # all values near 0.5, in [0, 1], behind a linear layer
    network.last = lambda z: nn.functional.linear(z, torch.eye(CLASSES))
    assert load_model(network).outputs.kind == "logits"


@pytest.mark.parametrize(
    "reshape", [lambda z: z.squeeze(1), lambda z: z[:, :, None], lambda z: z[:, 0], lambda z: (None, z.flatten())]
)
def test_one_small_logit_is_no_probability_in_any_shape(reshape):
    network = Network(
        lambda z: reshape(nn.functional.linear(z / 100, torch.ones(1, 1), torch.tensor([0.5]))), classes=1
    )
    assert load_model(network).outputs.kind == "sigmoid_logits"


def test_the_user_and_the_module_say_what_outputs_are():
    network = Network()
    assert load_model(network, outputs="numbers").outputs.kind == "numbers"
    network.clip_spec = {**Network.clip_spec, "outputs": "sigmoid_logits"}
    assert load_model(network).outputs.kind == "sigmoid_logits"
    assert load_model(network, outputs="numbers").outputs.kind == "numbers"


@pytest.mark.parametrize("kind", ["softmax", "sigmoid"])
def test_logits_are_not_taken_for_probabilities(kind):
    with pytest.raises(ModelError, match=rf"`outputs` must be what the model returns. Got {kind}, and values from"):
        load_model(Network(), outputs=kind)


def test_what_later_clips_contradict_is_refused():
    network = Network(lambda z: (z / 90 + 0.5).clamp(0.1, 0.9) if z.shape[0] == 2 else z)
    model = load_model(network, allow_impure=True)
    assert model.outputs.kind == "sigmoid"
    with pytest.raises(ModelError, match=r"Got sigmoid, taken for such since all lie in \[0, 1\], and values from"):
        model.logits(CLIPS)


def test_a_saturated_probability_has_no_gradient():
    model = load_model(Network(lambda z: z.softmax(1), scale=1e5))
    with pytest.raises(NonFiniteError, match=r"probabilities that are not exactly 0 or 1.* 3 of 3 clips"):
        gradients(model)


def test_numbers_are_their_own_target():
    model = load_model(Network(), outputs="numbers")
    target = parse_target(model, "1", "log_odds")
    assert target.kind == "number"
    torch.testing.assert_close(gradients(model).target, model.values(CLIPS)[:, 1].detach())
    with pytest.raises(InputError, match=r"must be number where outputs are plain numbers. Got logit"):
        parse_target(model, "1", "logit")


def test_a_softmax_leaves_no_logit():
    with pytest.raises(InputError, match=r"which leave no logits. Got logit"):
        parse_target(load_model(Network(SOFTMAX[0])), "1", "logit")


def test_probabilities_of_each_kind():
    logits = torch.tensor([[2.0, 2.0, -2.0]])
    torch.testing.assert_close(Outputs(kind="softmax").probabilities(logits), logits.softmax(1))
    torch.testing.assert_close(Outputs(kind="sigmoid_logits").probabilities(logits), logits.sigmoid())
    torch.testing.assert_close(Outputs(kind="numbers").probabilities(logits), logits)


def test_half_precision_probabilities_keep_their_odds():
    logits = torch.tensor([[6.0, 0.0, -1.0]])
    outputs = Outputs(kind="softmax")
    half = logits.softmax(1).half()
    assert outputs.contradiction(half) is None
    odds = outputs.to_logits(half)
    torch.testing.assert_close(
        odds[:, 0] - odds[:, 1:].logsumexp(1), logits[:, 0] - logits[:, 1:].logsumexp(1), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("scale", [1e-4, 1e-3])
def test_sigmoids_of_a_network_whose_rows_hardly_differ_are_sigmoids(scale):
    assert load_model(Network(last=torch.sigmoid, scale=scale)).outputs.kind == "sigmoid"
