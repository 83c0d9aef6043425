"""Weights in 8 bits against steps worked by hand."""

import pytest
import torch

from zfutils.training.eight_bits import narrowed, widened


def test_a_row_is_rounded_to_steps_of_its_largest_weight():
    weight = torch.tensor([[1.27, -0.644, 0.0], [0.0, 0.0, 0.0], [-254.0, 2.9, 3.1]])
    kept = narrowed({"fc6.weight": weight})
    assert kept["fc6.weight"].dtype == torch.int8
    assert kept["fc6.weight"].tolist() == [[127, -64, 0], [0, 0, 0], [-127, 1, 2]]
    back = widened(kept)
    assert list(back) == ["fc6.weight"]
    by_hand = torch.tensor([[1.27, -0.64, 0.0], [0.0, 0.0, 0.0], [-254.0, 2.0, 4.0]])
    torch.testing.assert_close(back["fc6.weight"], by_hand)


def test_windows_keep_their_shape_and_biases_half_precision():
    weight, bias = torch.randn(4, 3, 5, 2), torch.randn(4)
    back = widened(narrowed({"conv1.weight": weight, "conv1.bias": bias}))
    step = weight.flatten(1).abs().amax(1).view(4, 1, 1, 1) / 127
    assert ((back["conv1.weight"] - weight).abs() <= step * 0.501).all()
    assert torch.equal(back["conv1.bias"], bias.half().float())


def test_weights_in_16_and_32_bits_are_widened_as_they_are():
    whole = {"a": torch.tensor([0.1]), "b": torch.tensor([[0.5, 3.0]]).half()}
    back = widened(whole)
    assert torch.equal(back["a"], whole["a"])
    assert back["b"].dtype == torch.float32
    assert back["b"].tolist() == [[0.5, 3.0]]


@pytest.mark.parametrize("scales", [{}, {"fc6.weight.scale": torch.ones(2)}])
def test_a_weight_without_a_scale_for_each_row_is_refused_by_name(scales):
    with pytest.raises(ValueError, match=r"fc6\.weight"):
        widened({"fc6.weight": torch.ones(3, 4, dtype=torch.int8)} | scales)
