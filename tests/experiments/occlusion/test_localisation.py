"""Falls sorted by where the object is, worked out by hand, and the projections of the map that falls."""

import numpy as np
import pandas as pd
import pytest
import small
import torch

from tests.experiments.occlusion.falls_by_hand import CORNER, FOUR, with_falls
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.units import Units
from zfutils.experiments.occlusion import localisation
from zfutils.experiments.occlusion.map_projections import map_projections
from zfutils.experiments.occlusion.sliding_patch import Patch, occlude


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
        "–",
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


@pytest.mark.parametrize("same_set", [True, False], ids=["same set", "another"])
def test_a_followed_map_is_projected_on_the_picture_and_where_it_is_strongest_elsewhere(
    model, inputs, same_set
):
    """Among pictures of the same set those that were measured do not count; another set is searched whole."""
    places = (4, 23)
    measured = inputs.at(torch.tensor(places))
    some = occlude(model, measured, patch=Patch(16, 16), layer="relu2")
    searched = inputs if same_set else small.seen(24)
    rows = np.setdiff1d(np.arange(24), places) if same_set else np.arange(24)
    with torch.no_grad():
        maps = model[:6](inputs.tensor()).numpy()

    def projected(row, number):
        at = np.unravel_index(maps[row, number].argmax(), maps.shape[2:])
        unit = Units(*(torch.tensor([n]) for n in (0, number, *at)))
        pattern = Deconvnet(model).project(inputs.at([row]).tensor(), "relu2", unit)
        return pattern.placed(32, 32)[0].permute(1, 2, 0)

    panels, strongest = map_projections(model, measured, some, searched), []
    for one, own, number in zip(panels, some.rows, some.maps, strict=True):
        strongest.append(rows[maps[rows, number].max((1, 2)).argmax()])
        assert one.number == number
        expected = [projected(row, number) for row in (own, strongest[-1])]
        np.testing.assert_allclose(one.projections, np.stack(expected), atol=1e-5)
    assert same_set != bool(set(strongest) & set(places)), "measured pictures are strongest where they count"
    for alone, one in zip(map_projections(model, measured, some, None), panels, strict=True):
        assert np.array_equal(alone.projections, one.projections[:1])


def test_masks_of_other_pictures_are_refused(found):
    with pytest.raises(ValueError, match="do not fit positions"):
        localisation.drops(found, np.zeros((3, 32, 32), dtype=bool))


def test_pictures_are_taken_by_how_far_up_the_order_of_their_falls_they_are():
    falls = np.zeros((8, 2, 2))
    falls[:, 1, 0] = [5, 1, 7, 3, 0, 2, 6, 4]  # in order: 4, 1, 5, 3, 7, 0, 6, 2
    assert localisation.by_percentile(falls, [0, 25, 50, 75, 95]).tolist() == [4, 5, 7, 6, 2]
