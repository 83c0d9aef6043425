"""The look of figures does not depend on the user's settings, and names of classes stand as they are."""

from contextlib import nullcontext
from io import BytesIO

import matplotlib as mpl
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.font_manager import findfont, get_font
from PIL import Image

from zfutils.plotting import style


@style.styled
def picture(title=""):
    figure = style.new(width=2, height=2)
    axes = style.bare(figure.subplots())
    axes.imshow(np.arange(4).reshape(2, 2))
    axes.set_title(title)
    return figure


@pytest.mark.parametrize("setting", [{"text.usetex": True}, {"font.size": 30}, {"image.origin": "lower"}])
def test_a_figure_is_the_same_whatever_the_user_s_settings_are(setting):
    expected = picture("a title")._repr_png_()
    with mpl.rc_context(setting):
        assert picture("a title")._repr_png_() == expected


def test_a_page_shows_a_figure_at_its_own_resolution():
    """Windows stand on whole screen pixels, of which a figure may have more than others."""
    figure = picture("a title")
    for dpi in (150, 200):
        figure.set_dpi(dpi)
        width, height = figure.get_size_inches()
        assert Image.open(BytesIO(figure._repr_png_())).size == (int(width * dpi), int(height * dpi))


def test_drawing_changes_no_setting_and_a_notebook_shows_a_figure_once_and_on_opaque_white():
    before = dict(mpl.rcParams)
    shown, kinds = DisplayFormatter().format(picture())
    assert dict(mpl.rcParams) == before
    assert set(shown) == {"image/png", "text/plain"}
    assert not kinds
    assert mpl.image.imread(BytesIO(shown["image/png"]))[0, 0].tolist() == [1, 1, 1, 1]


def test_the_name_of_a_class_is_drawn_letter_by_letter():
    """Between two dollars, spaces would go and letters lean: both titles would look the same."""
    drawn = [picture(name)._repr_png_() for name in ("US$ 5 to US$", "US$5to US$", "US 5 to US")]
    assert len(set(drawn)) == 3
    for name in ("a$b$c", "R&B", "<5mm", r"$\alphabet$", "a `tick`", "a | bar", "%#{}~^_"):
        assert picture(name)._repr_png_()


def test_letters_that_no_installed_font_has_are_named_in_a_warning():
    fonts = [get_font(findfont(name)) for name in style.RC["font.sans-serif"]]
    there = any(font.get_char_index(ord("猫")) for font in fonts)
    said = nullcontext() if there else pytest.warns(UserWarning, match="CJK UNIFIED IDEOGRAPH-732B")
    with said:
        assert picture("猫")._repr_png_()
