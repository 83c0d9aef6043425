"""Likeness of a map's nine on planted patterns, and classes of their pictures on planted labels."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch

from zfutils.deconv.top_activations import TopActivations
from zfutils.deconv.top_projections import TopProjections
from zfutils.experiments.projections import within_map_similarity

SIDE = 8


def found(images, values=None):
    """Nine or fewer strongest of a layer in these pictures, (maps, k)."""
    images = torch.as_tensor(images)
    values = torch.ones(images.shape) if values is None else torch.as_tensor(values)
    return TopActivations("relu5", values, images, torch.zeros_like(images), torch.zeros_like(images))


def nine(projections, *, images=None, inside=None, patches=None):
    """Windows (maps, k, side, side, 3), of pictures that are all different unless given."""
    projections = np.asarray(projections, dtype=np.float32)
    maps, k, side = projections.shape[:3]
    images = np.arange(maps * k).reshape(maps, k) if images is None else np.asarray(images)
    inside = np.ones((maps, k, side, side), dtype=bool) if inside is None else inside
    patches = np.zeros(projections.shape, dtype=np.uint8) if patches is None else patches
    corners = np.zeros((maps, k), dtype=np.int64)
    return TopProjections(
        found(images), torch.arange(maps) + 10, projections, patches, inside, corners, corners
    )


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.fixture
def opposite():
    """Two maps of three projections: one pattern at three strengths, and its negative."""
    pattern = noise(SIDE, SIDE, 3)
    strengths = np.array([1.0, 2, 5])[:, None, None, None]
    return nine(np.stack([strengths * pattern + 3, -strengths * pattern]))


# ---- projections and patches


def test_one_pattern_within_each_map_and_its_negative_in_the_other_give_1_and_minus_1(opposite):
    table = within_map_similarity.within_and_across(opposite)
    assert table["map"].tolist() == [10, 11]
    assert table["within"].to_numpy() == pytest.approx([1, 1], abs=1e-5)
    assert table["across"].to_numpy() == pytest.approx([-1, -1], abs=1e-5)
    assert table["within_pairs"].tolist() == [3, 3]
    assert table["across_pairs"].tolist() == [9, 9]


def test_correlations_of_cut_windows_are_those_of_numpy_on_the_pixels_that_both_hold():
    windows, masks = noise(3, 4, SIDE, SIDE, 3), np.ones((3, 4, SIDE, SIDE), dtype=bool)
    masks[0, 1, :3], masks[0, 2, :, 5:], masks[1, 0, :2], masks[2, 3, 6:, 6:] = False, False, False, False
    cut = windows + 2  # a mean that is not 0; what stands outside the masks must not matter
    table = within_map_similarity.within_and_across(nine(cut, inside=masks))

    def correlation(one, other):
        both = masks[one] & masks[other]
        return np.corrcoef(cut[one][both].ravel(), cut[other][both].ravel())[0, 1]

    for m in range(3):
        within = [correlation((m, i), (m, j)) for i, j in product(range(4), repeat=2) if i < j]
        others = [o for o in range(3) if o != m]  # fewer than nine: all of them
        across = [correlation((m, i), (o, j)) for o in others for i, j in product(range(4), repeat=2)]
        assert table["within"][m] == pytest.approx(np.mean(within), abs=1e-5)
        assert table["across"][m] == pytest.approx(np.mean(across), abs=1e-5)


def test_pairs_from_one_picture_are_left_out(opposite):
    shared = nine(opposite.projections, images=[[0, 1, 1], [1, 5, 6]])
    table = within_map_similarity.within_and_across(shared)
    assert table["within_pairs"].tolist() == [2, 3]
    assert table["across_pairs"].tolist() == [7, 7]
    # had the pair of picture 1 counted, 0.3 would be mixed with two others
    three = np.stack([noise(SIDE, SIDE, 3, seed=s) for s in range(3)])
    table = within_map_similarity.within_and_across(
        nine(np.stack([three, three]), images=[[0, 1, 1], [2, 3, 4]])
    )
    kept = [np.corrcoef(three[0].ravel(), three[i].ravel())[0, 1] for i in (1, 2)]
    assert table["within"][0] == pytest.approx(np.mean(kept), abs=1e-5)


def test_a_projection_of_zeros_is_left_out_and_a_map_of_them_has_no_pairs(opposite):
    projections = opposite.projections.copy()
    projections[0, 1] = 0
    table = within_map_similarity.within_and_across(nine(projections))
    assert table["within_pairs"].tolist() == [1, 3]
    assert table["across_pairs"].tolist() == [6, 6]
    projections[0] = 0
    table = within_map_similarity.within_and_across(nine(projections))
    assert table[["within_pairs", "across_pairs"]].to_numpy().tolist() == [[0, 0], [3, 0]]
    assert table[["within", "across"]].isna().to_numpy().tolist() == [[True, True], [False, True]]


def test_windows_that_share_no_structure_where_both_lie_in_the_picture_are_left_out():
    windows = np.zeros((2, 2, SIDE, SIDE, 3), dtype=np.float32)
    masks = np.ones((2, 2, SIDE, SIDE), dtype=bool)
    windows[..., :4, :, :] = noise(2, 2, 4, SIDE, 3)
    windows[0, 0, :4], masks[0, 0, :4] = 0, False  # what is left of it is constant
    windows[0, 0, 4:] = 7
    table = within_map_similarity.within_and_across(nine(windows, inside=masks))
    assert table["within_pairs"].tolist() == [0, 1]
    assert table["across_pairs"].tolist() == [2, 2]


def test_patches_are_correlated_as_pictures_in_bytes(opposite):
    patches = np.random.default_rng(1).integers(0, 256, opposite.projections.shape, dtype=np.uint8)
    patches[0, 1] = 255 - patches[0, 0]
    patches.flags.writeable = False
    one = nine(opposite.projections, patches=patches, images=[[0, 1, 1], [3, 4, 5]])
    table = within_map_similarity.within_and_across(one, of="patches")
    other = np.corrcoef(patches[0, 0].ravel(), patches[0, 2].ravel())[0, 1]
    assert table["within"][0] == pytest.approx((-1 + other) / 2, abs=1e-5)


def test_independent_noise_is_alike_neither_within_nor_across_maps():
    table = within_map_similarity.within_and_across(nine(noise(12, 9, SIDE, SIDE, 3)))
    error = 1 / np.sqrt(SIDE * SIDE * 3)  # of one correlation
    assert np.abs(table["within"]).max() < 4 * error / np.sqrt(36)
    assert np.abs(table["across"]).max() < 4 * error / np.sqrt(81)


def test_each_map_is_compared_with_nine_others_that_the_seed_chooses():
    levels = np.arange(12.0)[:, None, None, None, None] * np.pi / 12
    one, other = np.linalg.qr(noise(SIDE * SIDE * 3, 2) - noise(SIDE * SIDE * 3, 2).mean(0))[0].T
    planes = np.cos(levels) * one.reshape(SIDE, SIDE, 3) + np.sin(levels) * other.reshape(SIDE, SIDE, 3)
    twelve = nine(planes.repeat(2, axis=1))
    first, again, third = (within_map_similarity.within_and_across(twelve, seed=seed) for seed in (0, 0, 1))
    assert (first["across_pairs"] == 9 * 4).all()
    pd.testing.assert_frame_equal(first, again)
    assert not np.allclose(first["across"], third["across"])
    # two maps correlate by the cosine of the angle between them; nine of eleven, never the map itself
    for m in range(12):
        cosines = np.sort(np.cos((np.arange(12) - m) * np.pi / 12)[np.arange(12) != m])
        assert cosines[:9].mean() - 1e-4 <= first["across"][m] <= cosines[-9:].mean() + 1e-4


def test_likeness_needs_two_maps(opposite):
    with pytest.raises(ValueError, match="at least two maps, not 1"):
        within_map_similarity.within_and_across(nine(opposite.projections[:1]))


# ---- classes


def test_the_commonest_class_is_counted_among_a_maps_own_pictures():
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 3, 4])
    share = within_map_similarity.commonest_class_share(found([[0, 1, 2], [0, 3, 4], [0, 5, 7]]), labels)
    assert share.tolist() == [1, 2 / 3, 1 / 3]
    assert within_map_similarity.commonest_class_share(found([[0, 1, 2]]), labels.numpy()).tolist() == [1]


def test_a_map_without_k_activations_has_no_share():
    values = torch.ones(9, 3)
    values[4, 2] = 0
    upper = within_map_similarity.commonest_class_share(
        found([[0, 1, 2]] * 9, values), torch.zeros(3, dtype=torch.int64)
    )
    assert np.isnan(upper).tolist() == [m == 4 for m in range(9)]


def test_chance_is_that_of_pictures_drawn_without_putting_back():
    # two of {a, a, b, b}: one of the three others shares the class, so 1 with chance 1/3, else 1/2
    assert within_map_similarity.chance_share([0, 0, 1, 1], 2) == pytest.approx(2 / 3, abs=0.01)
    assert within_map_similarity.chance_share([5] * 9, 9) == 1
    assert within_map_similarity.chance_share([0, 1, 2], 3) == pytest.approx(1 / 3)
    labels = torch.arange(160) % 16
    chances = {within_map_similarity.chance_share(labels, 9, seed=seed) for seed in (0, 0, 1)}
    assert len(chances) == 2
    with pytest.raises(ValueError, match="sum"):
        within_map_similarity.chance_share([0, 1, 2], 4)
