"""The camera: from a drawing and a ground to a picture, with light, soft shadows, blur and sensor noise.

All of it is array work on whole planes; what is measured in pixels scales with the picture, so that a scene
looks the same at every size.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from zfutils.data.parts.colours import Style

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
        blur=0.25 + 0.95 * level[9] ** 2,
        noise=1.5 + 5.0 * level[10] ** 2,
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
    planes = np.ascontiguousarray(drawing.transpose(2, 0, 1), dtype=np.float32) * np.float32(1 / 255)
    alpha = planes[3]
    shade, relief = _shade_and_relief(alpha, camera.light, field)
    ground = ground * (1 - np.float32(camera.shadow) * shade)
    body = planes[:3] * (1 - np.float32(camera.relief) * relief)
    rim = np.float32(camera.rim) * (alpha - _eroded(alpha, max(1, round(RIM_WIDTH * size / field))))
    body += rim * (1 - body)
    picture = ground + alpha * (body - ground)
    across = np.linspace(-0.5, 0.5, size, dtype=np.float32) * np.float32(field)
    gain = np.add.outer(camera.tilt[1] * across, camera.tilt[0] * across).astype(np.float32) + 1
    picture *= gain * np.array(camera.cast, np.float32)[:, None, None] * np.float32(255 * camera.exposure)
    picture = _blurred(picture, camera.blur * size / field / 128)
    grain = np.random.default_rng((camera.key, size)).standard_normal((size, size), np.float32)
    picture += grain * np.float32(camera.noise)
    return np.ascontiguousarray(np.clip(picture, 0, 255).astype(np.uint8).transpose(1, 2, 0))


def _shade_and_relief(alpha: Coverage, light: tuple[float, float], field: float) -> tuple[Coverage, Coverage]:
    """The shadow of what is drawn (0…1), and how far its bulging surface turns from the light (about ±0.5).

    Both are smooth, so they are worked out on a grid of `COARSE` cells a world unit.
    """
    cells = max(4, round(COARSE * field))
    coverage = _resized(alpha, cells, Image.Resampling.BOX)
    narrow, wide = _gaussian(cells, SHADOW_BLUR * COARSE), _gaussian(cells, RELIEF_BLUR * COARSE)
    shadow = _resized(narrow @ coverage @ narrow.T, len(alpha), Image.Resampling.BICUBIC)
    down, right = np.gradient(wide @ coverage @ wide.T, RELIEF_BLUR * COARSE)
    slope = (-RELIEF * (light[0] * right + light[1] * down)).astype(np.float32)
    step = SHADOW_REACH * len(alpha) / field
    shadow = _shifted(shadow, round(light[0] * step), round(light[1] * step))
    return shadow, _resized(slope, len(alpha), Image.Resampling.BICUBIC)


def _resized(plane: Coverage, side: int, how: Image.Resampling) -> Coverage:
    return np.asarray(Image.fromarray(plane).resize((side, side), how))


@lru_cache(maxsize=32)
def _gaussian(cells: int, sigma: float) -> Float[np.ndarray, "cells cells"]:
    """Weights of a Gaussian along one axis; what lies outside the picture counts as empty."""
    distance = np.arange(cells)[:, None] - np.arange(cells)
    return (np.exp(-0.5 * (distance / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))).astype(np.float32)


def _eroded(alpha: Coverage, reach: int) -> Coverage:
    """The coverage less a border of `reach` pixels."""
    size = len(alpha)
    for axis in (0, 1):
        padded = np.pad(alpha, [(reach, reach) if a == axis else (0, 0) for a in range(2)])
        padded = np.moveaxis(padded, axis, 0)
        least = np.minimum(padded[:size], padded[2 * reach :])
        alpha = np.moveaxis(np.minimum(least, padded[reach : reach + size]), 0, axis)
    return alpha


def _shifted(plane: Coverage, right: int, down: int) -> Coverage:
    moved = np.zeros_like(plane)
    rows, columns = plane.shape
    moved[max(down, 0) : rows + min(down, 0), max(right, 0) : columns + min(right, 0)] = plane[
        max(-down, 0) : rows + min(-down, 0), max(-right, 0) : columns + min(-right, 0)
    ]
    return moved


def _blurred(picture: Planes, sigma: float) -> Planes:
    """The picture through a Gaussian of at most a few pixels."""
    reach = max(1, round(2.5 * sigma))
    weights = np.exp(-0.5 * (np.arange(reach + 1) / sigma) ** 2)
    weights = (weights / (2 * weights.sum() - 1)).astype(np.float32)
    size = picture.shape[-1]
    for axis in (1, 2):
        margin = [(reach, reach) if a == axis else (0, 0) for a in range(3)]
        padded = np.moveaxis(np.pad(picture, margin, mode="edge"), axis, 0)
        blurred = weights[0] * padded[reach : reach + size]
        for k in range(1, reach + 1):
            blurred += weights[k] * (padded[reach - k :][:size] + padded[reach + k :][:size])
        picture = np.moveaxis(blurred, 0, axis)
    return picture
