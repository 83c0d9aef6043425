"""Parts: planted masks and projections of known energy; Network Dissection against an oracle of its own."""

from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest
import small
import torch
from torch import nn

from zfutils.data import part_masks
from zfutils.data.inputs import Inputs
from zfutils.data.part_masks import ProbeMasks
from zfutils.data.parts import PartsImages
from zfutils.data.pixels import Pixels
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.top_activations import TopActivations
from zfutils.deconv.top_projections import TopProjections, top_projections
from zfutils.experiments.projections import dissection, part_energy
from zfutils.nets.geometry import Window

SIDE = 16


def squares(n, *, side=SIDE, number=1):
    """Masks of n pictures: in each a 4×4 part in a place of its own, from the upper left in reading order."""
    maps = np.zeros((n, side, side), dtype=np.uint8)
    for i in range(n):
        top, left = 4 * (i // 4 % 4), 4 * (i % 4)
        maps[i, top : top + 4, left : left + 4] = number
    return maps


def masks_of(maps, *, labels=None, parts=("eye", "wheel")):
    rows = np.arange(len(maps))
    return ProbeMasks(maps, rows, np.zeros_like(rows) if labels is None else np.asarray(labels), parts)


def nine_of(projections, images, *, inside=None, tops=0, lefts=0):
    """Projections (maps, k, side, side, 3) of rows `images` (maps, k) of a set."""
    projections = np.asarray(projections, dtype=np.float32)
    maps, k, side = projections.shape[:3]
    images, zeros = torch.from_numpy(np.stack(images)), torch.zeros(maps, k, dtype=torch.int64)
    inside = np.ones((maps, k, side, side), dtype=bool) if inside is None else inside
    corners = [np.broadcast_to(np.asarray(corner), (maps, k)) for corner in (tops, lefts)]
    found = TopActivations("relu5", torch.ones(maps, k), images, zeros, zeros)
    patches = np.zeros(projections.shape, dtype=np.uint8)
    return TopProjections(found, torch.arange(maps), projections, patches, inside, *corners)


def colours(mask):
    """A pattern with energy in all colours where the mask is."""
    return np.asarray(mask, dtype=float)[..., None] * np.array([1.0, -2.0, 3.0])


# ---- masks


def test_left_and_right_and_numbered_parts_are_one_concept_and_an_owls_body_is_not_a_cars():
    named = {("cat", "left eye"): "eye", ("owl", "right eye"): "eye", ("truck", "middle wheel"): "wheel"}
    named |= {("bus", "window 3"): "window", ("house", "window"): "window", ("flower", "petal 11"): "petal"}
    named |= {("fir", "upper tier"): "tier", ("boat", "main sail"): "main sail"}
    assert {key: part_masks.concept(*key) for key in named} == named
    bodies = {part_masks.concept(category, "body") for category in ("car", "bus", "owl")}
    assert bodies == {"body", "body of owl"}


def test_masks_hold_what_the_scene_says_of_every_pixel():
    source = PartsImages("probe", n=6, size=64, field=1.5)
    masks = ProbeMasks.build(source)
    assert masks.rows.tolist() == masks.labels.tolist() == list(range(6))
    truth = source.scene(0).probe(64, field=1.5)
    cat = masks.maps[masks.at(np.array([0]))[0]]
    np.testing.assert_array_equal(cat > 0, truth.object_mask)
    eyes = truth.part_masks["left eye"] | truth.part_masks["right eye"]
    np.testing.assert_array_equal(cat == 1 + masks.parts.index("eye"), eyes)
    assert eyes.any()
    assert "wheel" in masks.parts
    assert not any(part.startswith(("left", "rear")) for part in masks.parts)


def test_the_crop_is_the_one_that_the_network_sees():
    masks = masks_of(np.arange(2 * 25, dtype=np.uint8).reshape(2, 5, 5) % 3)
    np.testing.assert_array_equal(masks.cropped(2).maps, masks.maps[:, 1:3, 1:3])
    with pytest.raises(ValueError, match="a crop of 6 px does not fit in masks of 5 px"):
        masks.cropped(6)


def test_the_control_gives_every_row_another_pictures_masks_of_the_same_category_where_asked():
    labels = np.arange(12) % 3
    masks = masks_of(squares(12), labels=labels)
    for same, seed in ((False, 0), (True, 0), (True, 1)):
        others = masks.of_other_pictures(seed=seed, same_label=same)
        given = others.at(np.arange(12))
        assert sorted(given) == list(range(12))
        assert (given != np.arange(12)).all()
        assert (labels[given] == labels).all() == same
    assert (masks.of_other_pictures(seed=1).rows != masks.of_other_pictures(seed=2).rows).any()
    with pytest.raises(ValueError, match="row 2 has no other"):
        masks_of(squares(3), labels=[0, 0, 1]).of_other_pictures(same_label=True)


def test_masks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="part number 3; there are 2 parts"):
        masks_of(squares(3, number=3))
    with pytest.raises(ValueError, match="a label for each of their distinct rows"):
        ProbeMasks(squares(2), np.array([4, 4]), np.zeros(2, dtype=int), ("eye",))


# ---- energy


def values(projection, numbers, inside=None):
    inside = np.ones(np.shape(numbers), dtype=bool) if inside is None else inside
    return part_energy.energy_on_parts(projection, numbers, inside, 2)


def test_all_energy_on_a_part_of_a_quarter_of_the_window_is_two_and_even_energy_is_zero():
    quarter = np.zeros((8, 8), dtype=np.uint8)
    quarter[:4, 4:] = 1
    assert values(colours(quarter), quarter)[0] == pytest.approx(2)
    assert values(colours(np.ones((8, 8))), quarter)[0] == pytest.approx(0)
    half = colours(quarter + (np.indices((8, 8)).sum(0) % 2) * (quarter == 0) * np.sqrt(2 / 3))
    # 16 px of energy 1 on the part; beyond it 24 px of 2/3: half of the energy on a quarter
    assert values(half, quarter)[0] == pytest.approx(1)


def test_what_lies_outside_the_picture_counts_neither_as_area_nor_as_energy():
    numbers = np.zeros((4, 4), dtype=np.uint8)
    numbers[0, :2] = 1  # two of the eight pixels inside
    inside = np.indices((4, 4))[1] < 2
    assert values(colours(numbers == 1), numbers, inside)[0] == pytest.approx(2)


def test_a_projection_that_leaves_a_part_out_counts_as_the_floor_and_a_sliver_does_not_show():
    numbers = np.zeros((32, 32), dtype=np.uint8)
    numbers[:8, :8], numbers[31, :5] = 1, 2  # 5 of 1,024 px are below 0.5 %
    left_out = values(colours(numbers == 0), numbers)
    assert left_out[0] == -6
    assert np.isnan(left_out[1])
    assert np.isnan(values(np.zeros((32, 32, 3)), numbers)).all()


def test_a_window_that_reaches_beyond_the_picture_is_filled_with_no_part():
    picture = np.arange(1, 10, dtype=np.uint8).reshape(3, 3)
    assert part_energy.windowed(picture, -1, 1, 3).tolist() == [[0, 0, 0], [2, 3, 0], [5, 6, 0]]


def test_the_score_comes_from_the_pictures_that_the_part_was_not_chosen_on():
    maps, on = squares(9), np.array([1, 0, 1, 1, 0, 0, 1, 0, 1])  # five match, four are spread evenly
    patterns = [colours(m if yes else np.ones_like(m)) for m, yes in zip(maps, on, strict=True)]
    nine = nine_of([patterns], [np.arange(9)])
    tables = pd.concat([part_energy.part_energy(nine, masks_of(maps), seed=seed) for seed in range(300)])
    assert (tables["n_scored"] == 4).all()
    # log2(16) = 4 on each of five pictures, 0 on four: whatever the split, all nine add up
    assert (5 * tables["choice_score"] + 4 * tables["score"]).to_numpy() == pytest.approx(20)
    assert tables["score"].min() == pytest.approx(0)  # matched on the very five it was chosen on
    assert tables["choice_score"].max() == pytest.approx(4)
    again = part_energy.part_energy(nine, masks_of(maps), seed=0)
    pd.testing.assert_frame_equal(again, tables[:1])


def test_a_part_must_show_on_three_of_five_and_is_scored_where_it_shows():
    maps = squares(9)
    maps[3:] = 0  # shows on three of nine
    patterns = [colours(m if m.any() else np.ones_like(m)) for m in maps]
    nine = nine_of([patterns], [np.arange(9)])
    tables = pd.concat([part_energy.part_energy(nine, masks_of(maps), seed=seed) for seed in range(200)])
    without = tables[tables["part"].isna()]
    assert len(without) > 100  # all three among the five: 10 of 84 splits
    assert (without["n_scored"] == 0).all()
    chosen = tables[tables["part"].notna()]
    assert chosen["choice_score"].to_numpy() == pytest.approx(4)
    assert (chosen["n_scored"] == 0).all()  # no fourth picture to score on
    assert tables["score"].isna().all()


def test_windows_are_laid_over_the_masks_at_their_corners():
    maps = squares(9)
    tops, lefts = 4 * (np.arange(9) // 4), 4 * (np.arange(9) % 4) - 4
    pattern = np.zeros((8, 8))
    pattern[:4, 4:] = 1  # the part is the window's upper right quarter everywhere
    inside = np.stack([np.broadcast_to(np.arange(8) + left >= 0, (8, 8)) for left in lefts])
    nine = nine_of([[colours(pattern)] * 9], [np.arange(9)], inside=inside[None], tops=tops, lefts=lefts)
    table = part_energy.part_energy(nine, masks_of(maps))
    at_the_border = (lefts < 0).sum()  # there the part is half of what lies inside, and its value 1
    total = 5 * table["choice_score"] + 4 * table["score"]
    assert total[0] == pytest.approx(2 * (9 - at_the_border) + at_the_border)


def test_the_masks_of_another_picture_have_the_part_elsewhere():
    maps = squares(16)
    rows = [np.arange(9), np.arange(7, 16)]
    nine = nine_of([[colours(maps[i]) for i in row] for row in rows], rows)
    masks = masks_of(maps)
    assert part_energy.part_energy(nine, masks)["score"].to_numpy() == pytest.approx(4)
    control = part_energy.part_energy(nine, masks.of_other_pictures(seed=3, same_label=True))
    assert control["score"].to_numpy() == pytest.approx(-6)


def test_every_network_and_layer_is_scored_and_the_first_also_on_the_masks_of_other_pictures():
    maps, rows = squares(16), [np.arange(9), np.arange(7, 16)]
    on_parts = nine_of([[colours(maps[i]) for i in row] for row in rows], rows)
    even = nine_of(np.ones((2, 9, SIDE, SIDE, 3)), rows)
    tops = {"trained": {"relu1": even, "relu2": on_parts}, "random": {"relu1": even}}
    found = part_energy.energies(tops, masks_of(maps), seed=3)
    means = {key: table["score"].mean() for key, table in found.items()}
    assert means == pytest.approx({
        ("trained", "relu1"): 0, ("trained", "relu2"): 4, ("random", "relu1"): 0,
        ("other masks", "relu1"): 0, ("other masks", "relu2"): -6,
    })  # fmt: skip


def test_a_dead_map_has_no_score_and_fewer_than_six_pictures_are_refused():
    maps = squares(9)
    table = part_energy.part_energy(nine_of(np.zeros((1, 9, SIDE, SIDE, 3)), [np.arange(9)]), masks_of(maps))
    assert table[["part", "score"]].isna().all(axis=None)
    with pytest.raises(ValueError, match="chosen on 5 pictures and scored on others; there are 5"):
        part_energy.part_energy(nine_of(np.zeros((1, 5, SIDE, SIDE, 3)), [np.arange(5)]), masks_of(maps))


def test_the_nine_of_a_real_search_are_measured_at_the_crops_that_were_searched():
    inputs = small.seen(24)
    nine = top_projections(small.SPEC.build(), inputs, layers=["relu2"])["relu2"]
    everywhere = masks_of(np.ones((24, 40, 40), dtype=np.uint8), parts=("all",)).cropped(32)
    table = part_energy.part_energy(nine, everywhere)
    alive = (nine.strongest.values > 0).all(1).numpy()
    assert alive.any()
    assert table["score"][alive].to_numpy() == pytest.approx(0)  # all of the energy on all of the area


def test_the_interval_is_over_the_maps_that_have_a_score():
    trained = pd.DataFrame({"score": [1.5] * 10 + [np.nan]})
    random = pd.DataFrame({"score": [0.5] * 9})
    tables = {("trained", "relu5"): trained, ("random", "relu5"): random[:3]}
    table = part_energy.energy_scores(tables)
    assert table["estimate"].tolist() == [1.5, 0.5]
    assert table["n"].tolist() == [10, 3]
    assert table["maps"].tolist() == [11, 3]
    assert table["low"].isna().tolist() == [False, True]
    tables |= {("trained", "relu4"): trained + 1, ("random", "relu4"): random}
    interval = part_energy.energy_interval(tables, ["relu4", "relu5"])
    assert (interval.estimate, interval.n) == (2.0 - 0.5, 12)
    assert part_energy.energy_interval(tables, ["relu5"]) is None  # three maps of the random network
    assert part_energy.energy_interval({}, ["relu5"]) is None


# ---- Network Dissection


def painted(n=16, *, side=SIDE):
    """Grey pictures with a red and a blue square each, the blue one as large again as what is masked."""
    pixels = torch.full((n, side, side, 3), 128, dtype=torch.uint8)
    maps = np.zeros((n, side, side), dtype=np.uint8)
    for i in range(n):
        top, left = 4 * (i % 3), 2 * (i % 5)
        pixels[i, top : top + 4, left : left + 4, 0] = 228
        pixels[i, 12:16, 8 - i % 7 : 16 - i % 7, 2] = 228
        maps[i, top : top + 4, left : left + 4] = 1
        maps[i, 12:16, 8 - i % 7 : 12 - i % 7] = 2
    labels = torch.arange(n) % 4
    names = tuple(map(str, range(n)))
    images = Pixels(pixels, labels, torch.full((side, side, 3), 128.0), tuple("abcd"), names, {})
    return images, masks_of(maps, labels=labels.numpy())


def picking(*filters, kernel=1, stride=1, padding=0):
    """A network whose maps are weighted sums of the colours."""
    conv = nn.Conv2d(3, len(filters), kernel, stride, padding, bias=False)
    conv.weight.data.zero_()
    conv.weight.data[:, :, kernel // 2, kernel // 2] = torch.tensor(filters)
    return nn.Sequential(OrderedDict(conv1=conv, relu1=nn.ReLU()))


def dissected(model, images, masks, *, side=None, layer="relu1", **options):
    inputs, options = Inputs.of(images, side=side, scale=0.01), {"every": 1, "shuffles": 3} | options
    return dissection.network_dissection(model, inputs, masks, layers=[layer], **options)[layer]


def test_a_map_that_is_a_parts_mask_has_iou_one_and_one_that_covers_twice_its_area_one_half():
    images, masks = painted()
    found = dissected(picking([1.0, 0, 0], [0, 0, 1.0], [-1.0, 0, -1.0]), images, masks)
    assert found.parts == ("eye", "wheel")
    assert found.iou.tolist() == [[1, 0], [0, 0.5], [0, 0]]
    assert found.chance.shape == (3, 3, 2)


def test_the_overlap_by_chance_is_that_with_another_pictures_masks_in_every_shuffle():
    images, masks = painted()
    found = dissected(picking([1.0, 0, 0], [0, 0, 1.0]), images, masks, shuffles=4, seed=7)
    red, blue = (images.pixels[..., colour].numpy() > 128 for colour in (0, 2))
    for shuffle, chance in enumerate(found.chance):
        others = masks.of_other_pictures(seed=dissection.mixed(7, shuffle))
        truth = masks.maps[others.at(masks.rows)]
        for number, active in enumerate((red, blue)):
            overlap = [(active & (truth == p)).sum() / (active | (truth == p)).sum() for p in (1, 2)]
            assert chance[number] == pytest.approx(overlap)
    assert (found.chance[0] != found.chance[1]).any()


def test_each_part_has_the_percentile_of_its_own_chance_as_threshold_and_it_must_be_exceeded():
    chance = np.zeros((50, 20, 2))  # 1,000 overlaps a part
    chance[:, :, 0] = np.arange(1000).reshape(50, 20) / 1000
    chance[0, 0, 1] = 0.5  # one of a thousand: its 99.9th percentile lies at place 998.001 of 0…999
    iou = np.zeros((20, 2))
    iou[3], iou[4, 0] = (0.9981, 0.0006), 0.998
    found = dissection.Dissection(("eye", "wheel"), iou, chance)
    assert found.thresholds == pytest.approx([0.998001, 0.0005])
    assert np.argwhere(found.detections).tolist() == [[3, 0], [3, 1]]
    assert np.flatnonzero(found.detectors).tolist() == [3]
    assert found.detected.tolist() == [True, True]
    assert found.by_chance == pytest.approx(2 / 1000)  # the highest of each part, in two maps
    iou[:] = found.thresholds
    assert not dissection.Dissection(("eye", "wheel"), iou, chance).detections.any()


def test_where_parts_never_lie_at_another_pictures_place_chance_detects_nothing():
    maps = squares(16)
    pixels = torch.from_numpy(128 + 100 * maps)[..., None].expand(-1, -1, -1, 3).contiguous()
    labels = torch.zeros(16, dtype=torch.int64)
    images = Pixels(pixels, labels, torch.full((SIDE, SIDE, 3), 128.0), ("a",), ("p",) * 16, {})
    found = dissected(picking([1.0, 0, 0]), images, masks_of(maps))
    assert found.parts == ("eye",)  # no picture shows a wheel
    assert found.iou.tolist() == [[1]]
    assert (found.chance == 0).all()
    assert (found.detectors.tolist(), found.by_chance) == ([True], 0)


def between(values, centres, at, *, axis):
    """Linear interpolation along an axis, one line after the other."""
    return np.apply_along_axis(lambda line: np.interp(at, centres, line), axis, values)


@pytest.mark.parametrize("every", [1, 3])
def test_iou_agrees_with_an_oracle_that_interpolates_point_by_point(every, monkeypatch):
    monkeypatch.setattr(dissection, "QUANTILE", 0.05)
    images = small.pictures(7)
    model = small.built().train()
    draw = np.random.default_rng(0)
    maps = np.kron(draw.integers(0, 4, (7, 5, 5)), np.ones((8, 8))).astype(np.uint8)
    masks = masks_of(maps, parts=("eye", "wheel", "door"))
    shown = Inputs.of(images, side=32, scale=0.01).tensor()
    truth = masks.cropped(32).maps[:, every // 2 :: every, every // 2 :: every]
    at = np.arange(every // 2, 32, every)
    for layer in ("relu1", "relu2"):
        found = dissected(model, images, masks, layer=layer, side=32, every=every, batch=3)
        activations = Deconvnet(model).forward(shown, layer).activations.numpy()
        field, n = Deconvnet(model).window(layer), activations.shape[-1]
        centres = np.arange(n) * field.stride - field.padding + (field.kernel - 1) / 2
        for number in range(activations.shape[1]):
            values = activations[:, number]
            cut = np.sort(values, axis=None)[::-1][int(0.05 * values.size) - 1]
            whole = between(between(values, centres, at, axis=2), centres, at, axis=1)
            active = (whole >= cut) & (whole > 0)
            ious = [(active & (truth == p)).sum() / (active | (truth == p)).sum() for p in (1, 2, 3)]
            # a point at the cut may fall either way
            assert found.iou[number] == pytest.approx(np.array(ious), abs=2e-3)


def test_the_weights_lie_between_the_centres_of_the_receptive_fields():
    weights = dissection.interpolation(
        3, Window(3, 2, 0), torch.tensor([0, 1, 2, 4, 5, 7])
    )  # centres 1, 3, 5
    assert weights.tolist() == [[1, 0, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5], [0, 0, 1], [0, 0, 1]]
    assert dissection.interpolation(2, Window(4, 4, 1), torch.tensor([1])).tolist() == [[0.875, 0.125]]


def test_the_batch_size_changes_nothing_and_the_model_is_left_as_it_was():
    images, masks = (
        small.pictures(9),
        masks_of(np.kron(squares(9), np.ones((1, 5, 5), np.uint8))[:, :40, :40]),
    )
    torch.manual_seed(1)
    model = small.SPEC.build().train()
    for layer, maps in (("relu1", 8), ("relu2", 12)):
        found = [dissected(model, images, masks, layer=layer, side=32, batch=batch) for batch in (2, 9)]
        np.testing.assert_allclose(found[0].iou, found[1].iou, atol=2e-3)
        np.testing.assert_allclose(found[0].chance, found[1].chance, atol=2e-3)
        assert found[0].iou.shape == (maps, 1)
    assert model.training


def test_the_pictures_looked_at_are_those_of_the_inputs_each_with_its_own_mask():
    images, masks = painted()
    model, some = picking([1.0, 0, 0], [0, 0, 1.0]), torch.tensor([9, 2, 5, 14])
    asked = {"layers": ["relu1"], "every": 1, "shuffles": 1}
    found = dissection.network_dissection(model, Inputs.of(images, some), masks, **asked)["relu1"]
    alone = dissected(model, images.only(some).centred_by(images.mean), masks_of(masks.maps[some]))
    assert found.iou.tolist() == alone.iou.tolist() == [[1, 0], [0, 0.5]]
    with pytest.raises(ValueError, match="row 14 has no mask; there are 3"):
        dissection.network_dissection(model, Inputs.of(images, some), masks.of([9, 2, 5]), **asked)


def test_shares_of_detectors_have_wilsons_interval_and_chance_comes_last():
    iou, chance = np.zeros((20, 1)), np.zeros((2, 20, 1))
    iou[:10], chance[0, 0] = 1, 1  # one of 40: the threshold lies between, and it exceeds it
    one = dissection.Dissection(("eye",), iou, chance)
    table = dissection.detector_shares({"trained": {"relu5": one}, "random": {"relu5": one}})
    assert table["network"].tolist() == ["trained", "random", "other masks"]
    assert table["estimate"].tolist() == [0.5, 0.5, 1 / 40]
    # Wilson's ends of 10 of 20: (p + z²/2n ± z sqrt(p q / n + z²/4n²)) / (1 + z²/n)
    assert table.loc[0, ["low", "high"]].tolist() == pytest.approx([0.2993, 0.7007], abs=1e-4)
    assert table.loc[2, ["low", "high"]].isna().all()


def test_unknown_layers_and_masks_of_another_size_are_refused():
    images, masks = painted(4)
    model = picking([1.0, 0, 0])
    with pytest.raises(ValueError, match=r"'relu9' is not in this network; it has conv1, relu1"):
        dissected(model, images, masks, layer="relu9")
    with pytest.raises(ValueError, match="masks of 12 px do not fit images of 16 px"):
        dissected(model, images, masks.cropped(12))
