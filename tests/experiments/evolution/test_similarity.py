"""CKA against hand-worked cases and the general formula, probes on worlds of known difficulty."""

import numpy as np
import pytest
import small
import torch
from sklearn.linear_model import RidgeClassifier

from zfutils.data.inputs import Inputs
from zfutils.experiments.evolution.similarity import (
    ConstantFeatures,
    debiased_cka,
    pooled_features,
    probe_accuracy,
)


def direct_cka(x, y):
    """Debiased CKA as Song et al. 2012 write HSIC: Gram matrices without their diagonals."""

    def hsic(k, m):
        n, ones = len(k), np.ones(len(k))
        k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
        sums = (ones @ k @ ones) * (ones @ m @ ones) / ((n - 1) * (n - 2))
        return (np.trace(k @ m) + sums - 2 / (n - 2) * ones @ k @ m @ ones) / (n * (n - 3))

    k, m = x @ x.T, y @ y.T
    return hsic(k, m) / np.sqrt(hsic(k, k) * hsic(m, m))


def biased_cka(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return np.square(x.T @ y).sum() / (np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))


def noise(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


# ---- CKA


def test_of_four_pictures_split_in_two_halves_in_different_ways_the_cka_is_minus_a_half():
    # x: |X'X|² = 16, every |x|² = 1: 16 - 4 + 4·4 / (3·2) - 2·4 / 2 = 32 / 3; between: 0 - 16 / 3
    halves = [np.array(h, dtype=float)[:, None] for h in ((1, 1, -1, -1), (1, -1, 1, -1), (1, -1, -1, 1))]
    for i, first in enumerate(halves):
        for j, second in enumerate(halves):
            assert debiased_cka(first, second) == pytest.approx(1 if i == j else -1 / 2)


@pytest.mark.parametrize(("n", "a", "b"), [(4, 1, 1), (12, 3, 30), (40, 64, 5), (6, 50, 50)])
def test_it_equals_the_formula_with_gram_matrices_whatever_the_means(n, a, b):
    first = noise(n, a) + 3
    second = 0.5 * noise(n, b, 1) + first @ noise(a, b, 2) - 7
    assert debiased_cka(first, second) == pytest.approx(direct_cka(first, second), rel=1e-9)
    assert debiased_cka(first, second) == pytest.approx(debiased_cka(second, first))


def test_rotating_scaling_or_moving_features_changes_nothing():
    first, second = noise(50, 6), noise(50, 6) ** 3 + noise(50, 6, 1)
    turn, _ = np.linalg.qr(noise(6, 6, 2))
    expected = debiased_cka(first, second)
    assert 0.2 < expected < 0.95
    assert debiased_cka(0.01 * first @ turn + 4, second) == pytest.approx(expected)
    assert debiased_cka(first, first @ turn) == pytest.approx(1)
    assert debiased_cka(first * [9, 1, 1, 1, 1, 1], second) != pytest.approx(expected, abs=0.01)


def test_unrelated_features_are_about_zero_where_the_biased_measure_is_not():
    debiased, biased = [], []
    for seed in range(60):
        first, second = noise(30, 40, 2 * seed), noise(30, 40, 2 * seed + 1)
        debiased.append(debiased_cka(first, second))
        biased.append(biased_cka(first, second))
    assert np.mean(debiased) == pytest.approx(0, abs=4 * np.std(debiased) / np.sqrt(60))
    assert np.std(debiased) < 0.05
    assert np.min(biased) > 0.5


@pytest.mark.parametrize("value", [0.0, 0.1, 1e6])
def test_constant_features_are_refused(value):
    with pytest.raises(ConstantFeatures, match="the second features are constant"):
        debiased_cka(noise(10, 3), np.full((10, 2), value))


def test_features_that_differ_in_one_picture_alone_are_refused():
    lonely = np.full((10, 2), 0.3)
    lonely[4] = 7.7
    with pytest.raises(ConstantFeatures, match="the first features are constant but for one picture"):
        debiased_cka(lonely, noise(10, 3))
    lonely[5] = 2  # two tell something
    assert np.isfinite(debiased_cka(lonely, noise(10, 3)))


def test_cka_refuses_values_that_are_not_finite():
    wrong = noise(8, 5)
    wrong[2, 3] = np.nan
    with pytest.raises(ValueError, match="1 values of the first features are not finite"):
        debiased_cka(wrong, noise(8, 5))


# ---- probes


def classes(n, seed=0, *, apart=4.0, features=6):
    """Three clouds around corners of a triangle, as far from one another as is said."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 3, n)
    x = draw.normal(size=(n, features))
    x[:, :3] += apart * np.eye(3)[labels]
    return x, labels


def test_a_probe_reads_classes_that_a_line_can_part_whatever_the_features_scale():
    (x, y), (test, truth) = classes(200), classes(200, 1)
    scales = np.array([1e-4, 1, 1e3, 1, 1, 1])
    found = probe_accuracy(x * scales, y, test * scales, truth)
    assert found > 0.95
    assert probe_accuracy(x, y, test, truth) == pytest.approx(found)


def test_a_probe_of_shuffled_labels_is_at_chance():
    (x, y), (test, truth) = classes(600), classes(600, 1)
    draw = np.random.default_rng(2)
    found = [probe_accuracy(x, draw.permutation(y), test, truth) for _ in range(12)]
    assert np.mean(found) == pytest.approx(1 / 3, abs=0.1)
    assert probe_accuracy(x, y, test, truth) > 0.95


def test_a_probe_is_linear():
    x = np.random.default_rng(0).uniform(-1, 1, (600, 2))
    y = (x.prod(1) > 0).astype(int)  # opposite quarters
    assert probe_accuracy(x[:300], y[:300], x[300:], y[300:]) < 0.75  # the most that a line can
    by_product = x.prod(1, keepdims=True)
    assert probe_accuracy(by_product[:300], y[:300], by_product[300:], y[300:]) > 0.9


def test_the_penalty_is_strong_where_features_are_mostly_noise():
    gained = []
    for seed in range(5):
        x, y = classes(100, 2 * seed, apart=1.5, features=90)
        test, truth = classes(1000, 2 * seed + 1, apart=1.5, features=90)
        weak = RidgeClassifier(alpha=1e-6).fit(x, y).score(test, truth)
        gained.append(probe_accuracy(x, y, test, truth) - weak)
    assert np.mean(gained) > 0.05


def test_the_test_pictures_choose_nothing():
    (x, y), (test, truth) = classes(100, apart=1.0), classes(50, 1, apart=1.0)
    alone = [probe_accuracy(x, y, test[i : i + 1], truth[i : i + 1]) for i in range(50)]
    assert np.mean(alone) == pytest.approx(probe_accuracy(x, y, test, truth))


def test_features_that_are_constant_in_training_weigh_nothing():
    (x, y), (test, truth) = classes(200), classes(200, 1)
    plain = probe_accuracy(x, y, test, truth)
    dead, woken = np.full((200, 1), 0.1), np.linspace(-50, 50, 200)[:, None]
    assert probe_accuracy(np.hstack([x, dead]), y, np.hstack([test, woken]), truth) == pytest.approx(plain)
    assert 0 < probe_accuracy(np.ones((200, 4)), y, np.ones((200, 4)), truth) < 0.5


def test_a_class_that_training_lacks_is_always_missed():
    x, y = classes(300)
    test, truth = classes(300, 1)
    kept = y < 2
    assert probe_accuracy(x[kept], y[kept], test, truth) == pytest.approx(np.mean(truth < 2), abs=0.05)


def test_probes_refuse_too_few_pictures_or_classes_and_features_that_are_not_finite():
    x, y = classes(40)
    with pytest.raises(ValueError, match="10 training pictures of 2 classes, got 40 of 1"):
        probe_accuracy(x, np.zeros(40, int), x, y)
    with pytest.raises(ValueError, match="10 training pictures of 2 classes, got 9 of 3"):
        probe_accuracy(x[:9], np.arange(9) % 3, x, y)
    holes = np.where(x > 2, np.nan, x)
    for learnt, test in ((holes, x), (x, holes)):
        with pytest.raises(ValueError, match="NaN"):
            probe_accuracy(learnt, y, test, y)


# ---- pooled features


def network(seed=0):
    torch.manual_seed(seed)
    return small.SPEC.build()


def seen(n, rows=None, *, side=32):
    return Inputs.of(small.pictures(n), rows, side=side, scale=1 / 64)


def test_pooled_features_are_the_means_of_a_plain_forward_pass():
    model, inputs = network().eval(), seen(24, torch.tensor([3, 20, 0, 11, 7]))
    found = pooled_features(model, inputs, layers=["relu3", "relu1", "relu2"], batch=2)
    with torch.no_grad():
        first = model.relu1(model.conv1(inputs.tensor()))
        second = model.relu2(model.conv2(model.norm1(model.pool1(first))))
        third = model.relu3(model.fc3(model.flatten(model.pool2(second))))
    assert list(found) == ["relu3", "relu1", "relu2"]
    assert found["relu1"].dtype == np.float32
    np.testing.assert_allclose(found["relu1"], first.mean((2, 3)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["relu2"], second.mean((2, 3)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["relu3"], third, rtol=1e-4, atol=1e-6)


def test_convolutions_take_pictures_larger_than_the_networks():
    assert pooled_features(network(), seen(6, side=40), layers=["relu2"])["relu2"].shape == (6, 12)
