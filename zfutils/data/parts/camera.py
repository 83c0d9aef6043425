"""The camera: from a drawing and a ground to a picture, with light, soft shadows, blur and sensor noise.

All of it is array work on whole planes; what is measured in pixels scales with the picture, so that a scene
looks the same at every size.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8

from zfutils.data.parts.colours import Style
from zfutils.data.parts.difficulty import BLUR, NOISE

Planes = Float[np.ndarray, "3 size size"]
Coverage = Float[np.ndarray, "size size"]

COARSE = 48  # cells a world unit of the grid that shadows and relief are worked out on
SHADOW_BLUR, SHADOW_REACH = 0.017, 0.025  # world units: standard deviation, offset
RELIEF_BLUR = 0.055  # world units: how far from its edge a shape bulges
RIM_WIDTH = 0.012  # world units
RELIEF = 2.4  # of the slope, per unit of `Camera.relief`


@dataclass(frozen=True)
class Camera:
    """How one picture is taken."""

    exposure: float  # gain
    tilt: tuple[float, float]  # change of gain across the picture, to the right and downwards
    cast: tuple[float, float, float]  # gain of red, green, blue
    light: tuple[float, float]  # where the light goes: right and down, unit length
    shadow: float  # 0…1, how dark
    relief: float  # strength of the shading that makes flat shapes look round
    rim: float  # 0…1, how white the cut edge of what is drawn
    blur: float  # standard deviation, in 1/128 of the picture
    noise: float  # standard deviation of the sensor's noise, in levels of 255
    key: int  # of the noise


def draw_camera(rng: np.random.Generator, style: Style) -> Camera:
    """A random camera: mild light from above, little blur, little noise."""
    level = rng.random(12)
    angle = np.pi * (0.2 + 0.6 * level[0])  # downwards, to the right or to the left
    return Camera(
        exposure=0.86 + 0.24 * level[1],
        tilt=(0.36 * (level[2] - 0.5), 0.36 * (level[3] - 0.5)),
        cast=(0.95 + 0.1 * level[4], 0.97 + 0.06 * level[5], 0.94 + 0.12 * level[6]),
        light=(float(np.cos(angle)), float(np.sin(angle))),
        shadow=0.25 + 0.3 * level[7],
        relief=0.5 + 0.5 * level[8],
        rim=style.rim,
        blur=BLUR[0] + (BLUR[1] - BLUR[0]) * level[9] ** 2,
        noise=NOISE[0] + (NOISE[1] - NOISE[0]) * level[10] ** 2,
        key=int(rng.integers(2**31)),
    )


def take(
    camera: Camera,
    ground: Planes,
    drawing: UInt8[np.ndarray, "size size 4"],
    *,
    field: float = 1.0,
) -> UInt8[np.ndarray, "size size 3"]:
    """The picture of a drawing that lies on a ground.

    Args:
        camera: light, shadow, blur, noise.
        ground: RGB in 0…1.
        drawing: RGBA as resvg gives it, not premultiplied.
        field: side of what is seen, in world units.
    """
    size = ground.shape[-1]
    body, alpha = np.split(np.ascontiguousarray(drawing.transpose(2, 0, 1), dtype=np.float32), [3])
    alpha = alpha[0] * np.float32(1 / 255)
    shade, relief = _shade_and_relief(alpha, camera.light, field)
    rim = np.float32(camera.rim) * (alpha - _eroded(alpha, max(1, round(RIM_WIDTH * size / field))))
    across = np.linspace(-0.5, 0.5, size, dtype=np.float32) * np.float32(field)
    gain = np.add.outer(camera.tilt[1] * across, camera.tilt[0] * across) + np.float32(1)
    # what goes for all colours alike is worked out on single planes
    drawn = gain * alpha
    picture = ground * (np.float32(255) * (gain - drawn) * (1 - np.float32(camera.shadow) * shade))
    body *= drawn * (1 - np.float32(camera.relief) * relief) * (1 - rim)
    picture += body
    picture += 255 * drawn * rim
    picture *= np.array(camera.cast, np.float32)[:, None, None] * np.float32(camera.exposure)
    picture = _blurred(picture, camera.blur * size / field / 128)
    grain = np.random.default_rng((camera.key, size)).standard_normal((size, size), np.float32)
    grain *= np.float32(camera.noise)
    picture += grain
    np.clip(picture, 0, 255, out=picture)
    return np.ascontiguousarray(picture.astype(np.uint8).transpose(1, 2, 0))


def _shade_and_relief(alpha: Coverage, light: tuple[float, float], field: float) -> tuple[Coverage, Coverage]:
    """The shadow of what is drawn (0…1), and how far its bulging surface turns from the light (about ±0.5).

    Both are smooth, so they are worked out on a grid of `COARSE` cells a world unit.
    """
    size, cells = len(alpha), max(4, round(COARSE * field))
    coarse = _means(size, cells)
    coverage = coarse @ alpha @ coarse.T
    shadow = _spread(size, cells, SHADOW_BLUR * COARSE, slope=False)
    bulge, slope = (_spread(size, cells, RELIEF_BLUR * COARSE, slope=k) for k in (False, True))
    across, down = bulge @ coverage @ slope.T, slope @ coverage @ bulge.T
    relief = np.float32(-RELIEF * light[0]) * across + np.float32(-RELIEF * light[1]) * down
    step = SHADOW_REACH * size / field
    cast = _shifted(shadow @ coverage @ shadow.T, round(light[0] * step), round(light[1] * step))
    return cast, relief


@lru_cache(maxsize=32)
def _means(size: int, cells: int) -> Float[np.ndarray, "cells size"]:
    """Weights of the pixels along one side in the means over so many cells."""
    ends = np.arange(cells + 1) * size / cells
    low, high = np.arange(size), np.arange(1, size + 1)
    shared = np.minimum(high, ends[1:, None]) - np.maximum(low, ends[:-1, None])
    return (np.clip(shared, 0, None) * cells / size).astype(np.float32)


@lru_cache(maxsize=32)
def _spread(size: int, cells: int, sigma: float, *, slope: bool) -> Float[np.ndarray, "size cells"]:
    """Weights of cells along one side in a Gaussian of `sigma` cells at each pixel, or in its slope.

    What lies outside the picture counts as empty; the slope is per cell, over `sigma`.
    """
    pixels = (np.arange(size) + 0.5) * cells / size - 0.5
    distance = (pixels[:, None] - np.arange(cells)) / sigma
    weights = np.exp(-0.5 * distance**2) / (sigma * np.sqrt(2 * np.pi))
    return (-distance / sigma**2 * weights if slope else weights).astype(np.float32)


def _eroded(alpha: Coverage, reach: int) -> Coverage:
    """The coverage less a border of `reach` pixels; it goes on beyond the picture's edge."""
    for _ in range(2):  # along columns, and back
        least = alpha.copy()
        np.minimum(least[reach:], alpha[:-reach], out=least[reach:])
        np.minimum(least[:-reach], alpha[reach:], out=least[:-reach])
        alpha = least.T
    return alpha


def _shifted(plane: Coverage, right: int, down: int) -> Coverage:
    moved = np.zeros_like(plane)
    rows, columns = plane.shape
    moved[max(down, 0) : rows + min(down, 0), max(right, 0) : columns + min(right, 0)] = plane[
        max(-down, 0) : rows + min(-down, 0), max(-right, 0) : columns + min(-right, 0)
    ]
    return moved


def _blurred(picture: Planes, sigma: float) -> Planes:
    """The picture through a Gaussian of at most a few pixels; it goes on beyond its edge."""
    reach = max(1, round(2.5 * sigma))
    weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    weights = (weights / (2 * weights.sum() - 1)).astype(np.float32)
    size = picture.shape[-1]
    for axis in (1, 2):
        edges = [np.take(picture, [end], axis).repeat(reach, axis) for end in (0, size - 1)]
        padded = np.concatenate([edges[0], picture, edges[1]], axis)
        views = [padded[:, k : k + size] if axis == 1 else padded[:, :, k : k + size]
                 for k in range(2 * reach + 1)]  # fmt: skip
        picture = weights[0] * views[reach]
        for k in range(1, reach + 1):
            pair = views[reach - k] + views[reach + k]
            pair *= weights[k]
            picture += pair
    return picture
