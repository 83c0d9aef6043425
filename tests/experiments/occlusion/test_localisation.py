"""Falls sorted by where the object is, worked out by hand, and the projections of the map that falls."""

import numpy as np
import pandas as pd
import pytest
import small
import torch

from tests.experiments.occlusion.falls_by_hand import CORNER, FOUR, with_falls
from zfutils.data.inputs import Inputs
from zfutils.experiments.occlusion import localisation
from zfutils.experiments.occlusion.map_projections import map_projections
from zfutils.experiments.occlusion.sliding_patch import Patch, occlude


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


def corner(row, column):
    mask = np.zeros((4, 4), dtype=bool)
    mask[2 * row + 1, 2 * column + 1] = True
    return mask


def test_falls_are_sorted_by_the_objects_of_all_other_pictures_by_hand():
    falls = [[[0.4, 0.1], [0.0, 0.2]], [[0.1, 0.0], [0.3, 0.0]], [[0.0, 0.0], [0.0, 0.6]]]
    found = with_falls(falls, FOUR, activations=2 - 2 * np.array(falls))
    masks = np.stack([corner(0, 0), corner(0, 1), corner(1, 1)])

    def on_minus_off(i, at):
        """What falls at one of four positions, minus the mean of the three others."""
        flat = np.ravel(falls[i])
        return flat[at] - np.delete(flat, at).mean()

    there = localisation.falls_there(found, masks, "probability")
    expected = [on_minus_off(i, at) for i, at in enumerate((0, 1, 3))]
    np.testing.assert_allclose(there.measured, expected)
    others = [(1, 3), (0, 3), (0, 1)]
    expected = [np.mean([on_minus_off(i, at) for at in pair]) for i, pair in enumerate(others)]
    np.testing.assert_allclose(there.control, expected)
    same = localisation.falls_there(found, masks, "activation")  # whose falls are the same shares
    np.testing.assert_allclose([same.measured, same.control], [there.measured, there.control])


def test_a_liking_for_the_middle_leaves_nothing():
    falls = np.tile([[[0.4, 0.1], [0.0, 0.2]]], (40, 1, 1))
    masks = np.stack([corner(*divmod(i % 4, 2)) for i in range(40)])
    there = localisation.falls_there(with_falls(falls, FOUR), masks, "probability")
    assert abs(there.interval.estimate) < 0.01
    assert there.interval.low < 0 < there.interval.high


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
    np.testing.assert_allclose([nine["object"], nine["background"]], [0.4, 0.1])
    assert (nine["n"], two["n"]) == (9, 2)
    np.testing.assert_allclose(nine[["difference", "elsewhere"]].astype(float), [0.3, 0.3])
    np.testing.assert_allclose(nine[["estimate", "low", "high"]].astype(float), 0, atol=1e-12)
    assert np.isnan(two["low"])


def test_the_table_of_patches_says_what_drops_and_where_another_class_wins():
    falls = np.tile([[[0.5, 0.1], [0.0, 0.2]]], (9, 1, 1))  # at 0.9 - 0.5 the other class wins
    nine, masks = with_falls(falls, FOUR), np.stack([CORNER] * 9)
    intervals = localisation.patch_intervals({"grey, 2 px": nine}, masks)
    table = localisation.patch_table(intervals).set_index("measure")
    assert table.loc["probability", "mean drop"] == "0.200\u00a0[0.200,\u00a00.200]"
    assert table.loc["probability", "object − background"] == "0.400\u00a0[0.400,\u00a00.400]"
    assert table.loc["another class wins", ["mean drop", "object − background"]].tolist() == [
        "0.250\u00a0[0.250,\u00a00.250]",
        "",
    ]
    few = localisation.patch_table(localisation.patch_intervals({"grey, 2 px": nine.of(np.arange(2))}))
    assert list(few) == ["square", "measure", "mean drop"]
    assert few["mean drop"].tolist()[-1] == "–"


def test_rows_whose_interval_lies_above_zero_are_counted():
    falls = np.tile([[[0.5, 0.1], [0.0, 0.2]]], (9, 1, 1))
    masks = {"on": np.stack([CORNER] * 9), "beside": np.stack([~CORNER] * 9)}
    for which, count in (("on", 2), ("beside", 0)):  # the activation stays
        found = localisation.patch_intervals({"grey": with_falls(falls, FOUR)}, masks[which])
        assert localisation.above_zero(found) == f"{count} of 3 rows"


def test_pictures_without_an_object_or_without_a_background_are_left_out():
    found = with_falls(np.zeros((3, 2, 2)), FOUR)
    masks = np.stack([CORNER, np.zeros_like(CORNER), np.ones_like(CORNER)])
    table = localisation.drops(found, masks)
    assert set(table["picture"]) == {0}
    assert table["elsewhere"].isna().all()
    assert localisation.falls_there(found, masks, "probability").arms is None


def test_projections_of_a_followed_map_are_its_own_and_of_other_pictures(model, inputs, found):
    places = np.array([0, 4, 7])
    three, measured = found.of(places), inputs[torch.from_numpy(places)]
    all_ = map_projections(model, measured, three, inputs, others=3)
    assert [one.number for one in all_] == three.maps.tolist()
    with torch.no_grad():
        peaks = model[:6](inputs.tensor()).amax((2, 3))
    for one, row in zip(all_, three.rows, strict=True):
        assert one.projections.shape == (4, 32, 32, 3)
        assert one.pictures[0] == row
        others = [i for i in peaks[:, one.number].argsort(descending=True).tolist() if i not in (0, 4, 7)]
        assert one.pictures[1:].tolist() == others[:3]
        assert np.abs(one.projections).max((1, 2, 3)).all()
    for alone, one in zip(map_projections(model, measured, three, None), all_, strict=True):
        assert (alone.number, alone.pictures.tolist()) == (one.number, [one.pictures[0]])
        assert np.array_equal(alone.projections, one.projections[:1])
    with pytest.raises(ValueError, match="5 activations of different images were asked for, of a set of 4"):
        map_projections(model, measured, three, inputs[:6], others=5)


def test_pictures_of_another_set_are_searched_in_full(model, inputs, found):
    again = Inputs.of(small.pictures(24), side=32, scale=1 / 64)
    (one,) = map_projections(model, inputs[:1], found.of(np.array([0])), again, others=24)
    assert sorted(one.pictures[1:]) == list(range(24))


def test_masks_of_other_pictures_are_refused(found):
    with pytest.raises(ValueError, match="do not fit positions"):
        localisation.drops(found, np.zeros((3, 32, 32), dtype=bool))


def test_pictures_are_taken_by_how_far_up_the_order_of_their_falls_they_are():
    falls = np.zeros((8, 2, 2))
    falls[:, 1, 0] = [5, 1, 7, 3, 0, 2, 6, 4]  # in order: 4, 1, 5, 3, 7, 0, 6, 2
    assert localisation.by_percentile(falls, [0, 25, 50, 75, 95]).tolist() == [4, 5, 7, 6, 2]
