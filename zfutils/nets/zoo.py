"""The networks of the paper, and the rows of its Table 3 as edits of them (Zeiler & Fergus 2013).

The paper's ablations are edits of a network's data, so that no network is written twice.
"""

from dataclasses import replace

from zfutils.nets.geometry import Window
from zfutils.nets.specs import Convolution, Dense, NetworkSpec

_UPPER = (
    Convolution("conv3", 384, Window(3, 1, 1)),
    Convolution("conv4", 384, Window(3, 1, 1)),
    Convolution("conv5", 256, Window(3, 1, 1), Window(3, 2, 0)),
)
_DENSE = (Dense("fc6", 4096), Dense("fc7", 4096))  # both, like the upper layers, the same in both networks


def zfnet(classes: int = 1000, image: int = 224) -> NetworkSpec:
    """The paper's network, its Figure 3; the paddings are those that give the figure's sizes."""
    return NetworkSpec(
        "ZFNet",
        (
            Convolution("conv1", 96, Window(7, 2, 1), Window(3, 2, 1), norm=True),
            Convolution("conv2", 256, Window(5, 2, 0), Window(3, 2, 1), norm=True),
            *_UPPER,
        ),
        _DENSE,
        "fc8",
        classes,
        image,
    )


def krizhevsky(classes: int = 1000, image: int = 224) -> NetworkSpec:
    """Krizhevsky's network on one GPU, dense (Zeiler & Fergus 2013, §4.1), the baseline of Tables 2 and 3.

    Padding 2 in the first layer is what gives 55 at 224 px; the original is not consistent there.
    """
    return NetworkSpec(
        "Krizhevsky",
        (
            Convolution("conv1", 96, Window(11, 4, 2), Window(3, 2, 0), norm=True),
            Convolution("conv2", 256, Window(5, 1, 2), Window(3, 2, 0), norm=True),
            *_UPPER,
        ),
        _DENSE,
        "fc8",
        classes,
        image,
    )


def lenet5(classes: int = 10, image: int = 28) -> NetworkSpec:
    """LeNet-5 (LeCun 1998) as it is written today: ReLU, max pooling, a dense second convolution."""
    return NetworkSpec(
        "LeNet-5",
        (
            Convolution("conv1", 6, Window(5, 1, 2), Window(2, 2, 0)),
            Convolution("conv2", 16, Window(5, 1, 0), Window(2, 2, 0)),
        ),
        (Dense("fc3", 120), Dense("fc4", 84)),
        "fc5",
        classes,
        image,
        channels=1,
        dropout=0.0,
    )


def wide(base: NetworkSpec) -> NetworkSpec:
    """The network with 512, 1024 and 512 maps in layers 3, 4, 5 at the paper's width (Tables 2 and 3).

    Narrower networks widen by the same ratio: 4/3, 8/3 and 2.
    """
    maps = {c.name: c.maps for c in base.convolutions}
    ratios = {"conv3": (4, 3), "conv4": (8, 3), "conv5": (2, 1)}
    edited = base.with_maps(**{name: maps[name] * up // down for name, (up, down) in ratios.items()})
    return replace(edited, name=f"{base.name} 512-1024-512")


def table_3(base: NetworkSpec) -> dict[str, NetworkSpec]:
    """Every row of Table 3, as edits of `base`; the paper has the last two for ZFNet alone.

    2048 and 8192 units are half and twice the paper's 4096, at any width.
    """
    units = base.dense[0].units
    return {
        "none": base,
        "without layers 3, 4": base.without("conv3", "conv4"),
        "without layer 7": base.without("fc7"),
        "without layers 6, 7": base.without("fc6", "fc7"),
        "without layers 3, 4, 6, 7": base.without("conv3", "conv4", "fc6", "fc7"),
        "layers 6, 7: 2048 units": base.with_fc(units // 2),
        "layers 6, 7: 8192 units": base.with_fc(units * 2),
        "layers 3, 4, 5: 512, 1024, 512 maps": wide(base),
        "layers 6, 7: 8192 units; 3, 4, 5: 512, 1024, 512 maps": wide(base).with_fc(units * 2),
    }


# The rows that the paper has: it widens no convolution of Krizhevsky's and takes no layer from ZFNet.
_EDITS = tuple(table_3(zfnet()))
ROWS = {"krizhevsky": _EDITS[:7], "zfnet": (_EDITS[0], *_EDITS[5:])}
NETWORKS = {"zfnet": zfnet, "krizhevsky": krizhevsky, "lenet5": lenet5}
