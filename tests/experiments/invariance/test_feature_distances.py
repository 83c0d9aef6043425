"""Distances between transformed images: worked by hand on networks whose answer to a shift is known."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.experiments.invariance.responses_by_hand import answers
from tests.small import SPEC, pictures
from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.experiments.invariance import summaries
from zfutils.experiments.invariance.feature_distances import responses
from zfutils.experiments.invariance.transformed_images import Transformed

LAYERS = ("relu1", "relu2", "relu3")


class Shown:
    """A series whose pictures are given: (amounts + 1, n, channels, side, side), the untransformed first."""

    def __init__(self, pixels, *, kind="translation", labels=None):
        self.pixels, self.kind = torch.as_tensor(pixels), kind
        self.amounts, n = np.arange(1.0, len(pixels)), self.pixels.shape[1]
        truth, stored = torch.tensor(labels or [0] * n), torch.zeros(n, 1, 1, 1)
        self.inputs = Inputs.of(Pixels(stored.byte(), truth, stored[0], ("a", "b"), tuple("abcdef"[:n]), {}))

    def view(self, which, amount, *, device="cpu"):
        return self.pixels[0 if amount is None else amount + 1, which].to(device)


def transparent(pixels=1):
    """relu1 is the picture itself, as long as it is not negative."""
    conv = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.ones_(conv.weight)
    model = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(pixels, 2))
    nn.init.zeros_(model[3].weight)
    with torch.no_grad():
        model[3].bias.copy_(torch.tensor([math.log(3), 0.0]))  # probabilities of 3/4 and 1/4
    return model


def single(values):
    """Pictures of one pixel: (amounts + 1, n) values."""
    return torch.tensor(values, dtype=torch.float32)[..., None, None, None]


# ---- distances


def test_a_distance_is_divided_by_the_mean_distance_between_different_pictures():
    # At rest 0, 2, 10: differences 2, 10, 8, mean 20/3. Moved: 1, 2, 4.
    series = Shown(single([[0, 2, 10], [1, 2, 4]]), labels=[0, 0, 1])
    found = responses({"by hand": transparent()}, series, layers=["relu1"])["by hand"]
    assert found.units == pytest.approx([20 / 3])
    assert found.layer("relu1")[:, 0] == pytest.approx([3 / 20, 0, 6 * 3 / 20])
    assert found.probabilities[:, 0] == pytest.approx([0.75, 0.75, 0.25])
    assert found.untransformed == pytest.approx([0.75, 0.75, 0.25])


def test_features_of_several_units_lie_as_far_apart_as_in_space():
    at_rest, moved = torch.zeros(2, 1, 2, 1), torch.zeros(2, 1, 2, 1)
    at_rest[1, 0, :, 0] = torch.tensor([6.0, 8.0])  # 10 away from the first
    moved[0, 0, :, 0] = torch.tensor([3.0, 4.0])  # 5 away from where it was
    moved[1] = at_rest[1]
    series = Shown(torch.stack([at_rest, moved]))
    found = responses({"by hand": transparent(2)}, series, layers=["relu1"])["by hand"]
    assert found.layer("relu1")[:, 0] == pytest.approx([0.5, 0])


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return SPEC.build().eval()


def moved(kind="translation", amounts=(-6, 0, 3), n=10, scale=1 / 64):
    return Transformed(Inputs.of(pictures(n), side=32, scale=scale), kind, amounts)


@pytest.mark.parametrize(
    ("kind", "amounts", "identity"),
    [("translation", (-6, 0, 3), 1), ("scale", (1, 1.2), 0), ("rotation", (0, 50, 180), 0)],
)
def test_the_unchanged_picture_is_at_distance_zero_and_a_changed_one_is_not(tiny, kind, amounts, identity):
    found = responses({"tiny": tiny}, moved(kind, amounts), layers=LAYERS)["tiny"]
    assert (found.distances[:, identity] == 0).all()
    assert (np.delete(found.distances, identity, 1) > 0).all()
    assert found.probabilities[:, identity] == pytest.approx(found.untransformed, abs=1e-7)


def test_the_same_numbers_come_whatever_the_batch_and_the_layers_asked_for(tiny):
    series = moved()
    whole = responses({"tiny": tiny}, series, layers=LAYERS, batch=64)["tiny"]
    pieces = responses({"tiny": tiny}, series, layers=("relu3", "relu1"), batch=3)["tiny"]
    for layer in pieces.layers:
        np.testing.assert_allclose(pieces.layer(layer), whole.layer(layer), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(pieces.units, whole.units[[2, 0]], rtol=1e-5)
    np.testing.assert_allclose(pieces.probabilities, whole.probabilities, atol=1e-6)


def test_distances_agree_with_features_taken_one_picture_at_a_time(tiny):
    series = moved()
    found = responses({"tiny": tiny}, series, layers=["relu2"], batch=4)["tiny"]

    def feature(place, amount):
        x = series.view(slice(place, place + 1), amount)
        for name, module in tiny.named_children():
            x = module(x)
            if name == "relu2":
                return x.flatten().double()

    with torch.no_grad():
        rest = [feature(place, None) for place in range(10)]
        apart = [float((rest[i] - rest[j]).norm()) for i in range(10) for j in range(i)]
        first = [float((feature(0, amount) - rest[0]).norm()) for amount in range(3)]
    assert found.units == pytest.approx([np.mean(apart)], rel=1e-4)
    assert found.layer("relu2")[0] == pytest.approx(np.array(first) / np.mean(apart), rel=1e-3)


def test_several_networks_get_what_each_gets_by_itself(tiny):
    torch.manual_seed(1)
    other, series = SPEC.build().eval(), moved()
    both = responses({"tiny": tiny, "other": other}, series, layers=LAYERS)
    alone = responses({"other": other}, series, layers=LAYERS)["other"]
    np.testing.assert_array_equal(both["other"].distances, alone.distances)
    assert not np.allclose(both["tiny"].distances, both["other"].distances)


def test_a_network_that_sums_over_the_whole_picture_does_not_notice_a_shift():
    torch.manual_seed(0)
    sums = nn.Sequential()
    parts = (nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 2))
    for name, module in zip(("conv1", "relu1", "sum1", "flatten", "fc2"), parts, strict=True):
        sums.add_module(name, module)
    images = torch.randn(4, 3, 16, 16)
    shifted = [images, images.roll(3, 2), images.roll((-5, 2), (2, 3))]  # what leaves comes in again
    around = torch.stack([nn.functional.pad(one, (1, 1, 1, 1), mode="circular") for one in shifted])
    found = responses({"sums": sums}, Shown(around), layers=["relu1", "sum1"])["sums"]
    assert found.layer("sum1") == pytest.approx(0, abs=1e-4)
    assert found.layer("relu1").min() > 0.5


@pytest.mark.parametrize(
    ("series", "layers", "message"),
    [
        (moved, ("relu9",), "layer 'relu9' is not in this network; it has conv1, relu1"),
        (lambda: moved(scale=math.inf), ("relu3",), "of relu3 of the network 'tiny' are not finite"),
        (lambda: moved(n=1), LAYERS, "at least two, got 1"),
        (lambda: Shown(torch.ones(2, 3, 3, 32, 32)), LAYERS, "features of relu1 .* are the same for all"),
    ],
)
def test_what_cannot_be_measured_is_refused(tiny, series, layers, message):
    with pytest.raises(ValueError, match=message):
        responses({"tiny": tiny}, series(), layers=layers)


# ---- numbers


def test_the_size_of_a_change_does_not_know_its_direction():
    assert answers([-3, 0, 3], np.zeros((1, 3))).sizes.tolist() == [3, 0, 3]
    assert answers([1, 1.5], np.zeros((1, 2)), kind="scale").sizes.tolist() == [0, 0.5]
    turned = answers([0, 10, 180, 200, 350], np.zeros((1, 5)), kind="rotation")
    assert turned.sizes.tolist() == [0, 10, 180, 160, 10]


def test_an_exact_line_has_r2_of_1_and_slope_of_its_own():
    shifts = np.arange(-10, 11)
    slopes = np.array([0.02, 0.05, 0.08])
    lines = answers(shifts, slopes[:, None] * np.abs(shifts))
    assert summaries.linearity(lines, "relu1") == pytest.approx([1, 1, 1])
    table = summaries.slopes({"by hand": lines}, within=4, per=10)
    assert table.loc[0, "estimate"] == pytest.approx(0.5)
    assert table.loc[0, "low"] < 0.5 < table.loc[0, "high"]


def test_r2_of_a_bent_way_is_that_of_the_correlation():
    y = np.array([[0, 3, 4, 4.5], [0, 0, 0, 8]])
    bent = answers([0, 1, 2, 3], y)
    expected = [np.corrcoef([0, 1, 2, 3], row)[0, 1] ** 2 for row in y]
    assert summaries.linearity(bent, "relu1") == pytest.approx(expected)
    assert expected[1] == pytest.approx(0.6)  # covariance 12, variances 5 and 48: 144 / 240
    still = answers([0, 1, 2], [[0, 0, 0], [0, 1, 2]])
    assert np.isnan(summaries.linearity(still, "relu1")).tolist() == [True, False]
    with pytest.raises(ValueError, match="at least three sizes of change, got 2"):
        summaries.linearity(answers([-1, 0, 1], np.zeros((1, 3))), "relu1")


def test_a_slope_is_taken_near_the_unchanged_picture_alone():
    bent = answers([-4, -1, 0, 1, 4], np.tile([9, 1, 0, 1, 9], (3, 1)))
    assert summaries.slopes({"a": bent}, within=1)["estimate"].tolist() == [1]
    assert summaries.slopes({"a": bent}, within=4)["estimate"].tolist() == pytest.approx([74 / 34])


def test_what_is_near_is_the_mean_over_all_small_changes_of_either_direction():
    found = answers([-9, -2, 0, 2, 9], np.tile([8, 2, 0, 4, 8], (3, 1)))
    assert summaries.near(found, "relu1", within=5) == pytest.approx(3)
    with pytest.raises(ValueError, match="no translation is within 1; the smallest change is 2"):
        summaries.near(found, "relu1", within=1)
    with pytest.raises(ValueError, match="layer 'fc8' was not measured; there are relu1"):
        summaries.near(found, "fc8", within=5)


def test_turned_objects_are_compared_over_the_angles_asked_for():
    angles = [0, 30, 90, 180, 270, 330]
    plain = answers(angles, np.tile([0, 0.4, 1, 1, 1, 0.6], (12, 1)), kind="rotation")
    even = answers(angles, np.tile([0, 0.1, 0.1, 0.1, 0.1, 0.1], (9, 1)), kind="rotation")
    assert summaries.among(plain, summaries.FAR).tolist() == [False, False, True, True, True, False]
    difference = summaries.symmetry_interval(plain, even, "relu1")
    assert (difference.estimate, difference.n) == (pytest.approx(0.8 - 0.1), 9)


def test_every_panel_has_its_own_range_and_symmetry_one_where_there_are_pictures_for_it():
    shifts, sizes, angles = [0, 1, 2, 4], [1, 1.05, 1.5], [0, 10, 90, 180, 270]
    distances = {
        "translation": answers(shifts, np.tile([0, 0.2, 0.4, 5], (9, 1))),
        "scale": answers(sizes, np.tile([0, 0.5, 9], (9, 1)), kind="scale"),
        "rotation": answers(angles, np.tile([0, 0.3, 1, 1, 1], (9, 1)), kind="rotation"),
    }
    found = {kind: {"trained": one} for kind, one in distances.items()}
    plain = distances["rotation"]
    groups = {"trained": (plain, plain.of(torch.arange(0)))}
    panels = summaries.panels(found, groups, side=100)
    slopes = {
        title.split()[0]: table["estimate"].item() for title, table in panels.items() if "slope" in title
    }
    assert slopes == pytest.approx({"Translation": 0.2, "Scale": 0.1, "Rotation": 0.03})  # 2 px, 5 %, 10°
    assert list(panels)[3:] == ["Translation\nR² of a line", "Scale\nR² of a line"]
    expected = np.corrcoef([0, 0.05, 0.5], [0, 0.5, 9])[0, 1] ** 2
    assert panels["Scale\nR² of a line"]["estimate"].item() == pytest.approx(expected)
    with_both = summaries.panels(found, {"trained": (plain, plain)}, side=100)
    assert with_both["Rotation\nwithout − with symmetry"]["estimate"].item() == 0


def test_curves_are_means_over_pictures_with_their_intervals():
    found = answers([0, 2], [[0, 1], [0, 3]], probabilities=[[1, 0.2], [1, 0.4]])
    table = summaries.curve_table({"trained": found}).set_index(["layer", "amount"])
    assert table.loc[("relu1", 2), "estimate"] == 2
    assert table.loc[("relu1", 2), "high"] == pytest.approx(2 + 12.706, rel=1e-3)  # t with one degree
    assert table.loc[("probability", 2), "estimate"] == pytest.approx(0.3)
    assert table.loc[("relu1", 0), ["low", "high"]].tolist() == [0, 0]


def test_some_pictures_are_found_by_their_rows_in_the_set():
    found = answers([0, 2], [[0, 1], [0, 3], [0, 5]])
    some = found.of(torch.tensor([2, 0]))
    assert some.layer("relu1")[:, 1].tolist() == [5, 1]
    assert some.pictures.tolist() == [2, 0]
    with pytest.raises(ValueError, match=r"pictures \[7\] were not measured"):
        found.of(torch.tensor([0, 7]))


def test_the_whole_image_and_its_object_alone_are_compared_on_the_same_pictures_and_amounts():
    """Of three pictures at five shifts, the two pictures and two shifts that were drawn again."""
    distances = [[9, 9, 0, 9, 9], [4, 2, 0, 2, 4], [6, 3, 0, 3, 6]]
    found = {"translation": {"trained": answers([-2, -1, 0, 1, 2], distances)}}
    drawn = answers([0, 2], [[0, 1], [0, 3]])
    alone = {"translation": {"trained": replace(drawn, pictures=np.array([2, 1]))}}
    table = summaries.whole_and_alone(found, alone)
    means = table[table["layer"] == "relu1"].set_index(["what", "amount"])["estimate"]
    assert means["whole image"].to_dict() == {0: 0, 2: 5}
    assert means["object alone, drawn again"].to_dict() == {0: 0, 2: 2}
    with pytest.raises(ValueError, match="were not measured"):
        summaries.matched(found["translation"]["trained"], replace(drawn, pictures=np.array([2, 7])))
