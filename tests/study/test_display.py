"""Tables, and lines of code, as a page shows them."""

import inspect
import math
import re
from html import unescape

import pandas as pd
import pytest
from markdown_it import MarkdownIt

from zfutils.study.display import code, in_words, show, source


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


ODD = ["US$ 5", "a$b$c", "R&B", "<5mm", "猫", "a `tick`", "a | bar", "<b>", "&lt;", "it's", '"so"', "*a*_b_"]


def test_a_table_shows_every_text_letter_by_letter():
    shown = show(pd.DataFrame({"class": ODD, "<n>": range(len(ODD))}), caption="n < 5 & more").to_html()
    cells = re.findall(r"<(?:td|th|caption)\b[^>]*>(.*?)</", shown)
    assert [unescape(cell) for cell in cells if cell] == [
        "n < 5 & more", "class", "<n>", *(text for n, name in enumerate(ODD) for text in (name, str(n))),
    ]  # fmt: skip
    assert not re.search(r"<(b|5mm|n)>|&(?!lt;|gt;|amp;)", shown)


def test_columns_of_markup_stand_as_they_are():
    table = pd.DataFrame({"class": ["<5mm"], "verdict": ["<b>partly</b>"]})
    table.attrs["markup"] = ["verdict"]
    shown = show(table).to_html()
    assert "<b>partly</b>" in shown
    assert "&lt;5mm" in shown


@pytest.mark.parametrize("text", [*ODD, "`", "``", "a``b`", "image = '/a`b/c'"])
def test_code_shows_a_text_letter_by_letter(text):
    shown = MarkdownIt().render(f"*A trial with {code(text)}.*")
    assert unescape(re.search("<code>(.*)</code>", shown)[1]) == text
