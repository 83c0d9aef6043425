"""Benchmarks are no tests; but their two sides give equal values, and what they measure is read and shown."""

import importlib
from itertools import takewhile

import pytest
import torch

from benchmarks import Options, __main__, difference, growth
from benchmarks.alone import in_a_process, measured
from zfutils.study import speed

TINY = Options(
    repeats=2,
    width=0.05,
    side=64,
    small_width=0.05,
    small_side=64,
    pictures=18,
    small_pictures=16,
    batch=8,
    steps=1,
    units=16,
    cold=32,
)
GROWN = {"images": 9, "maps": 2, "side": 96, "side, projecting": 96, "stride": 32, "ranks": 1}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in __main__.NAMES if name != "growth"])
def test_a_benchmark_sees_that_both_sides_give_equal_values(name):
    rows = importlib.import_module(f"benchmarks.{name}").measure(TINY)
    rows = list(takewhile(lambda row: row.name != "projections/relu5", rows))
    assert rows
    for row in rows:
        assert row.low <= row.median <= row.high
        assert row.difference is None or row.difference <= 1e-5
        assert row.repeats == 2
    compared = [row for row in rows if row.against != "–"]
    assert {row.name for row in compared if row.difference is None} <= {
        "norm/convolution",
        "training/reading",
    }


def test_a_benchmark_whose_sides_differ_fails():
    values = torch.tensor([1.0, -4.0])
    assert difference("it", values, values + 1e-6) == pytest.approx(2.5e-7, rel=0.1)
    with pytest.raises(ValueError, match="differ"):
        difference("it", values, values + 1e-3)
    with pytest.raises(ValueError, match="differ"):
        difference("it", values * torch.nan, values)
    with pytest.raises(ValueError, match="shape"):
        difference("it", values[:1], values)


@pytest.mark.parametrize("kind", growth.KINDS)
def test_every_kind_of_growth_is_measured_and_has_an_exponent_by_counting(kind):
    found = measured(growth.KINDS[kind].work(GROWN[kind]), repeats=1, warm_up=0)
    assert len(found["seconds"]) == 1
    assert found["before"] is None or found["peak"] >= found["before"]
    counted = growth.expected(growth.KINDS[kind])
    exact = {"images": 1, "maps": 1, "side, projecting": 0, "ranks": -1}
    near = {"side": 2, "stride": -2}  # borders and padding
    assert counted == pytest.approx(exact[kind]) if kind in exact else abs(counted - near[kind]) < 0.3


@pytest.mark.slow
@pytest.mark.parametrize("ranks", [None, 2])
def test_growth_is_measured_in_processes_of_their_own(ranks):
    found = in_a_process("benchmarks.growth", "stride", 32, 2, ranks=ranks, OMP_NUM_THREADS="1")
    assert len(found["seconds"]) == 2
    with pytest.raises(RuntimeError, match="KeyError"):
        in_a_process("benchmarks.growth", "nothing", 32, 2)


def test_a_quick_or_partial_run_leaves_the_kept_one_alone(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ZFUTILS_BUILD", str(tmp_path))
    monkeypatch.setattr(__main__, "QUICK", TINY)
    before = speed.FIGURES.read_bytes() if speed.FIGURES.is_file() else None
    __main__.main(["search", "--quick"])
    run = speed.read(tmp_path / "bench" / "benchmarks.json")
    assert [row.name for row in run.rows] == ["strongest", "features"]
    assert run.quick
    assert "a bare forward pass" in capsys.readouterr().out
    assert before == (speed.FIGURES.read_bytes() if speed.FIGURES.is_file() else None)
    with pytest.raises(SystemExit):
        __main__.main(["nothing"])
    assert "occlusion" in capsys.readouterr().err
