"""Windows of pixels as pictures: the contrast of projections, and tiles side by side.

What figures and atlas share. The one idea: all projections of a map are on one scale, so that a weaker
activation looks weaker, and colours stay as they are.
"""

import re

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8
from PIL import Image

from zfutils.deconv.top_projections import TopProjections

PERCENTILE = 99.5
CONTRAST = (
    "Mid-grey is 0; one scale for all projections of a map: full contrast at the "
    f"{PERCENTILE:g}th percentile of their absolute values, what lies beyond it clipped."
)
GUTTER = 214  # grey level between tiles, apart from a white picture and from mid-grey
OUTSIDE, HATCH = 247, 208  # grey levels of what lies outside the picture, and of the lines across it


def shades(
    projections: Float[np.ndarray, "k side side channels"], inside: Bool[np.ndarray, "k side side"]
) -> Float[np.ndarray, "k side side channels"]:
    """Projections of one map as colours between 0 and 1, all on one scale: the rule of `CONTRAST`.

    Args:
        projections: any unit; zero is shown mid-grey, 0.5 + 0.5 p / scale, clipped.
        inside: the pixels that lie in the picture; the scale is the percentile over these and their colours.

    Returns:
        Colours in the same arrangement; all mid-grey where all projections are zero.
    """
    strength = np.abs(projections[inside])
    scale = float(np.percentile(strength, PERCENTILE)) if strength.size else 0.0
    if scale == 0:  # a few bright pixels among thousands of zeros
        scale = float(strength.max(initial=0)) or 1.0
    return np.clip(0.5 + 0.5 * np.asarray(projections, np.float32) / scale, 0, 1)


def eight_bits(colours: Float[np.ndarray, "*shape"]) -> UInt8[np.ndarray, "*shape"]:
    """Colours between 0 and 1 as bytes."""
    return np.rint(255 * colours).astype(np.uint8)


def in_colour(pixels: Shaped[np.ndarray, "*shape channels"]) -> Shaped[np.ndarray, "*shape 3"]:
    """Pixels of three channels as they are, others in grey: the mean of their channels."""
    if pixels.shape[-1] not in (1, 3):
        pixels = pixels.mean(-1, keepdims=True).astype(pixels.dtype)
    return np.broadcast_to(pixels, (*pixels.shape[:-1], 3))


def block(
    tiles: UInt8[np.ndarray, "k side side 3"],
    inside: Bool[np.ndarray, "k side side"],
    *,
    tile: int,
    gap: int,
    columns: int | None = None,
) -> UInt8[np.ndarray, "h w 3"]:
    """Tiles in reading order, in a square unless told; what lies outside is hatched.

    Args:
        tiles: colours of 8 bits.
        inside: pixels that are shown.
        tile: side of a tile (screen pixels): a multiple of the window's side repeats its pixels, fewer are
            averaged.
        gap: between tiles (screen pixels).
        columns: tiles in a line.
    """
    count = len(tiles)
    columns = columns or int(np.ceil(np.sqrt(count)))
    lines, step = -(-count // columns), tile + gap
    page = np.full((lines * step - gap, columns * step - gap, 3), GUTTER, np.uint8)
    for place, (colours, shown) in enumerate(zip(tiles, inside, strict=True)):
        top, left = (step * index for index in divmod(place, columns))
        part = hatched(_resized(colours, tile), _resized(shown, tile))
        page[top : top + tile, left : left + tile] = part
    return page


def hatched(
    colours: UInt8[np.ndarray, "h w 3"], inside: Bool[np.ndarray, "h w"]
) -> UInt8[np.ndarray, "h w 3"]:
    """A picture with grey lines on near white where nothing is to be shown."""
    if inside.all():
        return colours
    y, x = np.indices(inside.shape)
    lines = np.where((x + y) % 7 == 0, HATCH, OUTSIDE).astype(np.uint8)
    return np.where(inside[..., None], colours, lines[..., None])


def _resized(tile: np.ndarray, side: int) -> np.ndarray:
    old = tile.shape[0]
    if side % old == 0:
        return tile.repeat(side // old, 0).repeat(side // old, 1)
    if tile.dtype == bool:
        return tile[np.ix_(*[np.arange(side) * old // side] * 2)]
    how = Image.Resampling.LANCZOS if side < old else Image.Resampling.NEAREST
    return np.asarray(Image.fromarray(tile).resize((side, side), how))


def colours_and_mask(top: TopProjections, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is shown of one map: projections and patches of 8 bits, and which of their pixels are shown.

    A pixel is not shown that lies outside the picture, nor a tile whose activation is zero.

    Args:
        top: of a layer.
        index: of the map in `top`, not its number in the layer.
    """
    answered = np.asarray(top.strongest.values[index]) > 0
    inside = top.inside[index] & answered[:, None, None]
    colours = eight_bits(shades(top.projections[index], inside))
    return in_colour(colours), in_colour(top.patches[index]), inside


def check(top: TopProjections) -> None:
    """Refuses projections without maps or whose arrays do not belong together; names their shapes.

    Raises:
        ValueError: that, or patches that are not of 8 bits.
    """
    values = tuple(np.shape(top.strongest.values))
    expected = (len(top.maps), *values[1:], *[np.shape(top.inside)[-1]] * 2)
    shapes = {n: tuple(np.shape(getattr(top, n))) for n in ("projections", "patches", "inside")}
    whole = (*expected, *shapes["patches"][-1:])
    fit = shapes == {"projections": whole, "patches": whole, "inside": expected}
    if not fit or values[0] != len(top.maps) or 0 in expected:
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(
            f"layer {top.strongest.layer!r}: {len(top.maps)} maps with values of shape {values} need "
            f"(maps, k, side, side) and as many channels in both, got {found}"
        )
    if np.asarray(top.patches).dtype != np.uint8:
        raise ValueError(f"layer {top.strongest.layer!r}: patches are uint8, not {top.patches.dtype}")


def words(layer: str) -> str:
    """A layer's name in the paper's words: relu3 is layer 3; another name stays as it is."""
    match = re.fullmatch(r"relu(\d+)", layer)
    return f"layer {match[1]}" if match else layer


def titled(layer: str) -> str:
    """The same at the beginning of a line; names of modules stay as they are."""
    name = words(layer)
    return name if name == layer else name.capitalize()
