"""Architectures small enough to train on a CPU: transformers whose feed-forward layers are plain,
gated (SwiGLU, Shazeer 2020, arXiv 2002.05202) or routed (mixture of experts), and sparse
autoencoders.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class Transformer(nn.Module):
    """A language model: causal attention and a feed-forward layer of your choice in each block,
    norms before both.

    Args:
        vocabulary: number of different tokens.
        feedforward: makes the feed-forward layer of a block, from and to vectors of so many
            features.
        width: features of the residual stream; a multiple of `heads`.
        blocks, heads: how many.
        positions: the longest text, in tokens.
    """

    def __init__(
        self,
        vocabulary: int,
        feedforward: Callable[[int], nn.Module],
        width: int = 128,
        blocks: int = 2,
        heads: int = 4,
        positions: int = 128,
    ) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.places = nn.Embedding(positions, width)
        # The embedding is also the output matrix: a larger one would start far from uniform.
        nn.init.normal_(self.tokens.weight, std=0.02)
        nn.init.normal_(self.places.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(width, heads, feedforward(width)) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)

    def residual(self, tokens: Tensor, blocks: int | None = None) -> Tensor:
        """The residual stream after so many blocks, or all: (n_texts, n_positions, width) of
        (n_texts, n_positions).
        """
        x = self.tokens(tokens) + self.places.weight[: tokens.shape[1]]
        for block in self.blocks[:blocks]:
            x = block(x)
        return x

    def forward(self, tokens: Tensor) -> Tensor:
        """Logits of each next token: (n_texts, n_positions, vocabulary) of (n_texts,
        n_positions).
        """
        return functional.linear(self.norm(self.residual(tokens)), self.tokens.weight)


class Block(nn.Module):
    """Attention, then the feed-forward layer, each added to the residual stream."""

    def __init__(self, width: int, heads: int, feedforward: nn.Module) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feedforward_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attend, self.gather = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feedforward = feedforward

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            self.attend(self.attention_norm(x))
            .unflatten(-1, (3, self.heads, -1))
            .permute(2, 0, 3, 1, 4)
        )
        mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.gather(mixed.transpose(1, 2).flatten(-2))
        return x + self.feedforward(self.feedforward_norm(x))


def plain(units: int, activation: type[nn.Module] = nn.ReLU) -> Callable[[int], nn.Module]:
    """Maker of feed-forward layers of `units` units, the outputs of their module "act"."""

    def make(width: int) -> nn.Module:
        up, down = nn.Linear(width, units), nn.Linear(units, width)
        return nn.Sequential(OrderedDict(up_proj=up, act=activation(), down_proj=down))

    return make


def gated(units: int) -> Callable[[int], nn.Module]:
    """Maker of feed-forward layers of `units` units that are products, the inputs of their module
    "down_proj".
    """
    return lambda width: Gated(width, units)


def routed(experts: int, hidden: int = 8, top_k: int = 2) -> Callable[[int], nn.Module]:
    """Maker of feed-forward layers of `experts` small experts, of `hidden` rectifiers each; a token
    goes to `top_k`.
    """
    return lambda width: Mixture(width, experts, hidden, top_k)


class Gated(nn.Module):
    """A feed-forward layer whose units are SiLU(gate) times up, as in SwiGLU."""

    def __init__(self, width: int, units: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(width, units, bias=False)
        self.up_proj = nn.Linear(width, units, bias=False)
        self.act = nn.SiLU()
        self.down_proj = nn.Linear(units, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(self.act(self.gate_proj(x)) * self.up_proj(x))


class Mixture(nn.Module):
    """A feed-forward layer of many small experts, of which its module "router" chooses a few for
    each token.
    """

    def __init__(self, width: int, experts: int, hidden: int, top_k: int) -> None:
        super().__init__()
        self.router = Router(width, experts, top_k)
        self.experts = Experts(width, experts, hidden)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(0, -2)
        chosen, weights = self.router(tokens)
        return self.experts(tokens, chosen, weights).view_as(x)


class Router(nn.Module):
    """Chooses the experts of highest score for a token, plus a bias that balances their load in
    training.

    The bias keeps every expert in use without an auxiliary loss (Wang et al. 2024, arXiv
    2408.15664).
    """

    bias: Tensor

    def __init__(self, width: int, experts: int, top_k: int, *, rate: float = 1e-2) -> None:
        super().__init__()
        self.top_k, self.rate = top_k, rate
        self.weight = nn.Parameter(torch.randn(experts, width) / width**0.5)
        self.register_buffer("bias", torch.zeros(experts))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The experts chosen for tokens (n_tokens, width), and their weights; both (n_tokens,
        top_k).
        """
        scores = functional.linear(x, self.weight)
        chosen = (scores + self.bias).topk(self.top_k).indices
        if self.training:
            taken = chosen.flatten()
            load = torch.zeros_like(self.bias).scatter_add(0, taken, self.bias.new_ones(len(taken)))
            self.bias += self.rate * torch.sign(chosen.numel() / len(self.bias) - load)
        return chosen, scores.gather(1, chosen).softmax(1)


class Experts(nn.Module):
    """Small layers of rectifiers, each two matrices (hidden, width) in the tensors "up" and
    "down".
    """

    def __init__(self, width: int, experts: int, hidden: int) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.randn(experts, hidden, width) / width**0.5)
        self.down = nn.Parameter(torch.randn(experts, hidden, width) / hidden**0.5)

    def forward(self, x: Tensor, chosen: Tensor, weights: Tensor) -> Tensor:
        """Weighted sum of the chosen experts' outputs, (n_tokens, width); `chosen`, `weights` are
        (n_tokens, top_k).
        """
        hidden = torch.einsum("td,tkhd->tkh", x, self.up[chosen]).relu() * weights[..., None]
        return torch.einsum("tkh,tkhd->td", hidden, self.down[chosen])


class TopK(nn.Module):
    """Keeps the k largest of a row, if above zero, and makes the others zero."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        largest = x.topk(self.k, sorted=False)
        return torch.zeros_like(x).scatter(-1, largest.indices, largest.values.relu())


class BatchTopK(nn.Module):
    """Keeps the k largest per row of a whole batch, if above zero, and makes the others zero
    (Bussmann, Leask & Nanda 2024, arXiv 2412.06410): rows share k times as many as they are.
    """

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        flat = x.flatten()
        largest = flat.topk(self.k * (x.numel() // x.shape[-1]), sorted=False)
        kept = torch.zeros_like(flat).scatter(0, largest.indices, largest.values.relu())
        return kept.view_as(x)


class SquaredReLU(nn.Module):
    """The square of a rectifier (So et al. 2021, arXiv 2109.08668)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.relu().square()


class SparseAutoencoder(nn.Module):
    """Reconstructs vectors, after normalising them, as sums of few latents, the outputs of its
    module "activation".

    Args:
        width: features of a vector.
        latents: number of latents.
        activation: `TopK(k)`, or `nn.ReLU()` for latents that an L1 penalty keeps few.
    """

    def __init__(self, width: int, latents: int, activation: nn.Module) -> None:
        super().__init__()
        self.encoder = nn.Linear(width, latents)
        self.activation = activation
        self.decoder = nn.Linear(latents, width)
        with torch.no_grad():
            self.decoder.weight.copy_(functional.normalize(self.encoder.weight.T, dim=0))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstructions of vectors (..., width) normalised to mean 0 and variance 1, and their
        latents (..., latents).
        """
        latents = self.activation(self.encoder(normalised(x) - self.decoder.bias))
        return self.decoder(latents), latents


def normalised(x: Tensor) -> Tensor:
    """Vectors (..., width) with mean 0 and variance 1."""
    return functional.layer_norm(x, x.shape[-1:])
