"""The drawing of a network: where the lanes of its signals run."""

from zfutils.look.drawing import drawing, rows
from zfutils.nets.geometry import Window
from zfutils.nets.outline import Line


def line(place, *reads, name="", field=None):
    return Line(place, name or str(place), "Conv2d", Window(3, 2, 1), (4, 5, 5), field, reads)


def test_a_chain_has_one_lane():
    found = rows([line(0, -1), line(1, 0), line(2, 1)])
    assert [row.lane for row in found] == [0, 0, 0]
    assert found[0].strokes == ((0, 0, 0, 50), (0, 50, 0, 100))
    assert found[2].strokes == ((0, 0, 0, 50),)


def test_a_branch_has_a_lane_of_its_own_until_they_meet():
    # 0 is read by 1 and, past it, by the sum 2
    found = rows([line(0, -1), line(1, 0), line(2, 1, 0), line(3, 2)])
    assert [row.lane for row in found] == [0, 1, 0, 0]
    assert found[1].strokes == ((0, 0, 1, 50), (0, 0, 0, 100), (1, 50, 1, 100))
    assert set(found[2].strokes) == {(1, 0, 0, 50), (0, 0, 0, 50), (0, 50, 0, 100)}
    assert found[3].strokes == ((0, 0, 0, 50),)


def test_a_lane_is_free_again_once_its_signal_has_been_read_for_the_last_time():
    found = rows([line(0, -1), line(1, 0), line(2, 0), line(3, 1, 2), line(4, 3), line(5, 3), line(6, 4, 5)])
    assert max(row.lane for row in found) == 1


def test_a_line_says_size_and_receptive_field_and_leads_to_its_section():
    lines = [line(0, -1, name="<a>", field=Window(7, 2, 3)), line(1, 0, name="b")]
    html = drawing(lines, (20, 40), sections={"b": "strongest.html#layer-b"})
    assert "<b>&lt;a&gt;</b>" in html
    assert "Conv2d, 3×3, stride 2, padding 1" in html
    assert "sees 7 px every 2 px" in html
    assert "sees all of the image" in html
    assert 'href="strongest.html#layer-b"' in html
    # 40 px are 30 on the screen: the picture 15 high, the field 7 · 0.75 in its middle
    assert '<rect x="12.4" y="4.9" width="5.2" height="5.2"/>' in html
