"""Tables of chapter 3: counts and orders of small tables made by hand."""

import numpy as np
import pandas as pd
from small import top_projections

from zfutils.experiments.projections import tables
from zfutils.experiments.projections.dissection import Dissection


def test_what_was_searched_says_how_many_windows_the_border_cuts_and_which_maps_never_answer():
    top = top_projections(4, k=5, side=7)  # one of every map's five is cut
    top.strongest.values[1:3] = 0
    (row,) = tables.searched_table({"relu3": top}).to_dict("records")
    assert row == {
        "layer": "3",
        "maps": 4,
        "projections": 20,
        "window (px)": 7,
        "cut at the border": "20\u00a0%",
        "maps that are never active": 2,
    }


def test_the_maps_with_most_energy_on_a_part_come_first_and_maps_without_a_score_do_not_come():
    def energy(*scores):
        maps = np.arange(len(scores)) * 10
        return pd.DataFrame({"map": maps, "part": "eye", "score": scores, "n_scored": 4})

    both = {("trained", "relu4"): energy(1, np.nan, 3, 2), ("random", "relu4"): energy(9, 9, 9, 9)}
    found = tables.parts_table(both, n=2)
    assert found["map"].tolist() == [20, 30]
    assert found["energy over area"].tolist() == ["8.0×", "4.0×"]
    assert found[["layer", "part", "images scored"]].to_numpy().tolist() == [["4", "eye", 4]] * 2
    assert tables.parts_table({}).empty


def test_detectors_and_the_parts_they_detect_are_counted_by_layer_and_network():
    chance = np.full((2, 3, 2), 0.1)
    chance[0, 1, 0] = 0.4  # the highest of six: one of six maps of the two shuffles exceeds the threshold
    trained = Dissection(("eye", "wheel"), np.array([[0.9, 0], [0.8, 0], [0, 0.1]]), chance)
    random = Dissection(("eye", "wheel"), np.array([[0.9, 0.2], [0, 0], [0, 0]]), chance)
    table = tables.detectors_table({"trained": {"relu5": trained}, "random": {"relu5": random}})
    assert table.to_dict("records") == [
        {
            "layer": "5",
            "maps": 3,
            "detectors, trained": "2 (67\N{NO-BREAK SPACE}%)",
            "detectors, random": "1 (33\N{NO-BREAK SPACE}%)",
            "by chance": "0.5",
            "parts detected, trained": 1,
            "parts detected, random": 2,
            "of parts": 2,
        }
    ]


def test_the_most_probable_classes_come_first_with_their_probabilities():
    given = np.array([[0.1, 0.6, 0.3], [0.25, 0.25, 0.5]])
    found = tables.most_probable(["a", "b"], given, ["x", "y", "z"], k=2)
    assert found.to_dict("records") == [
        {"photograph": "a", "1": "y 0.60", "2": "z 0.30"},
        {"photograph": "b", "1": "z 0.50", "2": "x 0.25"},
    ]
