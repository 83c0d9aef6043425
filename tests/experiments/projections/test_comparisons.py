"""The arms of chapter 3's claims: means and differences of tables made by hand."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from zfutils.experiments.projections import comparisons
from zfutils.experiments.projections.dissection import Dissection


def of_maps(network, layer, within, across, *, of="projections"):
    columns = {"layer": layer, "network": network, "of": of, "within": within, "across": across}
    return pd.DataFrame(columns)


def test_likeness_is_within_minus_across_maps_and_what_random_weights_have_of_it_is_taken_off():
    alike = pd.concat([
        of_maps("trained", 5, [0.5] * 10, [0.1] * 10),
        of_maps("random", 5, [0.3] * 8 + [np.nan], [0.2] * 8 + [0.9]),
        of_maps("trained", 4, [0.9] * 10, [0.1] * 10),
        of_maps("random", 4, [0.9] * 7, [0.1] * 7),
        of_maps("trained", 5, [0.2] * 10, [0.1] * 10, of="patches"),
        of_maps("random", 5, [0.8] * 9, [0.2] * 9, of="patches"),
    ])  # fmt: skip
    by_layer = comparisons.likeness_by_layer(alike)
    assert list(by_layer) == [f"layer {n}, {of}" for of in ("projections", "patches") for n in (4, 5)]
    interval, arms = by_layer["layer 5, projections"]
    assert arms == pytest.approx((0.4, 0.1))
    assert (interval.estimate, interval.low, interval.high) == pytest.approx((0.3, 0.3, 0.3))
    assert (interval.n, interval.resampled) == (8, "maps of each network")
    assert by_layer["layer 5, patches"][0].estimate == pytest.approx(-0.5)
    assert by_layer["layer 4, projections"] is None  # seven maps
    assert by_layer["layer 4, patches"] is None  # none


def shares(**groups):
    rows = [
        (int(name[-1]), name[:-1], measure, value)
        for name, values in groups.items()
        for measure in ("class", "colour")
        for value in (values if measure == "class" else [9.0] * 8)
    ]
    return pd.DataFrame(rows, columns=["layer", "network", "measure", "value"])


def test_the_rise_of_a_classs_share_is_the_trained_networks_minus_the_random_ones():
    flat = shares(
        trained5=[0.75] * 12, trained2=[0.25] * 9, random5=[0.5] * 10 + [np.nan], random2=[0.375] * 20
    )
    interval, arms = comparisons.class_rise(flat)
    assert arms == (0.5, 0.125)
    assert (interval.estimate, interval.low, interval.high, interval.n) == (0.375, 0.375, 0.375, 9)
    assert comparisons.class_rise(flat[flat["network"] == "trained"]) is None


def test_the_rises_interval_has_the_spread_of_all_four_groups():
    draw = np.random.default_rng(0)
    spread = {"trained5": 0.1, "trained2": 0.2, "random5": 0.3, "random2": 0.4}
    groups = {name: draw.normal(0.5, width, 200) for name, width in spread.items()}
    interval, _ = comparisons.class_rise(shares(**groups))
    error = np.sqrt(sum(np.var(values, ddof=1) / 200 for values in groups.values()))
    ends = interval.estimate + stats.norm.ppf([0.025, 0.975]) * error
    assert [interval.low, interval.high] == pytest.approx(ends, rel=0.1)


def dissection(*iou, chance=0.5):
    """Of parts whose thresholds are 0.5."""
    iou = np.array(iou, dtype=float)
    return Dissection(tuple(map(str, range(iou.shape[1]))), iou, np.full((2, *iou.shape), chance))


def with_detectors(n, of):
    return dissection(*([[1, 0]] * n + [[0, 0]] * (of - n)))


def test_the_rise_of_detectors_is_between_shares_of_maps_with_random_weights_taken_off():
    dissected = {
        "trained": {"relu1": with_detectors(6, 24), "relu5": with_detectors(48, 64)},
        "random": {"relu1": with_detectors(12, 24), "relu5": with_detectors(16, 64)},
    }
    interval, arms = comparisons.detector_rise(dissected)
    assert arms == (0.5, -0.25)
    assert interval.estimate == 0.75
    assert (interval.n, interval.resampled) == (24, "maps of either layer of each network")
    # each of the four shares is as far from its Wilson end as the interval says, in squares
    counts = {(48, 64): 1, (6, 24): -1, (16, 64): -1, (12, 24): 1}
    below = above = 0.0
    for (k, n), sign in counts.items():
        low, high = stats.binomtest(k, n).proportion_ci(method="wilson")
        towards_low, towards_high = k / n - low, high - k / n
        below += (towards_low if sign > 0 else towards_high) ** 2
        above += (towards_high if sign > 0 else towards_low) ** 2
    assert interval.estimate - interval.low == pytest.approx(np.sqrt(below))
    assert interval.high - interval.estimate == pytest.approx(np.sqrt(above))


def test_where_no_map_detects_anything_the_interval_still_has_a_width():
    none = {"relu1": with_detectors(0, 24), "relu5": with_detectors(0, 64)}
    interval, arms = comparisons.detector_rise({"trained": none, "random": none})
    assert arms == (0, 0)
    assert interval.low < -0.1
    assert interval.high > 0.1


def test_a_part_counts_once_however_many_maps_detect_it_and_is_compared_with_itself():
    both, first, neither = [1] * 12, [1] * 6 + [0] * 6, [0] * 12
    dissected = {
        "trained": {"relu1": dissection(first, first, first), "relu5": dissection(both, first)},
        "random": {"relu1": dissection(neither), "relu5": dissection([1] * 3 + [0] * 9)},
    }
    interval, arms = comparisons.detected_parts_rise(dissected)
    assert arms == (0.5, 0.25)
    assert (interval.estimate, interval.n, interval.resampled) == (0.25, 12, "parts")
    # by part: 0 - 1 of three, 0 - 0 of three, 1 - 0 of six
    error = np.std([-1] * 3 + [0] * 3 + [1] * 6, ddof=1) / np.sqrt(12)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.15)


def test_without_masks_or_with_too_few_parts_there_is_no_comparison():
    assert comparisons.detector_rise({}) is None
    assert comparisons.detected_parts_rise({}) is None
    few = {"relu1": dissection([0, 1]), "relu5": dissection([1, 1])}
    assert comparisons.detected_parts_rise({"trained": few, "random": few}) is None
