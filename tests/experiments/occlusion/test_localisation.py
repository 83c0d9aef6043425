"""Scores of occlusion maps, worked out by hand: what they point at, and what gives a cheat away."""

import numpy as np
import pandas as pd
import pytest
import small
import torch
from sklearn.metrics import roc_auc_score

from zfutils.data.inputs import Inputs
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.experiments.occlusion import background_shortcut, localisation
from zfutils.experiments.occlusion.map_projections import map_projections
from zfutils.experiments.occlusion.sliding_patch import Occlusion, Patch, occlude


@pytest.fixture(scope="module")
def inputs():
    return Inputs.of(small.pictures(24), side=32, scale=1 / 64)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return small.SPEC.build().eval()


@pytest.fixture(scope="module")
def found(model, inputs):
    return occlude(model, inputs[:10], patch=Patch(8, 4), layer="relu2")


def with_falls(falls, patch, *, plain=0.9, activations=None):
    """Pictures of two classes whose probability falls by that much at each position."""
    falls = np.asarray(falls, dtype=float)
    n = len(falls)
    odds = np.log((plain - falls) / (1 - plain + falls))
    logits = np.stack([odds, np.zeros_like(odds)], -1)
    activations = np.ones_like(falls) if activations is None else np.asarray(activations, dtype=float)
    whole = np.tile([np.log(plain / (1 - plain)), 0.0], (n, 1))
    zeros = np.zeros(n, dtype=np.int64)
    return Occlusion(patch, "relu5", np.arange(n), zeros, zeros, logits, activations, whole, np.full(n, 2.0))


FOUR = Patch(2, 2)  # of a picture of 4 px: positions centred on pixels 1 and 3
CORNER = np.array([[0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=bool)


def test_positions_are_on_the_object_where_their_centre_is():
    found = with_falls([[[0.4, 0.1], [0.0, 0.2]]], FOUR)
    assert localisation.on_object(found, CORNER[None]).tolist() == [[[True, False], [False, False]]]


def test_drops_by_hand():
    found = with_falls([[[0.4, 0.1], [0.0, 0.2]]], FOUR, activations=[[[0.5, 2.0], [1.0, 3.0]]])
    table = localisation.drops(found, CORNER[None]).set_index("measure")
    np.testing.assert_allclose(table.loc["probability", "difference"], 0.4 - 0.1)
    np.testing.assert_allclose(table.loc["activation", ["object", "background"]].astype(float), [0.75, 0])
    before, after = np.log(0.9 / 0.1), [np.log(p / (1 - p)) for p in (0.5, 0.8, 0.9, 0.7)]
    expected = (before - after[0]) - (before - np.mean(after[1:]))
    np.testing.assert_allclose(table.loc["log-odds", "difference"], expected)


def test_correctly_classified_pictures_are_drawn_by_the_seed():
    wrong = np.arange(60) % 2 == 0
    chosen = localisation.correctly_classified(wrong, 12, seed=1)
    assert len(chosen) == len(set(chosen.tolist())) == 12
    assert (chosen % 2 == 1).all()
    assert torch.equal(chosen, localisation.correctly_classified(wrong, 12, seed=1))
    assert not torch.equal(chosen, localisation.correctly_classified(wrong, 12, seed=2))
    assert len(localisation.correctly_classified(wrong, 99)) == 30
    assert len(localisation.correctly_classified(np.arange(60) > 6, 20)) == 20  # too few are correct


def test_the_table_of_drops_holds_means_and_an_interval_where_there_are_enough():
    falls = np.tile([[[0.4, 0.1], [0.0, 0.2]]], (9, 1, 1))
    masks = np.stack([CORNER] * 9)
    nine = with_falls(falls, FOUR)
    table = localisation.drop_table({"nine": nine}, masks)
    two = localisation.drop_table({"two": nine.of(np.arange(2))}, masks[:2])
    table = pd.concat([table, two])
    nine, two = (
        table[(table["name"] == n) & (table["measure"] == "probability")].iloc[0] for n in ("nine", "two")
    )
    np.testing.assert_allclose([nine["object"], nine["background"], nine["low"]], [0.4, 0.1, 0.3])
    assert (nine["n"], two["n"]) == (9, 2)
    assert np.isnan(two["low"])


def test_the_table_of_patches_says_what_falls_and_where_another_class_wins():
    falls = np.tile([[[0.5, 0.1], [0.0, 0.2]]], (9, 1, 1))  # at 0.9 - 0.5 the other class wins
    nine, masks = with_falls(falls, FOUR), np.stack([CORNER] * 9)
    table = localisation.patch_table({"grey, 2 px": nine}, masks).set_index("measure")
    assert table.loc["probability", "mean fall"] == "0.200 [0.200, 0.200]"
    assert table.loc["probability", "on minus off"] == "0.400 [0.400, 0.400]"
    assert table.loc["another class wins", ["mean fall", "on minus off"]].tolist() == [
        "0.250 [0.250, 0.250]",
        "",
    ]
    few = localisation.patch_table({"grey, 2 px": nine.of(np.arange(2))})
    assert list(few) == ["square", "measure", "mean fall"]
    assert few["mean fall"].tolist()[-1] == "–"


def test_pictures_without_an_object_or_without_a_background_are_left_out():
    found = with_falls(np.zeros((3, 2, 2)), FOUR)
    masks = np.stack([CORNER, np.zeros_like(CORNER), np.ones_like(CORNER)])
    assert set(localisation.drops(found, masks)["picture"]) == {0}


def test_scores_by_hand():
    on = np.array([[[True, True], [False, False]], [[False, False], [False, True]]])
    maps = {
        "right": np.array([[[0.9, 0.5], [0.4, 0.0]], [[0.0, 0.1], [0.2, 0.3]]]),
        "wrong": np.array([[[0.1, 0.1], [0.9, 0.6]], [[1.0, 0.0], [0.0, 0.0]]]),
        "nothing": np.array([[[-1.0, -1.0], [-1.0, -2.0]], [[0.0, 0.0], [0.0, 0.0]]]),
    }
    table = localisation.scores(maps, on).set_index("map")
    assert table.loc["right", "pointing"].tolist() == [1, 1]
    np.testing.assert_allclose(table.loc["right", "iou"], [1, 1 / 2])
    assert table.loc["wrong", "pointing"].tolist() == [0, 0]
    assert table.loc["wrong", "iou"].tolist() == [0, 0]
    assert table.loc["nothing", "iou"].tolist() == [0, 0]
    np.testing.assert_allclose(table.loc["object's area", "pointing"], [1 / 2, 1 / 4])
    with pytest.raises(ValueError, match="too large: a map"):
        localisation.scores({"too large": np.zeros((2, 3, 2))}, on)


def test_the_ceiling_knows_the_mask_and_the_floor_knows_the_middle():
    masks = np.zeros((1, 40, 40), dtype=bool)
    masks[0, 4:16, 22:36] = True
    patch = Patch(8, 4)
    maps = localisation.floors_and_ceiling(patch, masks)
    under = maps["true mask under the patch"]
    assert under.min() == 0
    assert under.max() == 1
    assert (under[patch.at_centres(masks)] >= 0.25).all()
    gaussian = maps["centred Gaussian"][0]
    np.testing.assert_allclose(gaussian, gaussian[::-1, ::-1], atol=0.11)
    assert np.unravel_index(gaussian.argmax(), gaussian.shape) in ((4, 4), (5, 5))


def test_pointing_is_compared_with_the_pictures_own_centre():
    masks = np.zeros((20, 4, 4), dtype=bool)
    masks[:, 1, 1] = True  # never in the middle, which is pixel 2
    masks[:5, 2, 2] = True
    table = pd.DataFrame({"map": "trained", "place": range(20), "pointing": 1.0, "iou": 0.5})
    interval = localisation.pointing_interval(table, "trained", masks)
    assert interval.estimate == pytest.approx(0.75)
    assert interval.n == 20


def test_intervals_are_of_the_measure_that_is_asked_for():
    table = pd.DataFrame(
        {"measure": ["probability"] * 9 + ["log-odds"] * 9, "difference": [0.2] * 9 + [3.0] * 9}
    )
    assert localisation.drop_interval(table, "probability").estimate == pytest.approx(0.2)
    assert localisation.drop_interval(table, "log-odds").estimate == pytest.approx(3)


# ---- the projection


def test_energy_is_that_of_the_whole_maps_projection(model, inputs, found):
    energy = localisation.projection_energy(model, inputs[:10], found, batch=3)
    recording = Deconvnet(model).forward(inputs[:10].tensor(), "relu2")
    pattern = recording.project_maps(torch.from_numpy(found.maps))
    np.testing.assert_allclose(energy, (pattern**2).sum(1), rtol=1e-5)


def test_contrast_is_the_energy_of_the_centred_picture(inputs):
    images, contrast = inputs.images, localisation.contrast(inputs)
    by_hand = (((images.pixels[3] - images.mean)[4:36, 4:36] / 64) ** 2).sum(-1)
    np.testing.assert_allclose(contrast[3], by_hand, rtol=1e-5)


def test_agreement_is_one_where_the_fall_is_the_energy_and_is_compared_with_another_picture():
    draw = np.random.default_rng(0)
    energy = draw.random((12, 16, 16))
    patch = Patch(4, 4)
    under = patch.under(energy)
    found = with_falls(np.zeros_like(under), patch, activations=2 - under / under.max())
    table = localisation.agreement(found, {"projection": energy, "flat": np.ones_like(energy)})
    own = table[table["energy"] == "projection"]
    np.testing.assert_allclose(own["own"], 1)
    assert abs(own["other"].mean()) < 0.3
    assert not (table["energy"] == "flat").any()  # no correlation with what does not vary
    assert localisation.agreement_interval(table, "projection").low > 0.5
    (row,) = localisation.agreement_table({"trained": table}).to_dict("records")
    assert (row["network"], row["energy"]) == ("trained", "projection")
    assert row["estimate"] == pytest.approx(row["own"] - row["other"])
    assert row["low"] < row["estimate"] < row["high"]
    with pytest.raises(ValueError, match="two pictures, not 1"):
        localisation.agreement(found.of(np.array([0])), {"projection": energy[:1]})


def test_projections_of_a_followed_map_are_its_own_and_of_other_pictures(model, inputs, found):
    places = np.array([0, 4, 7])
    three, measured = found.of(places), inputs[torch.from_numpy(places)]
    all_ = map_projections(model, measured, three, inputs)
    assert [one.number for one in all_] == three.maps.tolist()
    with torch.no_grad():
        peaks = model[:6](inputs.tensor()).amax((2, 3))
    for one, row in zip(all_, three.rows, strict=True):
        assert one.projections.shape == (4, 32, 32, 3)
        assert one.pictures[0] == row
        others = [i for i in peaks[:, one.number].argsort(descending=True).tolist() if i not in (0, 4, 7)]
        assert one.pictures[1:].tolist() == others[:3]
        assert np.abs(one.projections).max((1, 2, 3)).all()
    with pytest.raises(ValueError, match="5 activations of different images were asked for, of a set of 4"):
        map_projections(model, measured, three, inputs[:6], others=5)


def test_pictures_of_another_set_are_searched_in_full(model, inputs, found):
    again = Inputs.of(small.pictures(24), side=32, scale=1 / 64)
    (one,) = map_projections(model, inputs[:1], found.of(np.array([0])), again, others=24)
    assert sorted(one.pictures[1:]) == list(range(24))


# ---- the cheat


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


def test_auc_intervals_hold_chance_for_like_networks_and_not_for_unlike():
    draw = np.random.default_rng(1)
    scenes = draw.normal(size=80)
    same = background_shortcut.auc_interval(scenes + draw.normal(size=80), scenes + draw.normal(size=80))
    other = background_shortcut.auc_interval(scenes + 3, scenes)
    assert same.low < 0.5 < same.high
    assert other.low > 0.8
    assert other.n == 80


def test_reliance_is_in_points_and_paired():
    own, other = np.ones(40, dtype=bool), np.arange(40) < 10
    lost = background_shortcut.reliance({"cheat": (own, other), "honest": (own, own)})
    assert lost["cheat"].estimate == pytest.approx(75)
    assert (lost["honest"].estimate, lost["honest"].high) == (0, 0)
    table = background_shortcut.accuracy_table({"cheat": (own, other)}, lost).iloc[0]
    assert table.tolist()[:3] == ["cheat", "100.0%", "25.0%"]
    assert table["loses (points)"].startswith("75.0 [")
    assert background_shortcut.accuracy_table({"cheat": (own, other)}, {}).iloc[0, 3] == "–"


def test_masks_of_other_pictures_are_refused(found):
    with pytest.raises(ValueError, match="do not fit positions"):
        localisation.drops(found, np.zeros((3, 32, 32), dtype=bool))
