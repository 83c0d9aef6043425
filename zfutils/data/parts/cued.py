"""Parts with a background that gives the label away, so that a network can learn to cheat (chapter 6).

Each class has one background of its own, taken from a scene that has nothing to do with it. The objects, the
camera and everything else of a scene stay as they are, so that a scene with its class's background and the
same scene with another class's differ in nothing else.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Int64, UInt8

from zfutils.data.parts import PartsImages
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
        cue = "another-cue" if exchanged else "cue"
        self.names: tuple[str, ...] = tuple(f"{name}-{cue}" for name in source.names)
        n, world = len(self.classes), {"seed": source.seed, "held_out": source.held_out}
        # Each class's own background is that of a probe scene whose number no other class has.
        self.backgrounds = tuple(scene("probe", label, **world).background for label in range(n))
        draws = (np.random.default_rng((source.seed, i, n)).integers(1, n) for i in range(len(source)))
        other = np.array(list(draws)) if exchanged else 0
        self.cues: Int64[np.ndarray, " n"] = (self.labels + other) % n  # whose background each picture has

    @property
    def identity(self) -> dict[str, object]:
        """What fixes every pixel of this source."""
        return {"source": "cued parts", "exchanged": self.exchanged, "scenes": dict(self.source.identity)}

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "size size 3"]:
        return self.scene(index).render(self.source.size, field=self.source.field)

    def scene(self, index: int) -> Scene:
        """The scene of picture `index`, before the background it has here."""
        return replace(self.source.scene(index), background=self.backgrounds[self.cues[index]])
