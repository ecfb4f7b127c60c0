"""Networks of many architectures, small, with units that are zero on every sample; of libraries,
made by their own classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from builders.model_libraries import model_library

FAR_BELOW = -100.0


@dataclass(frozen=True)
class Network:
    """A network, what it runs on, and how it is recorded.

    Attributes:
        model: the network.
        inputs: of it.
        record: arguments of `record`.
        least: units that at least are removed, of all layers.
        exact: whether idle units are exactly zero by the rule they are counted by.
    """

    model: nn.Module
    inputs: Any
    record: dict[str, Any] = field(default_factory=dict)
    least: int = 1
    exact: bool = True


def silenced(*biases: Any) -> None:
    """Every third unit that these biases are of is far below zero."""
    with torch.no_grad():
        for bias in biases:
            bias[::3] = FAR_BELOW


class TopK(nn.Module):
    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        values, places = x.topk(self.k, -1)
        return torch.zeros_like(x).scatter_(-1, places, values.relu())


def perceptron() -> Network:
    model = nn.Sequential(
        nn.Linear(6, 30), nn.ReLU(), nn.Dropout(0.2), nn.Linear(30, 18), nn.ReLU(), nn.Linear(18, 3)
    )
    silenced(model[0].bias, model[3].bias)
    return Network(model, torch.rand(40, 6), least=16)


def convolutions_with_batch_norm() -> Network:
    model = nn.Sequential(
        nn.Conv2d(3, 9, 3, padding=1),
        nn.BatchNorm2d(9),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(9, 9, 3, groups=9, padding=1),  # each channel by itself
        nn.Conv2d(9, 12, 3),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(12 * 4, 15),
        nn.ReLU(),
        nn.Linear(15, 3),
    )
    with torch.no_grad():
        torch.nn.init.zeros_(model.get_parameter("4.bias"))
    silenced(model[1].bias, model[6].bias, model[9].bias)
    return Network(model, torch.rand(8, 3, 8, 8), least=9)


def _residual(block: str, layers: list[int], **options: Any) -> Network:
    resnet = model_library("torchvision.models").resnet
    model = resnet.ResNet(getattr(resnet, block), layers, num_classes=4, **options)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.normal_(0, 0.1)
            silenced(module.bias)
    return Network(model, torch.rand(3, 3, 32, 32), least=800)


def residual_network_18() -> Network:
    return _residual("BasicBlock", [2, 2, 2, 2])


def residual_network_50() -> Network:
    return _residual("Bottleneck", [3, 4, 6, 3], width_per_group=16)


def _texts() -> Tensor:
    return torch.randint(0, 50, (4, 9))


SHAPE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
WORDS = {**SHAPE, "vocab_size": 50, "intermediate_size": 40, "num_key_value_heads": 1}
WORDS |= {"bos_token_id": 1, "eos_token_id": 2}
NOT_ZERO = {"criterion": "threshold(0.0)"}


def gpt2() -> Network:
    transformers = model_library("transformers")
    config = transformers.GPT2Config(
        n_embd=16,
        n_layer=2,
        n_head=2,
        vocab_size=50,
        n_positions=16,
        bos_token_id=0,
        eos_token_id=0,
    )
    model = transformers.GPT2LMHeadModel(config)
    silenced(*(block.mlp.c_fc.bias for block in model.transformer.h))
    return Network(model, {"input_ids": _texts()}, NOT_ZERO, least=44)


def llama() -> Network:
    transformers = model_library("transformers")
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**WORDS))
    for layer in model.model.layers:
        with torch.no_grad():
            layer.mlp.gate_proj.weight[::3] = 0
    return Network(model, _texts(), NOT_ZERO, least=28)


def mixtral() -> Network:
    """A mixture with fused experts, of which few texts reach some."""
    transformers = model_library("transformers")
    config = transformers.MixtralConfig(**WORDS, num_local_experts=12, num_experts_per_tok=2)
    return Network(transformers.MixtralForCausalLM(config), torch.randint(0, 50, (1, 4)))


def vision_transformer() -> Network:
    transformers = model_library("transformers")
    config = transformers.ViTConfig(**SHAPE, intermediate_size=40, image_size=16, patch_size=4)
    model = transformers.ViTForImageClassification(config)
    wide = (m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == 40)
    silenced(*(module.bias for module in wide))
    return Network(model, {"pixel_values": torch.rand(3, 3, 16, 16)}, NOT_ZERO, least=28)


def encoder_layers() -> Network:
    layer = nn.TransformerEncoderLayer(16, 2, 40, batch_first=True)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    silenced(*(model.get_parameter(f"layers.{i}.linear1.bias") for i in range(2)))
    return Network(model, torch.rand(3, 7, 16), least=28)


def _autoencoder(activation: nn.Module) -> Network:
    from actilaw.study.networks.architectures import SparseAutoencoder

    model = SparseAutoencoder(12, 60, activation)
    with torch.no_grad():
        model.encoder.bias[::3] -= 8
    return Network(model, torch.randn(20, 12), {"criterion": "threshold(0.0)"}, least=20)


def top_k_autoencoder() -> Network:
    return _autoencoder(TopK(3))


def relu_autoencoder() -> Network:
    return _autoencoder(nn.ReLU())


def _of_saelens(kind: str, **options: Any) -> Network:
    library = model_library("sae_lens")
    config = getattr(library, f"{kind}Config")(d_in=12, d_sae=60, device="cpu", **options)
    model = getattr(library, kind)(config)
    with torch.no_grad():
        model.W_enc.normal_()
        model.W_dec.normal_()
        model.b_enc.normal_()
        model.b_enc[::3] -= 30
        if kind == "JumpReLUSAE":
            model.threshold.uniform_(0.1, 1.0)
    return Network(model, torch.randn(20, 12), least=20)


def top_k_autoencoder_of_saelens() -> Network:
    return _of_saelens("TopKSAE", k=4)


def jumping_autoencoder_of_saelens() -> Network:
    return _of_saelens("JumpReLUSAE")


def mixture_of_listed_experts() -> Network:
    """Experts in a list, chosen by a router's rows."""

    class Router(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.top_k, self.num_experts = 2, 8
            self.weight = nn.Parameter(torch.randn(8, 6))

        def forward(self, x: Tensor) -> Tensor:
            logits = nn.functional.linear(x, self.weight)
            values, places = logits.topk(2, -1)
            return torch.zeros_like(logits).scatter(-1, places, values.softmax(-1))

    class Mixture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.router = Router()
            self.experts = nn.ModuleList(nn.Linear(6, 3) for _ in range(8))

        def forward(self, x: Tensor) -> Tensor:
            shares = self.router(x)
            parts = [share[:, None] * e(x) for share, e in zip(shares.T, self.experts, strict=True)]
            return torch.stack(parts).sum(0)

    model = Mixture()
    with torch.no_grad():
        model.router.weight[2:4] = 0.0
        model.router.weight[2:4, 0] = -9.0
    return Network(model, torch.rand(30, 6) + torch.eye(6)[0], least=2)


NETWORKS: tuple[Callable[[], Network], ...] = (
    perceptron,
    convolutions_with_batch_norm,
    encoder_layers,
    top_k_autoencoder,
    relu_autoencoder,
    mixture_of_listed_experts,
    residual_network_18,
    residual_network_50,
    gpt2,
    llama,
    mixtral,
    vision_transformer,
    top_k_autoencoder_of_saelens,
    jumping_autoencoder_of_saelens,
)
OF_LIBRARIES = NETWORKS[6:]


def made(build: Callable[[], Network]) -> Network:
    """A network with the same random weights whenever it is made."""
    torch.manual_seed(0)
    network = build()
    network.model.eval()
    return network
