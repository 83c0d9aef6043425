"""The arithmetic of ImageNet in full, by hand."""

import math

import pandas as pd
import pytest
from small import RECIPE, SPEC

from zfutils.nets.zoo import NETWORKS
from zfutils.study import size
from zfutils.study.places import BOOK
from zfutils.study.profile import Profile

WHOLE = Profile.load(BOOK / "profiles" / "imagenet.yaml")
ZFNET = NETWORKS["zfnet"](size.CLASSES, 224)


def test_hours_are_images_over_images_a_second():
    recipe = RECIPE.model_copy(update={"epochs": 10, "held_out": 0.25})
    training = [{"machine": "a", "images_per_second": 500.0}, {"machine": "b", "images_per_second": math.nan}]
    found = size.hours(recipe, size.Rates(training, decoded=20.0, cores=4)).set_index("machine")
    # 960,875 of 1,281,167 are trained on and 320,292 held out, which cost a third.
    assert size.images_of_a_training(recipe) == 9_608_750
    assert found["training"]["a"] == pytest.approx((9_608_750 + 3_202_920 / 3) / 500 / 3600)
    assert found["ten crops"]["a"] == pytest.approx(500_000 / 3 / 500 / 3600)
    assert found["preparation"].tolist() == pytest.approx([1_331_167 / 80 / 3600] * 2)
    words = size.in_words(found.reset_index()).set_index("machine")
    assert (words["training"]["a"], words["training"]["b"]) == ("5.9", "not measured")


def test_disk_and_memory_of_the_paper_s_network():
    disk = size.disk(WHOLE, ZFNET).set_index("what")["GB"]
    assert disk["the pixel stores"] == pytest.approx(1_331_167 * 256 * 256 * 3 / 1e9)
    assert disk["one network"] == pytest.approx(9 * 62_357_608 * 4 / 1e9)
    memory = size.memory(WHOLE.training, ZFNET).set_index("what")["GB"]
    assert memory["weights, gradients, momentum"] == pytest.approx(3 * 62_357_608 * 4 / 1e9)


def test_what_is_kept_for_the_way_back_is_counted_once():
    """Of a tiny network: every map that some layer's backward pass needs, at 4 bytes or more a value."""
    kept = size.kept_for_the_way_back(SPEC)
    images, first, second = 3 * 32 * 32, 8 * 14 * 14, 12 * 7 * 7
    assert 4 * (images + first + second) < kept < 4 * (images + 12 * (first + second))


def test_without_a_kept_run_of_benchmarks_there_is_no_number():
    rates = size.rates(None, [])
    words = size.in_words(size.hours(WHOLE.training, rates))
    assert set(words.iloc[0]) == {"a processor", "not measured"}


def test_gpus_that_were_not_measured_have_no_number(monkeypatch):
    rows = [
        {"edition": "imagenet", "device": "NVIDIA H100 80GB HBM3", "images_per_second": 9000.0},
        {"edition": "quick", "device": "NVIDIA H200", "images_per_second": 9.0},
    ]
    monkeypatch.setattr(size.gpu, "figures", lambda: rows)
    _, first, second = size.rates(None, ["H100", "H200"]).training
    assert first["images_per_second"] == 9000
    assert math.isnan(second["images_per_second"])
    assert second["from"] == "not measured"


def test_numbers_are_as_fine_as_a_reader_needs():
    said = size.in_words(pd.DataFrame({"hours": [0.02, 5.94, 13_509.8, 0.0]}))
    assert said["hours"].tolist() == ["under 0.1", "5.9", "13,510", "0.0"]
