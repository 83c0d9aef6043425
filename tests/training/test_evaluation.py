"""Errors from probabilities worked by hand, and ten crops against a loop over them."""

import numpy as np
import pytest
import torch
from small import RECIPE, SPEC, pictures

from zfutils.data.inputs import Inputs
from zfutils.training.evaluation import Scores, evaluate
from zfutils.training.initialisation import initialise


@pytest.fixture(scope="module")
def images():
    return pictures(30)


@pytest.fixture(scope="module")
def inputs(images):
    return Inputs.of(images, side=32, scale=RECIPE.input_scale)


@pytest.fixture
def model():
    model = SPEC.build()
    initialise(model, "he", seed=0, paper=SPEC)
    return model.train()


def loop(model, images, corners, *, mirrors):
    """Mean softmax over crops, image by image."""
    model = model.eval()
    rows = []
    for pixels in images.pixels:
        centred = (pixels.float() - images.mean) * RECIPE.input_scale
        probabilities = []
        for top, left in corners:
            crop = centred[top : top + 32, left : left + 32].permute(2, 0, 1)[None]
            for view in (crop, crop.flip(3))[: 1 + mirrors]:
                with torch.no_grad():
                    probabilities.append(model(view).softmax(1)[0])
        rows.append(torch.stack(probabilities).mean(0))
    return torch.stack(rows).numpy()


def test_one_crop_is_the_centre_of_every_image(model, images, inputs):
    found = evaluate(model, inputs, batch=7, precision="float32")
    np.testing.assert_allclose(found.probabilities, loop(model, images, [(4, 4)], mirrors=False), atol=1e-5)
    assert found.labels.tolist() == images.labels.tolist()


def test_ten_crops_are_the_mean_probability_over_them(model, images, inputs):
    found = evaluate(model, inputs, crops=10, batch=7, precision="float32")
    corners = [(0, 0), (0, 8), (8, 0), (8, 8), (4, 4)]
    expected = loop(model, images, corners, mirrors=True)
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-5)
    assert not np.allclose(expected, loop(model, images, [(4, 4)], mirrors=False), atol=1e-3)


def test_the_batch_size_does_not_matter_and_rows_choose_images(model, inputs):
    whole = evaluate(model, inputs, batch=30)
    some = evaluate(model, inputs.at(torch.tensor([5, 3, 29])), batch=4)
    np.testing.assert_allclose(some.probabilities, whole.probabilities[[5, 3, 29]], atol=1e-6)
    assert some.labels.tolist() == [2, 0, 2]


def test_dropout_is_off_while_evaluating_and_the_mode_is_put_back(model, inputs):
    first = evaluate(model, inputs)
    assert model.training
    assert np.array_equal(first.probabilities, evaluate(model, inputs).probabilities)
    evaluate(model.eval(), inputs)
    assert not model.training


def test_probabilities_sum_to_one_in_bf16_too(model, inputs):
    found = evaluate(model, inputs, crops=10, precision="bf16")
    assert found.probabilities.dtype == np.float32
    np.testing.assert_allclose(found.probabilities.sum(1), 1, atol=1e-5)


# ---- top-k


def test_top_k_errors_worked_by_hand():
    scores = Scores(
        np.array([[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]), np.array([0, 1, 2, 2])
    )
    assert scores.wrong(1).tolist() == [False, True, True, False]
    assert scores.wrong(2).tolist() == [False, False, True, False]
    assert (scores.error(1), scores.error(2), scores.error(3)) == (0.5, 0.25, 0.0)


def test_of_equal_probabilities_the_lower_class_comes_first_as_in_argmax():
    draw = np.random.default_rng(0)
    probabilities = draw.integers(0, 4, (500, 6)) / 10
    labels = draw.integers(0, 6, 500)
    scores = Scores(probabilities, labels)
    assert np.array_equal(scores.wrong(1), probabilities.argmax(1) != labels)
    order = np.argsort(-probabilities, axis=1, kind="stable")
    for k in range(1, 7):
        assert np.array_equal(scores.wrong(k), (order[:, :k] != labels[:, None]).all(1))


def test_a_network_that_says_the_same_of_every_class_is_at_chance():
    scores = Scores(np.full((40, 4), 0.25), np.arange(40) % 4)
    assert scores.error(1) == 0.75
    assert scores.error(3) == 0.25


def test_a_network_that_says_nan_is_always_wrong():
    scores = Scores(np.full((4, 4), np.nan), np.arange(4))
    assert scores.error(1) == scores.error(3) == 1.0


@pytest.mark.parametrize("k", [0, -1, 4])
def test_a_rank_that_does_not_exist_is_refused(k):
    with pytest.raises(ValueError, match=f"top-{k} of 3 classes does not exist"):
        Scores(np.full((2, 3), 1 / 3), np.array([0, 1])).error(k)
