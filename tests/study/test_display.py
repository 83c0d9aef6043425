"""Tables, and lines of code, as a page shows them."""

import inspect
import math

import pandas as pd

from zfutils.stats.intervals import Interval
from zfutils.study.display import between, in_words, source


def test_an_interval_is_its_estimate_and_its_ends():
    found = Interval(0.1234, -0.0004, 0.25, 9, "pictures")
    assert between(found, digits=2) == "0.12\u00a0[0.00,\u00a00.25]"
    assert between(found, scale=100, unit=" %") == "12.3\u00a0%\u00a0[0.0,\u00a025.0]"
    assert between(None) == "not measured"


def test_estimate_and_ends_become_one_column_and_other_fractions_are_rounded_alike():
    table = pd.DataFrame(
        {
            "network": ["trained", "random"],
            "object": [0.1239, -0.0001],
            "estimate": [0.5, -0.0004],
            "low": [0.25, math.nan],
            "high": [0.75, math.nan],
            "n": [12, 3],
        }
    )
    said = in_words(table, "difference", digits=3)
    assert said.to_dict("list") == {
        "network": ["trained", "random"],
        "object": ["0.124", "0.000"],
        "difference": ["0.500\u00a0[0.250,\u00a00.750]", "0.000"],
        "n": [12, 3],
    }


def test_a_function_is_shown_as_it_stands_in_the_package_without_its_docstring():
    shown = source(in_words)._repr_markdown_()
    assert shown.startswith("```python\ndef in_words(")
    assert shown.endswith("\n```")
    assert '"""' not in shown
    body = inspect.getsource(in_words).split('"""')[2].strip("\n")
    assert body in shown
