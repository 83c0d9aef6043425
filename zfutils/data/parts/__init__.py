"""Parts: a rendered world whose truth is known, so that what a method claims to see can be checked.

Categories made of shared parts for the main networks and others held out for transfer, each scene a small
SVG document rendered by resvg on a ground that has nothing to do with the category. How hard it is stands in
`zfutils.data.parts.difficulty`.
"""

from zfutils.data.parts.difficulty import SMALLEST
from zfutils.data.parts.drawn import DrawnImages
from zfutils.data.parts.scenes import Scene, categories, scene

__all__ = ["PartsImages", "Scene", "categories", "scene"]


class PartsImages(DrawnImages):
    """The first n pictures of a split of the parts world, drawn on access; arguments as `DrawnImages`.

    `held_out` draws the categories held out for transfer, in their own style.
    """

    def __init__(
        self, split: str, *, n: int, size: int, seed: int = 0, held_out: bool = False, field: float = 1.0
    ) -> None:
        kind = "held-out" if held_out else "main"
        super().__init__(split, n=n, size=size, seed=seed, field=field, held_out=held_out, kind=kind)

    @property
    def identity(self) -> dict[str, object]:
        """What fixes every pixel of this source."""
        drawn = self._fixed("version", "split", "n", "size", "seed", "held_out", "field")
        return {"source": "parts"} | drawn | {"smallest": SMALLEST}

    def _scene(self, index: int) -> Scene:
        return scene(self.split, index, seed=self.seed, held_out=self.held_out)
