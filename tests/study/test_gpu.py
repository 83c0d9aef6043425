"""Figures of GPUs: appended where there is a GPU, refused elsewhere, and the last ones are read."""

import json
from datetime import date

import pandas as pd
import pytest

from zfutils.__main__ import main
from zfutils.experiments.training.tables import speed_table
from zfutils.study import gpu, records


def speed(device="a GPU of 2030", **rates):
    """What throughput gives, a row for each precision, with a made-up rate."""
    rows = [
        {"device": device, "device_type": "cuda", "precision": precision, "images_per_second": rate}
        | {"low": rate - 10, "high": rate + 10, "matrix_rate": 4e14, "fraction": 0.25, "batch": 128}
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
