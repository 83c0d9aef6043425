"""One look for every figure of the book.

The one idea: a figure is made by `new`, which takes the look along, so that nothing global changes and a
notebook's own plots stay as they are. Colours are Okabe & Ito's, which the colour-blind tell apart; the
background is opaque white, because a page may be dark.
"""

from collections.abc import Callable
from functools import wraps
from io import BytesIO
from typing import Any, Literal, ParamSpec

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

WIDTH = 7.5  # inches: a page column of 700 px shows a 10 point font at about 13 px
WIDE = 1.36 * WIDTH  # inches: a figure whose cell has the tag full-width, which takes the margin as well

INK = "#222222"
FAINT = "#8a8a8a"  # frames, leaders, what is only there for comparison
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW = "#E69F00", "#56B4E9", "#F0E442"
CYCLE = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")  # beside colour, never colour alone
ORDERED = "viridis"  # for values with an order
SIGNED = "RdBu_r"  # for values around zero

# Comes with matplotlib, so that every machine draws the same; it lacks the scripts of East Asia, whose
# letters are taken from what is installed.
LATIN = "DejaVu Sans"
EAST_ASIAN = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Source Han Sans SC", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Droid Sans Fallback", "PingFang SC", "Hiragino Sans", "Microsoft YaHei",
)  # fmt: skip
INSTALLED = {font.name for font in fontManager.ttflist}

RC: dict[str, Any] = {
    "figure.facecolor": "white",
    "figure.dpi": 150,
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.labelsize": 10,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": mpl.cycler(color=CYCLE),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "font.family": "sans-serif",
    "font.sans-serif": [LATIN, *(name for name in EAST_ASIAN if name in INSTALLED)],
    "font.size": 10,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "image.interpolation": "nearest",
    "image.origin": "upper",
    "legend.fontsize": 9.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called "US$ 5 to US$ 10"
    "text.usetex": False,
    "xtick.color": INK,
    "xtick.labelsize": 9.5,
    "ytick.color": INK,
    "ytick.labelsize": 9.5,
}

Arguments = ParamSpec("Arguments")


def styled(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Decorator: the figure function draws in the book's look, and leaves matplotlib's settings alone."""

    @wraps(draw)
    def in_style(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with mpl.rc_context(RC):
            return draw(*args, **kwargs)

    return in_style


class Shown(Figure):
    """A figure that a notebook shows where a cell returns it, without pyplot, and therefore only once."""

    def _repr_png_(self) -> bytes:
        page = BytesIO()
        FigureCanvasAgg(self).print_png(page)  # `savefig` would draw it twice, the first time for nothing
        return page.getvalue()


def new(
    *, width: float = WIDTH, height: float, layout: Literal["constrained", "none"] = "constrained"
) -> Figure:
    """An empty figure.

    Args:
        width, height: of the whole figure (inches).
        layout: "constrained" keeps labels of neighbouring axes apart; "none" where all places are given.
    """
    return Shown(figsize=(width, height), dpi=RC["figure.dpi"], facecolor="white", layout=layout)


def bare(axes: Axes) -> Axes:
    """The axes without frame, ticks and grid, for pictures; labels and title stay."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def logarithmic(axes: Axes) -> Axes:
    """The axes with a logarithmic y axis that is labelled in plain numbers: 0.1, 0.3, 1, 3, 10."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    return axes
