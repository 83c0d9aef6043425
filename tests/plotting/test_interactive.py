"""Interactive figures: what stands in the page is the first state, and the data are those that were given."""

import json
import re
from base64 import b64decode
from io import BytesIO
from math import nan

import numpy as np
import pytest
from PIL import Image

from zfutils.plotting.interactive import Bars, Interactive, Scene

GROUPS = (Bars("classes", percent=True), Bars("activity", most=2.0))


def scene(name="<cat> & co", *, frames=4):
    draw = np.random.default_rng(0).integers(0, 256, (frames, 8, 6, 3)).astype(np.uint8)
    rows = [[[("eye", k / 4), ("wheel", 0.0)], [("map", nan if k == 3 else k)]] for k in range(4)]
    return Scene(name, draw, [f"state {k}" for k in range(4)], rows)


def html(figure):
    """The figure without its style and script."""
    return re.sub(r"<(style|script)>.*?</\1>", "", figure._repr_html_(), flags=re.DOTALL)


def test_the_page_shows_the_first_state_without_a_script():
    text = html(Interactive("angle", "Turn <it>.", GROUPS, [scene()], start=2))
    bars = re.findall(r"<b>(.*?)</b><i><s style='width:(.*?)%'></s></i><span>(.*?)</span>", text)
    assert bars == [
        ("eye", "50.00", "50.0\u00a0%"),
        ("wheel", "0.00", "0.0\u00a0%"),
        ("map", "100.00", "2.00"),
    ]
    assert 'aria-live="polite">state 2<' in text
    # The third of four frames of six pixels and two edges side by side: 17 of 32 pixels to the left.
    assert f"width:{100 * 32 / 6:.4f}%;translate:{-100 * 17 / 32:.4f}%" in text
    assert "Turn &lt;it&gt;." in text
    assert "<cat>" not in text


def test_the_data_hold_every_state_and_a_value_that_is_not_there_is_null():
    text = html(Interactive("angle", "", GROUPS, [scene()]))
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', text)[1])
    assert [data["names"][k] for k, _ in data["scenes"][0]["rows"][1][0]] == ["eye", "wheel"]
    assert [value for _, value in data["scenes"][0]["rows"][1][0]] == [0.25, 0.0]
    assert data["scenes"][0]["rows"][3][1][0][1] is None
    assert GROUPS[1].written(nan) == "none"
    with Image.open(BytesIO(b64decode(data["scenes"][0]["image"].partition(",")[2]))) as picture:
        assert picture.size == (4 * (6 + 2), 8)


def test_a_grid_of_positions_has_a_square_and_no_slider():
    ends = [(0.0, 0.5), (0.25, 0.75)]
    text = html(Interactive("square", "", GROUPS, [scene(frames=1)], start=1, square=ends))
    assert "left:25.00%;top:0.00%;width:75.00%;height:50.00%" in text  # second column of the first row
    assert 'role="application" tabindex="0" aria-label="square:' in text
    assert 'type="range"' not in text


def test_pictures_are_chosen_where_there_are_several_and_every_control_is_labelled():
    text = html(Interactive("angle", "", GROUPS, [scene("a"), scene("b")]))
    assert re.findall(r'value="(\d)"(?: checked)?> (\w)</label>', text) == [("0", "a"), ("1", "b")]
    assert re.search(r'<label class="script" for="(.*?)">angle</label><input .*? id="\1"', text)
    assert "fieldset" not in html(Interactive("angle", "", GROUPS, [scene("a")]))


def test_pictures_of_one_name_are_numbered_so_that_their_buttons_can_be_told_apart():
    text = html(Interactive("angle", "", GROUPS, [scene("a"), scene("b"), scene("a")]))
    assert re.findall(r'value="\d"(?: checked)?> (.*?)</label>', text) == ["1. a", "2. b", "3. a"]


@pytest.mark.parametrize(
    ("scenes", "more", "telling"),
    [
        ([], {}, "at least one picture"),
        ([scene(frames=3)], {}, "4 states"),
        ([scene(frames=1)], {"square": [(0, 1)] * 3}, "9 states"),
        ([scene()], {"start": 4}, "counted from 0"),
        ([Scene("x", scene().frames, scene().labels, [[]] * 4)], {}, "2 groups"),
    ],
)
def test_states_that_do_not_belong_together_are_refused(scenes, more, telling):
    with pytest.raises(ValueError, match=telling):
        Interactive("angle", "", GROUPS, scenes, **more)
