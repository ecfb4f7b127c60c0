"""Masks by every convention, and layers whose positions are not where those of the mask are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from recording.situations.case import Case, Units, situation, smooth
from recording.situations.parts import (
    conv,
    conv1,
    first_words,
    images,
    linear,
    net,
    samples,
    spread,
)


def _plain(name: str, mask: Any, *, refusal: str = "never", number: int = 6) -> Case:
    """A linear layer on (samples, positions, width), with a mask that does nothing in the model."""

    def forward(net: Any, x: Tensor, **given: Tensor) -> Tensor:
        return net.relu(net.make(x))

    model = net(forward, make=linear(5, 13), relu=nn.ReLU())
    x, words = samples(number, 9, 5), first_words(number, 9)
    seen = Units(model.make(x), kept=words)
    return Case(model, [{"x": x, name: mask(words)}], {"relu": seen}, {"mask": name}, refusal)


def _lowest(words: Tensor) -> Tensor:
    return torch.zeros(words.shape).masked_fill(~words, torch.finfo(torch.float32).min)


def _minus_infinity(words: Tensor) -> Tensor:
    return torch.zeros(words.shape).masked_fill(~words, -torch.inf)


@situation()
def booleans() -> Case:
    return _plain("mask", lambda words: words)


@situation()
def whole_numbers() -> Case:
    return _plain("attention_mask", lambda words: words.long())


@situation()
def small_whole_numbers() -> Case:
    return _plain("attention_mask", lambda words: words.to(torch.uint8))


@situation()
def zeros_and_ones_as_real_numbers() -> Case:
    return _plain("attention_mask", lambda words: words.float(), refusal="may")


@situation()
def added_to_scores_lowest_number() -> Case:
    return _plain("attention_mask", _lowest)


@situation()
def added_to_scores_minus_infinity() -> Case:
    return _plain("mask", _minus_infinity)


@situation()
def added_to_scores_minus_ten_thousand_in_half_precision() -> Case:
    return _plain("mask", lambda words: (~words).half() * -10000)


@situation()
def added_to_scores_with_axes_for_heads_and_queries() -> Case:
    return _plain("attention_mask", lambda words: _lowest(words)[:, None, None], refusal="may")


@situation()
def true_is_padding_by_name_src_key_padding_mask() -> Case:
    return _plain("src_key_padding_mask", lambda words: ~words)


@situation()
def true_is_padding_by_name_key_padding_mask() -> Case:
    return _plain("key_padding_mask", lambda words: (~words).int(), refusal="may")


@situation()
def true_is_padding_as_numbers_to_add() -> Case:
    return _plain("src_key_padding_mask", _minus_infinity)


@situation()
def as_many_samples_as_positions() -> Case:
    return _plain("mask", lambda words: words, number=9)


@situation(per=["sample"])
def numbers_to_add_that_are_all_zero_are_refused() -> Case:
    return _plain("mask", lambda words: torch.zeros(words.shape), refusal="must")


@situation(per=["sample"])
def padding_mask_of_no_known_convention_is_refused() -> Case:
    return _plain("padding_mask", lambda words: words, refusal="must")


@situation(per=["sample"])
def encoder_padding_mask_is_refused() -> Case:
    return _plain("encoder_padding_mask", lambda words: ~words, refusal="must")


@situation(per=["sample"])
def mask_of_pairs_of_positions_is_refused() -> Case:
    return _plain("mask", lambda _: torch.ones(9, 9).tril().bool(), refusal="must")


@situation(per=["sample"])
def mask_of_pairs_of_as_many_positions_as_samples_is_refused() -> Case:
    return _plain("attn_mask", lambda _: torch.ones(9, 9).tril().bool(), number=9, refusal="must")


@situation(per=["sample"])
def source_mask_is_refused() -> Case:
    return _plain("src_mask", lambda _: torch.ones(9, 9).triu(1).bool(), number=9, refusal="must")


@situation(per=["sample"])
def mask_that_is_missing_is_refused() -> Case:
    case = _plain("mask", lambda words: words)
    assert isinstance(case.calls, list)
    return Case(case.model, [{"x": case.calls[0]["x"]}], {}, {"mask": "mask"}, "must")


@situation(per=["sample"])
def mask_of_other_sizes_is_refused() -> Case:
    return _plain("mask", lambda words: words[:, :4], refusal="must")


def _masked(model: Any, x: Tensor, words: Tensor, layers: dict[str, Any]) -> Case:
    return Case(model, [(x, words)], layers, {"mask": "words"})


@situation()
def by_its_place_among_the_arguments() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor | None = None) -> Tensor:
        return net.relu(net.make(x))

    model = net(forward, make=linear(5, 13), relu=nn.ReLU())
    x, words = samples(6, 9, 5), first_words(6, 9)
    return _masked(model, x, words, {"relu": Units(model.make(x), kept=words)})


@situation()
def by_a_function_of_the_arguments() -> Case:
    def forward(net: Any, words: Tensor) -> Tensor:
        return net.relu(net.embed(words) - net.shift)

    model = net(forward, embed=nn.Embedding(20, 12), relu=nn.ReLU())
    model.shift = nn.Parameter(torch.linspace(0, 2, 12))
    words = torch.randint(0, 20, (7, 7))
    seen = Units(model.embed(words) - model.shift, kept=words > 4)
    return Case(model, [words], {"relu": seen}, {"mask": lambda words: words > 4})


@situation()
def of_whole_samples() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.relu(net.make(x))

    model = net(forward, make=linear(5, 13), relu=nn.ReLU())
    x, chosen = samples(8, 4, 5), torch.arange(8) % 3 > 0
    return _masked(model, x, chosen, {"relu": Units(model.make(x), kept=chosen)})


@situation()
def of_whole_samples_as_a_column() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.relu(net.make(x))

    model = net(forward, make=linear(5, 13), relu=nn.ReLU())
    x, chosen = samples(8, 4, 5), torch.arange(8)[:, None] % 3 > 0
    return _masked(model, x, chosen, {"relu": Units(model.make(x), kept=chosen[:, 0])})


@situation()
def of_images() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.relu(net.make(x))

    model = net(forward, make=conv(3, 9), relu=nn.ReLU())
    x, chosen = images(8, 3, 8, 8), torch.arange(8) % 3 > 0
    made = model.make(x).movedim(1, -1)
    return _masked(model, x, chosen, {"relu": Units(made, kept=chosen)})


@situation()
def several_batches_of_texts_of_several_lengths() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.relu(net.make(x))

    model = net(forward, make=linear(5, 13), relu=nn.ReLU())
    calls = [(samples(n, t, 5), first_words(n, t)) for n, t in [(6, 6), (3, 9), (9, 3), (1, 7)]]
    seen = Units([model.make(x) for x, _ in calls], kept=[words for _, words in calls])
    return Case(model, calls, {"relu": seen}, {"mask": "words"})


@situation()
def texts_without_any_word() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.relu(net.make(x))

    model = net(forward, make=linear(5, 13), relu=nn.ReLU())
    x, words = samples(7, 7, 5), first_words(7, 7)
    words[[0, 4]] = False
    return _masked(model, x, words, {"relu": Units(model.make(x), kept=words)})


def _positions_first(number: int, positions: int, width: int) -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.relu(net.make(x.transpose(0, 1))).transpose(0, 1)

    model = net(forward, make=linear(width, width), relu=nn.ReLU())
    x, words = samples(number, positions, width), first_words(number, positions)
    return _masked(model, x, words, {"relu": Units(model.make(x), kept=words)})


@situation()
def positions_before_samples() -> Case:
    return _positions_first(number=5, positions=9, width=8)


@situation()
def positions_before_as_many_samples() -> Case:
    return _positions_first(number=8, positions=8, width=6)


@situation()
def positions_before_samples_with_all_sizes_equal() -> Case:
    return _positions_first(number=7, positions=7, width=7)


@situation()
def positions_in_one_axis_with_samples() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.relu(net.make(x.flatten(0, 1))).view(*x.shape[:2], -1)

    model = net(forward, make=linear(6, 12), relu=nn.ReLU())
    x, words = samples(6, 6, 6), first_words(6, 6)
    return _masked(model, x, words, {"relu": Units(model.make(x), kept=words)})


@situation()
def samples_in_one_axis_behind_positions() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        y = net.relu(net.make(x.transpose(0, 1).flatten(0, 1)))
        return y.view(x.shape[1], x.shape[0], -1).transpose(0, 1)

    model = net(forward, make=linear(6, 12), relu=nn.ReLU())
    x, words = samples(5, 8, 6), first_words(5, 8)
    return _masked(model, x, words, {"relu": Units(model.make(x), kept=words)})


@situation()
def batch_in_chunks() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return torch.cat([net.relu(net.make(part)) for part in x.chunk(4)])

    model = net(forward, make=linear(6, 12), relu=nn.ReLU())
    x, words = samples(8, 8, 6), first_words(8, 8)
    return _masked(model, x, words, {"relu": Units(model.make(x), kept=words)})


@situation()
def positions_in_chunks() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return torch.cat([net.relu(net.make(part)) for part in x.chunk(2, 1)], 1)

    model = net(forward, make=linear(6, 12), relu=nn.ReLU())
    x, words = samples(8, 8, 6), first_words(8, 8)
    return _masked(model, x, words, {"relu": Units(model.make(x), kept=words)})


@situation()
def samples_in_another_order() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        order = words.sum(1).argsort(descending=True)
        return net.relu(net.make(x[order]))[order.argsort()]

    model = net(forward, make=linear(6, 12), relu=nn.ReLU())
    x, words = samples(8, 8, 6), first_words(8, 8)
    return _masked(model, x, words, {"relu": Units(model.make(x), kept=words)})


@situation()
def only_words_packed() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.relu(net.make(x[words]))

    model = net(forward, make=linear(6, 12), relu=nn.ReLU())
    x, words = samples(7, 8, 6), first_words(7, 8)
    return _masked(model, x, words, {"relu": Units(model.make(x), kept=words)})


@situation()
def convolution_along_words() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.relu(net.make(x.transpose(1, 2)))

    model = net(forward, make=conv1(8, 8, padding=1), relu=nn.ReLU())
    x, words = samples(8, 8, 8), first_words(8, 8)
    made = model.make(x.transpose(1, 2)).transpose(1, 2)
    return _masked(model, x, words, {"relu": Units(made, kept=words)})


@situation()
def units_of_a_convolution_along_words_before_samples() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.relu(net.make(x.transpose(1, 2)).permute(2, 0, 1))

    model = net(forward, make=conv1(7, 7, padding=1), relu=nn.ReLU())
    x, words = samples(7, 7, 7), first_words(7, 7)
    made = model.make(x.transpose(1, 2)).transpose(1, 2)
    return _masked(model, x, words, {"relu": Units(made, kept=words)})


@situation(per=["sample"])
def every_other_position_left_out_by_a_stride_is_refused() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.relu(net.make(x.transpose(1, 2)))

    model = net(forward, make=conv1(6, 9, stride=2), relu=nn.ReLU())
    return Case(model, [(samples(6, 9, 6), first_words(6, 9))], {}, {"mask": "words"}, "must")


def _pooled(pool: Any) -> Case:
    """A layer before the pool, and one after, which counts samples with any word."""

    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.head(net.last(net.relu(net.make(x)), words))

    def last(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return net.second(net.more(pool(x, words)))

    inner = net(last, more=linear(12, 9), second=nn.ReLU())
    model = net(forward, make=linear(6, 12), relu=nn.ReLU(), last=inner, head=linear(9, 2))
    x, words = samples(9, 9, 6), first_words(9, 9)
    words[[1, 5]] = False
    made = model.make(x)
    pooled = inner.more(pool(made.relu(), words))
    layers = {
        "relu": Units(made, kept=words),
        "last.second": Units(pooled, kept=words.any(1)),
    }
    return _masked(model, x, words, layers)


@situation()
def pooled_by_the_mean() -> Case:
    return _pooled(lambda x, _: 3 * x.mean(1))


@situation()
def pooled_by_the_mean_of_words() -> Case:
    return _pooled(
        lambda x, words: 3 * (x * words[..., None]).sum(1) / words.sum(1).clip(1)[:, None]
    )


@situation()
def pooled_by_taking_the_first_position() -> Case:
    return _pooled(lambda x, _: 20 * x[:, 0])


@situation()
def pooled_by_the_largest() -> Case:
    return _pooled(lambda x, _: x.amax(1))


def _transformer(batch_first: bool, name: str, mask: Any) -> Case:
    layer = nn.TransformerEncoderLayer(8, 2, 20, batch_first=batch_first).eval()
    spread(layer.linear1)

    def forward(net: Any, x: Tensor, **given: Tensor) -> Tensor:
        (padding,) = given.values()
        if padding.dtype != torch.bool:
            padding = padding < 0
        x = x if batch_first else x.transpose(0, 1)
        return net.layer(x, src_key_padding_mask=padding).mean()

    model = net(forward, layer=layer)
    x, words = samples(8, 8, 8), first_words(8, 8)
    y = x if batch_first else x.transpose(0, 1)
    y = layer.norm1(y + layer.self_attn(y, y, y, key_padding_mask=~words)[0])
    made = layer.linear1(y)
    seen = Units(made if batch_first else made.transpose(0, 1), kept=words)

    def run(_: Any) -> None:
        model(x.clone().requires_grad_(), **{name: mask(words)})

    return Case(model, run, {"layer.linear2": seen}, {"mask": name})


@situation()
def transformer_layer_with_padding() -> Case:
    return _transformer(True, "src_key_padding_mask", lambda words: ~words)


@situation()
def transformer_layer_with_positions_first_and_padding() -> Case:
    return _transformer(False, "src_key_padding_mask", lambda words: ~words)


@situation()
def transformer_layer_with_positions_first_and_numbers_to_add() -> Case:
    return _transformer(False, "mask", _lowest)


@situation()
def transformer_layer_that_is_the_model() -> Case:
    layer = nn.TransformerEncoderLayer(8, 2, 20, activation="gelu", batch_first=True).eval()
    x, words = samples(8, 8, 8), first_words(8, 8)
    y = layer.norm1(x + layer.self_attn(x, x, x, key_padding_mask=~words)[0])
    seen = smooth(nn.functional.gelu(layer.linear1(y)), words)
    name = "src_key_padding_mask"

    def run(_: Any) -> None:
        layer(x.clone().requires_grad_(), src_key_padding_mask=~words)

    return Case(layer, run, {"linear2": seen}, {"mask": name})


@situation()
def functional_rectifier_under_a_mask() -> Case:
    def forward(net: Any, x: Tensor, words: Tensor) -> Tensor:
        return nn.functional.relu(net.make(x.flatten(0, 1))).view(*x.shape[:2], -1)

    model = net(forward, make=linear(6, 12))
    x, words = samples(6, 6, 6), first_words(6, 6)
    return _masked(model, x, words, {"relu": Units(model.make(x), kept=words)})
