"""The tables of the book's chapters, and the lines of the package that a page shows.

Each takes data and returns a DataFrame whose column names are read as they stand; a page shows it with
`show`, which leaves out the row numbers.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler

from zfutils.stats.formatting import ranged, rounded
from zfutils.training.outcomes import NOT_RUN


@dataclass(frozen=True)
class Said:
    """A sentence that a page shows in place of a figure or a table."""

    text: str

    def _repr_markdown_(self) -> str:
        return f"*{self.text}*"


@dataclass(frozen=True)
class Paragraph:
    """Markdown that a page shows as it shows its own text."""

    text: str

    def _repr_markdown_(self) -> str:
        return self.text


@dataclass(frozen=True)
class Source:
    """Lines of Python that a page shows as it shows a code cell."""

    lines: str

    def _repr_markdown_(self) -> str:
        return f"```python\n{self.lines}\n```"


def source(function: Callable) -> Source:
    """A function of the package as it stands there, without its docstring."""
    text = textwrap.dedent(inspect.getsource(function))
    (definition,) = ast.parse(text).body
    lines = text.splitlines()
    if ast.get_docstring(definition) is not None:
        docstring = definition.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return Source("\n".join(lines))


NOTHING_YET = Said(f"{NOT_RUN.capitalize()}.")


def show(table: pd.DataFrame, *, caption: str = "") -> Styler:
    """A table as the book shows it: no row numbers, a caption, all text letter by letter.

    Columns that `table.attrs["markup"]` names hold HTML and stand as they are; `table.attrs["layout"]` names
    the layout that `book.css` has for the table on a phone.
    """
    layout = [table.attrs["layout"]] if "layout" in table.attrs else []
    written = table.map(_escaped).assign(**{n: table[n] for n in table.attrs.get("markup", ())})
    style = written.rename(columns=_escaped).style.hide(axis="index")
    style = style.set_table_attributes(f'class="{" ".join(["dataframe study", *layout])}"')
    return style.set_caption(_escaped(caption)) if caption else style


def _escaped(value: Any) -> Any:
    """Text as HTML that shows it; numbers as they are."""
    return escape(value, quote=False) if isinstance(value, str) else value


def code(text: str) -> str:
    """Markdown that shows a text letter by letter, backticks in it too."""
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " * (text[:1] == "`" or text[-1:] == "`")
    return f"{fence}{space}{text}{space}{fence}"


def in_words(table: pd.DataFrame, name: str, *, digits: int = 2) -> pd.DataFrame:
    """A table with its columns estimate, low and high as one, and its other numbers rounded likewise.

    Args:
        table: NaN ends stand where there was too little for an interval.
        name: of the joined column.
        digits: after the point.
    """
    ends = table[["estimate", "low", "high"]].itertuples(index=False)
    words = [ranged(*one, digits=digits) for one in ends]
    said = table.assign(estimate=words).drop(columns=["low", "high"]).rename(columns={"estimate": name})
    fractions = said.select_dtypes("floating").columns
    return said.assign(**{c: [rounded(value, digits=digits) for value in said[c]] for c in fractions})
