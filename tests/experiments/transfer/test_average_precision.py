"""Average precision: worked out by hand, against VOC's own steps, and with scenes drawn again."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from small import pictures

from zfutils.experiments.transfer.average_precision import (
    Ranked,
    above,
    above_chance,
    average_precision,
    by_label,
    draws,
    examples,
    fewer_objects_less_more,
    fit_and_rank,
    harder_than_for_random,
    mean_above_chance,
    table,
)
from zfutils.experiments.transfer.classifiers import fit
from zfutils.stats.intervals import TooFew


def ranked(scores, present):
    return Ranked(np.array(scores, dtype=float)[:, None], np.array(present, dtype=np.int8)[:, None])


def vocs(scores, present):
    """What VOC's development kit does since 2010, step by step (VOCap.m), on scores without equals."""
    order = [i for i in np.argsort(-scores) if present[i] >= 0]
    hits, recalls, precisions = 0, [0.0], [0.0]
    total = sum(present[i] == 1 for i in order)
    for number, i in enumerate(order, start=1):
        hits += present[i] == 1
        recalls.append(hits / total)
        precisions.append(hits / number)
    recalls.append(1.0)
    precisions.append(0.0)
    for i in range(len(precisions) - 2, -1, -1):
        precisions[i] = max(precisions[i], precisions[i + 1])
    return sum(
        (recalls[i] - recalls[i - 1]) * precisions[i]
        for i in range(1, len(recalls))
        if recalls[i] != recalls[i - 1]
    )


def random_scenes(n=60, classes=4, seed=0, *, signal=1.0):
    rng = np.random.default_rng(seed)
    present = rng.choice([-1, 0, 1], p=[0.1, 0.6, 0.3], size=(n, classes)).astype(np.int8)
    return Ranked(rng.normal(size=(n, classes)) + signal * (present == 1), present)


def test_by_hand_the_precision_is_the_highest_at_that_recall_or_beyond():
    # There at ranks 2, 3 and 6: precisions 1/2, 2/3, 3/6; the first is raised to 2/3.
    said = ranked([6, 5, 4, 3, 2, 1], [0, 1, 1, 0, 0, 1])
    assert average_precision(said).item() == pytest.approx((2 / 3 + 2 / 3 + 1 / 2) / 3)
    assert above_chance(said).item() == pytest.approx(((2 / 3 + 2 / 3 + 1 / 2) / 3 - 1 / 2) / (1 / 2))


def test_scikit_learn_does_not_raise_it():
    lower = average_precision_score([0, 1, 1, 0, 0, 1], [6, 5, 4, 3, 2, 1])
    assert lower == pytest.approx((1 / 2 + 2 / 3 + 1 / 2) / 3)


def test_by_hand_a_difficult_object_is_neither_found_nor_missed():
    said = ranked([6, 5, 4, 3, 2, 1], [-1, 1, -1, 0, 1, -1])
    assert average_precision(said).item() == pytest.approx((1 + 2 / 3) / 2)
    assert table(said, ["a"]).to_dict("list") == {
        "class": ["a"],
        "precision": [pytest.approx(5 / 6)],
        "share": [pytest.approx(2 / 3)],
        "above": [pytest.approx(1 / 2)],
        "positives": [2],
    }


def test_scenes_that_score_the_same_come_together():
    for present in ([1, 0, 0, 1], [0, 1, 1, 0]):
        assert average_precision(ranked([1, 1, 1, 1], present)).item() == pytest.approx(0.5)
        assert above_chance(ranked([1, 1, 1, 1], present)).item() == pytest.approx(0)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_vocs_own_steps_give(seed):
    said = random_scenes(seed=seed)
    expected = [vocs(s, p) for s, p in zip(said.scores.T, said.present.T, strict=True)]
    np.testing.assert_allclose(average_precision(said)[0], expected)


def test_a_scene_counts_as_often_as_a_draw_holds_it():
    said, copies = random_scenes(12), np.random.default_rng(1).integers(0, 4, (6, 12)).astype(float)
    found = average_precision(said, copies=copies)
    for draw, own in zip(copies.astype(int), found, strict=True):
        rows = np.repeat(np.arange(12), draw)
        repeated = Ranked(said.scores[rows], said.present[rows])
        np.testing.assert_allclose(own, average_precision(repeated)[0])


def test_a_perfect_order_is_1_and_a_random_one_about_0_above_chance():
    said = random_scenes(400)
    assert above_chance(Ranked((said.present == 1).astype(float), said.present)) == pytest.approx(1)
    assert abs(above_chance(random_scenes(4000, signal=0.0)).mean()) < 0.05


def test_the_mean_over_draws_starts_with_the_scenes_themselves():
    said = random_scenes(40)
    values = mean_above_chance(said, seed=3)
    assert values[0] == pytest.approx(above_chance(said).mean())
    assert len(values) == len(draws(40, seed=3)) == 2000
    assert (draws(40, seed=3).sum(1) == 40).all()


def test_the_difference_between_sets_is_found_and_one_set_differs_from_itself_by_nothing():
    one, several = random_scenes(120, signal=3.0), random_scenes(100, seed=1, signal=0.5)
    found = fewer_objects_less_more(one, several)
    assert found.estimate == pytest.approx(above_chance(one).mean() - above_chance(several).mean())
    assert 0.1 < found.low < found.estimate < found.high
    assert (found.n, found.resampled) == (100, "scenes of either set")
    same = fewer_objects_less_more(several, several)
    assert same.low < 0 == same.estimate < same.high


def test_what_a_network_loses_beyond_another_is_taken_on_the_same_draws():
    one = {"trained": random_scenes(120, signal=3.0), "random": random_scenes(120, signal=0.5)}
    several = {
        "trained": random_scenes(100, seed=1, signal=0.5),
        "random": random_scenes(100, seed=1, signal=0.5),
    }
    found, (lost, lost_by_random) = harder_than_for_random(one, several, "trained", "random")
    losses = [above_chance(one[k]).mean() - above_chance(several[k]).mean() for k in ("trained", "random")]
    assert (lost, lost_by_random) == pytest.approx(losses)
    assert found.estimate == pytest.approx(losses[0] - losses[1])
    assert found.low < found.estimate < found.high
    nothing, _ = harder_than_for_random(one, several, "trained", "trained")
    assert (nothing.low, nothing.estimate, nothing.high) == (0, 0, 0)


def test_two_networks_are_compared_on_the_same_scenes():
    better, worse = random_scenes(100, signal=3.0), random_scenes(100, signal=0.1)
    found = above(better, worse)
    assert found.estimate == pytest.approx(above_chance(better).mean() - above_chance(worse).mean())
    assert 0 < found.low < found.high
    assert above(better, better).high == 0


def test_what_cannot_be_scored_is_refused():
    said = random_scenes(20)
    with pytest.raises(TooFew, match="7 scenes are too few"):
        mean_above_chance(Ranked(said.scores[:7], np.ones((7, 4), dtype=np.int8)))
    with pytest.raises(ValueError, match="class 2 is in no scene"):
        mean_above_chance(Ranked(said.scores, np.where(np.arange(4) == 2, 0, said.present)))


# ---- a softmax on scenes


def scenes(n=80, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    present = (rng.random((n, classes)) < 0.5).astype(np.int8)
    present[np.arange(n), rng.integers(0, classes, n)] = 1
    return (present + 0.3 * rng.normal(size=present.shape)).astype(np.float32), present


def test_each_scene_is_an_example_of_each_of_its_objects():
    rows, labels = examples(np.array([[1, 0, 1], [-1, 1, 0], [0, 0, 0]], dtype=np.int8))
    assert (rows.tolist(), labels.tolist()) == ([0, 0, 1], [0, 2, 1])


def test_pictures_by_label_are_those_examples():
    images = pictures(3)
    found = by_label(images, np.array([[1, 0], [1, 1], [0, -1]], dtype=np.int8), classes=("a", "b"))
    assert found.labels.tolist() == [0, 0, 1]
    assert torch.equal(found.pixels, images.pixels[[0, 1, 1]])
    torch.testing.assert_close(found.mean, images.pixels[[0, 1, 1]].float().mean(0))
    assert found.classes == ("a", "b")
    assert len(set(found.names)) == 3
    other = by_label(images, np.array([[1, 0], [1, 0], [0, 1]], dtype=np.int8), classes=("a", "b"))
    assert other.identity != found.identity


def test_planted_objects_are_found():
    x, present = scenes()
    other, truth = scenes(seed=1)
    assert average_precision(fit_and_rank(x, present, other, truth)).min() > 0.85
    noise = np.random.default_rng(2).normal(size=x.shape).astype(np.float32)
    assert abs(above_chance(fit_and_rank(noise, present, noise, truth)).mean()) < 0.3


def test_test_scenes_decide_nothing():
    x, present = scenes()
    other, truth = scenes(seed=1)
    honest = fit_and_rank(x, present, other, truth).scores
    corrupted = np.concatenate([other, 1e6 * other])
    again = fit_and_rank(x, present, corrupted, np.concatenate([1 - truth, truth])).scores
    np.testing.assert_array_equal(again[: len(other)], honest)


def test_scores_are_those_of_a_softmax_on_the_examples(monkeypatch):
    x, present = scenes()
    rows, labels = examples(present)
    expected = fit(x[rows], labels, grid=(1.0,)).probabilities(x[:5], 3)
    monkeypatch.setattr("zfutils.experiments.transfer.average_precision.GRID", (1.0,))
    np.testing.assert_allclose(fit_and_rank(x, present, x[:5], present[:5]).scores, expected)
