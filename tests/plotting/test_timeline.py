"""The time line: what stands where, and that every label can be read."""

import pandas as pd
import pytest
from legible import assert_readable
from matplotlib.text import Text

from zfutils.plotting.timeline import first_free_rows, timeline

WORKS = pd.DataFrame(
    {
        "key": ["b", "a", "c"],
        "year": [2013, 2010, 2024],
        "month": [11, 1, 12],
        "strand": ["maps", "units", "maps"],
        "label": ["the paper", "an early one", "the last one"],
    }
)


YEAR = 7.2 / 15  # inches: 7.5 without the two sides, for the years from 2010 to 2025


def markers(figure):
    """Position (inches) and row of each work."""
    return [
        tuple(x.get_xdata()) + tuple(x.get_ydata()) for x in figure.axes[0].lines if len(x.get_xdata()) == 1
    ]


def test_a_work_stands_at_the_middle_of_its_month_in_the_band_of_its_strand():
    figure = timeline(WORKS, marked="b")
    # the early work meets the name of its strand, so that it stands a row below it
    expected = [((3 + 10.5 / 12) * YEAR, 0), ((14 + 11.5 / 12) * YEAR, 0), (0.5 / 12 * YEAR, 2)]
    assert markers(figure) == [pytest.approx(one) for one in expected]
    words = {text.get_text(): text for text in figure.findobj(Text)}
    assert (words["maps"].get_position(), words["units"].get_position()) == ((0, 0), (0, 1))
    assert words["the paper"].get_ha() == "left"
    assert words["the last one"].get_ha() == "right"  # to the right of it the axis ends


def test_the_line_goes_through_the_marked_work():
    figure = timeline(WORKS, marked="b")
    (line,) = (x for x in figure.axes[0].lines if x.get_linestyle() == "--")
    assert line.get_xdata()[0] == markers(figure)[0][0]


def test_a_label_does_not_lie_across_the_line_where_there_is_room_to_its_left():
    early = WORKS.assign(
        year=[2013, 2013, 2010], month=[11, 8, 2], label=["it", "shortly before", "at the start of the axis"]
    )
    words = {text.get_text(): text for text in timeline(early, marked="b").findobj(Text)}
    assert words["shortly before"].get_ha() == "right"
    assert words["at the start of the axis"].get_ha() == "left"  # it would leave the axis


def test_a_span_takes_the_first_row_in_which_it_meets_nothing():
    spans = [(0, 2), (4, 6), (5, 7), (6, 8), (1, 9)]
    assert first_free_rows(spans, taken=(0, 3)) == [1, 0, 1, 0, 2]


@pytest.mark.parametrize("month", [1, 12])
def test_labels_of_many_works_of_one_month_do_not_meet(month):
    crowd = [
        {"key": n, "year": 2015, "month": month, "strand": f"s{n % 2}", "label": f"Somebody {n}"}
        for n in range(9)
    ]
    works = pd.concat([pd.DataFrame(crowd), WORKS.assign(strand="s0", year=[2014, 2013, 2016])])
    figure = timeline(works, marked="a")
    assert_readable(figure)
    assert sum(text.get_text().startswith("Somebody") for text in figure.findobj(Text)) == 9


@pytest.mark.parametrize(
    ("works", "marked", "message"),
    [
        (WORKS.drop(columns="month"), "a", "lacks month"),
        (WORKS, "d", "no work has the key 'd'; expected one of b, a, c"),
        (pd.concat([WORKS.assign(strand=str(n)) for n in range(7)]), "a", "6 strands .* got 7"),
    ],
)
def test_a_table_that_cannot_be_drawn_is_refused(works, marked, message):
    with pytest.raises(ValueError, match=message):
        timeline(works, marked=marked)
