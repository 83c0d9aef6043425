"""Transfer: what is trained on is never tested, and what comes out is right."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tests.experiments.transfer.probed import probed
from zfutils.experiments.transfer import probing
from zfutils.experiments.transfer.classifiers import GRID, UNSPLIT, fit, held_out, per_class_accuracy
from zfutils.experiments.transfer.folds import Fold, short_classes
from zfutils.experiments.transfer.folds import folds as drawn_folds
from zfutils.experiments.transfer.probing import (
    at_chosen_layer,
    by_fold,
    catches_up,
    curves,
    endings,
    of_networks,
    probe,
)
from zfutils.training.evaluation import Scores
from zfutils.training.outcomes import Answers, Outcome

KINDS = ("softmax", "svm")


def planted(n=40, classes=3, d=12, *, apart=4.0, seed=0):
    """Features in which the first `classes` numbers tell the class, and the labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n * classes) % classes
    x = rng.normal(size=(len(labels), d))
    x[np.arange(len(labels)), labels] += apart
    return (x * rng.uniform(0.1, 10, d) + rng.normal(size=d)).astype(np.float32), labels


# ---- folds


def folds(labels, per_class, count=5, *, test_per_class=50, seed=0):
    """Of classes called a, b, …"""
    return drawn_folds(labels, per_class, count, test_per_class=test_per_class, classes="abcdefgh", seed=seed)


def test_no_picture_is_both_trained_on_and_tested_and_smaller_sets_are_parts_of_larger():
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(4), [12, 20, 70, 65]))
    for fold in folds(labels, (3, 10, 1), 5, seed=3):
        for n, rows in fold.train.items():
            assert len(set(rows)) == len(rows) == 4 * n
            assert np.bincount(labels[rows]).tolist() == [n] * 4
            assert not set(rows) & set(fold.test)
        assert list(fold.train) == [1, 3, 10]
        assert set(fold.train[1]) < set(fold.train[3]) < set(fold.train[10])
        assert len(set(fold.test)) == len(fold.test)
        assert np.bincount(labels[fold.test]).tolist() == [2, 10, 50, 50]


def test_folds_differ_and_can_be_drawn_again():
    labels = np.arange(60) % 2
    first, again, other = (folds(labels, (5,), 3, seed=s) for s in (0, 0, 1))
    for a, b, c in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(a.train[5], b.train[5])
        assert set(a.train[5]) != set(c.train[5])
    assert len({tuple(f.train[5]) for f in first}) == 3


def test_a_class_with_too_few_pictures_is_named_with_what_it_has():
    labels = np.repeat([0, 1, 2], [10, 5, 3])
    with pytest.raises(ValueError, match=r"5 training pictures .* too few has b \(5\), c \(3\)"):
        folds(labels, (1, 5))
    assert len(folds(labels, (2,), 1)[0].test) == 8 + 3 + 1


def test_classes_that_run_short_of_test_pictures_are_listed():
    labels = np.repeat([0, 1, 2], [60, 33, 80])
    fold = folds(labels, (30,), 1)[0]
    table = short_classes(labels, fold, ("a", "b", "c"), test_per_class=50)
    assert table.to_dict("list") == {
        "class": ["b", "a"],
        "pictures": [33, 60],
        "train": [30, 30],
        "test": [3, 30],
    }


def test_pictures_taken_out_of_a_fold_are_in_none_of_its_sets():
    fold = Fold(0, {1: np.array([4, 9]), 2: np.array([1, 4, 7, 9])}, np.array([0, 2, 3]))
    less = fold.without([4, 2, 100])
    assert [less.train[1].tolist(), less.train[2].tolist(), less.test.tolist()] == [[9], [1, 7, 9], [0, 3]]


# ---- classifiers


def test_accuracy_is_the_mean_over_classes_not_over_pictures():
    labels = np.array([0] * 8 + [1] * 2 + [3])
    predicted = np.array([0] * 8 + [0, 1] + [0])
    assert per_class_accuracy(labels, predicted).tolist() == [1.0, 0.5, 0.0]  # 9 of 11 pictures are right
    results = probe({"n": {"l": np.eye(2, dtype=np.float32)[labels % 2]}}, labels % 2, [unbalanced()])
    assert results["accuracy"].item() == 1.0


def unbalanced():
    return Fold(0, {2: np.array([0, 1, 8, 10])}, np.array([2, 3, 4, 5, 9]))


@pytest.mark.parametrize("kind", KINDS)
def test_classifiers_say_what_scikit_learn_says_when_called_directly(kind):
    x, labels = planted(apart=1.5)
    ours = fit(x[:60], labels[:60], kind=kind, seed=5)
    apart = held_out(labels[:60], seed=5)

    def accuracy(c, own, other):
        scaler = StandardScaler().fit(x[own])
        first, second = (scaler.transform(x[rows]) / np.sqrt(12) for rows in (own, other))
        model = (
            LogisticRegression(C=c, max_iter=5000) if kind == "softmax" else SVC(C=c, kernel="linear")
        ).fit(first, labels[own])
        right = model.predict(second) == labels[other]
        return np.mean([right[labels[other] == k].mean() for k in range(3)]), model, second

    rows = np.arange(60)
    scores = [accuracy(c, rows[~apart], rows[apart])[0] for c in GRID]
    assert ours.strength == GRID[int(np.argmax(scores))]
    assert ours.held_out == pytest.approx(max(scores))
    assert ours.held_out < 1  # else every C would be as good
    _, direct, given = accuracy(ours.strength, rows, np.arange(60, 120))
    np.testing.assert_array_equal(ours.predict(x[60:]), direct.predict(given))
    if kind == "softmax":
        np.testing.assert_allclose(ours.probabilities(x[60:], 3), direct.predict_proba(given), atol=1e-6)


def test_fewer_pictures_than_features_are_fitted_as_on_all_the_features():
    few, labels = planted(apart=1.5)
    rng = np.random.default_rng(1)
    x = (few @ rng.normal(size=(12, 300)) + 2 * rng.normal(size=(len(few), 300))).astype(np.float32)
    ours = fit(x[:60], labels[:60], grid=(10.0,))
    assert ours.axes.shape == (300, 60)
    scaler = StandardScaler().fit(x[:60])
    first, second = (scaler.transform(some) / np.sqrt(300) for some in (x[:60], x[60:]))
    direct = LogisticRegression(C=10.0, max_iter=5000, tol=1e-8).fit(first, labels[:60])
    said = direct.predict_proba(second)
    assert (said.max(1) < 0.9).any()
    np.testing.assert_array_equal(ours.predict(x[60:]), said.argmax(1))
    np.testing.assert_allclose(ours.probabilities(x[60:], 3), said, atol=5e-3)  # where a fit ends


@pytest.mark.parametrize("kind", KINDS)
def test_planted_classes_are_found_and_noise_is_not(kind):
    x, labels = planted(70, apart=8.0)
    noise = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    found = probe(
        {"net": {"signal": x, "noise": noise}}, labels, folds(labels, (10,), 3), classifiers=(kind,)
    )
    means = found.groupby("layer")["accuracy"].mean()
    assert means["signal"] > 0.93
    assert means["noise"] < 0.45


def test_what_is_known_is_not_fitted_again_and_stays_in_its_place(monkeypatch, capsys):
    x, labels = planted(40)
    features, drawn = {"net": {"relu1": x[:, :6], "relu2": x}}, folds(labels, (4, 12), 2, test_per_class=10)
    whole = probe(features, labels, drawn, classifiers=KINDS)
    fitted = []

    def counted(*args, **options):
        fitted.append(options["kind"])
        return fit(*args, **options)

    monkeypatch.setattr(probing, "fit", counted)
    known = probe({"net": {"relu2": x}}, labels, drawn)
    assert fitted == ["softmax"] * 4
    fitted.clear()
    again = probe(features, labels, drawn, classifiers=KINDS, known=known, progress=True)
    pd.testing.assert_frame_equal(again, whole)
    assert sorted(fitted) == ["softmax"] * 4 + ["svm"] * 8
    assert capsys.readouterr().out == "classifiers: 6 of 6 folds and layers\n"


def test_every_step_is_probed_at_the_layer_that_the_training_pictures_prefer():
    x, labels = planted(40, apart=2.0)
    noise = np.random.default_rng(1).normal(size=x.shape).astype(np.float32)
    features, drawn = {"net": {"relu1": noise, "relu2": x}}, folds(labels, (4, 12), 2, test_per_class=10)
    by_layer = probe(features, labels, drawn, per_class=(12,))
    found = probing.probe_chosen(features, labels, drawn, by_layer)
    assert (found["layer"] == probing.CHOSEN).all()
    expected = probe({"net": {"relu2": x}}, labels, drawn)
    pd.testing.assert_frame_equal(found.drop(columns="layer"), expected.drop(columns="layer"))


def test_with_nothing_to_choose_by_no_layer_is_chosen():
    x, labels = planted(40)
    drawn = folds(labels, (1,), 2, test_per_class=10)
    by_layer = probe({"net": {"relu1": x}}, labels, drawn)
    found = probing.probe_chosen({"net": {"relu1": x}}, labels, drawn, by_layer)
    assert found.empty
    assert list(found.columns) == list(by_layer.columns)


def test_a_quarter_of_each_class_chooses_and_one_at_least():
    labels = np.repeat([0, 1, 2, 3], [16, 3, 2, 1])
    assert np.bincount(labels[held_out(labels, seed=2)], minlength=4).tolist() == [4, 1, 1, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_one_picture_a_class_leaves_nothing_to_choose_by(kind):
    x, labels = planted(1, apart=9.0)
    fitted = fit(x, labels, kind=kind)
    assert fitted.strength == UNSPLIT
    assert np.isnan(fitted.held_out)
    assert fitted.predict(x).tolist() == [0, 1, 2]


def test_a_unit_that_never_answers_does_no_harm():
    x, labels = planted()
    dead = np.concatenate([x, np.zeros((len(x), 5), dtype=np.float32)], axis=1)
    assert fit(dead, labels).held_out > 0.9


def test_what_cannot_be_fitted_is_refused():
    x, labels = planted(4)
    for kind in KINDS:
        with pytest.raises(ValueError, match="class"):
            fit(x, labels * 0, kind=kind)
    with pytest.raises(ValueError, match="NaN"):
        fit(np.where(labels[:, None] == 1, np.nan, x), labels, grid=(1.0,))
    with pytest.raises(ValueError, match="inconsistent"):
        fit(x, labels[1:], grid=(1.0,))


def test_a_class_that_was_never_shown_has_no_probability():
    x, labels = planted(6)
    said = fit(x, labels * 2).probabilities(x, 6)
    assert said.shape == (18, 6)
    assert (said[:, [1, 3, 5]] == 0).all()
    np.testing.assert_allclose(said.sum(1), 1, rtol=1e-6)


# ---- no test picture is seen


@pytest.mark.parametrize("kind", KINDS)
def test_no_test_picture_is_seen_in_training_or_in_choosing_anything(monkeypatch, kind):
    """Whatever the test pictures and their labels are, everything that is fitted or chosen is the same."""
    x, labels = planted(40, apart=1.0)
    chosen = folds(labels, (4, 12), 2, test_per_class=10, seed=1)
    fitted = []

    def recorded(*args, **options):
        fitted.append(fit(*args, **options))
        return fitted[-1]

    monkeypatch.setattr(probing, "fit", recorded)
    how = {"classifiers": (kind,)}
    layers = {"relu1": x[:, :6], "relu2": x}
    honest = probe({"net": layers}, labels, chosen, **how)
    for fold in chosen:
        rng = np.random.default_rng(fold.number)
        wrong_x, wrong_labels = x.copy(), labels.copy()
        wrong_x[fold.test] = 1e6 * rng.normal(size=(len(fold.test), x.shape[1]))
        wrong_labels[fold.test] = (labels[fold.test] + 1) % 3
        before = [f for f, own in zip(fitted, honest["fold"], strict=False) if own == fold.number]
        fitted.clear()
        corrupted = probe({"net": {"relu1": wrong_x[:, :6], "relu2": wrong_x}}, wrong_labels, [fold], **how)
        after, own = list(fitted), honest[honest["fold"] == fold.number]
        assert len(before) == len(after) == 4
        for a, b in zip(before, after, strict=True):
            np.testing.assert_array_equal(a.scaler.mean_, b.scaler.mean_)
            np.testing.assert_array_equal(a.scaler.scale_, b.scaler.scale_)
            np.testing.assert_array_equal(a.axes, b.axes)
            parameters = ("coef_", "intercept_") if kind == "softmax" else ("dual_coef_", "intercept_")
            for name in parameters:
                np.testing.assert_array_equal(getattr(a.model, name), getattr(b.model, name))
        for name in ("C", "held_out", "layer"):
            assert own[name].tolist() == corrupted[name].tolist()
        assert own["accuracy"].mean() > 2 * corrupted["accuracy"].mean()  # they did matter to the score
        fitted[:] = []
        honest_again = probe({"net": layers}, labels, chosen, **how)
        pd.testing.assert_frame_equal(honest, honest_again)


@pytest.mark.parametrize("kind", KINDS)
def test_every_training_picture_is_seen(kind):
    """So that the test above cannot pass because nothing is used: changing any one changes what is fitted."""
    x, labels = planted(6)
    whole = fit(x, labels, kind=kind).scaler.mean_
    for row in range(len(x)):
        changed = x.copy()
        changed[row] += 1
        assert not np.allclose(fit(changed, labels, kind=kind).scaler.mean_, whole)


# ---- curves and claims


def test_curves_give_mean_and_students_interval_over_folds():
    table = pd.DataFrame(probed("pretrained", "relu7", "softmax", {6: (0.6, 0.7, 0.8), 30: (0.8, 0.9, 0.9)}))
    one = curves(table.query("fold == 0"))
    table = curves(table).set_index(["network", "layer", "per_class"])
    row = table.loc[("pretrained", "relu7", 6)]
    assert row["accuracy"] == pytest.approx(70)
    assert row["high"] - row["accuracy"] == pytest.approx(4.3027 * 10 / np.sqrt(3), rel=1e-4)  # t of 2 d.f.
    assert one["low"].isna().all()


def test_catching_up_is_for_good():
    def race(*scratch):
        steps = (1, 5, 9)[: len(scratch)]
        table = probed("pretrained", "relu7", "softmax", {n: (0.5, 0.5) for n in steps})
        both = {n: (s, s) for n, s in zip(steps, scratch, strict=True)}
        return catches_up(pd.DataFrame(table + probed("from scratch", "all", "softmax", both)), *PAIR)

    assert race(0.1, 0.5, 0.6) == 5
    assert race(0.6, 0.4, 0.6) == 9
    assert race(0.6, 0.6, 0.6) == 1
    assert race(0.1, 0.6, 0.4) is None


PAIR = ("pretrained", "from scratch")


def test_the_layer_is_chosen_by_training_pictures_and_not_by_the_test():
    table = pd.DataFrame(
        probed("net", "relu1", "softmax", {5: (0.9,)}, held_out=0.6)
        + probed("net", "relu2", "softmax", {5: (0.1,)}, held_out=0.7)
        + probed("net", "relu3", "softmax", {5: (0.8,)}, held_out=0.7)
        + probed("net", "relu2", "softmax", {1: (1.0,)}, held_out=np.nan)
    )
    chosen = at_chosen_layer(table, "net")
    assert chosen.to_dict("list") == {"fold": [0], "layer": ["relu2"], "accuracy": [0.1]}


def outcome(probabilities, labels, *, error=0.1, losses=(2.0, 1.0), **how):
    """A network that was trained whole, and what it says of its fold's test pictures."""
    history = pd.DataFrame({"epoch": range(1, len(losses) + 1), "loss": losses})
    made = {"epochs": len(losses), "training_error": error}
    answers = {1: Answers.of(Scores(np.asarray(probabilities), labels))}
    return Outcome({}, {}, made, history, answers, **how)


def test_networks_that_were_trained_whole_are_scored_alike():
    labels = np.array([0, 0, 0, 1])
    said = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.1, 0.9]])
    outcomes = {(0, 4): outcome(said, labels), (1, 4): outcome(said[:, ::-1], labels)}
    table = of_networks(outcomes, network="from scratch")
    assert table["accuracy"].tolist() == pytest.approx([(2 / 3 + 1) / 2, (1 / 3 + 0) / 2])
    np.testing.assert_allclose(by_fold(table, "from scratch", 4), [250 / 3, 50 / 3])


def test_it_is_told_how_a_network_from_scratch_ended():
    one, labels = [[0.9, 0.1]], np.array([0])
    falling = outcome(one, labels, error=0.4)
    known_by_heart = outcome(one, labels, error=0.0, published=True)
    flat = outcome(one, labels, error=0.4, losses=(2.0, 1.0, 1.0))
    table = endings({(0, 4): falling, (1, 4): known_by_heart, (0, 8): flat}, network="from scratch")
    assert table[["fold", "per_class", "epochs"]].to_numpy().tolist() == [[0, 4, 2], [1, 4, 2], [0, 8, 3]]
    assert table["under_trained"].tolist() == [True, False, False]
    assert table["training_error"].tolist() == [0.4, 0.0, 0.4]
    assert table["published"].tolist() == [False, True, False]
    assert not len(endings({}, network="from scratch"))


def test_without_networks_from_scratch_nothing_is_compared_with_them():
    table = pd.DataFrame(probed("pretrained", "relu7", "softmax", {1: (0.5, 0.6), 6: (0.7, 0.8)}))
    table = pd.concat([table, of_networks({}, network="from scratch")], ignore_index=True)
    assert probing.steps(table, "pretrained", "from scratch") == []
