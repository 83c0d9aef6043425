"""The categories held out for transfer: known kinds of parts in new arrangements.

They are drawn in a style of their own (`HELD_OUT_STYLE`): ink lines, dusty colours, hatching. A network
trained on the main categories has seen wheels, windows, eyes and ears, but none of these things.
"""

from zfutils.data.parts.catalogue import Category
from zfutils.data.parts.held_out import animals, machines, things

CATEGORIES = (
    Category("mouse", animals.mouse),
    Category("frog", animals.frog),
    Category("elephant", animals.elephant, faces_either_way=True),
    Category("snail", animals.snail, faces_either_way=True),
    Category("fish", animals.fish, faces_either_way=True),
    Category("butterfly", animals.butterfly),
    Category("crab", animals.crab),
    Category("tractor", machines.tractor, faces_either_way=True),
    Category("locomotive", machines.locomotive, faces_either_way=True),
    Category("bicycle", machines.bicycle, faces_either_way=True),
    Category("submarine", machines.submarine, faces_either_way=True),
    Category("balloon", machines.balloon),
    Category("robot", machines.robot),
    Category("gear", machines.gear),
    Category("cactus", things.cactus, faces_either_way=True),
    Category("mushroom", things.mushroom),
    Category("windmill", things.windmill),
    Category("lighthouse", things.lighthouse),
    Category("teapot", things.teapot, faces_either_way=True),
    Category("umbrella", things.umbrella, faces_either_way=True),
    Category("guitar", things.guitar),
    Category("snowman", things.snowman, faces_either_way=True),
)
