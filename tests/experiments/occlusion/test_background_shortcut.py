"""What gives a cheat away, worked out by hand and by scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from tests.experiments.occlusion.falls_by_hand import CORNER, FOUR, with_falls
from zfutils.experiments.occlusion import background_shortcut


def test_the_share_on_the_background_by_hand():
    falls = [[[0.3, 0.1], [0.0, 0.2]], [[-0.05, 0.1], [0.0, -0.02]], [[-0.05, -0.01], [0, 0]]]
    found = with_falls(falls, FOUR)
    share = background_shortcut.background_share(found, np.stack([CORNER] * 3))
    np.testing.assert_allclose(share, [0.1 / 0.4, 1.0, 0.5], atol=1e-9)


def test_auc_is_that_of_scikit_learn_with_ties():
    draw = np.random.default_rng(0)
    a, b = draw.integers(2, 9, 30), draw.integers(0, 7, 40)
    expected = roc_auc_score(np.repeat([1, 0], [30, 40]), np.concatenate([a, b]))
    assert background_shortcut.auc(a, b) == pytest.approx(expected)


def test_two_honest_networks_are_told_apart_in_whichever_direction():
    low, high = np.array([1.0, 2, 3]), np.array([2.5, 4, 5])
    assert background_shortcut.auc(low, high) == pytest.approx(1 / 9)  # 3 > 2.5 alone
    assert background_shortcut.either_way(low, high) == pytest.approx(8 / 9)
    assert background_shortcut.either_way(high, low) == pytest.approx(8 / 9)


def test_a_cheat_is_told_apart_beyond_what_seeds_do():
    draw = np.random.default_rng(1)
    scenes = draw.normal(size=80)
    honest, other = (scenes + draw.normal(size=80) for _ in range(2))
    cheat = scenes + draw.normal(size=80) + 4
    labels = np.repeat([1, 0], 80)

    def expected(first, second):
        return roc_auc_score(labels, np.concatenate([first, second]))

    interval, (caught, seeds) = background_shortcut.told_apart_beyond_seeds(cheat, honest, other)
    assert caught == pytest.approx(expected(cheat, honest))
    assert seeds == pytest.approx(max(expected(other, honest), expected(honest, other)))
    assert interval.estimate == pytest.approx(caught - seeds)
    assert (interval.n, interval.resampled) == (80, "scenes")
    assert interval.low > 0.2
    same, _ = background_shortcut.told_apart_beyond_seeds(other, honest, other)
    assert same.low <= 0 <= same.high
    table = background_shortcut.told_apart_table(interval, (caught, seeds))
    assert table["AUC"].tolist()[:2] == [f"{caught:.2f}", f"{seeds:.2f}"]
    assert background_shortcut.told_apart_table(None, None)["AUC"].tolist() == ["–"] * 3


def test_reliance_is_in_points_and_paired():
    own, other = np.ones(40, dtype=bool), np.arange(40) < 10
    lost = background_shortcut.reliance({"cheat": (own, other), "honest": (own, np.arange(40) < 30)})
    assert lost["cheat"].interval.estimate == pytest.approx(75)
    assert lost["honest"].arms == pytest.approx((100, 75))
    beyond = lost["cheat"].beyond(lost["honest"])
    assert beyond.arms == pytest.approx((75, 25))
    assert beyond.interval.estimate == pytest.approx(50)
    assert beyond.interval.resampled == "scenes"
