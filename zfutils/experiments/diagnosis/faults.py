"""The faults that are made: what is done, and what whoever finds one would do.

The names are those of an edition's networks.
"""

from typing import NamedTuple

HEALTHY = "healthy"
WITH_DROPOUT = "few digits"  # no fault: what the next one is without dropout
NO_DROPOUT = "few digits, no dropout"
SHUFFLED = "shuffled labels"
FAST = "rate too high"
LEAK = "leaking mark"
COARSE = "coarse first layer"


class Fault(NamedTuple):
    """A fault, in words."""

    done: str
    remedy: str


FAULTS = {
    NO_DROPOUT: Fault(
        "half as many digits, for twice as many epochs, and no dropout",
        "more images, dropout, augmentation; stop earlier",
    ),
    SHUFFLED: Fault("labels shuffled among the training digits", "look at images beside their labels"),
    FAST: Fault("a rate two and a half times as high", "lower the rate; look at the loss of single steps"),
    LEAK: Fault(
        "a mark at the edge whose position gives the digit away, in validation digits too",
        "cover or remove what is beside the object, and test on images from elsewhere",
    ),
    COARSE: Fault(
        "a first layer of 7×7 at stride 2 in place of 5×5 at stride 1", "a smaller kernel and stride"
    ),
}
KINDS = (HEALTHY, WITH_DROPOUT, *FAULTS)
