"""Rollout against the definition, written slowly; and attention weights of fused attention."""

import math
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.unit.models.networks import Convolutions, Tokens, unchanged
from video_tcav.attribution import AttentionRollout
from video_tcav.attribution.rollout import attention_rollout
from video_tcav.core.errors import MethodError, NonFiniteError
from video_tcav.models import load_model
from video_tcav.models.attention import attention_weights


def slow(weights, gradients, read):
    """Relevance flows back: for each clip, layer, query and key by itself."""
    clips, heads, tokens, _ = weights[0].shape
    relevance = read.clone()
    for weight, gradient in list(zip(weights, gradients, strict=True))[::-1]:
        brought = torch.zeros_like(relevance)
        for clip in range(clips):
            for query in range(tokens):
                for key in range(tokens):
                    flows = [
                        max(0.0, float(weight[clip, h, query, key] * gradient[clip, h, query, key]))
                        for h in range(heads)
                    ]
                    brought[clip, key] += relevance[clip, query] * sum(flows) / heads
        relevance = relevance + brought
    return relevance - read


def test_it_is_the_definition():
    generator = torch.Generator().manual_seed(0)
    weights = [torch.rand(2, 3, 4, 4, generator=generator, dtype=torch.float64) for _ in range(3)]
    gradients = [torch.randn(2, 3, 4, 4, generator=generator, dtype=torch.float64) for _ in range(3)]
    read = torch.rand(2, 4, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(attention_rollout(weights, gradients, read), slow(weights, gradients, read))


class Looker(nn.Module):
    """One attention whose query looks at bright tokens; the head reads the class token alone."""

    def __init__(self, fused: bool) -> None:
        super().__init__()
        self.fused = fused
        self.patch = nn.Conv3d(3, 4, (2, 4, 4), (2, 4, 4))
        self.block = nn.Identity()
        self.head = nn.Linear(4, 2)
        with torch.no_grad():
            self.patch.weight.copy_(torch.full_like(self.patch.weight, 1 / 96))
            self.patch.bias.zero_()
            self.head.weight.copy_(torch.tensor([[1.0] * 4, [0.0] * 4]))

    def forward(self, clip):
        tokens = self.patch(clip).permute(0, 2, 3, 4, 1).flatten(1, 3)
        tokens = torch.cat([torch.full_like(tokens[:, :1], 0.5), tokens], 1)[:, None]
        if self.fused:
            out = F.scaled_dot_product_attention(tokens, tokens, tokens)
        else:
            out = torch.softmax(tokens @ tokens.mT / math.sqrt(4), dim=-1) @ tokens
        return self.head(self.block((tokens + out)[:, 0])[:, 0])


@pytest.mark.parametrize("fused", [True, False])
def test_it_finds_the_token_that_is_looked_at(fused):
    model = load_model(Looker(fused).double(), frames=8, size=(24, 40), classes=["yes", "no"])
    clip = torch.full((2, 3, 8, 24, 40), 0.1, dtype=torch.float64)
    clip[0, :, 4:6, 12:16, 20:24] = 3.0
    clip[1, :, 0:2, 4:8, 36:40] = 3.0
    with unchanged(model):
        found = AttentionRollout(layers=("block",))(model, clip, target="yes")
    peaks = [tuple(int(i) for i in (one == one.max()).nonzero()[0]) for one in found.layers["block"]]
    assert peaks == [(2, 3, 5), (0, 1, 9)]
    assert float(found.layers["block"].min()) >= 0


def test_pytorchs_own_transformer_blocks_are_seen():
    model = load_model(Tokens(depth=2).double(), frames=8, size=(16, 24))
    clip = torch.randn(2, 3, 8, 16, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with unchanged(model):
        found = AttentionRollout(layers=("blocks.1",))(model, clip, target=0)
    assert found.layers["blocks.1"].shape == (2, 4, 4, 6)
    with pytest.raises(NonFiniteError, match="must give finite numbers"):
        AttentionRollout(layers=("blocks.1",))(model, clip * torch.nan, target=0)


def test_answers_are_those_of_fused_attention():
    attention = nn.MultiheadAttention(16, 4, batch_first=True).double().eval()
    x = torch.randn(2, 5, 16, dtype=torch.float64)
    mask = torch.zeros(5, 5, dtype=torch.bool).fill_diagonal_(True).roll(1, 0)
    seen: list[torch.Tensor] = []
    for options in ({}, {"need_weights": False}, {"attn_mask": mask}, {"average_attn_weights": False}):
        plain, weights = attention(x, x, x, **options)
        with attention_weights(seen.append):
            found, own = attention(x, x, x, **options)
        torch.testing.assert_close(found, plain)
        assert (own is None) == (weights is None)
        if weights is not None:
            torch.testing.assert_close(own, weights)
    q, k, v = torch.randn(3, 2, 4, 6, 8, dtype=torch.float64)
    for options in ({}, {"is_causal": True}, {"scale": 0.3}, {"attn_mask": torch.randn(6, 6, dtype=torch.float64)}):
        with attention_weights(seen.append):
            found = F.scaled_dot_product_attention(q, k, v, **options)
        torch.testing.assert_close(found, F.scaled_dot_product_attention(q, k, v, **options))
        torch.testing.assert_close(seen[-1].sum(-1), torch.ones(2, 4, 6, dtype=torch.float64))


def test_what_has_no_such_attention_is_refused():
    model = load_model(Convolutions(), frames=4, size=16)
    with pytest.raises(MethodError, match="`rollout` must start at one layer of tokens. Got stages.2"):
        AttentionRollout()(model, torch.randn(1, 3, 4, 16, 16), target=0)
    model = load_model(Tokens(depth=2), frames=8, size=(16, 24))
    with pytest.raises(MethodError, match="one layer of tokens. Got blocks.0, blocks.1"):
        AttentionRollout(layers=("blocks.0", "blocks.1"))(model, torch.randn(1, 3, 8, 16, 24), target=0)


def test_threads_see_their_own_attention_and_torch_is_left_as_it_was():
    fused, interval = F.scaled_dot_product_attention, sys.getswitchinterval()
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()

    def watch(tokens):
        inputs, seen = torch.ones(1, tokens, 8), []
        for _ in range(100):
            with attention_weights(seen.append):
                attention(inputs, inputs, inputs)
                F.scaled_dot_product_attention(*[inputs[:, None]] * 3)
        return [tuple(weights.shape) for weights in seen]

    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            found = list(pool.map(watch, (5, 9)))
    finally:
        sys.setswitchinterval(interval)
    assert found == [[(1, 2, tokens, tokens), (1, 1, tokens, tokens)] * 100 for tokens in (5, 9)]
    assert F.scaled_dot_product_attention is fused
