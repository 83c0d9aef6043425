"""Training: that it learns, resumes, lowers its rate, keeps to the radius, and stops where it must."""

import json
import math
import re
from dataclasses import replace

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from small import RECIPE, SPEC, pictures

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels
from zfutils.nets.filters import filter_rms
from zfutils.training.checkpoints import load
from zfutils.training.evaluation import evaluate
from zfutils.training.initialisation import initialise
from zfutils.training.schedule import Schedule, held_out_rows
from zfutils.training.trainer import DeadError, DivergedError, train


def trained(folder, images, recipe=RECIPE, *, spec=SPEC, seed=0, say=lambda line: None, resume_every=0.0):
    return train(spec, images, recipe, folder, seed=seed, paper=SPEC, say=say, resume_every=resume_every)


def but(**changes):
    """The recipe with some values changed, validated again."""
    return RECIPE.model_validate({**RECIPE.model_dump(), **changes})


@pytest.fixture(scope="module")
def images():
    return pictures()


@pytest.fixture(scope="module")
def unbroken(images, tmp_path_factory):
    """Four epochs in one go, and the lines it said."""
    lines = []
    found = trained(tmp_path_factory.mktemp("networks") / "tiny", images, say=lines.append)
    return found, lines


@pytest.fixture
def batches(monkeypatch):
    """Lets a test see, and change, each batch of a training: `seen(batch, epoch, step, seed)` gives it on."""
    shuffled = Pixels.shuffled

    def through(seen):
        def changed(store, rows, **options):
            for step, batch in enumerate(shuffled(store, rows, **options), 1):
                yield seen(batch, epoch=options["epoch"], step=step, seed=options["seed"])

        monkeypatch.setattr(Pixels, "shuffled", changed)

    return through


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def without_speed(history):
    return history.drop(columns="images_per_second")


# ---- it learns


def test_the_loss_falls_and_the_error_on_new_pictures_is_far_below_chance(unbroken, images):
    found, _ = unbroken
    losses = found.history.loss.dropna().tolist()
    assert losses[-1] < 0.5 * losses[0]
    new = pictures(150, seed=1).centred_by(images.mean)
    seen = Inputs.of(new, side=32, scale=RECIPE.input_scale)
    assert evaluate(found.model, seen).error() < 0.2  # chance is 2 / 3


def test_the_history_has_a_row_an_epoch_from_before_training(unbroken):
    history = unbroken[0].history
    assert history.epoch.tolist() == [0, 1, 2, 3, 4]
    assert math.isnan(history.loss[0])
    assert history.held_out_error.between(0, 1).all()
    rms = filter_rms(unbroken[0].model.conv2.weight)
    assert history.rms_max_conv2.iloc[-1] == pytest.approx(rms.max().item())
    assert history.rms_median_conv2.iloc[-1] == pytest.approx(rms.median().item())
    assert history.at_radius_conv2.iloc[-1] == (rms > 0.0999).float().mean().item()


def test_a_line_an_epoch_says_loss_error_speed_and_time_left(unbroken):
    _, lines = unbroken
    assert len(lines) == 4
    assert lines[1].startswith("tiny seed 0  epoch 2/4  loss ")
    for word in ("held-out error", "rate 0.05", "images/s", "min left"):
        assert word in lines[1]


def test_the_record_says_how_the_network_was_made(unbroken, images):
    record = json.loads((unbroken[0].folder / "network.json").read_text())
    assert record["identity"]["training"]["rate"] == 0.05
    assert record["identity"]["images"] == images.identity
    assert record["identity"]["seed"] == 0
    assert record["precision"] == "float32"
    assert record["seconds"] > 0
    assert record["versions"]["torch"] in torch.__version__


def test_the_same_seed_gives_the_same_network_and_another_another(unbroken, images, tmp_path):
    short = but(epochs=1)
    first = trained(tmp_path / "a", images, short)
    torch.rand(7)  # what was drawn before does not matter
    again = trained(tmp_path / "b", images, short)
    other = trained(tmp_path / "c", images, short, seed=1)
    assert equal(weights(first.model), weights(again.model))
    assert not equal(weights(first.model), weights(other.model))


@pytest.mark.skipif(
    not getattr(torch.cpu, "get_capabilities", dict)(),
    reason="this PyTorch does not say what the processor can",
)
def test_bf16_learns_too(images, tmp_path):
    found = trained(tmp_path / "tiny", images, but(precision="bf16"))
    assert found.record["precision"] == "bfloat16"
    assert found.history.held_out_error.iloc[-1] < 0.35


# ---- every step is like the others


def test_every_step_of_a_training_sees_a_full_batch(images, tmp_path, batches):
    sizes = {}

    def noted(batch, *, epoch, **_):
        sizes.setdefault(epoch, []).append(len(batch.rows))
        return batch

    batches(noted)
    trained(tmp_path / "tiny", images, but(batch=50))
    # 288, 576, 864 and 1,152 images hold 5, 11, 17 and 23 full batches of 50.
    assert sizes == {1: [50] * 5, 2: [50] * 6, 3: [50] * 6, 4: [50] * 6}


def test_a_set_smaller_than_a_batch_is_trained_on_whole_in_every_step(images, tmp_path):
    few = images.only(torch.arange(20))
    recipe = but(epochs=2, snapshots=(), radius=None)
    small, exact = (trained(tmp_path / str(n), few, recipe.model_copy(update={"batch": n})) for n in (32, 18))
    assert equal(weights(small.model), weights(exact.model)), "two of twenty are held out"


# ---- it resumes


class Killed(KeyboardInterrupt):
    """What the test stops a training with."""


def killed(folder, images, recipe=RECIPE, *, after, **options):
    """A training that is stopped after an epoch."""

    def say(line):
        if f"epoch {after}/" in line:
            raise Killed

    with pytest.raises(Killed):
        trained(folder, images, recipe, say=say, **options)


@pytest.mark.parametrize("epoch", [1, 2, 4])
def test_a_killed_training_ends_bit_for_bit_where_the_unbroken_one_ends(unbroken, images, tmp_path, epoch):
    killed(tmp_path / "tiny", images, after=epoch)
    with pytest.raises(FileNotFoundError, match="no finished network"):
        load(tmp_path / "tiny")
    torch.manual_seed(99)
    lines = []
    resumed = trained(tmp_path / "tiny", images, say=lines.append)
    assert len(lines) == 4 - epoch
    assert equal(weights(resumed.model), weights(unbroken[0].model))
    pd.testing.assert_frame_equal(
        without_speed(resumed.history), without_speed(unbroken[0].history), check_exact=True
    )
    assert resumed.snapshots == unbroken[0].snapshots
    for snapshot in resumed.snapshots:
        assert equal(weights(resumed.at(snapshot)), weights(unbroken[0].at(snapshot)))


def test_a_training_killed_within_an_epoch_ends_there_too(unbroken, images, tmp_path, batches):
    broken = []

    def interrupted(batch, *, epoch, step, **_):
        if (epoch, step) == (3, 5) and not broken:
            broken.append(step)
            raise Killed
        return batch

    batches(interrupted)
    with pytest.raises(Killed):
        trained(tmp_path / "tiny", images)
    assert equal(weights(trained(tmp_path / "tiny", images).model), weights(unbroken[0].model))


def test_a_training_killed_before_its_first_resume_point_starts_anew_and_ends_there_too(
    unbroken, images, tmp_path
):
    killed(tmp_path / "tiny", images, after=2, resume_every=3600)
    assert not (tmp_path / "tiny" / "resume.safetensors").exists()
    lines = []
    found = trained(tmp_path / "tiny", images, say=lines.append)
    assert len(lines) == 4
    assert equal(weights(found.model), weights(unbroken[0].model))


LOWERED = {"plateau": {"factor": 0.5, "patience": 1, "drops": 9}, "rate": 1e-6, "epochs": 5}


@pytest.mark.parametrize(
    ("changes", "after"),
    [({"batch": 50, "snapshots": ()}, 2), (LOWERED, 4), ({"momentum": 0, "epochs": 2}, 1)],
    ids=["images left over from an epoch", "a rate that was lowered", "no momentum"],
)
def test_other_recipes_are_gone_on_with_just_so(images, tmp_path, changes, after):
    whole = trained(tmp_path / "a", images, but(**changes))
    killed(tmp_path / "b", images, but(**changes), after=after)
    resumed = trained(tmp_path / "b", images, but(**changes))
    assert equal(weights(resumed.model), weights(whole.model))
    assert resumed.history.rate.tolist() == whole.history.rate.tolist()
    assert (whole.history.rate.iloc[-1] < 1e-6) == (changes is LOWERED)


def test_an_unfinished_training_of_another_network_is_not_gone_on_with(unbroken, images, tmp_path):
    killed(tmp_path / "tiny", images, but(rate=0.01), after=2)
    found = trained(tmp_path / "tiny", images)
    assert equal(weights(found.model), weights(unbroken[0].model))


@pytest.mark.parametrize("kept", [0, 7, 100, 0.5, 0.99])
def test_a_truncated_resume_point_is_refused_by_name_and_nothing_is_lost(images, tmp_path, kept):
    killed(tmp_path / "tiny", images, after=1)
    path = tmp_path / "tiny" / "resume.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(
        ValueError, match=r"resume\.safetensors is truncated or no resume point.*to start anew"
    ):
        trained(tmp_path / "tiny", images)
    path.write_bytes(whole)
    assert len(trained(tmp_path / "tiny", images).history) == 5


def test_a_foreign_file_in_the_place_of_the_resume_point_is_refused_by_name(images, tmp_path):
    (tmp_path / "tiny").mkdir()
    save_file({"x": torch.zeros(2)}, tmp_path / "tiny" / "resume.safetensors")
    with pytest.raises(ValueError, match=r"resume\.safetensors is truncated or no resume point"):
        trained(tmp_path / "tiny", images)


def test_a_finished_training_leaves_no_resume_point_and_nothing_half_written(unbroken):
    names = sorted(path.name for path in unbroken[0].folder.iterdir())
    snapshots = [f"epoch-{epoch:04d}.safetensors" for epoch in (0, 1, 2, 4)]
    assert names == [*snapshots, "network.json"]


# ---- snapshots


def test_a_snapshot_is_the_network_as_it_was_after_that_epoch(unbroken, images, tmp_path):
    found, _ = unbroken
    assert found.snapshots == (0, 1, 2, 4)
    fresh = SPEC.build()
    initialise(fresh, "he", seed=0, paper=SPEC)
    assert equal(weights(found.at(0)), weights(fresh))
    two = trained(tmp_path / "two", images, but(epochs=2))
    assert equal(weights(found.at(2)), weights(two.model))
    assert equal(weights(found.at(4)), weights(found.model))
    assert not found.at(1).training


# ---- held out


@pytest.mark.parametrize(("n", "share", "held"), [(320, 0.1, 32), (10, 0.01, 1), (1000, 0.05, 50)])
def test_held_out_and_training_rows_share_the_images_between_them(n, share, held):
    training, out = held_out_rows(n, share)
    assert len(out) == held
    assert sorted(training.tolist() + out.tolist()) == list(range(n))


def test_held_out_rows_are_never_trained_on_and_the_same_for_every_seed(images, tmp_path, batches):
    seen = {0: set(), 1: set()}

    def noted(batch, *, seed, **_):
        seen[seed].update(batch.rows.tolist())
        return batch

    batches(noted)
    for seed in seen:
        trained(tmp_path / str(seed), images, but(epochs=2), seed=seed)
    assert seen[0] == seen[1] == set(range(320)) - set(held_out_rows(320, 0.1)[1].tolist())


def test_held_out_pictures_are_no_pattern_of_the_order():
    _, held = held_out_rows(20_000, 0.05)
    assert len(held.diff().unique()) > 20
    assert abs(held.double().mean().item() - 10_000) < 700  # 4 standard errors


# ---- the rate


def schedule(**plateau):
    return Schedule(but(rate=1.0, plateau={"factor": 0.1, **plateau}))


@pytest.mark.parametrize(
    ("plateau", "errors", "course"),
    [
        # best 0.9, best 0.8, waits 1, waits 2: drops; best 0.7, waits 1, waits 2: ends
        (
            {"patience": 2, "drops": 1},
            (0.9, 0.8, 0.8, 0.85, 0.7, 0.7, 0.7),
            [(1.0, False)] * 3 + [(0.1, False)] * 3 + [(0.1, True)],
        ),
        ({"patience": 1, "drops": 0}, (0.5, 0.5), [(1.0, False), (1.0, True)]),
        ({"patience": 1, "drops": 1}, (math.nan,), [(0.1, False)]),
    ],
    ids=["plateaus", "no drops", "not a number"],
)
def test_the_rate_falls_at_plateaus_and_the_last_one_ends_the_training(plateau, errors, course):
    watched, found = schedule(**plateau), []
    for error in errors:
        watched.after({"held_out_error": error})
        found.append((round(watched.rate, 6), watched.ended))
    assert found == course


def test_a_fall_of_no_more_than_asked_for_is_none():
    watched = schedule(patience=2, drops=1, least=0.25, of="training loss")
    rates = []
    for loss in (2.0, 1.75, 1.5, 1.25, 1.0):
        watched.after({"loss": loss})
        rates.append(watched.rate)
    assert rates == [1.0] * 5, "1.75 is no fall, 1.5 is one, from 2.0"
    for loss in (0.75, 0.75):
        watched.after({"loss": loss})
    assert watched.rate == 0.1


def test_phases_lower_the_rate_after_their_shares_of_the_epochs(images, tmp_path):
    recipe = but(plateau=None, phases={"factor": 0.5, "shares": (0.6, 0.2, 0.2)}, epochs=5, snapshots=())
    found = trained(tmp_path, images, recipe)
    assert found.history["rate"][1:].tolist() == pytest.approx([0.05, 0.05, 0.05, 0.025, 0.0125])
    doubled = Schedule(recipe.model_copy(update={"epochs": 10}))
    rates = []
    for epoch in range(1, 11):
        rates.append(doubled.rate)
        doubled.after({"epoch": epoch, "loss": 1.0})
    assert rates == pytest.approx([0.05] * 6 + [0.025] * 2 + [0.0125] * 2), "every phase twice as long"


def test_the_rate_can_follow_the_training_loss(images, tmp_path):
    watched = {"factor": 0.5, "patience": 1, "drops": 1, "of": "training loss", "least": 100.0}
    found = trained(tmp_path, images, but(plateau=watched, epochs=9, snapshots=()))
    rates = (found.history["rate"][1:] / found.history["rate"][1]).tolist()
    assert rates == [1, 1, 0.5], "the first loss is a fall from nothing, the second and third are none"


def test_a_network_knows_its_training_error_in_eval_mode_on_what_it_was_trained_on(unbroken, images):
    found = unbroken[0]
    learnt, _ = held_out_rows(len(images), RECIPE.held_out)
    inputs = Inputs.of(images, side=SPEC.image, scale=RECIPE.input_scale).at(learnt)
    with torch.no_grad():
        wrong = [found.model(b.images).argmax(1) != b.labels for b in inputs.batches(64)]
    assert found.training_error == pytest.approx(torch.cat(wrong).float().mean().item())
    assert found.ended.training_error == found.training_error


def test_a_training_ends_at_its_last_plateau_before_its_last_epoch(images, tmp_path):
    recipe = but(plateau={"factor": 0.5, "patience": 1, "drops": 1}, rate=1e-9, epochs=30, snapshots=())
    found = trained(tmp_path / "tiny", images, recipe)
    assert found.history.rate.dropna().unique().tolist() == [1e-9, 5e-10]
    assert found.record["epochs"] == found.history.epoch.iloc[-1] < 30
    assert len(list(found.folder.glob("epoch-*"))) == 1


# ---- the radius


def test_after_training_no_filter_exceeds_its_radius_and_layer_1s_is_over_the_input_scale(images, tmp_path):
    found = trained(tmp_path / "tiny", images, but(radius=0.02, input_scale=0.25, rate=0.01, epochs=2))
    for name, radius in (("conv1", 0.08), ("conv2", 0.02)):
        rms = found.model.get_submodule(name).weight.double().square().mean((1, 2, 3)).sqrt()
        assert rms.max() <= radius * (1 + 1e-6)
        assert rms.max() > radius * 0.999
    assert found.history.at_radius_conv2.iloc[-1] > 0


def test_without_a_radius_filters_are_left_alone(images, tmp_path):
    found = trained(tmp_path / "tiny", images, but(radius=None, epochs=1))
    assert filter_rms(found.model.conv2.weight).max() > 0.1
    assert found.history.at_radius_conv2.tolist() == [0, 0]


# ---- what stops it


def test_a_huge_rate_stops_the_training_with_the_step_and_the_last_good_snapshot(images, tmp_path):
    recipe = but(rate=1e30, radius=None)
    expected = (
        r"tiny seed 0: the loss is (nan|inf) at step \d \(epoch 1, rate 1e\+30\); the last good snapshot is "
    )
    with pytest.raises(DivergedError, match=expected + r"epoch-0000\.safetensors in .*tiny"):
        trained(tmp_path / "tiny", images, recipe)
    assert all(w.isfinite().all() for w in load_file(tmp_path / "tiny" / "epoch-0000.safetensors").values())
    assert not (tmp_path / "tiny" / "network.json").exists()


def test_the_step_of_a_loss_that_is_not_finite_is_counted_over_the_epochs(images, tmp_path, batches):
    def spoilt(batch, *, epoch, step, **_):
        if (epoch, step) == (3, 5):
            batch.images[0, 0, 0, 0] = math.nan
        return batch

    batches(spoilt)
    with pytest.raises(
        DivergedError, match=r"the loss is nan at step 23 \(epoch 3, .*epoch-0002\.safetensors"
    ):
        trained(tmp_path / "tiny", images)  # 288 pictures in batches of 32 are 9 steps an epoch


def test_a_last_step_that_spoils_the_weights_is_noticed_before_they_are_kept(images, tmp_path):
    one_step = but(rate=3e38, input_scale=1, radius=None, batch=288, epochs=1)
    with pytest.raises(DivergedError, match="a weight is no longer finite at step 1"):
        trained(tmp_path / "tiny", images, one_step)
    assert not (tmp_path / "tiny" / "epoch-0001.safetensors").exists()


# ---- a dead training

DIES = {"rate": 20.0, "epochs": 3}  # the first steps push all units of a layer below 0
FORGETS = {"rate": 0.01, "epochs": 6}
LEARNS_NOTHING = {"rate": 1e-9, "batch": 1, "initialisation": "literal", "epochs": 8}


@pytest.fixture
def blackened(batches):
    """From epoch 3 on every picture is black, so that what was learnt is lost."""
    batches(lambda batch, *, epoch, **_: replace(batch, images=batch.images * (epoch < 3)))


def test_a_rate_that_silences_a_layer_stops_the_training_which_names_it_and_what_to_try(images, tmp_path):
    with pytest.raises(DeadError) as caught:
        trained(tmp_path / "tiny", images, but(**DIES))
    message = str(caught.value)
    assert re.match(
        r"tiny seed 0: dead since epoch 1, seen after epoch 1 \(rate 20\): "
        r"no unit of layer relu[123] responds .*; "
        r"the last snapshot that was alive is epoch-0000\.safetensors in .*tiny; "
        r"try a lower rate .*, another initialisation .* 'may_die: true'$",
        message,
    ), message
    assert not (tmp_path / "tiny" / "network.json").exists()
    assert not (tmp_path / "tiny" / "epoch-0001.safetensors").exists(), "no dead snapshot is kept"


def test_a_training_that_loses_what_it_had_learnt_is_stopped(images, tmp_path, blackened):
    # Epochs of 9 steps: three of them are a whole one.
    expected = (
        r"dead since epoch 3, seen after epoch 5 .* 3 classes is 1\.099, and it was 0\.\d+ before; "
        r"the last snapshot that was alive is epoch-0002\.safetensors"
    )
    with pytest.raises(DeadError, match=expected):
        trained(tmp_path / "tiny", images, but(**FORGETS, snapshots=(0, 2, 3, 4, 5)))


@pytest.mark.slow
def test_a_training_that_never_learns_is_stopped_after_half_of_its_epochs_and_a_thousand_steps(
    images, tmp_path
):
    # 288 pictures one by one: 864 steps in three epochs, 1,152 in four.
    expected = r"dead since epoch 1, seen after epoch 4 .* never lower in 4 epochs of 1,152 steps"
    with pytest.raises(DeadError, match=expected):
        trained(tmp_path / "tiny", images, but(**LEARNS_NOTHING), spec=replace(SPEC, dense=()))


def test_where_it_may_die_a_training_goes_on_and_its_record_says_since_when_and_why(images, tmp_path):
    found = trained(tmp_path / "tiny", images, but(**DIES, may_die=True))
    assert found.record["epochs"] == 3
    assert found.record["dead"]["since"] == 1
    assert re.match(r"no unit of layer relu[123] responds", found.record["dead"]["why"])
    assert load(tmp_path / "tiny").record["dead"] == found.record["dead"]


def test_the_record_of_a_living_network_speaks_of_no_death(unbroken):
    assert "dead" not in unbroken[0].record
    assert "silent_layer" not in unbroken[0].history


@pytest.mark.slow
def test_a_resumed_training_is_judged_as_the_unbroken_one_is(images, tmp_path, blackened):
    def ends(name, recipe, killed_after):
        if killed_after:
            killed(tmp_path / name, images, recipe, after=killed_after)
        try:
            return trained(tmp_path / name, images, recipe).record["dead"]
        except DeadError as error:
            return str(error).replace(str(tmp_path / name), "")

    for may_die in (False, True):
        recipe = but(**FORGETS, may_die=may_die)
        found = [ends(f"{may_die}-{epoch}", recipe, epoch) for epoch in (None, 3, 4)]
        assert found == [found[0]] * 3
    assert found[0]["since"] == 3


# ---- what does not fit


@pytest.mark.parametrize(
    "spec",
    [replace(SPEC, image=41), replace(SPEC, channels=1), replace(SPEC, classes=2)],
    ids=["px", "channels", "classes"],
)
def test_images_that_do_not_fit_the_network_are_refused_with_both(images, tmp_path, spec):
    with pytest.raises(ValueError, match=r"tiny sees .* the images have 40 px in 3 channels and 3 classes"):
        trained(tmp_path / "tiny", images, spec=spec)
    assert not (tmp_path / "tiny").exists()
