"""The main catalogue: over forty categories of shared parts, many of which only arrangement tells apart."""

import io
import math
from collections import Counter, defaultdict
from dataclasses import fields

import numpy as np
import pytest
import resvg_py
from PIL import Image
from scipy.optimize import linear_sum_assignment

from zfutils.data.part_masks import concept
from zfutils.data.parts.catalogue import ARRANGED, CATEGORIES, SYMMETRIC
from zfutils.data.parts.colours import MAIN_STYLE, draw_palette
from zfutils.data.parts.shapes import Sketch

NAMED = {category.name: category for category in CATEGORIES}
THIN = {"mast", "stem"}  # thin by nature; at least 3 px, where others have 6


def sketched(name, seed=0, jitter=1.0):
    """The parts of one individual; without jitter, the plain drawing."""
    rng = np.random.default_rng(seed)
    sketch = Sketch(rng, draw_palette(rng, MAIN_STYLE), MAIN_STYLE, jitter=jitter)
    NAMED[name].draw(sketch)
    return sketch.parts


def numbered(parts, size, side=120.0):
    """Number of the part seen at each pixel, from 1; the object is in the middle of `side` units."""
    flat = "".join(part.flat(f"#0000{k:02x}") for k, part in enumerate(parts, 1))
    view = f'viewBox="{-side / 2} {-side / 2} {side} {side}"'
    document = f'<svg xmlns="http://www.w3.org/2000/svg" width="{size}" height="{size}" {view}>{flat}</svg>'
    png = resvg_py.svg_to_bytes(svg_string=document, skip_system_fonts=True, shape_rendering="crisp_edges")
    return np.asarray(Image.open(io.BytesIO(png)))[..., 2]


def concepts(name, parts):
    return Counter(concept(name, part.name) for part in parts)


def test_seventeen_pairs_of_different_categories_are_arranged():
    members = [name for pair in ARRANGED for name in pair]
    assert len(ARRANGED) == 17
    assert len(set(members)) == len(members)
    assert set(members) <= NAMED.keys()


@pytest.mark.parametrize("pair", ARRANGED)
def test_a_pair_has_the_same_parts(pair):
    plain = [concepts(name, sketched(name, jitter=0.0)) for name in pair]
    assert plain[0] == plain[1]
    # what is optional is there as often: of 60 individuals, 18 are more than three standard errors
    drawn = [
        Counter(part for seed in range(60) for part in concepts(name, sketched(name, seed))) for name in pair
    ]
    assert drawn[0].keys() == drawn[1].keys()
    assert all(abs(drawn[0][part] - drawn[1][part]) <= 18 for part in drawn[0])


def displacement(first, second, turn, flipped):
    """How far the parts of one kind lie apart in two drawings, less their common shift: the largest (units).

    Each drawing is a dictionary from a kind of part to its key points.
    """
    cos, sin = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    steps = []
    for kind in first:
        there = np.array(first[kind]) @ np.array([[-1.0 if flipped else 1.0, 0], [0, 1]])
        there = there @ np.array([[cos, sin], [-sin, cos]])
        apart = np.array(second[kind])[None] - there[:, None]
        steps.extend(apart[linear_sum_assignment((apart**2).sum(-1))])
    return np.linalg.norm(np.array(steps) - np.mean(steps, axis=0), axis=1).max()


def test_displacement_is_that_worked_out_by_hand():
    first = {"eye": [(-10, 0), (10, 0)], "horn": [(0, -30)]}
    same = {"eye": [(13, 5), (-7, 5)], "horn": [(3, -25)]}
    assert displacement(first, same, 0, flipped=True) == pytest.approx(0)
    # the horn goes 30 down, which is 20 more than the mean of the three
    assert displacement(first, first | {"horn": [(0, 0)]}, 0, flipped=False) == pytest.approx(20)
    turned = {"eye": [(0, -10), (0, 10)], "horn": [(30, 0)]}
    assert displacement(first, turned, 90, flipped=False) == pytest.approx(0)


@pytest.mark.parametrize("pair", ARRANGED)
def test_a_pair_has_its_parts_elsewhere_whichever_way_it_is_turned_or_flipped(pair):
    drawings = []
    for name in pair:
        at = defaultdict(list)
        for part in sketched(name, jitter=0.0):
            at[concept(name, part.name)].append(part.key_point)
        drawings.append(at)
    turns = range(-30, 31, 5)  # each of the two is turned by up to 15 degrees
    least = min(displacement(*drawings, turn, flipped) for turn in turns for flipped in (False, True))
    assert least >= 12


@pytest.mark.parametrize("name", NAMED)
def test_a_part_is_large_enough_to_be_seen(name):
    # the smallest object at 96 px: its box takes 0.75 of the side, so 100 units are 72 px
    for seed in range(3):
        for part in sketched(name, seed):
            rows, columns = np.nonzero(numbered([part], 86))
            least = 3 if concept(name, part.name) in THIN else 6
            assert min(np.ptp(rows), np.ptp(columns)) + 1 >= least, part.name


@pytest.mark.parametrize("name", NAMED)
def test_each_part_shows_at_its_key_point_and_nothing_leaves_the_box(name):
    for seed, jitter in ((0, 0.0), (1, 1.0), (2, 1.0), (3, 1.0)):
        parts = sketched(name, seed, jitter)
        seen = numbered(parts, 240)
        for number, part in enumerate(parts, 1):
            x, y = part.key_point
            assert seen[int(2 * (y + 60)), int(2 * (x + 60))] == number, part.name
        rows, columns = np.nonzero(seen)
        assert min(rows.min(), columns.min()) >= 2 * (60 - 54)
        assert max(rows.max(), columns.max()) <= 2 * (60 + 54)


def test_only_the_colours_of_the_palette_are_used():
    palette = draw_palette(np.random.default_rng(0), MAIN_STYLE)
    roles = {getattr(palette, field.name) for field in fields(palette) if field.name not in ("ground", "ink")}
    for category in CATEGORIES:
        for seed in range(5):
            sketch = Sketch(np.random.default_rng(seed), palette, MAIN_STYLE)
            category.draw(sketch)
            assert {shape.colour for part in sketch.parts for shape in part.shapes} <= roles, category.name


@pytest.mark.parametrize("name", NAMED)
def test_an_individual_is_its_seeds_and_no_two_are_alike(name):
    assert sketched(name, 5) == sketched(name, 5)
    assert sketched(name, 5) != sketched(name, 6)
    assert sketched(name, 5, jitter=0.0)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_a_symmetric_category_lies_about_its_middle_at_every_angle(name):
    assert len(SYMMETRIC) >= 6
    silhouette = numbered(sketched(name, jitter=0.0), 120) > 0
    y, x = np.nonzero(silhouette)
    radius = np.hypot(x - 59.5, y - 59.5)
    angle = np.degrees(np.arctan2(y - 59.5, x - 59.5))
    reach = [radius[(angle >= a) & (angle < a + 90)].max() for a in range(-180, 180, 90)]
    assert min(reach) >= 0.9 * max(reach)


def test_no_part_is_named_twice_in_an_object():
    for name in NAMED:
        names = [part.name for part in sketched(name)]
        assert len(set(names)) == len(names), name
