"""Figures of GPUs: appended where there is a GPU, refused elsewhere; the last ones are read, and said."""

import json
from datetime import date

import pandas as pd
import pytest
import torch
from torch import nn

from zfutils.__main__ import main
from zfutils.experiments.training.tables import speed_table
from zfutils.study import gpu, records


def speed(device="a GPU of 2030", **rates):
    """What throughput gives, a row for each precision, with a made-up rate."""
    rows = [
        {"device": device, "device_type": "cuda", "precision": precision, "images_per_second": rate}
        | {
            "low": rate - 10,
            "high": rate + 10,
            "matrix_rate": 4e14,
            "fraction": 0.25,
            "batch": 128,
            "image": 224,
        }
        | {"step_seconds": 128 / rate, "bound_seconds": 32 / rate}
        for precision, rate in rates.items()
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def file(tmp_path, monkeypatch):
    path = tmp_path / "gpu.json"
    path.write_text("[]\n")
    monkeypatch.setattr(gpu, "FIGURES", path)
    return path


def test_figures_are_appended_with_how_they_were_made(file):
    gpu.keep(speed(float32=1000.0, bf16=3000.0), "photos")
    gpu.keep(speed(bf16=3100.0), "photos")
    rows = json.loads(file.read_text())
    assert [row["images_per_second"] for row in rows] == [1000, 3000, 3100]
    assert {row["edition"] for row in rows} == {"photos"}
    assert {row["commit"] for row in rows} == {records.commit()}
    assert abs(date.fromisoformat(rows[0]["date"]) - date.today()).days <= 1
    assert set(rows[0]["versions"]) == {"torch", "cuda", "python"}


def test_the_last_figures_of_each_gpu_precision_and_edition_are_shown(file):
    assert gpu.figures() == []
    gpu.keep(speed(float32=1000.0, bf16=3000.0), "photos")
    gpu.keep(speed(bf16=9000.0), "quick")
    gpu.keep(speed("another GPU", bf16=500.0), "photos")
    gpu.keep(speed(bf16=3100.0), "photos")
    rates = {
        (row["device"], row["precision"], row["edition"]): row["images_per_second"] for row in gpu.figures()
    }
    assert rates == {
        ("a GPU of 2030", "float32", "photos"): 1000,
        ("a GPU of 2030", "bf16", "photos"): 3100,
        ("a GPU of 2030", "bf16", "quick"): 9000,
        ("another GPU", "bf16", "photos"): 500,
    }


def test_the_committed_figures_can_be_shown():
    here = speed(float32=100.0).assign(device_type="cpu")
    kept = gpu.figures()
    assert len(speed_table(here, kept)) == 1 + max(1, len(kept))
    assert all(row["device_type"] != "cpu" for row in kept)


def test_a_processor_is_refused_by_name_and_nothing_is_kept(file, monkeypatch, capsys):
    monkeypatch.setenv("ZFUTILS_DEVICE", "cpu")
    assert main(["measure", "--edition", "smoke"]) == 2
    assert "figures are kept of GPUs; this is a processor, " in capsys.readouterr().err
    assert gpu.figures() == []


def test_a_gpu_stands_beside_what_is_aimed_at_and_one_without_figures_is_not_measured(monkeypatch):
    monkeypatch.setattr(gpu, "figures", list)
    assert set(gpu.table()["images/s"]) == {"not measured"}
    assert gpu.in_words().text == "No GPU was measured."
    row = {"edition": "imagenet", "device": "NVIDIA H200", "images_per_second": 12_500.0, "fraction": 0.2}
    row |= {"from_store": 0.96, "shares": {"convolutions": 0.5, "pooling": 0.125, "all else": 0.375}}
    monkeypatch.setattr(gpu, "figures", lambda: [row])
    table = gpu.table().set_index("GPU")
    assert table.loc["H200"].tolist() == ["25,000", "12,500", "20\u00a0%", "96\u00a0%"]
    assert table.loc["H100", "images/s"] == "not measured"
    said = gpu.in_words().text
    assert "50\u00a0% of the aim" in said
    assert "20,000 images/s" in said  # 12,500 / (1 − 0.375)


@pytest.mark.parametrize(
    ("layer", "kind"), [(nn.Conv2d(8, 32, 5), "convolutions"), (nn.MaxPool2d(5, 1), "pooling")]
)
def test_the_time_of_a_layer_is_put_under_its_kind(layer, kind):
    images = torch.rand(8, 8, 48, 48)
    found = gpu.shares(lambda: layer(images), torch.device("cpu"))
    assert sum(found.values()) == pytest.approx(1)
    assert max(found, key=found.get) == kind
