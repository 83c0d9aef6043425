"""The image that a reader turns shows, at every angle, what was measured there."""

import pytest
import small
import torch

from zfutils.experiments.invariance.feature_distances import responses
from zfutils.experiments.invariance.interactive import turning
from zfutils.experiments.invariance.transformed_images import Transformed

LAYERS = ("relu1", "relu3")


@pytest.fixture(scope="module")
def turned():
    model, inputs = small.built(), small.seen(3)
    series = Transformed(inputs, "rotation", [0, 90, 200])
    return model, inputs, responses({"trained": model}, series, layers=LAYERS)["trained"]


def test_every_angle_shows_the_recorded_distances_and_the_true_class_s_probability(turned):
    model, inputs, measured = turned
    two = Transformed(inputs.at(torch.tensor([2, 0])), "rotation", measured.amounts)
    figure = turning(model, two, measured, small.CLASSES, layers=LAYERS)
    for scene, row in zip(figure.scenes, (2, 0), strict=True):
        assert scene.name == small.CLASSES[row]
        assert scene.labels[1].startswith("90°: ")
        for k, (moved, classes) in enumerate(scene.rows):
            assert moved == [
                ("layer 1", pytest.approx(measured.layer("relu1")[row, k], abs=1e-6)),
                ("layer 3", pytest.approx(measured.layer("relu3")[row, k], abs=1e-6)),
            ]
            shown = dict(classes)
            true = shown[f"{small.CLASSES[row]} (true)"]
            assert true == pytest.approx(measured.probabilities[row, k], abs=1e-5)
            assert sum(shown.values()) == pytest.approx(1, abs=1e-5)
            assert list(shown.values()) == sorted(shown.values(), reverse=True)


def test_other_images_than_were_measured_are_refused(turned):
    model, inputs, measured = turned
    series = Transformed(inputs, "rotation", measured.amounts)
    with pytest.raises(ValueError, match="not measured"):
        turning(model, series, measured.of(torch.tensor([0, 1])), small.CLASSES, layers=LAYERS)
