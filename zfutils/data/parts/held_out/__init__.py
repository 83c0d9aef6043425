"""The categories held out for transfer: known kinds of parts in new arrangements.

They are drawn in a style of their own (`HELD_OUT_STYLE`): ink lines, dusty colours, hatching. A network
trained on the main categories has seen wheels, windows, eyes and ears, but none of these things.
"""

from zfutils.data.parts.catalogue import Category
from zfutils.data.parts.held_out.animals import butterfly, crab, elephant, fish, frog, mouse, snail
from zfutils.data.parts.held_out.machines import (
    balloon,
    bicycle,
    gear,
    locomotive,
    robot,
    submarine,
    tractor,
)
from zfutils.data.parts.held_out.things import (
    cactus,
    guitar,
    lighthouse,
    mushroom,
    snowman,
    teapot,
    umbrella,
    windmill,
)

CATEGORIES = (
    Category("mouse", mouse),
    Category("frog", frog),
    Category("elephant", elephant, faces_either_way=True),
    Category("snail", snail, faces_either_way=True),
    Category("fish", fish, faces_either_way=True),
    Category("butterfly", butterfly),
    Category("crab", crab),
    Category("tractor", tractor, faces_either_way=True),
    Category("locomotive", locomotive, faces_either_way=True),
    Category("bicycle", bicycle, faces_either_way=True),
    Category("submarine", submarine, faces_either_way=True),
    Category("balloon", balloon),
    Category("robot", robot),
    Category("gear", gear),
    Category("cactus", cactus, faces_either_way=True),
    Category("mushroom", mushroom),
    Category("windmill", windmill),
    Category("lighthouse", lighthouse),
    Category("teapot", teapot, faces_either_way=True),
    Category("umbrella", umbrella, faces_either_way=True),
    Category("guitar", guitar),
    Category("snowman", snowman, faces_either_way=True),
)
