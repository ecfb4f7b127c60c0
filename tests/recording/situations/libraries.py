"""Real networks of torchvision, timm, Transformers, TransformerLens and SAELens, built small from
their own classes. What their layers should have seen is kept by hooks of this file's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from builders.model_libraries import model_library
from recording.situations.case import (
    Case,
    Units,
    largest,
    nonzero,
    positive,
    situation,
    standing_out,
)
from recording.situations.parts import channels_last, first_words, images, level

RECTIFIERS = (nn.ReLU, nn.ReLU6)


def keep(
    model: nn.Module, names: Iterable[str], run: Callable[[], object], *, at_input: bool = False
) -> dict[str, list[Tensor]]:
    """What each module returned, or took in, call by call, while the model ran."""
    kept: dict[str, list[Tensor]] = {name: [] for name in names}
    modules = dict(model.named_modules())

    def keeper(name: str) -> Callable[..., None]:
        return lambda _module, inputs, out: kept[name].append(
            (inputs[0] if at_input else out).detach().clone()
        )

    hooks = [modules[name].register_forward_hook(keeper(name)) for name in kept]
    with torch.no_grad():
        run()
    for hook in hooks:
        hook.remove()
    return kept


def calm(model: nn.Module, run: Callable[[], object]) -> nn.Module:
    """The model in evaluation mode, with weights of PyTorch's own size, statistics of batch norm as
    if trained, and biases that make some units active often, others seldom.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d):
            module.reset_parameters()
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0
            module.train()
    with torch.no_grad():
        run()
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d | nn.BatchNorm2d):
                _spread_bias(module)
    return model.eval()


def _spread_bias(module: nn.Module) -> None:
    seldom = -1.0 if isinstance(module, nn.Linear) else -1.6
    if isinstance(module.bias, nn.Parameter):
        module.bias.copy_(torch.linspace(0.4, seldom, len(module.bias)))


def every_activation(
    model: nn.Module, x: Tensor, *, channels: bool, leave_out: tuple[str, ...] = (), **options: Any
) -> Case:
    """A case of all activation modules of a network for images.

    Args:
        model: the network.
        x: images.
        channels: whether units are channels on axis 1; else they are on the last axis.
        leave_out: kinds of activation modules of which nothing is said.
        options: of the case.
    """
    torch.manual_seed(1)
    calm(model, lambda: model(x))
    names = {
        name: module
        for name, module in model.named_modules()
        if type(module).__module__ in ("torch.nn.modules.activation", "timm.layers.activations")
        and type(module).__name__ not in ("MultiheadAttention", "Softmax", *leave_out)
    }
    layers: dict[str, Units] = {}
    for name, calls in keep(model, names, lambda: model(x)).items():
        rule = positive if isinstance(names[name], RECTIFIERS) else standing_out
        for index, call in enumerate(calls):
            key = name if len(calls) == 1 else f"{name}#{index}"
            values = channels_last(call) if channels else call
            layers[key] = Units(values, rule)
    return Case(model, x, layers, more_layers=bool(leave_out), **options)


@situation(slow=True)
def residual_network_of_torchvision() -> Case:
    models = model_library("torchvision.models")
    resnet = models.resnet
    model = resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], num_classes=3)
    return every_activation(model, images(5, 3, 32, 32), channels=True)


@situation(slow=True)
def residual_network_with_bottlenecks_of_torchvision() -> Case:
    resnet = model_library("torchvision.models").resnet
    model = resnet.ResNet(resnet.Bottleneck, [1, 2, 1, 1], num_classes=3, width_per_group=16)
    return every_activation(model, images(4, 3, 32, 32), channels=True)


@situation(slow=True)
def mobile_network_2_of_torchvision() -> Case:
    models = model_library("torchvision.models")
    blocks = [[1, 8, 1, 1], [6, 8, 2, 2]]
    model = models.MobileNetV2(3, width_mult=0.25, inverted_residual_setting=blocks)
    return every_activation(model, images(8, 3, 32, 32), channels=True)


@situation(slow=True)
def mobile_network_3_of_torchvision() -> Case:
    models = model_library("torchvision.models")
    block = models.mobilenetv3.InvertedResidualConfig
    blocks = [
        block(16, 3, 16, 16, True, "RE", 2, 1, 0.5),
        block(16, 3, 32, 16, True, "HS", 1, 1, 0.5),
    ]
    model = models.MobileNetV3(blocks, last_channel=16, num_classes=3)
    return every_activation(model, images(6, 3, 32, 32), channels=True, leave_out=("Hardsigmoid",))


@situation(slow=True)
def shuffle_network_of_torchvision() -> Case:
    models = model_library("torchvision.models")
    model = models.ShuffleNetV2([2, 2, 2], [8, 16, 32, 64, 32], num_classes=3)
    return every_activation(model, images(6, 3, 64, 64), channels=True)


@situation(slow=True)
def densely_connected_network_of_torchvision() -> Case:
    models = model_library("torchvision.models")
    model = models.DenseNet(4, (2, 2), num_init_features=8, bn_size=2, num_classes=3)
    case = every_activation(model, images(8, 3, 32, 32), channels=True)
    model(images(1, 3, 32, 32))  # the last rectifier is a function
    last = keep(model, ["features"], lambda: case.run())["features"][0]
    return Case(model, case.calls, {**_mapping(case), "relu": channels_last(last)})


@situation(slow=True)
def squeeze_network_of_torchvision() -> Case:
    models = model_library("torchvision.models")
    return every_activation(
        models.SqueezeNet("1_1", num_classes=3), 300 * images(3, 3, 48, 48), channels=True
    )


@situation(slow=True)
def efficient_network_of_torchvision() -> Case:
    models = model_library("torchvision.models")
    block = models.efficientnet.MBConvConfig
    blocks = [
        block(1, 3, 1, 8, 8, 1, width_mult=1.0, depth_mult=1.0),
        block(4, 3, 2, 8, 16, 1, width_mult=1.0, depth_mult=1.0),
    ]
    model = models.EfficientNet(blocks, dropout=0.1, num_classes=3)
    return every_activation(model, images(8, 3, 32, 32), channels=True, leave_out=("Sigmoid",))


@situation(slow=True)
def convnext_of_torchvision() -> Case:
    convnext = model_library("torchvision.models").convnext
    blocks = [convnext.CNBlockConfig(8, 16, 1), convnext.CNBlockConfig(16, None, 1)]
    model = convnext.ConvNeXt(blocks, num_classes=3)
    return every_activation(model, images(8, 3, 32, 32), channels=False)


@situation(slow=True)
def vision_transformer_of_torchvision() -> Case:
    models = model_library("torchvision.models")
    model = models.VisionTransformer(
        image_size=16,
        patch_size=4,
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        mlp_dim=40,
        num_classes=3,
    )
    return every_activation(model, images(7, 3, 16, 16), channels=False)


@situation(slow=True)
def shifted_windows_of_torchvision() -> Case:
    models = model_library("torchvision.models")
    model = models.SwinTransformer(
        patch_size=[2, 2],
        embed_dim=8,
        depths=[2, 1],
        num_heads=[2, 2],
        window_size=[2, 2],
        num_classes=3,
    )
    return every_activation(model, images(8, 3, 16, 16), channels=False)


@situation(slow=True)
def inception_of_torchvision_by_functions() -> Case:
    """Each small block of convolution and norm rectifies by a function."""
    googlenet = model_library("torchvision.models.googlenet")
    model = nn.Sequential(
        googlenet.BasicConv2d(3, 6, kernel_size=3),
        googlenet.Inception(6, 4, 4, 6, 2, 3, 5),
    )
    x = images(6, 3, 12, 12)
    calm(model, lambda: model(x))
    norms = [name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)]
    kept = keep(model, norms, lambda: model(x))
    layers = {f"{n.removesuffix('.bn')}.relu": channels_last(v[0]) for n, v in kept.items()}
    return Case(model, x, layers)


@situation(slow=True)
def residual_network_of_timm() -> Case:
    resnet = model_library("timm.models").resnet
    model = resnet.ResNet(
        resnet.BasicBlock, [1, 1, 1, 1], num_classes=3, channels=(8, 8, 16, 16), stem_width=8
    )
    return every_activation(model, images(8, 3, 32, 32), channels=True)


@situation(slow=True)
def convnext_of_timm() -> Case:
    """Its GELU is a class of timm's own."""
    convnext = model_library("timm.models").convnext
    model = convnext.ConvNeXt(depths=(1, 1, 1, 1), dims=(8, 8, 16, 16), num_classes=3)
    return every_activation(model, images(8, 3, 64, 64), channels=False)


@situation(slow=True)
def convnext_of_timm_by_convolutions() -> Case:
    convnext = model_library("timm.models").convnext
    model = convnext.ConvNeXt(
        depths=(1, 1, 1, 1), dims=(8, 8, 16, 16), num_classes=3, conv_mlp=True
    )
    return every_activation(model, images(8, 3, 64, 64), channels=True)


@situation(slow=True)
def vision_transformer_of_timm() -> Case:
    transformer = model_library("timm.models").vision_transformer
    model = transformer.VisionTransformer(
        img_size=16, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=3
    )
    return every_activation(model, images(17, 3, 16, 16), channels=False)


@situation(slow=True)
def mixer_of_timm() -> Case:
    mixer = model_library("timm.models").mlp_mixer
    model = mixer.MlpMixer(img_size=16, patch_size=4, embed_dim=16, num_blocks=1, num_classes=3)
    return every_activation(model, images(8, 3, 16, 16), channels=False)


@situation(slow=True)
def shifted_windows_of_timm() -> Case:
    swin = model_library("timm.models").swin_transformer
    model = swin.SwinTransformer(
        img_size=16,
        patch_size=2,
        embed_dim=8,
        depths=(2, 1),
        num_heads=(2, 2),
        window_size=4,
        num_classes=3,
    )
    return every_activation(model, images(4, 3, 16, 16), channels=False)


@situation(slow=True)
def gated_feed_forward_layer_of_timm() -> Case:
    layers = model_library("timm.layers")
    model = nn.Sequential(nn.Linear(6, 12), layers.SwiGLU(12, 20)).eval()
    x = torch.randn(7, 5, 6)
    hidden = functional.silu(model[1].fc1_g(model[0](x))) * model[1].fc1_x(model[0](x))
    gate = functional.silu(model[1].fc1_g(model[0](x)))
    options = [{"1.act": Units(gate, standing_out)}, {"1.fc2": Units(hidden, standing_out)}]
    return Case(model, x, options)


def _mapping(case: Case) -> Mapping[str, Any]:
    assert isinstance(case.layers, Mapping)
    return case.layers


SHAPE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
WORDS = {**SHAPE, "vocab_size": 50, "intermediate_size": 40}


def text(
    model: nn.Module,
    places: Mapping[str, tuple[str, Any]],
    *,
    masked: bool = True,
    more_layers: bool = False,
) -> Case:
    """A case of a network that reads texts with padding.

    Args:
        model: the network, of Transformers.
        places: by the name of the layer, whether its units are "in" or "out" of the module, and the
            rule.
        masked: whether padding is left out by `attention_mask`.
        more_layers: whether other layers may be counted.
    """
    model.eval()
    tokens = torch.randint(3, 50, (6, 9))
    words = first_words(6, 9)
    given = {"input_ids": tokens, "attention_mask": words.long()}
    layers = {}
    for name, (side, rule) in places.items():
        kept = keep(model, [name], lambda: model(**given), at_input=side == "in")[name]
        layers[name] = Units(kept[0].view(6, 9, -1), rule, words if masked else None)
    arguments = {"mask": "attention_mask"} if masked else {}
    return Case(model, [given], layers, arguments, more_layers=more_layers)


@situation(slow=True)
def gpt2() -> Case:
    transformers = model_library("transformers")
    config = transformers.GPT2Config(
        n_embd=16, n_layer=2, n_head=2, vocab_size=50, n_positions=16, bos_token_id=0
    )
    model = transformers.GPT2LMHeadModel(config)
    places = {f"transformer.h.{index}.mlp.act": ("out", standing_out) for index in range(2)}
    return text(model, places)


@situation(slow=True)
def llama() -> Case:
    transformers = model_library("transformers")
    model = transformers.LlamaModel(transformers.LlamaConfig(**WORDS, num_key_value_heads=1))
    places = {f"layers.{index}.mlp.down_proj": ("in", standing_out) for index in range(2)}
    return text(model, places)


@situation(slow=True)
def gemma() -> Case:
    transformers = model_library("transformers")
    config = transformers.GemmaConfig(**WORDS, num_key_value_heads=1, head_dim=8)
    places = {f"layers.{index}.mlp.down_proj": ("in", standing_out) for index in range(2)}
    return text(transformers.GemmaModel(config), places)


@situation(slow=True)
def gpt_neox() -> Case:
    transformers = model_library("transformers")
    model = transformers.GPTNeoXModel(transformers.GPTNeoXConfig(**WORDS))
    return text(model, {f"layers.{i}.mlp.act": ("out", standing_out) for i in range(2)})


@situation(slow=True)
def opt_with_a_rectifier() -> Case:
    transformers = model_library("transformers")
    config = transformers.OPTConfig(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        ffn_dim=40,
        max_position_embeddings=16,
        word_embed_proj_dim=16,
    )
    places = {f"decoder.layers.{i}.activation_fn": ("out", positive) for i in range(2)}
    return text(transformers.OPTModel(config), places)


@situation(slow=True)
def bloom() -> Case:
    transformers = model_library("transformers")
    config = transformers.BloomConfig(vocab_size=50, hidden_size=16, n_layer=1, n_head=2)
    return text(transformers.BloomModel(config), {"h.0.mlp.gelu_impl": ("out", standing_out)})


def _bert(**options: Any) -> Case:
    transformers = model_library("transformers")
    torch.manual_seed(0)
    model = transformers.BertModel(transformers.BertConfig(**WORDS, **options)).eval()
    tokens, words = torch.randint(3, 50, (9, 9)), first_words(9, 9)
    given = {"input_ids": tokens, "attention_mask": words.long()}
    layers = {}
    for index in range(2):
        name = f"encoder.layer.{index}.intermediate.intermediate_act_fn"
        kept = keep(model, [name], lambda: model(**given))[name]
        layers[name] = Units(torch.cat(kept, 1), standing_out, words)
    pooled = keep(model, ["pooler.activation"], lambda: model(**given))["pooler.activation"][0]
    layers["pooler.activation"] = Units(pooled, standing_out, words.any(1))
    return Case(model, [given], layers, {"mask": "attention_mask"})


@situation(slow=True)
def bert() -> Case:
    return _bert()


@situation(slow=True)
def bert_in_chunks_of_positions() -> Case:
    return _bert(chunk_size_feed_forward=3)


@situation(slow=True)
def albert_that_shares_one_layer() -> Case:
    transformers = model_library("transformers")
    model = transformers.AlbertModel(transformers.AlbertConfig(**WORDS, embedding_size=8)).eval()
    name = "encoder.albert_layer_groups.0.albert_layers.0.activation"
    tokens = torch.randint(3, 50, (6, 9))
    kept = keep(model, [name, "pooler_activation"], lambda: model(tokens))
    layers = {
        name: Units(torch.stack(kept[name], 1), standing_out),
        "pooler_activation": Units(kept["pooler_activation"][0], standing_out),
    }
    return Case(model, tokens, layers)


@situation(slow=True)
def encoder_and_decoder_of_t5() -> Case:
    transformers = model_library("transformers")
    config = transformers.T5Config(
        vocab_size=50, d_model=16, d_kv=8, d_ff=40, num_layers=1, num_heads=2
    )
    model = transformers.T5Model(config).eval()
    given = {
        "input_ids": torch.randint(3, 50, (6, 9)),
        "decoder_input_ids": torch.randint(3, 50, (6, 4)),
    }
    names = [
        "encoder.block.0.layer.1.DenseReluDense.act",
        "decoder.block.0.layer.2.DenseReluDense.act",
    ]
    kept = keep(model, names, lambda: model(**given))
    return Case(model, [given], {name: kept[name][0] for name in names})


@situation(slow=True)
def whisper_whose_first_activations_are_functions() -> Case:
    transformers = model_library("transformers")
    sizes = {"encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 40}
    config = transformers.WhisperConfig(
        num_mel_bins=8, d_model=16, max_source_positions=10, vocab_size=50, pad_token_id=0, **sizes
    )
    model = transformers.models.whisper.modeling_whisper.WhisperEncoder(config).eval()
    x = torch.randn(5, 8, 20) * level(5, 3, axis=0)
    names = ["conv1", "conv2", "layers.0.activation_fn"]
    kept = keep(model, names, lambda: model(x))
    first, second = (channels_last(functional.gelu(kept[name][0])) for name in names[:2])
    layers = {
        "gelu#0": Units(first, standing_out),
        "gelu#1": Units(second, standing_out),
        names[2]: Units(kept[names[2]][0], standing_out),
    }
    return Case(model, x, layers)


@situation(slow=True)
def vision_transformer_of_transformers() -> Case:
    transformers = model_library("transformers")
    sizes = {**SHAPE, "intermediate_size": 40, "image_size": 16, "patch_size": 4}
    model = transformers.ViTModel(transformers.ViTConfig(**sizes)).eval()
    x = images(17, 3, 16, 16)
    names = [f"layers.{index}.mlp.activation_fn" for index in range(2)]
    kept = keep(model, [*names, "pooler.activation"], lambda: model(x))
    layers = {name: Units(calls[0], standing_out) for name, calls in kept.items()}
    return Case(model, x, layers)


@situation(slow=True)
def residual_network_of_transformers() -> Case:
    transformers = model_library("transformers")
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic"
    )
    return every_activation(transformers.ResNetModel(config), images(8, 3, 32, 32), channels=True)


@situation(slow=True)
def quick_gelu_of_clip() -> Case:
    transformers = model_library("transformers")
    config = transformers.CLIPTextConfig(**WORDS, bos_token_id=1, eos_token_id=2)
    model = transformers.CLIPTextModel(config)
    return text(
        model, {f"encoder.layers.{i}.mlp.activation_fn": ("out", standing_out) for i in range(2)}
    )


def _routed(model: nn.Module, more: Mapping[str, tuple[str, Any]]) -> Case:
    """The choice of two of six experts, tokens of all texts in one axis."""
    case = text(model.eval(), more)
    tokens = case.calls[0]
    words = tokens["attention_mask"].bool()
    layers = dict(_mapping(case))
    for index in range(2):
        name = f"layers.{index}.mlp.gate"
        hidden = keep(model, [name], lambda: model(**tokens), at_input=True)[name][0]
        scores = functional.linear(hidden, model.get_submodule(name).weight)
        layers[name] = Units(scores.view(6, 9, 6), largest(2), words)
    return Case(model, case.calls, layers, case.arguments)


@situation(slow=True)
def experts_of_mixtral() -> Case:
    transformers = model_library("transformers")
    config = transformers.MixtralConfig(
        **WORDS, num_key_value_heads=2, num_local_experts=6, num_experts_per_tok=2
    )
    return _routed(transformers.MixtralModel(config), {})


@situation(slow=True)
def experts_of_qwen_beside_a_shared_one() -> Case:
    transformers = model_library("transformers")
    config = transformers.Qwen2MoeConfig(
        **WORDS,
        num_key_value_heads=2,
        num_experts=6,
        num_experts_per_tok=2,
        moe_intermediate_size=12,
        shared_expert_intermediate_size=20,
    )
    places = {f"layers.{i}.mlp.shared_expert.down_proj": ("in", standing_out) for i in range(2)}
    return _routed(transformers.Qwen2MoeModel(config), places)


@situation(slow=True, per=["position"])
def text_generated_word_by_word() -> Case:
    """A forward pass for the words given, and one for each new word but the last."""
    transformers = model_library("transformers")
    config = transformers.GPT2Config(
        n_embd=16, n_layer=2, n_head=2, vocab_size=50, n_positions=16, bos_token_id=0
    )
    model = transformers.GPT2LMHeadModel(config).eval()
    model.generation_config.eos_token_id = None
    tokens = torch.randint(3, 50, (6, 5))

    def run(_: Any) -> None:
        torch.manual_seed(0)
        model.generate(tokens, max_new_tokens=4, do_sample=False, pad_token_id=0)

    names = [f"transformer.h.{index}.mlp.act" for index in range(2)]
    kept = keep(model, names, lambda: run(None))
    assert [call.shape[1] for call in kept[names[0]]] == [5, 1, 1, 1]
    return Case(model, run, {name: Units(kept[name], standing_out) for name in names})


def _lens(act_fn: str, *, gated: bool = False, layers: str | None = None) -> Case:
    """A transformer of TransformerLens, whose units pass `hook_post`."""
    lens = model_library("transformer_lens")
    config = lens.HookedTransformerConfig(
        n_layers=2,
        d_model=16,
        n_ctx=12,
        d_head=8,
        n_heads=2,
        d_mlp=40,
        d_vocab=50,
        act_fn=act_fn,
        gated_mlp=gated,
        normalization_type="LN",
        seed=0,
    )
    model = lens.HookedTransformer(config).eval()
    tokens = torch.randint(0, 50, (9, 9))
    rule = positive if act_fn == "relu" and not gated else standing_out
    names = [f"blocks.{index}.mlp.hook_post" for index in range(2)]
    kept = keep(model, names, lambda: model(tokens))
    expected = {f"blocks.{i}.mlp*": Units(kept[names[i]][0], rule) for i in range(2)}
    return Case(model, tokens, expected, {"layers": layers} if layers else {})


@situation(slow=True)
def transformer_lens_with_a_rectifier() -> Case:
    return _lens("relu")


@situation(slow=True)
def transformer_lens_with_gelu() -> Case:
    return _lens("gelu_new")


@situation(slow=True)
def transformer_lens_with_a_gate() -> Case:
    return _lens("silu", gated=True)


@situation(slow=True)
def transformer_lens_with_layers_named_by_hand() -> Case:
    return _lens("gelu_new", layers="*.hook_post")


@situation(slow=True)
def transformer_lens_with_a_rectifier_named_by_hand() -> Case:
    return _lens("relu", layers="*.mlp.hook_post")


def _autoencoder(kind: str, *, run: str = "forward", **options: Any) -> Case:
    """A sparse autoencoder of SAELens on (texts, positions, inputs), counted at its latents."""
    library = model_library("sae_lens")
    config = getattr(library, f"{kind}Config")(d_in=16, d_sae=64, **options)
    model = getattr(library, kind)(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith("b_") and name != "b_dec":
                parameter.copy_(torch.linspace(0.3, -2.0, 64))
            elif name == "W_enc":
                parameter.normal_(0, 0.3)
    x = torch.randn(6, 5, 16) * level(6, 3, axis=0)
    with torch.no_grad():
        latents = model.encode(x)
    return Case(
        model,
        lambda _: getattr(model, run)(x),
        {"*hook_sae_acts_post": Units(latents, nonzero)},
    )


@situation(slow=True)
def autoencoder_of_sae_lens() -> Case:
    return _autoencoder("StandardSAE")


@situation(slow=True)
def autoencoder_of_sae_lens_that_only_encodes() -> Case:
    return _autoencoder("StandardSAE", run="encode")


@situation(slow=True)
def autoencoder_of_sae_lens_with_the_largest() -> Case:
    return _autoencoder("TopKSAE", k=4)


@situation(slow=True)
def autoencoder_of_sae_lens_with_thresholds() -> Case:
    return _autoencoder("JumpReLUSAE")


@situation(slow=True)
def autoencoder_of_sae_lens_with_gates() -> Case:
    return _autoencoder("GatedSAE")


@situation(slow=True)
def transcoder_of_sae_lens() -> Case:
    return _autoencoder("Transcoder", d_out=16, apply_b_dec_to_input=False)


@situation(slow=True)
def autoencoder_of_sae_lens_inside_a_model() -> Case:
    """Spliced in between two layers of a network, as interpretability studies do."""
    inner = _autoencoder("StandardSAE")
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), inner.model, nn.Linear(16, 2)).eval()
    x = torch.randn(8, 6) * level(8, 2, axis=0) * 3
    hidden = model[:2](x)
    layers = {
        "1": hidden,
        "2.*hook_sae_acts_post": Units(inner.model.encode(hidden), nonzero),
    }
    return Case(model, x, layers)
