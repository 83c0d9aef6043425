"""Colours of the parts world: palettes drawn in OKLCH, independent of what is drawn with them.

In OKLCH lightness, chroma and hue are what the eye calls so; drawing there keeps every palette
harmonious and its contrasts known, whichever hue comes up.
"""

import math
from dataclasses import dataclass

import numpy as np

from zfutils.data.parts.difficulty import CONTRAST

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Style:
    """How a family of pictures is drawn: the ranges its palettes, lines and textures come from."""

    lightness: tuple[float, float]  # of an object's main colour, OKLCH
    chroma: tuple[float, float]
    ground_lightness: tuple[float, float]  # of the background
    ground_chroma: tuple[float, float]
    ground_step: tuple[float, float]  # difference in lightness of the background's two colours
    line: float  # outline width in object units (box side 100); 0 draws none
    rim: float  # how white the cut edge of what is drawn: 0 leaves it, 1 is paper
    object_textures: tuple[str, ...]
    background_textures: tuple[str, ...]


MAIN_STYLE = Style(
    lightness=(0.42, 0.86),
    chroma=(0.07, 0.17),
    ground_lightness=(0.32, 0.96),
    ground_chroma=(0.015, 0.1),
    ground_step=(0.05, 0.35),
    line=0.0,
    rim=0.85,
    object_textures=("plain", "plain", "stripes", "rings", "patches"),
    background_textures=("gradient", "clouds", "stripes", "checks", "dots", "waves", "planks"),
)

# The style of the held-out categories: ink lines, dusty colours, hatching, printed papers.
HELD_OUT_STYLE = Style(
    lightness=(0.46, 0.72),
    chroma=(0.03, 0.085),
    ground_lightness=(0.66, 0.95),
    ground_chroma=(0.008, 0.04),
    ground_step=(0.15, 0.5),
    line=2.6,
    rim=0.0,
    object_textures=("plain", "hatch", "hatch", "grid"),
    background_textures=("paper", "rings", "bricks", "zigzag"),
)


@dataclass(frozen=True)
class Palette:
    """The colours of one picture, as #rrggbb for what is drawn and as RGB in 0…1 for the background."""

    main: str
    second: str
    accent: str
    light: str
    dark: str
    shade: str  # the main colour, a little darker or lighter: texture
    ink: str  # outlines
    ground: tuple[Rgb, Rgb]  # the background's two colours


def rgb(lightness: float, chroma: float, hue: float) -> Rgb:
    """An OKLCH colour as sRGB, clipped to what a screen shows.

    Args:
        lightness: 0 (black) to 1 (white).
        chroma: 0 (grey) to about 0.3.
        hue: degrees.

    Source: B. Ottosson, "A perceptual color space for image processing", 2020.
    """
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    red, green, blue = (
        min(1.0, 12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055) if c > 0 else 0.0
        for c in linear
    )
    return red, green, blue


def hexadecimal(colour: Rgb) -> str:
    """The colour as #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*(round(255 * c) for c in colour))


def draw_palette(rng: np.random.Generator, style: Style) -> Palette:
    """One palette of a style; the ground's first colour keeps off the main one's lightness by `CONTRAST`."""

    def between(low: float, high: float) -> float:
        return low + (high - low) * rng.random()

    hue = between(0, 360)
    lightness, chroma = between(*style.lightness), between(*style.chroma)
    partner = hue + (40, 75, 140, 180, 220, 300)[rng.integers(6)]
    second = lightness + (0.17 if rng.random() < 0.5 else -0.17)
    second = min(max(second, 0.34), 0.92)
    accent = hue + between(100, 260)
    shade = lightness + (0.075 if rng.random() < 0.4 else -0.075)
    darkest, lightest = style.ground_lightness
    room_below, room_above = (
        max(0.0, lightness - CONTRAST - darkest),
        max(0.0, lightest - lightness - CONTRAST),
    )
    place = between(0, room_below + room_above)
    ground = darkest + place if place < room_below else lightness + CONTRAST + place - room_below
    ground_hue, ground_chroma = between(0, 360), between(*style.ground_chroma)
    step = between(*style.ground_step) * (1 if ground < 0.6 else -1)
    return Palette(
        main=hexadecimal(rgb(lightness, chroma, hue)),
        second=hexadecimal(rgb(second, 0.9 * chroma, partner)),
        accent=hexadecimal(rgb(between(0.55, 0.8), 1.1 * chroma, accent)),
        light=hexadecimal(rgb(between(0.88, 0.97), between(0.0, 0.05), between(0, 360))),
        dark=hexadecimal(rgb(between(0.22, 0.36), between(0.02, 0.08), between(0, 360))),
        shade=hexadecimal(rgb(shade, chroma, hue + between(-12, 12))),
        ink=hexadecimal(rgb(between(0.18, 0.3), 0.03, between(0, 360))),
        ground=(
            rgb(ground, ground_chroma, ground_hue),
            rgb(ground + step, ground_chroma, ground_hue + between(-40, 40)),
        ),
    )
