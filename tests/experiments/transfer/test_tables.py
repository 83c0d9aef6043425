"""Tables 4 to 7 as they are shown: the paper's numbers as it prints them, ours beside them."""

import numpy as np
import pandas as pd

from tests.experiments.transfer.probed import probed
from zfutils.data.transfer_sets import VOC_CLASSES
from zfutils.experiments.transfer import tables
from zfutils.experiments.transfer.average_precision import Ranked, table
from zfutils.experiments.transfer.comparisons import Comparison
from zfutils.study.places import BOOK

PAPER = pd.read_csv(BOOK / "data" / "tables_4_to_7.csv")


def means(*rows):
    """As `transfer.curves` gives them."""
    columns = ["network", "layer", "classifier", "per_class", "accuracy", "low", "high"]
    return pd.DataFrame(rows, columns=columns)


def test_ours_stand_above_the_papers_lines_with_half_their_interval():
    ours = means(
        ("pretrained", "relu7", "softmax", 15, 71.26, 70.0, 72.5),
        ("pretrained", "relu7", "softmax", 60, 80.0, np.nan, np.nan),
        ("from scratch", "all", "softmax", 15, 30.0, 29.0, 31.0),
    )
    shown = tables.tables_4_and_5(ours, PAPER).set_index("images per class:")
    assert list(shown.columns) == ["15", "30", "45", "60"]
    assert list(shown.index)[:4] == [
        "pretrained",
        "from scratch",
        "the paper, Caltech-101: Bo et al.",
        "the paper, Caltech-101: Jianchao et al.",
    ]
    assert shown.loc["pretrained"].tolist() == ["71.3\u00a0±\u00a01.2", "–", "–", "80.0"]
    assert shown["15"]["from scratch"] == "30.0\u00a0±\u00a01.0"
    assert shown.loc["the paper, Caltech-101: Bo et al."].tolist() == ["–", "81.4\u00a0±\u00a00.33", "–", "–"]
    assert shown.loc["the paper, Caltech-256: pretrained"].tolist() == [
        "65.7\u00a0±\u00a00.2",
        "70.6\u00a0±\u00a00.2",
        "72.7\u00a0±\u00a00.4",
        "74.2\u00a0±\u00a00.3",
    ]


def test_ours_alone_have_the_same_words():
    ours = means(
        ("b", "chosen", "softmax", 15, 71.25, 70.0, 72.5),
        ("a", "all", "softmax", 6, 30.0, np.nan, np.nan),
    )
    shown = tables.by_pictures(ours).set_index("images per class:")
    assert list(shown.columns) == ["6", "15"]
    assert shown.loc["b"].tolist() == ["–", "71.2\u00a0±\u00a01.2"]
    assert shown.loc["a"].tolist() == ["30.0", "–"]


def test_table_6_has_the_papers_methods_and_ours_where_it_was_measured():
    alone = tables.table_6(PAPER)
    assert alone["class"].tolist() == [*VOC_CLASSES, "mean"]
    assert list(alone.columns) == ["class", "pretrained", "Sande et al. 2012", "Yan et al. 2012"]
    assert alone.iloc[-1].tolist() == ["mean", "79.0", "74.3", "82.2"]
    assert alone.iloc[0].tolist() == ["aeroplane", "96.0", "–", "–"]
    rng = np.random.default_rng(0)
    truth = np.eye(20, dtype=np.int8)[np.arange(60) % 20]
    found = table(Ranked(truth + rng.random((60, 20)) / 2, truth), VOC_CLASSES)
    found.loc[0, "precision"] = 0.25
    ours = tables.table_6(PAPER, found).set_index("class")["here"]
    assert ours["aeroplane"] == "25.0"
    assert ours["mean"] == "96.2", "(19 × 100 + 25) / 20 = 96.25"


def test_table_7_sets_each_layer_and_classifier_beside_the_papers():
    ours = means(
        ("net", "relu1", "svm", 30, 40.0, 39.0, 41.0),
        ("net", "relu5", "svm", 30, 60.0, np.nan, np.nan),
        ("net", "relu1", "softmax", 30, 35.0, 34.0, 36.0),
        ("other", "relu1", "svm", 30, 20.0, 19.0, 21.0),
        ("other", "relu5", "svm", 30, 30.0, 29.0, 31.0),
        ("other", "relu1", "softmax", 30, 25.0, 24.0, 26.0),
    )
    shown = tables.table_7(ours, PAPER, ["other", "net"])
    assert list(shown.columns) == [
        "classifier",
        "layer",
        "other",
        "net",
        "the paper, Caltech-101",
        "the paper, Caltech-256",
    ]
    assert shown.to_numpy().tolist() == [
        [
            "svm",
            "1",
            "20.0\u00a0[19.0,\u00a021.0]",
            "40.0\u00a0[39.0,\u00a041.0]",
            "44.8\u00a0±\u00a00.7",
            "24.6\u00a0±\u00a00.4",
        ],
        ["svm", "5", "30.0\u00a0[29.0,\u00a031.0]", "60.0", "86.2\u00a0±\u00a00.8", "65.6\u00a0±\u00a00.3"],
        ["softmax", "1", "25.0\u00a0[24.0,\u00a026.0]", "35.0\u00a0[34.0,\u00a036.0]", "–", "–"],
    ]


def test_endings_are_means_over_folds():
    ended = pd.DataFrame(
        {
            "network": "from scratch",
            "fold": [0, 1, 0],
            "per_class": [6, 6, 15],
            "epochs": [10, 13, 8],
            "training_error": [0.1, 0.2, 0.0],
            "under_trained": [True, False, False],
            "published": [True, False, True],
        }
    )
    assert tables.endings(ended).to_numpy().tolist() == [
        ["from scratch", 6, "11.5", "15.0\u00a0%", "1 of 2", "1 here, 1 kept"],
        ["from scratch", 15, "8", "0.0\u00a0%", "0 of 1", "kept"],
    ]
    assert tables.endings(ended[:0]).to_numpy().tolist() == [["not run yet"]]


def test_scenes_of_one_and_of_several_objects_stand_side_by_side():
    one = pd.DataFrame({"class": ["a", "b"], "precision": [0.5, 0.7], "share": 0.2, "above": [0.4, 0.6]})
    several = one.assign(precision=[0.3, 0.3], above=[0.1, 0.2])
    shown = tables.several_objects(
        {"one": {"net": one}, "several": {"net": several}}, {"net": "0.350 [0.2, 0.5]"}
    )
    line = shown.iloc[0].to_dict()
    assert line["one: average precision"] == "0.600"
    assert line["several: above chance"] == "0.150"
    assert line["difference above chance"] == "0.350 [0.2, 0.5]"


def at_18(layer, *accuracies, held_out=0.5):
    """A pretrained network at 18 pictures a class."""
    return pd.DataFrame(probed("pretrained", layer, "softmax", {18: accuracies}, held_out=held_out))


def test_the_layers_chosen_are_counted_and_their_accuracy_is_the_tests():
    good, bad = at_18("relu4", 0.6, 0.6, 0.6, held_out=0.9), at_18("relu5", 0.8, 0.8, 0.8)
    shown = tables.chosen_layers(pd.concat([good, bad], ignore_index=True), ["pretrained"])
    assert shown.iloc[0].tolist() == ["pretrained", "60.0\u00a0[60.0,\u00a060.0]", "4 (3 ×)"]


def test_what_taking_pictures_out_changes_is_a_difference_within_folds():
    first, again = at_18("relu7", 0.5, 0.7), at_18("relu7", 0.4, 0.6)
    shown = tables.without_pictures(first, again, ["pretrained"], per_class=18)
    assert shown["difference"].tolist() == ["−10.00\u00a0[−10.00,\u00a0−10.00]"]
    assert shown["kept"][0].startswith("60.0\u00a0[")
    alone = tables.without_pictures(first[:1], again[:1], ["pretrained"], per_class=18)
    assert alone["difference"].tolist() == ["not measured"]


def test_the_arms_of_a_claim_stand_beside_their_difference():
    compared = Comparison(pd.Series([30.0, 32.0]), pd.Series([20.0, 22.0]))
    shown = tables.arms({"over-ended-scratch": compared})
    assert shown.iloc[0].tolist() == [
        tables.CLAIMS["over-ended-scratch"],
        "31.0",
        "21.0",
        "10.0\u00a0[10.0,\u00a010.0]",
    ]
