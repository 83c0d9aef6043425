"""Changes of the strongest picture and jumps of the projection, on strongest activations written by hand."""

import numpy as np
import pandas as pd
import pytest
import small
import torch
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.deconv.deconvnet import Deconvnet, Units
from zfutils.deconv.top_activations import TopActivations, top_activations
from zfutils.experiments.evolution import appearance


def found(images, values=None, *, layer="relu2", rows=None, columns=None):
    """The single strongest activation of every map: pictures, values and places as given."""
    n = len(images)
    columns_ = [torch.ones(n) if values is None else values, images, rows or [0] * n, columns or [0] * n]
    values, images, rows, columns = (torch.as_tensor(c)[:, None] for c in columns_)
    return TopActivations(layer, values.float(), images, rows, columns)


# ---- changes of the strongest picture


def test_changes_count_maps_with_another_picture_and_divide_by_the_epochs_between():
    table = appearance.changes(
        {
            5: {"relu1": found([3, 4, 9, 6]), "relu2": found([0, 1])},
            0: {"relu1": found([1, 2, 3, 4]), "relu2": found([0, 0])},
            1: {"relu1": found([3, 4, 5, 6]), "relu2": found([0, 0])},
        }
    )
    assert table.to_dict("split")["data"] == [
        ["relu1", 0, 1, 4, 1.0, 1.0],
        ["relu2", 0, 1, 2, 0.0, 0.0],
        ["relu1", 1, 5, 4, 0.25, 0.0625],
        ["relu2", 1, 5, 2, 0.5, 0.125],
    ]
    assert list(table.columns) == ["layer", "from_epoch", "to_epoch", "maps", "changed", "per_epoch"]


def test_the_order_of_the_others_behind_the_strongest_does_not_count():
    def of_two(images):
        pair = torch.tensor([images])
        return {"relu1": TopActivations("relu1", torch.tensor([[2.0, 1.0]]), pair, pair * 0, pair * 0)}

    assert appearance.changes({0: of_two([7, 8]), 1: of_two([7, 9])})["changed"].item() == 0
    assert appearance.changes({0: of_two([7, 8]), 1: of_two([8, 7])})["changed"].item() == 1


def test_maps_that_answer_to_nothing_have_no_strongest_picture():
    before, after = found([1, 2, 3], [1.0, 0.0, 1.0]), found([1, 5, 8], [1.0, 1.0, 1.0])
    table = appearance.changes({0: {"relu2": before}, 1: {"relu2": after}})
    assert table[["maps", "changed"]].to_numpy().tolist() == [[2, 0.5]]
    dead = {"relu2": found([1, 2], [0.0, 0.0])}
    assert np.isnan(appearance.changes({0: dead, 1: dead})["changed"].item())


# ---- jumps


def patterns(*rows):
    """Projections of two pixels by one of one value each, from lists of two numbers."""
    return np.repeat(np.array(rows, dtype=np.float32)[:, :, None, None], 3, axis=3)


def test_the_distance_is_one_less_the_correlation():
    projections = {
        0: patterns([1, -1], [1, -1], [1, -1]),
        2: patterns([5, 3], [-1, 0], [1, -1]),  # the same form, the opposite, the same
    }
    strongest_ = {0: found([4, 5, 6]), 2: found([4, 9, 6])}
    table = appearance.jumps({"distance": projections}, strongest_, torch.arange(3))
    assert list(table.columns) == ["layer", "map", "from_epoch", "to_epoch", "changed", "distance"]
    assert table["distance"].to_numpy() == pytest.approx([0, 2, 0])
    assert table["changed"].tolist() == [False, True, False]
    assert table[["from_epoch", "to_epoch"]].to_numpy().tolist() == [[0, 2]] * 3
    first, second = np.random.default_rng(0).normal(size=(2, 1, 6, 6, 3))
    both = {0: found([1]), 1: found([1])}
    one = appearance.jumps({"distance": {0: first, 1: second}}, both, torch.tensor([0]))
    expected = 1 - np.corrcoef(first.ravel(), second.ravel())[0, 1]
    assert one["distance"].item() == pytest.approx(expected)


def test_jumps_of_chosen_maps_read_their_own_rows():
    projections = {0: patterns([1, -1], [1, -1]), 1: patterns([1, -1], [1, -1])}
    strongest_ = {0: found([1, 2, 3, 4]), 1: found([1, 2, 3, 9])}
    table = appearance.jumps({"distance": projections}, strongest_, torch.tensor([3, 1]))
    assert table[["map", "changed"]].to_numpy().tolist() == [[3, True], [1, False]]


def test_pairs_without_a_pattern_or_an_answer_are_left_out():
    projections = {0: patterns([0, 0], [1, -1], [1, -1]), 1: patterns([1, -1], [1, -1], [1, -1])}
    strongest_ = {0: found([1, 2, 3]), 1: found([1, 2, 3], [1.0, 0.0, 1.0])}
    assert appearance.jumps({"distance": projections}, strongest_, torch.arange(3))["map"].tolist() == [2]


def moved(rows):
    """A table as `moves` gives it, from layer, map, whether the picture changed, and either distance."""
    table = pd.DataFrame(rows, columns=["layer", "map", "changed", "free", "held"])
    return table.assign(from_epoch=0, to_epoch=1)


def test_a_maps_jump_is_its_mean_where_the_picture_changed_minus_where_it_stayed():
    table = moved(
        [
            ("relu2", 0, True, 1.0, 0.2), ("relu2", 0, True, 0.5, 0.4), ("relu2", 0, False, 0.25, 0.2),
            ("relu2", 1, True, 0.9, 0.9),  # never stayed
            ("relu3", 0, False, 0.1, 0.1), ("relu3", 0, True, 0.3, 0.1), ("relu3", 0, False, 0.3, 0.3),
            ("relu3", 7, False, 0.4, 0.4),  # never changed
        ]
    )  # fmt: skip
    sizes = appearance.jump_sizes(table)
    assert sizes[["layer", "map"]].to_numpy().tolist() == [["relu2", 0], ["relu3", 0]]
    assert sizes[["free", "held"]].to_numpy() == pytest.approx(np.array([[0.5, 0.1], [0.1, -0.1]]))
    nothing = appearance.jump_sizes(table[table["changed"]])
    assert list(nothing.columns) == ["layer", "map", "free", "held"]
    assert nothing.empty


def test_the_interval_is_over_maps_and_takes_off_what_a_held_picture_moves():
    rows = [("relu2", m, changed, 0.1 + 0.05 * m * changed, 0.1 * changed)
            for m in range(10) for changed in (True, False)]  # fmt: skip
    found = appearance.jump_intervals(appearance.jump_sizes(moved(rows)))
    interval = found[appearance.BEYOND]
    assert (interval.estimate, interval.n, interval.resampled) == (pytest.approx(0.125), 10, "maps")
    equal = [(layer, m, changed, free, free) for layer, m, changed, free, _ in rows]
    interval = appearance.jump_intervals(appearance.jump_sizes(moved(equal)))[appearance.BEYOND]
    assert (interval.low, interval.estimate, interval.high) == (0, 0, 0)


# ---- projections and patches


@pytest.fixture(scope="module")
def world():
    model, inputs = small.built().train(), small.seen(80)
    return model, inputs, top_activations(model, inputs, layers=["relu2"], k=2)["relu2"]


def test_projections_are_those_of_each_maps_strongest_unit_in_its_own_picture(world):
    model, inputs, best = world
    maps = torch.tensor([7, 0, 11, 3, 5])
    projections, _ = appearance.strongest_on_windows(model, inputs, best, maps)
    deconvnet = Deconvnet(model)
    side = deconvnet.window("relu2").kernel
    assert projections.shape == (5, side, side, 3)
    assert projections.dtype == np.float32
    for projection, which in zip(projections, maps, strict=True):
        picture = inputs.at(best.images[which, :1]).tensor()
        unit = Units(
            *(torch.as_tensor([int(n)]) for n in (0, which, best.rows[which, 0], best.columns[which, 0]))
        )
        recording = deconvnet.forward(picture, "relu2").project(unit)
        torch.testing.assert_close(recording.values[0], best.values[which, 0], rtol=1e-4, atol=0)
        expected = recording.pixels[0].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(projection, expected, atol=1e-5 * np.abs(expected).max())
        assert np.abs(expected).max() > 0


def test_with_the_picture_held_fixed_another_networks_weights_project_the_same_unit(world):
    model, inputs, best = world
    torch.manual_seed(1)
    other = small.SPEC.build()
    maps = torch.arange(12)
    free, held = (appearance.strongest_on_windows(m, inputs, best, maps)[0] for m in (model, other))
    table = appearance.jumps({"distance": {0: held, 1: free}}, {0: best, 1: best}, maps)
    assert not table["changed"].any()
    assert table["distance"].max() > 0.1
    assert len(table) < 12 or (np.ptp(held, axis=(1, 2, 3)) > 0).all()  # silent units have no distance


@pytest.fixture
def striding():
    """Windows of 3 × 3 at stride 2 and padding 1, over a picture of 10 × 10 whose value is 10 y + x."""
    pixels = torch.arange(100, dtype=torch.uint8).reshape(1, 10, 10, 1).expand(-1, -1, -1, 3).contiguous()
    images = Pixels(pixels, torch.zeros(1).long(), torch.zeros(10, 10, 3), ("a",), ("p",), {})
    model = nn.Sequential(nn.Conv2d(3, 2, 3, stride=2, padding=1), nn.ReLU())
    return model, Inputs.of(images, side=7)  # the crop's corner is at (1, 1)


def test_a_patch_is_the_units_window_of_the_centre_crop(striding):
    best = found([0], layer="relu1", rows=[1], columns=[2])  # rows 1…3 and columns 3…5 of the crop
    _, (patch,) = appearance.strongest_on_windows(*striding, best, torch.tensor([0]))
    assert patch.dtype == np.uint8
    assert patch[..., 0].tolist() == [[24, 25, 26], [34, 35, 36], [44, 45, 46]]


def test_a_patch_is_mid_grey_where_its_window_leaves_the_picture(striding):
    best = found([0, 0], layer="relu1", rows=[0, 3], columns=[0, 3])  # rows -1…1 and 5…7 of 0…6
    _, (first, last) = appearance.strongest_on_windows(*striding, best, torch.tensor([0, 1]))
    assert first[..., 0].tolist() == [[128, 128, 128], [128, 11, 12], [128, 21, 22]]
    assert last[..., 0].tolist() == [[66, 67, 128], [76, 77, 128], [128, 128, 128]]


# ---- lines of snapshots, and moves over all of them, in pictures of 2 × 2 pixels

EPOCHS = (0, 5)


def of_colours(red, green, blue):
    """A unit that pools what one filter answers to 2 × 2 pixels; a second map that answers to nothing."""
    filters = nn.Conv2d(3, 2, 1, bias=False)
    filters.weight.data = torch.tensor([[red, green, blue], [-1.0, -1.0, -1.0]])[..., None, None]
    return nn.Sequential(filters, nn.ReLU(), nn.MaxPool2d(2))


@pytest.fixture(scope="module")
def turning():
    """A filter that turns from red to blue; a red pixel in the upper left, a blue one in the lower right."""
    models = {5: of_colours(1.0, 1.0, 3.0), 0: of_colours(3.0, 1.0, 1.0)}
    pixels = torch.zeros(2, 2, 2, 3, dtype=torch.uint8)
    pixels[0, 0, 0, 0] = pixels[1, 1, 1, 2] = 90
    images = Pixels(pixels, torch.zeros(2).long(), torch.zeros(2, 2, 3), ("a",), ("red", "blue"), {})
    inputs = Inputs.of(images)
    options = {"layers": ["relu1", "pool1"], "k": 1}
    return models, inputs, {e: top_activations(model, inputs, **options) for e, model in models.items()}


def test_a_line_shows_a_map_at_every_snapshot_with_the_picture_that_was_strongest_then(turning):
    models, inputs, searched = turning
    lines = appearance.lines_of_snapshots(models, inputs, searched, "pool1", count=1)
    assert (lines["epochs"], lines["maps"]) == ([0, 5], [0])  # the other map responds to nothing
    assert lines["images"].tolist() == [[0, 1]]
    assert lines["patches"][0].tolist() == inputs.pixels().tolist()
    nothing = [0, 0, 0]  # the filter times its answer, 3 · 90, where the switch points
    assert lines["projections"][0, 0].tolist() == [[[810, 270, 270], nothing], [nothing, nothing]]
    assert lines["projections"][0, 1].tolist() == [[nothing, nothing], [nothing, [270, 270, 810]]]


def test_a_held_picture_moves_by_the_filter_alone_and_a_free_one_by_its_place_too(turning):
    """(3, 1, 1) and (1, 1, 3) correlate by -1/2; with nine zeros by 59/107, in two places by -25/107."""
    models, inputs, searched = turning
    table = appearance.moves(models, inputs, searched, layers=["relu1", "pool1"], maps=1)
    assert table[["layer", "map", "from_epoch", "to_epoch", "changed"]].to_numpy().tolist() == [
        ["relu1", 0, *EPOCHS, True],
        ["pool1", 0, *EPOCHS, True],
    ]
    assert table["free"].to_numpy() == pytest.approx([1.5, 132 / 107])
    assert table["held"].to_numpy() == pytest.approx([1.5, 48 / 107])


def test_snapshots_at_which_the_held_unit_does_not_answer_are_left_out_of_both_arms(turning):
    models, inputs, _ = turning
    models = {**models, 0: of_colours(3.0, 1.0, -1.0)}  # answers to red and not to blue, the last one's
    searched = {e: top_activations(model, inputs, layers=["pool1"], k=1) for e, model in models.items()}
    free = {e: appearance.strongest_on_windows(models[e], inputs, searched[e]["pool1"], torch.tensor([0]))[0]
            for e in EPOCHS}  # fmt: skip
    of_layer = {epoch: one["pool1"] for epoch, one in searched.items()}
    assert appearance.jumps({"free": free}, of_layer, torch.tensor([0]))["changed"].tolist() == [True]
    assert appearance.moves(models, inputs, searched, layers=["pool1"], maps=1).empty


def test_a_layer_in_which_nothing_moves_adds_no_rows(turning):
    models, inputs, searched = turning
    silent = {
        epoch: {**one, "relu1": found([0, 0], [0.0, 0.0], layer="relu1")} for epoch, one in searched.items()
    }
    table = appearance.moves(models, inputs, silent, layers=["relu1", "pool1"], maps=1)
    assert table[["layer", "changed"]].to_numpy().tolist() == [["pool1", True]]


def test_maps_that_show_both_a_change_and_none_may_be_too_few_for_an_interval(turning):
    models, inputs, searched = turning
    sizes = appearance.jump_sizes(appearance.moves(models, inputs, searched, layers=["pool1"], maps=1))
    assert set(appearance.jump_intervals(sizes).values()) == {None}
    few = moved([("relu2", m, changed, 0.5, 0.5) for m in range(7) for changed in (True, False)])
    assert set(appearance.jump_intervals(appearance.jump_sizes(few)).values()) == {None}
