"""Straight limbs: legs, arms, tubes."""

import math


def limb(x: float, y: float, to_x: float, to_y: float, half: float) -> str:
    """A straight limb from one point to another, of so much half width, as the commands of a closed curve."""
    length = math.hypot(to_x - x, to_y - y)
    a, b = half * (to_y - y) / length, half * (x - to_x) / length
    corners = (x + a, y + b), (to_x + a, to_y + b), (to_x - a, to_y - b), (x - a, y - b)
    return "M" + "L".join(f"{u:.1f} {v:.1f}" for u, v in corners) + "Z"
