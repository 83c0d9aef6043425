"""How hard the drawn world is: what is set, once, on the error of ZFNet and before any other claim's network.

A side is that of the ordinary picture, which a network sees; an object's box has a side of 100 units.
"""

HIDDEN_SCENES = 1 / 3  # share of the scenes in which something lies in front of the object
COVERED = (0.10, 0.35)  # share of the object's area that it covers
HIDDEN_KEY_POINTS = 1 / 3  # largest share of the object's parts whose key point it may hide

DISTRACTORS = 2  # things beside the object in each scene: a lone wheel, an eye, a leaf
DISTRACTOR_SIDE = (0.15, 0.30)  # of a distractor's box, in sides
CLUTTER = (1, 3)  # fewest and most small loose pieces, up to 0.1 sides across

SMALLEST = 0.75  # side of an object's box, in sides, at least: a named part keeps 6 px of 96
# Share of an object's width or height that may lie beyond the picture, but for its jitter. The held-out
# categories share fewer arrangements than the main ones, so that a thumbnail would tell them apart at 0.05.
BEYOND = 0.05
BEYOND_HELD_OUT = 0.15
ROTATION = 15.0  # degrees, either way
STRETCH = (0.88, 1.12)  # width over height, against the drawing

BLUR = (0.25, 1.2)  # standard deviation, 1/128 sides
NOISE = (1.5, 6.5)  # standard deviation of the sensor's noise, levels of 255
CONTRAST = 0.24  # least difference in OKLCH lightness of an object's main colour and the ground's first
GROUND_PERIOD = (0.1, 0.5)  # of a ground's pattern, sides
