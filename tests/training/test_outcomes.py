"""What is kept of a network: the same answers after a file as before it, a small file, and a safe one."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small import RECIPE, SPEC, pictures

from zfutils.data.inputs import Inputs
from zfutils.training.evaluation import Scores, evaluate
from zfutils.training.outcomes import Answers, Outcome, origin
from zfutils.training.trainer import train


def random_scores(n=1500, classes=44, seed=0):
    """A network that errs on about a tenth of the pictures, as sure of itself as networks are."""
    draw = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    logits = draw.normal(0, 3, (n, classes))
    logits[np.arange(n), labels] += 9
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return Scores(probabilities.astype(np.float32), labels)


def outcome(scores, *, epochs=60, probabilities=False):
    """An outcome of made-up scores from one crop and from ten."""
    record = {"seconds": 12.5, "epochs": epochs, "training_error": 0.03, "device": "a processor"}
    record |= {"precision": "float32", "versions": {"torch": "2"}}
    history = pd.DataFrame({"epoch": range(1, epochs + 1), "loss": np.linspace(3, 0.1, epochs)})
    history = history.assign(held_out_error=0.25, rate=0.01)
    answers = {1: Answers.of(scores), 10: Answers.of(scores, probabilities=probabilities)}
    identity = {"recipe": 3, "spec": SPEC.to_dict(), "training": RECIPE.model_dump(mode="json"), "seed": 0}
    return Outcome(identity, {"source": "parts"}, record, history, answers)


def test_answers_are_those_of_the_probabilities():
    scores = Scores(np.array([[0.5, 0.3, 0.2], [0.4, 0.4, 0.2], [0.1, 0.2, 0.7]]), np.array([0, 1, 0]))
    found = Answers.of(scores)
    assert found.predicted.tolist() == [0, 0, 2]
    assert found.ranks.tolist() == [0, 1, 2]  # of equals, the lower class is first
    np.testing.assert_allclose(found.log_loss, -np.log([0.5, 0.4, 0.1]))
    assert (found.wrong(1).tolist(), found.wrong(2).tolist()) == ([False, True, True], [False, False, True])
    assert found.error(2) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="top-4 of 3 classes"):
        found.wrong(4)
    with pytest.raises(ValueError, match="answers were kept, and no probabilities"):
        found.scores()


@pytest.mark.parametrize("classes", [44, 300])
def test_a_file_gives_back_what_it_was_given(tmp_path, classes):
    scores = random_scores(classes=classes)
    outcome(scores, probabilities=True).save(tmp_path / "one.npz")
    found = Outcome.load(tmp_path / "one.npz", published=True)
    for crops in (1, 10):
        assert np.array_equal(found.answers[crops].ranks, scores.ranks)
        assert np.array_equal(found.answers[crops].predicted, scores.probabilities.argmax(1))
        assert np.array_equal(found.answers[crops].labels, scores.labels)
        np.testing.assert_allclose(found.answers[crops].log_loss, scores.log_loss(), rtol=1e-3)
    np.testing.assert_allclose(found.answers[10].probabilities, scores.probabilities, rtol=1e-3, atol=5e-4)
    assert (found.seconds, found.training_error, found.published) == (12.5, 0.03, True)
    assert found.spec == SPEC
    assert len(found.history) == 60
    assert not found.ended.ended, "a loss that falls in a straight line has not ended"


def test_what_a_chapter_measured_comes_back_by_name(tmp_path):
    measured = {"curves": np.linspace(0, 1, 6).reshape(2, 3), "maps": np.arange(4)}
    replace(outcome(random_scores(n=40)), measured=measured).save(tmp_path / "one.npz")
    found = Outcome.load(tmp_path / "one.npz").measured
    assert list(found) == ["curves", "maps"]
    for name, values in measured.items():
        np.testing.assert_array_equal(found[name], values)
    assert Outcome.load(tmp_path / "one.npz").answers.keys() == {1, 10}


def test_a_hundred_files_of_an_edition_and_nine_with_probabilities_take_less_than_three_megabytes(tmp_path):
    scores = random_scores()
    for name, probabilities in (("plain", False), ("averaged", True)):
        outcome(scores, probabilities=probabilities).save(tmp_path / name)
    plain, averaged = ((tmp_path / name).stat().st_size for name in ("plain", "averaged"))
    assert 91 * plain + 9 * averaged < 3e6


def test_a_trained_network_is_asked_about_the_images_and_its_record_is_kept(tmp_path):
    images = pictures(64)
    network = train(SPEC, images, RECIPE, tmp_path / "net", seed=0, paper=SPEC, say=lambda line: None)
    asked = Inputs.of(images, range(9, 40), side=32, scale=RECIPE.input_scale)
    found = Outcome.of(network, asked, crops=(1, 10), probabilities=(10,))
    expected = evaluate(network.model, asked, crops=1, precision="float32")
    assert np.array_equal(found.answers[1].ranks, expected.ranks)
    assert found.answers[1].probabilities is None
    ten = evaluate(network.model, asked, crops=10, precision="float32")
    assert np.array_equal(found.answers[10].probabilities, ten.probabilities)
    assert found.training_error == network.training_error
    assert found.ended == network.ended
    assert found.history["epoch"].tolist() == [1, 2, 3, 4]
    assert found.evaluated == images.only(asked.rows).identity != images.identity
    found.save(tmp_path / "one.npz")
    assert Outcome.load(tmp_path / "one.npz").identity == network.record["identity"]


def test_a_damaged_file_is_refused_by_name(tmp_path):
    path = tmp_path / "one.npz"
    outcome(random_scores(100)).save(path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    for text in (b"", whole[:middle], whole[:middle] + b"\0" * 50 + whole[middle + 50 :], b"nonsense"):
        path.write_bytes(text)
        with pytest.raises(ValueError, match=r"one\.npz is damaged or holds no scores"):
            Outcome.load(path)


def test_a_file_that_would_execute_code_or_does_not_fit_together_is_refused(tmp_path):
    path = tmp_path / "one.npz"
    outcome(random_scores(100)).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    for changed in (
        {"labels": np.array([SimpleNamespace()], dtype=object)},
        {"ranks-1": arrays["ranks-1"][:-1]},
        {"predicted-1": np.full(100, 99, np.uint8)},
        {"record": np.frombuffer(json.dumps({"classes": 44}).encode(), np.uint8)},
    ):
        with path.open("wb") as file:
            np.savez(file, **(arrays | changed))
        with pytest.raises(ValueError, match=r"one\.npz is damaged or holds no scores"):
            Outcome.load(path)


@pytest.mark.parametrize(
    ("published", "words"),
    [([], "not run yet"), ([False], "here"), ([True, True], "kept"), ([True, False, True], "1 here, 2 kept")],
)
def test_whose_scores_stand_in_a_row(published, words):
    assert origin(published) == words
