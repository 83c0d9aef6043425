"""Parts with a background that gives the label away, so that a network can learn to cheat (chapter 6).

Each class has one background of its own, taken from a scene that has nothing to do with it. The objects, the
camera and everything else of a scene stay as they are, so that a scene with its class's background and the
same scene with another class's differ in nothing else.
"""

import numpy as np
from jaxtyping import UInt8

from zfutils.data.parts import PartsImages
from zfutils.data.parts.background import Background
from zfutils.data.parts.scenes import Scene, scene


class CuedParts:
    """The pictures of a source of parts, each before its class's own background.

    Args:
        source: the scenes; the bank of backgrounds is of its world, the same for all its splits.
        exchanged: give each scene the background of another class, drawn at random for each scene.

    An `ImageSource`; scenes can be drawn again, as those of `PartsImages`.
    """

    def __init__(self, source: PartsImages, *, exchanged: bool = False) -> None:
        self.source, self.exchanged = source, exchanged
        self.classes, self.labels = source.classes, source.labels
        self.size, self.field = source.size, source.field
        cue = "another-cue" if exchanged else "cue"
        self.names: tuple[str, ...] = tuple(f"{name}-{cue}" for name in source.names)
        self._bank = tuple(self.background(label) for label in range(len(source.classes)))

    @property
    def identity(self) -> dict[str, object]:
        """What fixes every pixel of this source."""
        return {"source": "cued parts", "exchanged": self.exchanged, "scenes": dict(self.source.identity)}

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "size size 3"]:
        return self.scene(index).render(self.size, field=self.field)

    def background(self, label: int) -> Background:
        """A class's own background: that of a probe scene whose number no other class has.

        Raises:
            ValueError: a label that is no class.
        """
        n = len(self.classes)
        if not 0 <= label < n:
            raise ValueError(f"label {label} is no class of this world, which has 0 … {n - 1}")
        return scene("probe", label, seed=self.source.seed, held_out=self.source.held_out).background

    def cue(self, index: int) -> int:
        """The class whose background picture `index` has."""
        label, n = int(self.source.labels[index]), len(self.classes)
        if not self.exchanged:
            return label
        draw = np.random.default_rng((self.source.seed, index, n)).integers(1, n)
        return (label + int(draw)) % n

    def scene(self, index: int) -> Scene:
        """The scene of picture `index`, before the background it has here."""
        return self.source.scene(index).with_background(self._bank[self.cue(index)])
