"""What the same part is held against: as many units changed, other faces, trained minus random."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.experiments.correspondence import comparisons, matching, sensitivity, tables
from zfutils.experiments.correspondence.consistency import Consistency
from zfutils.experiments.correspondence.faces import PARTS
from zfutils.experiments.correspondence.occluders import PLACE, Occluders
from zfutils.experiments.correspondence.sign_agreement import SignChanges, pairs
from zfutils.experiments.correspondence.sign_changes import sign_changes
from zfutils.stats.formatting import HARD, rounded

LAYERS = ("relu5", "relu7")


def patterns(rng, *, n, units=400, shared=0.8, rate=(0.2, 0.4)):
    """Signs of n faces: some of a common pattern, in a share of the units that differs between faces."""
    common = rng.choice([-1, 1], units)
    own = rng.choice([-1, 1], (n, units))
    signs = np.where(rng.random((n, units)) < shared, common, own)
    return (signs * (rng.random((n, units)) < rng.uniform(*rate, (n, 1)))).astype(np.int8)


def changes(*, n=30, shared=0.8, seed=0, places=6, nose=(0.2, 0.4)):
    """Each part has a pattern of its own; places have none."""
    rng = np.random.default_rng(seed)
    found = {}
    for layer in LAYERS:
        parts = [
            patterns(rng, n=n, shared=shared, rate=nose if part == "nose" else (0.2, 0.4)) for part in PARTS
        ]
        found[layer] = np.stack([*parts, *(patterns(rng, n=n, shared=0) for _ in range(places))])
    return SignChanges((*PARTS, *[PLACE] * places), found)


# ---- pairs that change as many units


def every_pair(first, second, weights):
    """Means over ordered pairs of different faces, pair by pair: Δ and the share of units changed."""
    n = len(first)
    total = np.zeros(3)
    for i, k in product(range(n), repeat=2):
        if i != k:
            share = ((first[i] != 0).mean() + (second[k] != 0).mean()) / 2
            total += weights[i, k] * np.array([(first[i] != second[k]).mean(), share, 1])
    return total[:2] / total[2]


def test_pairs_that_change_as_many_already_all_count_the_same():
    rng = np.random.default_rng(0)
    signs = [patterns(rng, n=9, units=60) for _ in range(2)]
    shares = [matching.shares_changed(each) for each in signs]
    delta, changed = every_pair(*signs, np.ones((9, 9)))
    found = matching.balanced(pairs(*signs).differ, *shares, np.ones((1, 9)), np.array([changed]))
    assert found.delta[0] == pytest.approx(delta, abs=1e-5)
    assert found.changed[0] == pytest.approx(changed, abs=1e-5)


def test_balanced_pairs_change_as_many_units_as_is_wanted_and_are_weighted_as_is_said():
    """Against weights found by bisection and means taken pair by pair, for the faces and for a draw."""
    rng = np.random.default_rng(1)
    first, second = patterns(rng, n=9, units=60), patterns(rng, n=9, units=60, rate=(0.3, 0.6))
    a, b = (matching.shares_changed(each) for each in (first, second))
    copies = np.array([np.ones(9), [2, 0, 1, 3, 0, 1, 1, 0, 1]])
    wanted = np.array([0.33, 0.35])
    found = matching.balanced(pairs(first, second).differ, a, b, copies, wanted)
    np.testing.assert_allclose(found.changed, wanted, atol=1e-4)
    for draw in range(2):
        low, high = -100.0, 100.0
        for _ in range(60):
            middle = (low + high) / 2
            weights = np.outer(copies[draw], copies[draw]) * np.exp(middle * (a[:, None] + b))
            delta, changed = every_pair(first, second, weights)
            low, high = (middle, high) if changed < wanted[draw] else (low, middle)
        assert found.delta[draw] == pytest.approx(delta, abs=1e-3)


def test_what_cannot_be_reached_comes_as_near_as_bounded_weights_allow():
    rng = np.random.default_rng(2)
    signs = patterns(rng, n=12, rate=(0.3, 0.5))
    shares = matching.shares_changed(signs)
    found = matching.balanced(pairs(signs, signs).differ, shares, shares, np.ones((1, 12)), np.array([0.05]))
    assert shares.min() < found.changed[0] < shares.mean()
    steep = np.exp(-matching.STEEPEST * shares / shares.std())
    delta, changed = every_pair(signs, signs, np.outer(steep, steep))
    assert (found.delta[0], found.changed[0]) == (pytest.approx(delta), pytest.approx(changed))


def test_faces_that_all_change_alike_have_even_weights():
    signs = np.array([[1, 0, 0], [0, 1, 0], [0, 0, -1]], dtype=np.int8)
    third = np.full(3, 1 / 3)
    found = matching.balanced(pairs(signs, signs).differ, third, third, np.ones((1, 3)), np.array([0.9]))
    assert found.delta[0] == pytest.approx(2 / 3)
    assert found.changed[0] == pytest.approx(1 / 3)


def test_the_pairs_of_the_same_part_change_what_their_faces_do_without_pairs_of_copies():
    rng = np.random.default_rng(3)
    signs = patterns(rng, n=9, units=60)
    copies = np.array([np.ones(9), [4, 0, 1, 0, 0, 2, 1, 0, 1]])
    found = matching.same(pairs(signs, signs).differ, matching.shares_changed(signs), copies)
    for draw in range(2):
        expected = every_pair(signs, signs, np.outer(copies[draw], copies[draw]))
        assert (found.delta[draw], found.changed[draw]) == pytest.approx(tuple(expected))


def test_each_face_s_place_is_the_one_that_changes_most_nearly_as_many_units():
    places = np.zeros((3, 2, 10), np.int8)
    for place, face, units in ((0, 0, 1), (1, 0, 4), (2, 0, 9), (0, 1, 2), (1, 1, 8), (2, 1, 5)):
        places[place, face, :units] = place - 1 or 1
    chosen = matching.nearest(places, np.array([0.5, 0.9]))
    np.testing.assert_array_equal(chosen, [places[1, 0], places[1, 1]])


# ---- the claims' quantities


def test_a_part_with_a_pattern_of_its_own_is_ahead_of_mismatched_parts_and_of_places():
    """Units change at a rate of 0.3; where they do on both faces 0.18 differ in sign, 0.5 by chance."""
    found, rate = Consistency(changes()), 0.3
    expected = (0.5 - 0.18) * rate**2 / (2 * rate * (1 - rate) + rate**2 / 2)
    for part in PARTS:
        advantage = comparisons.over_mismatched(found, "relu5", (part,))
        assert advantage.values[0] == pytest.approx(expected, abs=0.015)
    places = comparisons.over_places(found, "relu5")
    assert places.values[0] == pytest.approx(expected, abs=0.015)
    nothing = Consistency(changes(shared=0))
    for advantage in (
        comparisons.over_mismatched(nothing, "relu5", PARTS),
        comparisons.over_places(nothing, "relu5"),
    ):
        interval = nothing.interval(advantage.values)
        assert interval.low < 0.01
        assert interval.high > -0.01
        assert abs(interval.estimate) < 0.02


def test_changing_fewer_units_is_no_advantage():
    """A nose that changes fewer units, and agrees in nothing: its Δ is lower, its advantage is not."""
    found = Consistency(changes(shared=0, nose=(0.15, 0.35)))
    by_part = {part: found.same("relu5", part).delta[0] for part in PARTS}
    assert by_part["nose"] < 0.9 * by_part["right eye"]
    advantage = comparisons.over_mismatched(found, "relu5", ("nose",))
    assert abs(advantage.values[0]) < 0.02
    assert advantage.unmatched < 1e-3


def test_the_quantities_of_the_claims_are_the_registered_ones():
    trained, random = Consistency(changes(seed=0)), Consistency(changes(seed=1, shared=0.3))
    compared = comparisons.comparisons(trained, random)
    assert set(compared) == {
        "same-eyes",
        "same-nose",
        "same-parts-in-layer-7",
        "same-parts-fade",
        "parts-over-places-on-the-face",
    }

    def gain(found, layer, parts):
        ours = np.mean([found.same(layer, part).delta[0] for part in parts])
        others = {"right eye": ["nose"], "left eye": ["nose"], "nose": ["right eye", "left eye"]}
        each = [[found.mismatched(layer, part, name).delta[0] for name in others[part]] for part in parts]
        theirs = np.mean([np.mean(own) for own in each])
        return (theirs - ours) / theirs

    for k, found in enumerate((trained, random)):
        of = {name: each.arms[k] for name, each in compared.items()}
        assert of["same-eyes"] == pytest.approx(gain(found, "relu5", PARTS[:2]))
        assert of["same-nose"] == pytest.approx(gain(found, "relu5", ["nose"]))
        assert of["same-parts-in-layer-7"] == pytest.approx(gain(found, "relu7", PARTS))
        fades = gain(found, "relu5", PARTS) - gain(found, "relu7", PARTS)
        assert of["same-parts-fade"] == pytest.approx(fades)
        ours = np.mean([found.same("relu5", part).delta[0] for part in PARTS])
        theirs = np.mean([found.places("relu5", part).delta[0] for part in PARTS])
        assert of["parts-over-places-on-the-face"] == pytest.approx(1 - ours / theirs)
    for each in compared.values():
        assert each.interval.estimate == pytest.approx(each.arms[0] - each.arms[1])
        assert (each.interval.n, each.interval.resampled) == (30, "faces, not pairs")


def test_the_interval_is_of_the_difference_on_the_same_draws_of_faces():
    same = changes()
    compared = comparisons.comparisons(Consistency(same), Consistency(same))
    for each in compared.values():
        assert each.interval.low == each.interval.high == 0


def test_how_far_a_control_is_from_as_many_units_is_that_of_the_worse_network_and_part():
    """Noses that change twice as many units as eyes, all alike: no weighting of pairs can make up for it."""
    rng = np.random.default_rng(0)

    def uneven(nose):
        signs = np.zeros((4, 10, 40), np.int8)
        for square, units in enumerate((10, 10, nose, 10)):
            for face in range(10):
                signs[square, face, rng.permutation(40)[:units]] = 1
        return Consistency(SignChanges((*PARTS, PLACE), dict.fromkeys(LAYERS, signs)))

    even, far = uneven(10), uneven(20)
    compared = comparisons.comparisons(even, far)["same-eyes"]
    assert compared.measured.unmatched == pytest.approx(0)
    assert compared.unmatched == compared.control.unmatched == pytest.approx(0.5)  # 15 of 40 instead of 10
    over_all = comparisons.comparisons(far, even)["same-parts-in-layer-7"]
    assert over_all.unmatched == pytest.approx(0.5)
    places = comparisons.comparisons(far, even)["parts-over-places-on-the-face"]
    assert places.unmatched == pytest.approx(0.5)  # 10 instead of the nose's 20


def test_where_nothing_changes_there_is_no_interval_and_nothing_to_be_matched():
    still = SignChanges((*PARTS, PLACE), dict.fromkeys(LAYERS, np.zeros((4, 9, 6), np.int8)))
    for each in comparisons.comparisons(Consistency(still), Consistency(still)).values():
        assert each.interval is None
        assert each.unmatched is None


# ---- as tables show them


def test_the_arms_stand_beside_each_other_with_the_units_that_change():
    networks = {"trained": Consistency(changes()), "random weights": Consistency(changes(seed=1, shared=0))}
    arms = comparisons.arms(networks)
    assert len(arms) == 2 * 2 * 3
    np.testing.assert_allclose(arms["same_changed"], arms["mismatched_changed"], rtol=1e-3)
    shown = tables.arms_table(arms)
    row = arms.iloc[2]
    assert shown["part"][2] == "nose"
    assert shown["mismatched parts"][2] == (
        f"{row['mismatched']:.3f} ({100 * row['mismatched_changed']:.1f}\u00a0%)"
    )
    claims = tables.claims_arms(comparisons.comparisons(*networks.values()))
    assert claims["claim"][0] == "same eyes"
    assert claims["unmatched"].tolist() == ["0.0\u00a0%"] * 5
    trained = comparisons.advantages(networks["trained"])
    assert list(trained["occluded"][:4]) == [*PARTS, comparisons.OVER_PLACES]
    assert (
        trained["advantage"][0]
        == comparisons.over_mismatched(networks["trained"], "relu5", PARTS[:1]).values[0]
    )


# ---- what choices could turn


def small_network(seed):
    """Two layers with the names that the settings ask for."""
    torch.manual_seed(seed)
    model = nn.Sequential()
    model.add_module("conv5", nn.Conv2d(3, 6, 3))
    model.add_module("relu5", nn.ReLU())
    model.add_module("pool5", nn.MaxPool2d(3, 2))
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc7", nn.Linear(6 * 6 * 6, 20))
    model.add_module("relu7", nn.ReLU())
    return model


def test_every_choice_is_measured_with_the_choice_that_it_names():
    one = torch.zeros(1, dtype=torch.int64)
    pixels = torch.zeros(1, 16, 16, 3, dtype=torch.uint8)
    like = Inputs.of(Pixels(pixels, one, torch.full((16, 16, 3), 90.0), ("a",), ("b",), {}), scale=0.1)
    torch.manual_seed(0)
    images = 3 * torch.randn(9, 3, 16, 16)
    corners = np.random.default_rng(0).integers(0, 11, (4, 9, 2))
    squares = Occluders((*PARTS, PLACE), corners, 5, 16)
    models = {"trained": small_network(0), "random weights": small_network(1)}
    registered = {
        name: Consistency(sign_changes(model, images, squares, grey=torch.zeros(3, 16, 16)))
        for name, model in models.items()
    }
    found = sensitivity.of_settings(models, images, squares, like, registered=registered)
    assert list(found) == list(sensitivity.SETTINGS)
    assert found["as registered"] is registered
    how = {
        "tolerance 10⁻³": {"layers": ("relu5",), "tolerance": 1e-3, "grey": torch.zeros(3, 16, 16)},
        "tolerance 10⁻²": {"layers": ("relu5",), "tolerance": 1e-2, "grey": torch.zeros(3, 16, 16)},
        "after pooling": {"layers": ("pool5",), "grey": torch.zeros(3, 16, 16)},
        "grey of level 128": {"layers": ("relu5",), "grey": torch.full((3, 16, 16), 3.8)},  # 0.1 × (128 − 90)
    }
    for name, options in how.items():
        for network, model in models.items():
            expected = sign_changes(model, images, squares.of([0, 1, 2]), **options)
            own = found[name][network].changes
            assert own.names == PARTS
            assert own.signs.keys() == expected.signs.keys()
            for layer, signs in expected.signs.items():
                np.testing.assert_array_equal(own.signs[layer], signs)
    table = tables.settings_table(found)
    assert table["choice"].tolist() == [name for name in sensitivity.SETTINGS for _ in range(2)]
    assert table["covered"].tolist() == ["eyes", "nose"] * 5
    eyes = comparisons.over_mismatched(registered["trained"], "relu5", PARTS[:2]).values[0]
    assert table["trained"][0].startswith(f"{rounded(100 * eyes)}{HARD}[")


def test_sentences_count_the_parts_that_are_more_alike_than_random_places():
    covered = [*PARTS, PLACE]
    summary = pd.DataFrame(
        {"layer": "relu5", "occluded": covered, "delta": [0.1, 0.3, 0.1, 0.2], "kappa": [0.3, 0.2, 0.0, 0.1]}
    )
    said = tables.order_in_words({"trained": summary})
    assert said.endswith("trained, layer 5: 2 by Δ and 2 by κ.")


def test_few_faces_are_set_beside_the_papers_last_layer():
    few = pd.DataFrame({"layer": ["relu5", "relu7", "relu7"], "delta": [9.0, 0.09, 0.189]})
    assert "0.090 to 0.189, is on average 2.0 times the paper's, 0.068 to 0.073" in tables.beside_the_paper(
        few
    )
