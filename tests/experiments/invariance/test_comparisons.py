"""The arms of chapter 5's claims, worked out by hand."""

import numpy as np
import pandas as pd
import pytest
import torch

from tests.experiments.invariance.responses_by_hand import answers
from zfutils.experiments.invariance import comparisons
from zfutils.experiments.invariance.label_stability import LARGER
from zfutils.experiments.invariance.tables import border_adds, consistency, outputs
from zfutils.stats.intervals import Interval, TooFew

LAYERS = ("relu1", "relu2", "relu7")
LINE, STEP = [0, 1, 2, 3], [0, 0, 0, 8]  # R² of 1, and of 144 / (5 × 48)


def in_layers(*curves, n=10):
    """Distances of n equal pictures, (n, amounts, layers), from a curve for each layer."""
    return np.tile(np.stack(curves, -1), (n, 1, 1))


def shifted(first, last, n=10):
    """Shifts of 9 and 2 px either way: distances by layer, whose middle one never counts."""
    curves = ([9 * first, first, 0, first, 9 * first], [7.0] * 5, [9 * last, last, 0, last, 9 * last])
    return answers([-9, -2, 0, 2, 9], in_layers(*curves, n=n), layers=LAYERS)


def bent(first, last, *, kind="translation", start=0.0, n=10):
    amounts = start + np.arange(4)
    return answers(amounts, in_layers(first, [7.0] * 4, last, n=n), kind=kind, layers=LAYERS)


def test_depth_counts_by_what_training_adds_to_what_random_weights_give():
    found = comparisons.grows_with_depth(shifted(0.8, 0.2), shifted(0.5, 0.4), within=5)
    assert found.arms == pytest.approx((0.8 - 0.2, 0.5 - 0.4))
    assert found.interval.estimate == pytest.approx(0.5)
    assert found.interval.n == 10


def test_the_interval_is_of_differences_within_pictures():
    """Pictures that differ much, by the same in either network, leave nothing to resample."""
    each = np.linspace(1, 5, 12)[:, None, None]
    trained, random = (
        answers([0, 1], each + np.array([[0, 0], [gap, 0]]), layers=("relu1", "relu7")) for gap in (0.5, 0.25)
    )
    found = comparisons.grows_with_depth(trained, random, within=1)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.25, 0.25))


def test_a_line_in_layer_7_is_straighter_than_a_step_in_layer_1():
    found = comparisons.straighter_than_layer_1(bent(STEP, LINE))
    assert found.arms == pytest.approx((1, 0.6))
    assert found.interval.estimate == pytest.approx(0.4)


def test_a_picture_whose_distance_never_changes_is_left_out_of_both_arms():
    mixed = in_layers(STEP, [7.0] * 4, LINE, n=10)
    mixed[3, :, 0] = 0  # in layer 1, so that its layer 7 has nothing to be compared with
    mixed[3, :, 2] = STEP
    found = comparisons.straighter_than_layer_1(answers(range(4), mixed, layers=LAYERS))
    assert found.arms == pytest.approx((1, 0.6))
    assert found.interval.n == 9


def test_straightness_is_the_mean_of_both_changes_trained_minus_random():
    trained = bent(STEP, LINE), bent(STEP, STEP, kind="scale", start=1.0)
    random = bent(LINE, STEP), bent(LINE, STEP, kind="scale", start=1.0)
    found = comparisons.straightness_learnt(trained, random)
    assert found.arms == pytest.approx(((1 + 0.6) / 2, 0.6))
    assert found.interval.estimate == pytest.approx(0.2)


def turned(level, *, n=10, units=1.0):
    """Turned by 30° and 330° a tenth as far as by 90° to 270°."""
    curve = [0, level / 10, level, level, level, level / 10]
    angles = [0, 30, 90, 180, 270, 330]
    return answers(angles, np.tile(curve, (n, 1)), kind="rotation", layers=("relu7",), units=units)


def test_rotation_is_set_against_the_largest_shifts_alone():
    moved = answers([-9, -2, 2, 9], np.tile([0.2, 5, 5, 0.4], (10, 1)), layers=("relu7",))
    found = comparisons.rotation_beyond_translation(turned(0.9), moved)
    assert found.arms == pytest.approx((0.9, 0.3))
    assert found.interval.estimate == pytest.approx(0.6)


def test_distances_in_two_units_are_not_subtracted():
    moved = answers([-9, 9], np.full((10, 2), 0.2), layers=("relu7",))
    with pytest.raises(ValueError, match="unit"):
        comparisons.rotation_beyond_translation(turned(0.9, units=1.1), moved)


def test_symmetric_objects_are_nearer_by_what_random_weights_do_not_give():
    trained, random = (turned(1.0, n=12), turned(0.4, n=9)), (turned(0.5, n=12), turned(0.3, n=9))
    found = comparisons.symmetry_learnt(trained, random)
    share = 3.2 / 5  # three angles at the level, two at a tenth of it
    assert found.arms == pytest.approx((0.6 * share, 0.2 * share))
    assert found.interval.estimate == pytest.approx(0.4 * share)
    assert found.interval.n == 9


def test_consistency_is_of_pictures_that_both_classify_correctly():
    picture = np.arange(20)
    first = pd.DataFrame({"picture": picture, "same": picture < 16, "right": picture < 18})
    second = pd.DataFrame({"picture": picture, "same": picture < 10, "right": picture < 15})
    found = comparisons.consistency(first, second)
    assert found.arms == pytest.approx((15 / 15, 10 / 15))
    assert (found.interval.estimate, found.interval.n) == (pytest.approx(5 / 15), 15)
    shown = consistency({"fine": first, "coarse": second})
    assert shown["of those both classify correctly"].tolist() == ["100.0", "66.7"]
    assert shown["same class at both shifts"].tolist() == ["80.0", "50.0"]
    with pytest.raises(ValueError, match="pictures"):
        comparisons.consistency(first, second.iloc[::-1])
    with pytest.raises(TooFew):
        comparisons.consistency(first, second.assign(right=False))


@pytest.mark.parametrize(
    "call",
    [
        lambda one, other: comparisons.grows_with_depth(one, other, within=5),
        lambda one, other: comparisons.straightness_learnt((one, one), (one, other)),
        lambda one, other: comparisons.rotation_beyond_translation(one, other),
        lambda one, other: comparisons.symmetry_learnt((one, one), (one, other)),
    ],
)
def test_arms_of_other_pictures_are_refused(call):
    one = shifted(0.8, 0.2)
    with pytest.raises(ValueError, match="pictures"):
        call(one, one.of(torch.arange(9)))


def test_too_few_pictures_have_no_interval():
    few = shifted(0.8, 0.2, n=7)
    with pytest.raises(TooFew):
        comparisons.grows_with_depth(few, few, within=5)


def test_the_claims_on_distances_are_named_and_take_their_small_shift_from_the_side():
    """2 px are 5 % of 40 px; 9 px are not."""
    shift = {"trained": shifted(0.8, 0.2), "random": shifted(0.5, 0.4)}
    found = {
        "translation": shift,
        "scale": {name: bent(STEP, LINE, kind="scale", start=1.0) for name in shift},
    }
    groups = {name: (turned(1.0), turned(0.4)) for name in shift}
    arms = comparisons.of_distances(found, groups, side=40)
    assert arms["grows-with-depth-over-random"].arms == pytest.approx((0.8 - 0.2, 0.5 - 0.4))
    assert arms["straighter-than-layer-1-in-scale"].arms == pytest.approx((1, 144 / (5 * 48)))
    assert arms["rotation-of-symmetric-objects-over-random"].interval.estimate == pytest.approx(0)
    few = {kind: {name: one.of(torch.arange(2)) for name, one in of.items()} for kind, of in found.items()}
    assert comparisons.of_distances(few, groups, side=40)["grows-with-depth-over-random"] is None


def test_the_output_at_rest_at_the_largest_shift_and_over_the_angles_between():
    """Angles outside 90° to 270° and shifts below the largest do not count."""
    turned = answers(
        [0, 90, 270, 300], np.zeros((2, 4)), kind="rotation", probabilities=[[1, 0.2, 0.4, 1]] * 2
    )
    moved = answers([-3, 0, 3], np.zeros((2, 3)), probabilities=[[0.1, 1, 0.3]] * 2)
    (row,) = outputs({"plain": (turned, moved)}).to_dict("records")
    assert (row["objects"], row["n"]) == ("plain", 2)
    means = [row[column].split()[0] for column in ("unchanged", "shifted", "turned")]
    assert means == ["0.90", "0.20", "0.30"]


def test_what_a_border_adds_is_its_share_minus_that_of_the_larger_image():
    def share(value):
        return Interval(value, value, value, 10, "pictures")

    shares = {(1, LARGER, False): share(0.03), (1, LARGER, True): share(0.5)}
    shares |= {(1, "grey", False): share(0.025), (1, "wrap", False): share(0.05), (1, "wrap", True): share(0)}
    shares |= {(8, LARGER, False): None, (8, "grey", False): share(1)}
    assert border_adds(shares) == "A made-up border adds −0.50 to +2.00 points at 1 px."
    assert border_adds({}) == ""
