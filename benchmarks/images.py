"""Pictures of the parts world drawn in a second, on one core."""

from benchmarks import Options, row, side_by_side
from zfutils.data.parts import PartsImages

REACH = 150  # pictures a second and core, of a training split
SIDES = (128, 144)


def measure(options: Options) -> list[dict[str, object]]:
    """Rate at either size, training split, in this process alone."""
    each = max(1, options.pictures // options.pairs)
    rows = []
    for side in SIDES:
        source = PartsImages("train", n=2 * each * options.pairs, size=side)
        pictures = iter(source)
        draw = {"draw": lambda pictures=pictures: next(pictures)}
        seconds = side_by_side(draw, pairs=options.pairs, times=each, before=each // 10)["draw"]
        rates = [1 / s for s in seconds]
        name = f"parts drawn at {side} px"
        rows.append(row(name, rates, "pictures/s, one core", options, reach=REACH) | {"precision": None})
    return rows
