"""Whether the words of a figure can be read, asked of the rendered figure."""

from itertools import combinations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

SMALLEST = 9  # points


def texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """What is written, where: every visible text with its box in the rendered figure (pixels).

    Ticks outside an axis' limits are not drawn. The box of a slanted text is larger than the text, so that
    it is left out.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    hidden = set()
    for axis in (axis for axes in figure.axes for axis in (axes.xaxis, axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        absent = not axis.axes.get_visible()
        ticks = (*axis.get_major_ticks(), *axis.get_minor_ticks())
        hidden |= {t.label1 for t in ticks if absent or not low - 1e-9 <= t.get_loc() <= high + 1e-9}
    written = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip()]
    drawn = [t for t in written if t not in hidden and t.get_rotation() % 90 == 0]
    return [(t.get_text(), t.get_window_extent(canvas.get_renderer())) for t in drawn]


def assert_readable(figure: Figure) -> None:
    """Every text inside the figure, none on another, none below 9 points, on opaque white."""
    found = texts(figure)
    for text, box in found:
        assert figure.bbox.x0 - 1 <= box.x0 <= box.x1 <= figure.bbox.x1 + 1, text
        assert figure.bbox.y0 - 1 <= box.y0 <= box.y1 <= figure.bbox.y1 + 1, text
    for (text, box), (other, place) in combinations(found, 2):
        overlap_x = min(box.x1, place.x1) - max(box.x0, place.x0)
        overlap_y = min(box.y1, place.y1) - max(box.y0, place.y0)
        assert min(overlap_x, overlap_y) <= 1, f"{text!r} lies on {other!r}"
    assert min(t.get_fontsize() for t in figure.findobj(Text) if t.get_text().strip()) >= SMALLEST
    assert to_hex(figure.get_facecolor(), keep_alpha=True) == "#ffffffff"
