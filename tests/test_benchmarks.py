"""Benchmarks are no tests, but they can be started; one is run on a few pictures."""

import importlib
import pkgutil

import pytest

import benchmarks

NAMES = sorted(m.name for m in pkgutil.iter_modules(benchmarks.__path__) if not m.name.startswith("_"))


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_can_be_started(name):
    assert callable(importlib.import_module(f"benchmarks.{name}").measure)


def test_features_are_compared_with_a_bare_pass():
    options, names = benchmarks.Options.parse(
        ["features", "--pairs=2", "--pictures=6", "--image=64", "--width=0.1", "--batch=4"]
    )
    assert names == ["features"]
    (row,) = importlib.import_module("benchmarks.features").measure(options)
    assert row["measured"] == "features of 6 layers over a bare forward pass"
    assert (row["repeats"], row["precision"], row["pictures"]) == (2, "float32", 6)
