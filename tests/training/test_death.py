"""When a training is dead: the judgement by hand, and layers that are silent on purpose."""

import math

import pytest
import torch
from small import RECIPE, SPEC, pictures

from zfutils.data.inputs import Inputs
from zfutils.training.death import Death, death, silent_layer
from zfutils.training.initialisation import initialise

# ln(10) is 2.3026; 0.9 of it is 2.0723, 0.99 of it 2.2796 and 1.01 of it 2.3256.


def history(*losses, silent=()):
    """Rows of epochs 0, 1, …; `silent` are the epochs in which layer relu4 is."""
    rows = [{"epoch": 0, "loss": math.nan}] + [{"epoch": e, "loss": x} for e, x in enumerate(losses, 1)]
    return [row | ({"silent_layer": "relu4"} if row["epoch"] in silent else {}) for row in rows]


def judged(*losses, silent=(), epochs=100, steps=100_000, **options):
    found = death(history(*losses, silent=silent), classes=10, epochs=epochs, steps=steps, **options)
    return found and found.since


def test_a_training_whose_loss_falls_is_alive():
    assert judged(2.31, 2.1, 1.7, 1.2) is None
    assert judged() is None


@pytest.mark.parametrize(
    ("last", "since"), [(2.2795, None), (2.2797, 3), (2.3026, 3), (2.3255, 3), (2.3257, None)]
)
def test_a_loss_that_was_below_nine_tenths_of_a_guess_and_is_back_within_one_percent_is_a_death(last, since):
    assert judged(2.25, 2.0, last) == since


@pytest.mark.parametrize(("best", "since"), [(2.0722, 3), (2.0724, None)])
def test_only_who_has_learnt_something_can_lose_it(best, since):
    assert judged(2.29, best, 2.3, epochs=4) == since


def test_death_begins_with_the_first_of_the_epochs_without_a_sign_of_life():
    assert judged(1.9, 2.3, 1.8, 2.3, 2.3, 2.3) == 4
    assert judged(1.9, 2.3, 1.8) is None, "it has come back"


def test_a_loss_far_above_a_guess_may_be_on_its_way_back():
    assert judged(1.9, 9.0) is None
    assert judged(1.9, 9.0, 2.3) == 3


def test_epochs_of_few_steps_are_judged_together():
    assert judged(1.0, 2.3, 2.3, 2.3, steps=4 * 6) is None, "18 steps are no whole epoch"
    assert judged(1.0, 2.3, 2.3, 2.3, steps=4 * 7) == 2
    assert judged(1.0, 2.3, 2.9, 2.3, steps=4 * 7) is None
    assert judged(1.0, 2.3, steps=2 * 20) == 2


@pytest.mark.parametrize(
    ("epochs", "steps", "since"),
    [(8, 1000, 1), (9, 1000, None), (8, 999, None), (5, 1000, 1)],
    ids=["half of the epochs", "less than half", "too few steps", "more than half"],
)
def test_a_loss_that_never_left_a_guess_is_a_death_after_half_of_the_epochs_and_a_thousand_steps(
    epochs, steps, since
):
    assert judged(2.31, 2.3, 2.3, 2.29, epochs=epochs, steps=steps) == since


def test_one_epoch_below_a_guess_is_a_life():
    assert judged(2.3, 2.3, 2.27, 2.3, epochs=8) is None


def test_a_plateau_that_ends_a_training_at_the_loss_of_a_guess_ends_a_dead_one():
    assert judged(2.3, 2.3, epochs=50) is None
    assert judged(2.3, 2.3, epochs=50, ended=True) == 1
    assert judged(2.3, 2.3, epochs=50, ended=True, steps=999) is None


def test_a_silent_layer_is_a_death_whatever_the_loss_was():
    assert judged(2.0, 1.5, silent=[2]) == 2
    assert judged(2.0, 1.5, 2.3, 2.3, silent=[3, 4]) == 3
    assert judged(2.0, 2.3, 2.3, silent=[3]) == 2, "it had lost what it knew before the layer fell silent"
    assert judged(2.3, 2.3, 2.3, silent=[3]) == 3, "it had known nothing yet"
    assert judged(2.0, 1.5, 1.4, silent=[2]) is None, "it responds again"
    assert judged(2.0, silent=[0]) is None, "before training nothing is judged"


def test_a_death_says_by_which_sign():
    how = {"classes": 10, "epochs": 4, "steps": 5000}
    assert death(history(2.0, silent=[1]), **how) == Death(
        1, "no unit of layer relu4 responds to any of the pictures it is shown"
    )
    assert death(history(2.0, 2.3), **how) == Death(
        2, "the loss is 2.300, that of a guess among 10 classes is 2.303, and it was 2.000 before"
    )
    assert death(history(2.3, 2.31), **how).why.endswith("it was never lower in 2 epochs of 5,000 steps")


# ---- silent layers


@pytest.fixture(scope="module")
def images():
    return pictures(300)


@pytest.fixture
def model():
    built = SPEC.build().train()
    initialise(built, "he", seed=0, paper=SPEC)
    return built


def answer(model, images):
    found = silent_layer(model, Inputs.of(images, side=32, scale=RECIPE.input_scale))
    assert model.training, "the mode is left as it was"
    return found


def test_a_network_as_it_begins_has_no_silent_layer(model, images):
    assert answer(model, images) is None


@pytest.mark.parametrize(
    ("silenced", "named"), [(["conv2"], "relu2"), (["fc3"], "relu3"), (["fc3", "conv1"], "relu1")]
)
def test_the_first_layer_without_a_response_is_named(model, images, silenced, named):
    with torch.no_grad():
        for name in silenced:
            model.get_submodule(name).weight.zero_()
            model.get_submodule(name).bias.fill_(-1e-3)
        for name in ("conv2", "fc3"):  # later layers respond by their biases alone
            if name not in silenced:
                model.get_submodule(name).bias.fill_(1.0)
    assert answer(model, images) == named


def test_one_unit_that_responds_to_one_of_256_pictures_is_enough(model, images):
    """A white picture among black ones, and a unit that asks for a mean above 100."""
    rows = torch.linspace(0, 299, 256).long()
    asked, spared = int(rows[200]), next(i for i in range(300) if i not in rows)
    with torch.no_grad():
        model.conv1.weight.zero_()
        model.conv1.weight[3] = 1 / 75  # a window of 5 × 5 × 3
        model.conv1.bias.fill_(-100 * RECIPE.input_scale)
        for name in ("conv2", "fc3"):
            model.get_submodule(name).bias.fill_(1e3)
    dark = images.pixels.clone().zero_()
    for white, expected in ((asked, None), (spared, "relu1")):
        dark[:] = 0
        dark[white] = 255
        shown = type(images)(**{**images.__dict__, "pixels": dark, "mean": images.mean * 0})
        assert answer(model, shown) == expected
