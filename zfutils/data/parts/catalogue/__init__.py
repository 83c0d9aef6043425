"""The categories of the main networks: which parts they have and how these are arranged.

Categories share their parts (eyes, ears, horns; wheels, windows, lamps; leaves, fruit) and differ by which
parts there are and where they sit, never by colour. The two of a pair in `ARRANGED` have the same parts, so
that the arrangement alone tells them apart. Each function draws one object into a sketch, in object units.
"""

from collections.abc import Callable
from dataclasses import dataclass

from zfutils.data.parts.catalogue import animals, buildings, objects, plants, vehicles
from zfutils.data.parts.shapes import Sketch


@dataclass(frozen=True)
class Category:
    """A category: its name, how it is drawn, and whether it may face either way."""

    name: str
    draw: Callable[[Sketch], None]
    faces_either_way: bool = False


CATEGORIES = (
    Category("cat", animals.cat),
    Category("dog", animals.dog),
    Category("rabbit", animals.rabbit),
    Category("bear", animals.bear),
    Category("owl", animals.owl),
    Category("car", vehicles.car, faces_either_way=True),
    Category("bus", vehicles.bus, faces_either_way=True),
    Category("truck", vehicles.truck, faces_either_way=True),
    Category("tree", plants.tree),
    Category("fir", plants.fir),
    Category("flower", plants.flower),
    Category("house", buildings.house, faces_either_way=True),
    Category("castle", buildings.castle),
    Category("clock", objects.clock),
    Category("ball", objects.ball),
    Category("boat", vehicles.boat, faces_either_way=True),
    Category("monkey", animals.monkey),
    Category("unicorn", animals.unicorn),
    Category("rhino", animals.rhino),
    Category("goat", animals.goat),
    Category("boar", animals.boar),
    Category("doll", animals.doll),
    Category("clown", animals.clown),
    Category("police car", vehicles.police_car, faces_either_way=True),
    Category("double-decker", vehicles.double_decker, faces_either_way=True),
    Category("tank", vehicles.tank, faces_either_way=True),
    Category("rocket", vehicles.rocket),
    Category("plane", vehicles.plane),
    Category("fan", plants.fan),
    Category("palm", plants.palm),
    Category("vine", plants.vine),
    Category("flowerpot", plants.flowerpot),
    Category("hanging basket", plants.hanging_basket),
    Category("wreath", plants.wreath),
    Category("holly", plants.holly),
    Category("barn", buildings.barn, faces_either_way=True),
    Category("well", buildings.well),
    Category("stilt house", buildings.stilt_house),
    Category("sun", objects.sun),
    Category("cartwheel", objects.cartwheel),
    Category("oven", objects.oven, faces_either_way=True),
    Category("television", objects.television, faces_either_way=True),
)

ARRANGED = (
    ("rabbit", "dog"),
    ("bear", "monkey"),
    ("unicorn", "rhino"),
    ("goat", "boar"),
    ("doll", "clown"),
    ("car", "police car"),
    ("bus", "double-decker"),
    ("truck", "tank"),
    ("rocket", "plane"),
    ("palm", "vine"),
    ("flowerpot", "hanging basket"),
    ("wreath", "holly"),
    ("flower", "fan"),
    ("house", "barn"),
    ("well", "stilt house"),
    ("sun", "cartwheel"),
    ("television", "oven"),
)
"""Pairs of categories that have the same parts in another arrangement."""

SYMMETRIC = ("flower", "wreath", "holly", "clock", "ball", "sun", "cartwheel")
"""Categories that look the same, in all or roughly, at several angles."""
