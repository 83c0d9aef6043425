"""The projection whose switches a reader exchanges."""

import numpy as np
import pytest
import small

from zfutils.experiments.trial import examples, switches
from zfutils.experiments.trial.interactive import SWITCHES, exchanging_switches

HOW = {"layer": "relu2", "seed": 2}


@pytest.fixture(scope="module")
def switched():
    model, inputs = small.built(), small.seen(4)
    columns = examples.by_switches(model, inputs, **HOW)
    return model, inputs, columns, examples.inside(model, inputs, layer="relu2")


def test_a_correlation_is_the_one_behind_the_share_of_variance_that_is_lost(switched):
    model, inputs, columns, inside = switched
    figure = exchanging_switches(columns, inside)
    lost = switches.lost_with_other_switches(model, inputs, maps_a_picture=1, **HOW)
    kinds = ("centred", "random", "tiles", "another")
    for scene, (_, row) in zip(figure.scenes, lost.iterrows(), strict=True):
        by_kind = [rows[0][0][1] for rows in scene.rows]
        assert by_kind[0] == pytest.approx(1)
        assert [1 - r**2 for r in by_kind[1:]] == pytest.approx([row[kind] for kind in kinds], abs=1e-4)


def test_a_frame_is_the_image_that_the_switches_come_from_beside_the_projection(switched):
    _, _, columns, inside = switched
    scene, seen = exchanging_switches(columns, inside).scenes[1], inside[1]
    side = seen.shape[0]
    assert scene.labels[0] == "Recorded switches"
    assert scene.frames.shape == (len(SWITCHES), side, 2 * side, 3)
    for place, source in ((0, "image"), (-1, "the other image")):
        assert (scene.frames[place][:, :side][seen] == columns[source][1][seen]).all()
    assert np.ptp(scene.frames[0][:, side:][seen]) > 100  # a contrast of its own
