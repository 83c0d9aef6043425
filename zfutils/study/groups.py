"""The parts of an edition that are studies of their own: other pictures, other networks, another folder.

The rows of Table 3, what was tried of their recipe, networks for single chapters, digits, and the source of
the transfer: each is the edition again with some of its profile exchanged, and trains and is found likewise.
Where an edition lacks the section that names a group of networks, the group has none.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Self

from zfutils.nets.zoo import ROWS
from zfutils.study.edition import Edition
from zfutils.study.plans import DEPTHS, deep_name
from zfutils.study.sections import Run

SMALL = "zfnet: none"  # among the small networks, the one that chapter 9 transfers


@dataclass(frozen=True)
class Groups(Edition):
    """An edition with its parts; `Networks` adds what trains and finds them."""

    @cached_property
    def small(self) -> Self:
        """The edition's many small networks, as a study of its own, with images of their size.

        Where these are the edition's own images, they and the networks are shared with it.

        Its networks are the rows that Table 3 has for either network, such as "krizhevsky: without layer 7".

        Raises:
            ValueError: the edition has no small networks.
        """
        small = self.profile.small
        if small is None:
            raise ValueError(f"the edition {self.edition} has no section 'small'")
        images = self.profile.images.model_copy(update=small.images.model_dump(exclude_unset=True))
        networks = {}
        for base, row in ((base, row) for base, rows in ROWS.items() for row in rows):
            name, seeds = f"{base}: {row}", small.seeds_of.get(row, small.seeds)
            trained = small.trained and small.trained.seeds_of(name)
            networks[name] = Run(base=base, row=row, seeds=seeds, trained=trained, training=small.training)
        own = {"images": images, "network": small.network, "training": small.training, "networks": networks}
        folder = self.folder if images == self.profile.images else self.folder / "small"
        return replace(self.changed(**own, small=None), folder=folder)

    @cached_property
    def settings(self) -> Self:
        """The small networks by other settings of their recipe, of which it was chosen."""
        return self._apart("settings")

    @cached_property
    def filters(self) -> Self:
        """Small networks whose filters chapters 1 and 2 look at: under several radii, with a full layer 1."""
        return self._apart("filters")

    @cached_property
    def pooling(self) -> Self:
        """Small networks compared under shifts (chapter 12): coarse, fine, and fine with blurred pooling."""
        return self._apart("pooling")

    @cached_property
    def depth(self) -> Self:
        """Four layers against eight, by the number of pictures and in a wider network, no page's to train."""
        depth = self.profile.small and self.profile.small.depth
        if not depth:
            return self.changed(networks={})
        how = {"base": "krizhevsky", "trained": (), "training": self.small.profile.training}
        networks = {}
        for layers, row in DEPTHS.items():
            for n in depth.train:
                networks[deep_name(layers, n)] = Run(row=row, pictures=n, seeds=depth.seeds, **how)
            most, seeds = depth.train[-1], depth.wider_seeds or depth.seeds
            networks[deep_name(layers, most, wider=True)] = Run(
                row=row, pictures=most, seeds=seeds, network=depth.wider, **how
            )
        return self.small.changed(networks=networks)

    @cached_property
    def digits(self) -> Self:
        """The edition's networks on handwritten digits, as a study of its own.

        Raises:
            ValueError: the edition has none.
        """
        digits = self.profile.digits
        if digits is None:
            raise ValueError(f"the edition {self.edition} has no section 'digits'")
        own = {name: getattr(digits, name) for name in ("images", "network", "training", "networks")}
        return replace(self.changed(**own, small=None, transfer=None), folder=self.folder / "digits")

    @cached_property
    def faults(self) -> Self:
        """LeNet-5 on few digits with a fault of its training each, and without (chapter 13)."""
        digits = self.profile.digits
        return self.digits.changed(networks=digits.faults) if digits else self.changed(networks={})

    @cached_property
    def faults_on_pictures(self) -> Self:
        """Small ZFNets with the same faults, which no page trains."""
        return self._apart("faults")

    @cached_property
    def cheats(self) -> Self:
        """A small network that learnt what is around the objects, and honest ones, which no page trains.

        None where it is not known where the objects of the pictures are.
        """
        found = self._apart("cheats")
        known = found.profile.images.source == "parts" or found.boxed
        return found if known else found.changed(networks={})

    def _apart(self, group: Literal["settings", "filters", "pooling", "faults", "cheats"]) -> Self:
        """A group of the small networks that no page trains, as a study of its own."""
        small = self.profile.small
        if small is None:
            return self.changed(networks={})
        runs = getattr(small, group).items()
        untrained = {name: run.model_copy(update={"trained": ()}) for name, run in runs}
        return self.small.changed(networks=untrained)

    @cached_property
    def transferred(self) -> Self:
        """The study of the network whose features chapter 9 tries elsewhere, `SMALL`, and of its target.

        It is that of the small networks, with the network alone and with the source's own pictures where the
        edition names such.

        Raises:
            ValueError: the edition has no small networks, or no transfer.
        """
        small, source = self.small, self._transfer.source
        if source is None:
            return small
        own = source.model_dump(exclude_unset=True, exclude={"training"})
        images = small.profile.images.model_copy(update=own)
        networks = {SMALL: Run(training=source.training)}
        return replace(small.changed(images=images, networks=networks), folder=self.folder / "source")

    @property
    def located(self) -> tuple[Self, str] | None:
        """A study whose pictures' objects have known places, and the network of it that sees them; or None.

        Drawn pictures are the edition's own; of photographs, those of the transfer's source may have boxes.
        """
        if self.profile.images.source == "parts":
            return self, "zfnet"
        if self.profile.transfer is None or self.profile.small is None:
            return None
        source = self.transferred
        return (source, SMALL) if source.boxed else None
