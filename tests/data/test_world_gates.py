"""Gates of the drawn worlds: nothing but the arrangement of its parts gives a category away.

Each gate is a classifier that must fail on the pictures, and is shown to succeed where a leak is planted.
Read here, in multiples of chance, main world and held-out one: 1.5 and 1.8 of colours (limit 3), 2.4 and 2.8
of thumbnails (5); with 6,000 training pictures of the main world 2.5 and 4.9. Of the true counts of the main
world's parts 56 % (75 %).
"""

from collections import Counter
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from zfutils.data.part_masks import concept
from zfutils.data.parts import PartsImages, categories, scene
from zfutils.data.parts.cued import CuedParts

SIZE = 32  # pixels: the gates look at nothing finer than a sixteenth of a side
ROUNDS = {"train": 20, "validation": 12}  # pictures of each category


class World(NamedTuple):
    """Pictures, the first half of them without their objects, and labels; of training and of validation."""

    pictures: tuple[np.ndarray, np.ndarray]
    backgrounds: tuple[np.ndarray, np.ndarray]
    labels: tuple[np.ndarray, np.ndarray]
    chance: float


@pytest.fixture(scope="module", params=[False, True], ids=["main", "held-out"])
def world(request):
    classes = len(categories(request.param))
    sources = [
        PartsImages(split, n=rounds * classes, size=SIZE, held_out=request.param)
        for split, rounds in ROUNDS.items()
    ]
    scenes = [[source.scene(i) for i in range(len(source))] for source in sources]
    pictures = tuple(np.stack([s.render(SIZE) for s in part]) for part in scenes)
    backgrounds = tuple(np.stack([background(s) for s in part[: len(part) // 2]]) for part in scenes)
    return World(pictures, backgrounds, tuple(source.labels for source in sources), 1 / classes)


def background(s):
    """A scene's picture without its objects."""
    return replace(s, objects=()).render(SIZE)


def thumbnails(pictures):
    """Grey, 16 × 16."""
    n, cell = len(pictures), pictures.shape[1] // 16
    return pictures.mean(-1).reshape(n, 16, cell, 16, cell).mean((2, 4)).reshape(n, 256)


def histograms(pictures):
    """Of colours, 8 × 8 × 8 bins; roots of shares."""
    bins = (pictures.astype(int) // 32) @ np.array([64, 8, 1])
    counts = np.array([np.bincount(picture.ravel(), minlength=512) for picture in bins])
    return np.sqrt(counts / bins[0].size)


def stronger(x, y):
    """A logistic regression or a forest, whichever reads more of the last fifth of the training part."""
    models = [
        make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200, tol=1e-2)),
        ExtraTreesClassifier(100, max_features=0.1, min_samples_leaf=2, random_state=0),
    ]
    kept = len(x) * 4 // 5
    best = max(models, key=lambda model: model.fit(x[:kept], y[:kept]).score(x[kept:], y[kept:]))
    return best.fit(x, y)


def read(features, parts, labels):
    """Share of the validation part that the stronger classifier reads from features of the pictures."""
    training, validation = map(features, parts)
    return stronger(training, labels[0]).score(validation, labels[1])


def test_colours_do_not_give_the_category_away(world):
    assert read(histograms, world.pictures, world.labels) <= 3 * world.chance


def test_the_gate_on_colours_notices_a_colour_of_each_category(world):
    tints = np.random.default_rng(0).uniform(0.6, 1, (round(1 / world.chance), 3))
    tinted = [p * tints[y][:, None, None] for p, y in zip(world.pictures, world.labels, strict=True)]
    assert read(histograms, tinted, world.labels) > 3 * world.chance


def test_a_thumbnail_does_not_give_the_category_away(world):
    assert read(thumbnails, world.pictures, world.labels) <= 5 * world.chance


def test_the_gate_on_thumbnails_notices_whole_objects_that_all_stand_in_the_middle():
    def centred(split, n):
        scenes = [scene(split, i, held_out=True).uncovered() for i in range(n)]
        moved = (s.moved(0.5 - s.objects[0].x, 0.5 - s.objects[0].y) for s in scenes)
        return np.stack([s.render(SIZE) for s in moved]), np.arange(n) % classes

    classes = len(categories(held_out=True))
    (x, y), (u, v) = centred("train", 20 * classes), centred("validation", 6 * classes)
    assert read(thumbnails, (x, u), (y, v)) > 5 / classes


def test_the_background_alone_says_nothing_about_the_category(world):
    """Learnt from backgrounds, read from other backgrounds and from the pictures themselves."""
    (x, u), (y, v) = world.backgrounds, world.labels
    model = stronger(surroundings(x), y[: len(x)])
    for seen in (u, world.pictures[1]):
        correct = int((model.predict(surroundings(seen)) == v[: len(seen)]).sum())
        assert at_chance(correct, len(seen), world.chance)


def test_the_gate_on_backgrounds_notices_a_background_of_each_category():
    def cued(split, n):
        source = CuedParts(PartsImages(split, n=n, size=SIZE, held_out=True))
        return np.stack([background(source.scene(i)) for i in range(n)]), source.labels

    classes = len(categories(held_out=True))
    (x, y), (u, v) = cued("train", 10 * classes), cued("validation", 3 * classes)
    correct = int((stronger(surroundings(x), y).predict(surroundings(u)) == v).sum())
    assert not at_chance(correct, len(v), 1 / classes)


def surroundings(pictures):
    return np.hstack([thumbnails(pictures) / 255, histograms(pictures)])


def at_chance(correct, n, chance):
    interval = binomtest(correct, n).proportion_ci()
    return interval.low <= chance <= interval.high


def test_the_true_counts_of_parts_do_not_give_the_category_away():
    names = [category.name for category in categories()]

    def drawn(split, n):
        objects = [scene(split, i).objects[0] for i in range(n)]
        counts = [Counter(concept(o.category, part.name) for part in o.parts) for o in objects]
        return counts, [o.label for o in objects]

    training, labels = drawn("train", 20 * len(names))
    validation, truth = drawn("validation", 10 * len(names))
    kinds = sorted(set().union(*training))
    x, u = ([[counts[kind] for kind in kinds] for counts in part] for part in (training, validation))
    forest = ExtraTreesClassifier(100, random_state=0).fit(x, labels)
    assert forest.score(u, truth) <= 0.75
