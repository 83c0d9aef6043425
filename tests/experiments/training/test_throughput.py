"""Throughput: the arithmetic that is counted, and a step taken apart into all of its pieces."""

import dataclasses
import itertools

import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from zfutils.data.pixels import Pixels
from zfutils.experiments.training.throughput import (
    fraction_of_rate,
    full_batches,
    in_own_precision,
    matrix_rate,
    step_time,
    throughput,
    training_flop,
)
from zfutils.nets import zoo
from zfutils.nets.layers import layers_of
from zfutils.training.recipe import Plateau, Training
from zfutils.training.step import Step

CPU = torch.device("cpu")
SPEC = zoo.zfnet(4, 64).scaled(0.1)
RECIPE = Training(
    epochs=1,
    batch=8,
    rate=0.01,
    input_scale=1 / 64,
    initialisation="small-first",
    plateau=Plateau(factor=0.2, patience=1, drops=0),
    precision="float32",
)


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (20, 72, 72, 3), dtype=torch.uint8, generator=generator)
    names = tuple(map(str, range(20)))
    return Pixels(pixels, torch.arange(20) % 4, torch.full((72, 72, 3), 128.0), tuple("abcd"), names, {})


def test_a_known_rate_gives_the_fraction_worked_out_by_hand():
    # 100 images/s at 3 GFLOP each are 300 GFLOP/s, a quarter of 1.2 TFLOP/s.
    assert fraction_of_rate(100, 3e9, 1.2e12) == pytest.approx(0.25)


@pytest.mark.parametrize("base", [zoo.zfnet(10, 64), zoo.krizhevsky(10, 96), zoo.lenet5()])
def test_the_arithmetic_of_a_step_is_what_pytorch_counts(base):
    plain = tuple(dataclasses.replace(c, norm=False) for c in base.convolutions)  # it counts the norm's, too
    spec = dataclasses.replace(base, convolutions=plain).scaled(0.1)
    model, n = spec.build(), 3
    counter = FlopCounterMode(display=False)
    with counter:
        logits = model(torch.randn(n, spec.channels, spec.image, spec.image))
        nn.functional.cross_entropy(logits, torch.zeros(n, dtype=torch.long)).backward()
    assert counter.get_total_flops() == n * training_flop(spec)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_matrix_rate_is_positive(precision):
    assert 0 < matrix_rate(precision, CPU, side=64, seconds=0) < float("inf")


def test_the_pieces_of_a_step_are_all_layers_there_and_back(images):
    table = step_time(SPEC, images, RECIPE, device=CPU, seconds=0)
    layers = list(layers_of(SPEC.build()))
    assert list(table[table.phase == "forward"].layer) == [*layers, "loss"]
    assert list(table[table.phase == "backward"].layer) == ["loss", *reversed(layers)]
    assert set(table.phase) == {"data", "forward", "backward", "optimiser", "renormalise"}
    assert not table.duplicated(["phase", "layer"]).any()
    assert (table.seconds > 0).all()


def test_every_piece_has_the_kind_of_its_layer(images):
    table = step_time(SPEC, images, RECIPE, device=CPU, seconds=0)
    kinds = dict(zip(table.layer, table.kind, strict=True))
    assert {kinds[f"conv{i}"] for i in range(1, 6)} == {"convolution"}
    assert {kinds[name] for name in ("norm1", "norm2")} == {"contrast norm"}
    assert {kinds[name] for name in ("pool1", "pool2", "pool5")} == {"max pooling"}
    assert {kinds[name] for name in ("flatten", "fc6", "fc7", "fc8")} == {"fully connected"}
    assert kinds["drop6"] == "dropout"
    assert kinds["relu7"] == "ReLU"
    assert kinds["data"] == "data"


def test_a_row_of_the_throughput_table_is_consistent_with_itself(images):
    table = throughput(SPEC, images, RECIPE, device=CPU, precisions=["float32"], seconds=0)
    row = table.iloc[0]
    assert len(table) == 1
    assert row.images_per_second == pytest.approx(row.batch / row.step_seconds)
    assert row.low <= row.images_per_second <= row.high
    assert row.fraction == pytest.approx(row.bound_seconds / row.step_seconds)
    assert row.flop_per_image == training_flop(SPEC)
    assert row.threads == torch.get_num_threads()
    assert row.device_type == "cpu"
    assert row.repeats >= 3


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_row_of_a_recipe_is_that_of_its_precision(precision):
    speed = pd.DataFrame({"precision": ["float32", "bf16"], "step_seconds": [2.0, 3.0]})
    row = in_own_precision(speed, RECIPE.model_copy(update={"precision": precision}), CPU)
    assert row["step_seconds"] == {"float32": 2.0, "bf16": 3.0}[precision]


def test_a_step_is_that_of_sgd_with_renormalised_filters(images):
    recipe = RECIPE.model_copy(update={"radius": 1e-5, "input_scale": 1 / 64})
    step = Step(dataclasses.replace(SPEC, dropout=0.0), recipe, device=CPU)
    start = step.model.fc8.weight.detach().clone()
    batch = next(full_batches(step, SPEC, images))
    loss = nn.functional.cross_entropy(step.model(batch.images), batch.labels)
    (gradient,) = torch.autograd.grad(loss, step.model.fc8.weight)
    assert step(batch.images, batch.labels).item() == pytest.approx(loss.item(), rel=1e-5)
    torch.testing.assert_close(step.model.fc8.weight.detach(), start - recipe.rate * gradient)
    rms = step.model.conv3.weight.detach().flatten(1).square().mean(1).sqrt()
    torch.testing.assert_close(rms, torch.full_like(rms, 1e-5))


def test_batches_to_measure_with_are_full_and_use_every_image(images):
    step = Step(SPEC, RECIPE, device=CPU)
    batches = list(itertools.islice(full_batches(step, SPEC, images), 5))
    assert [len(batch.rows) for batch in batches] == [8] * 5
    seen = torch.cat([batch.rows for batch in batches])
    assert seen.bincount().tolist() == [2] * 20, "40 images are two passes over 20"


def test_measuring_leaves_the_random_state_alone(images):
    torch.manual_seed(3)
    state = torch.get_rng_state()
    throughput(SPEC, images, RECIPE, device=CPU, precisions=["float32"], seconds=0)
    step_time(SPEC, images, RECIPE, device=CPU, seconds=0)
    assert torch.equal(torch.get_rng_state(), state)
