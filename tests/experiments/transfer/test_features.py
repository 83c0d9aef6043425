"""Frozen features: each layer's, in one pass, and what colour and raw pixels say."""

import numpy as np
import pytest
import torch
from small import SPEC, pictures

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.experiments.transfer.features import (
    TABLE_7,
    colour_histogram,
    features,
    pooled_side,
    pooled_sizes,
    raw_pixels,
)
from zfutils.nets.zoo import zfnet


def seen(n):
    """Pictures of 40 px as the network sees them."""
    return Inputs.of(pictures(n), side=32, scale=1 / 64)


def network():
    torch.manual_seed(0)
    return SPEC.build()


def by_hooks(model, images, layers):
    """The layers' outputs on the centre crops, by hooks on a forward pass of the whole model."""
    kept = {}
    hooks = [
        model.get_submodule(layer).register_forward_hook(lambda m, i, o, layer=layer: kept.update({layer: o}))
        for layer in layers
    ]
    crops = (images.pixels.float() - images.mean)[:, 4:36, 4:36].permute(0, 3, 1, 2) / 64
    with torch.no_grad():
        model.eval()(crops)
    for hook in hooks:
        hook.remove()
    return kept


def test_every_layer_gives_what_a_forward_pass_gives_there_pooled():
    layers = ("relu1", "relu2", "relu3")
    found = features(network(), seen(24), layers, batch=7, at_most=100)
    whole = by_hooks(network(), pictures(24), layers)
    assert list(found) == list(layers)
    np.testing.assert_allclose(found["relu3"], whole["relu3"], rtol=1e-4, atol=1e-5)
    assert whole["relu1"].shape[1:] == (8, 14, 14)  # into 3 × 3 regions: 8 · 9 = 72 features
    regions = [slice(0, 5), slice(4, 10), slice(9, 14)]  # ⌊14 k / 3⌋ to ⌈14 (k + 1) / 3⌉
    by_hand = torch.stack([whole["relu1"][:, :, r, c].amax((2, 3)) for r in regions for c in regions], 2)
    np.testing.assert_allclose(found["relu1"], by_hand.flatten(1), rtol=1e-4, atol=1e-5)
    assert all(x.dtype == np.float32 and len(x) == 24 for x in found.values())


def test_pooling_keeps_to_the_limit_and_never_enlarges():
    assert [pooled_side(maps, 46) for maps in (24, 48, 96, 1200, 1201, 4096)] == [7, 5, 3, 1, 1, 1]
    assert pooled_side(24, 5) == 5


def test_the_stated_sizes_are_those_that_come_out():
    spec = zfnet(5, 96).scaled(0.125)
    found = features(spec.build(), Inputs.of(pictures(3, size=96), scale=1 / 64), TABLE_7)
    stated = pooled_sizes(spec, TABLE_7)
    assert [x.shape[1] for x in found.values()] == list(stated["features"])
    assert list(stated["pooled"]) == [10, 6, 5, 5, 5, 1]  # √(1,200 / 12) = 10; layers 3 to 5 are 5 px
    assert (stated.loc[stated["size"] > 1, "features"] <= 1200).all()


def test_nothing_above_the_last_layer_asked_for_is_run():
    model = network()
    model.fc3 = None  # would fail
    assert features(model, seen(4), ("relu1", "relu2"))["relu2"].shape[0] == 4


def test_the_model_is_left_as_it_was_and_dropout_is_off(capsys):
    model = network().train()
    first, second = (features(model, seen(5), ("relu3",), progress=True, batch=2) for _ in range(2))
    np.testing.assert_array_equal(first["relu3"], second["relu3"])
    assert model.training
    assert all(module.training for module in model)
    assert capsys.readouterr().out.splitlines() == ["features: 5 of 5 images"] * 2


def test_features_are_of_the_images_asked_for_and_in_their_order():
    rows = torch.tensor([7, 2, 5])
    chosen, every = (features(network(), inputs, ("fc4",))["fc4"] for inputs in (seen(9).at(rows), seen(9)))
    np.testing.assert_allclose(chosen, every[rows], rtol=1e-4, atol=1e-5)
    assert chosen.shape == (3, 3), "the last layer gives the logits"


def test_a_layer_that_is_not_there_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="layer 'relu8' is not in this network; it has conv1, relu1, pool1"):
        features(network(), seen(2), ("relu8",))
    with pytest.raises(ValueError, match="no layer is asked for"):
        features(network(), seen(2), ())
    for layer in ("relu8", "conv1", "fc4"):
        with pytest.raises(ValueError, match=f"layer '{layer}' is not in tiny; it has relu1, relu2, relu3"):
            pooled_sizes(SPEC, (layer,))


def uniform(*colours, size=16):
    pixels = torch.tensor(colours, dtype=torch.uint8)[:, None, None, :].expand(-1, size, size, 3).contiguous()
    n = len(colours)
    return Pixels(
        pixels, torch.zeros(n).long(), pixels.float().mean(0), ("a", "b"), ("",) * n, {"colours": colours}
    )


def test_a_histogram_counts_pixels_by_colour():
    found = colour_histogram(uniform((0, 0, 0), (31, 32, 255)))
    assert found.shape == (2, 512)
    assert (found[0, 0], found[1, 0 * 64 + 1 * 8 + 7]) == (1, 1)
    np.testing.assert_allclose(found.sum(1), 1)
    half = uniform((0, 0, 0))
    half.pixels[:, :4] = 255
    assert colour_histogram(half)[0, [0, 511]].tolist() == [0.75, 0.25]


def test_a_histogram_does_not_see_where_the_colours_are():
    images = pictures(3)
    mixed = images.pixels.flatten(1, 2)[:, torch.randperm(1600)].reshape(images.pixels.shape)
    shuffled = Pixels(**{**images.__dict__, "pixels": mixed})
    np.testing.assert_array_equal(colour_histogram(images), colour_histogram(shuffled))


def test_raw_pixels_are_means_of_squares():
    images = uniform((0, 51, 255), size=64)  # of which 4 × 4 pixels become one
    images.pixels[0, :4, :2, 0] = 255
    found = raw_pixels(images).reshape(3, 16, 16)
    assert (found[0, 0, 0], found[0].sum()) == (0.5, 0.5)
    np.testing.assert_allclose(found[1:].mean((1, 2)), [0.2, 1], rtol=1e-6)
