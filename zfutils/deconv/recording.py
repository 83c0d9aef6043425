"""What a network answered to images, from which single activations are brought back to pixels.

The way up leaves a trace, the switches of every pooling and what each ReLU let pass; the way down follows it,
on whole images or on the windows of single units. The ways themselves are `deconvnet.Deconvnet`'s.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from zfutils.deconv.top_activations import rounded
from zfutils.deconv.units import Projections, Units
from zfutils.deconv.unpooling import Frame


class Trace(NamedTuple):
    """What the way up leaves for the way down."""

    switches: dict[str, Tensor]  # by pooling: uint8 (n, maps, h, w), row × kernel + column in its window
    signs: dict[str, Tensor]  # by ReLU: whether it let the activation pass; kept where it matters
    sizes: list[tuple[int, int]]  # height and width of every step's input, and of the last one's output
    frames: list[Frame] | None  # of every step's input, and of the last one's output; none: whole images

    def of(self, images: Tensor) -> "Trace":
        """The same for some of the images."""
        switches, signs = ({n: t[images] for n, t in kept.items()} for kept in (self.switches, self.signs))
        return self._replace(switches=switches, signs=signs)


@dataclass(frozen=True)
class Recording:
    """What a network answered to images, with all that the way back needs."""

    deconvnet: Any  # the `deconvnet.Deconvnet` that recorded it, whose ways up and down these are
    layer: str
    activations: Float[Tensor, "n maps *place"]  # (n, maps, h, w), or (n, units)
    trace: Trace

    @property
    def switches(self) -> dict[str, UInt8[Tensor, "n maps h w"]]:
        """By pooling layer: the place of each maximum in its window, row × kernel + column."""
        return self.trace.switches

    def with_switches(self, switches: Mapping[str, UInt8[Tensor, "n maps h w"]]) -> "Recording":
        """The same recording with other switches, those of other images say; all else stays its own.

        Args:
            switches: by pooling layer, as `switches` gives them.

        Raises:
            ValueError: another number of images, or poolings other than the recording's own.
        """
        own, other = ({n: tuple(t.shape) for n, t in kept.items()} for kept in (self.switches, switches))
        if own != other:
            raise ValueError(f"{self.layer} has switches of {own}, not of {other}")
        return replace(self, trace=self.trace._replace(switches=dict(switches)))

    @property
    def _end(self) -> int:
        return self.deconvnet.index(self.layer)

    @torch.no_grad()
    def project(self, units: Units, *, batch: int = 32) -> Projections:
        """Pixel patterns of single activations, each on its window.

        Args:
            units: which activations; a unit of a fully connected layer sees the whole image.
            batch: units at a time; bounds the memory.

        Raises:
            ValueError: a unit that is not there.
        """
        units = units.on(self.activations.device)
        self.deconvnet._check(units, self.layer, self.activations, self._end, self.trace.sizes)
        if self.activations.ndim == 2:
            return Projections.joined([self._from_vector(part) for part in units.split(batch)])
        return Projections.joined([self._on_windows(part) for part in units.split(batch)])

    def _from_vector(self, units: Units) -> Projections:
        values = self.activations[units.images, units.maps]
        seed = torch.zeros_like(self.activations[units.images])
        seed.scatter_(1, units.maps[:, None], values[:, None])
        pixels = self.deconvnet._down(seed, self._end, self.trace.of(units.images))
        return Projections(pixels, torch.zeros_like(units.rows), torch.zeros_like(units.rows), values)

    def _on_windows(self, units: Units) -> Projections:
        frames = self.deconvnet._frames(units, self._end, self.trace.sizes)
        trace = Trace({}, {}, self.trace.sizes, frames)
        for i, step in enumerate(self.deconvnet.steps[: self._end + 1]):
            for here, whole in ((trace.switches, self.trace.switches), (trace.signs, self.trace.signs)):
                if step.name in whole:
                    here[step.name] = frames[i + 1].cut(whole[step.name], units.images, zero_outside=False)
        activations = self.activations[units.images, :, units.rows, units.columns]
        return self.deconvnet._seeded(activations, self._end, units, trace)

    def strongest(self, maps: Int64[Tensor, " n"] | int) -> Units:
        """The strongest activation of a map in each image; of equals the first, as `top_activations` has it.

        Args:
            maps: one for all images, or one for each.

        Raises:
            ValueError: a map that is not there, or another number of maps.
        """
        units = self._of_maps(maps)
        found = self.activations[units.images, units.maps]
        place = rounded(found.reshape(len(found), -1)).argmax(1)
        width = self.activations.shape[3] if self.activations.ndim == 4 else 1
        return units._replace(rows=place // width, columns=place % width)

    @torch.no_grad()
    def project_maps(self, maps: Int64[Tensor, " n"] | int) -> Float[Tensor, "n channels h w"]:
        """The pattern of all activations of one map in each image, seeded at once.

        Args:
            maps: one for all images, or one for each.

        Raises:
            ValueError: a map that is not there, or another number of maps.
        """
        at = self._of_maps(maps)[:2]
        seed = torch.zeros_like(self.activations)
        seed[at] = self.activations[at]
        return self.deconvnet._down(seed, self._end, self.trace)

    def _of_maps(self, maps: Int64[Tensor, " n"] | int) -> Units:
        """The first unit of a map in each image."""
        n, maps = len(self.activations), torch.as_tensor(maps, device=self.activations.device)
        if maps.shape not in ((), (n,)):
            raise ValueError(f"one map for each of {n} images, not {tuple(maps.shape)}")
        images, zeros = torch.arange(n, device=maps.device), torch.zeros_like(maps.expand(n))
        units = Units(images, maps.expand(n), zeros, zeros)
        self.deconvnet._check(units, self.layer, self.activations, self._end, self.trace.sizes)
        return units

    @torch.no_grad()
    def walk(self, unit: Units) -> list[tuple[str, Tensor]]:
        """One activation in the whole image, step by step: the signal as it comes out of each.

        Args:
            unit: a single one.

        Returns:
            The seed under the layer's name, then what each unpooling, rectification and filtering gives,
            (1, maps, h, w), named as "pool2: unpooled"; the last is the pixel pattern.

        Raises:
            ValueError: more than one unit, or one that is not there.
        """
        unit = unit.on(self.activations.device)
        self.deconvnet._check(unit, self.layer, self.activations, self._end, self.trace.sizes)
        if len(unit.images) != 1:
            raise ValueError(f"one unit is walked down, not {len(unit.images)}")
        place = (unit.maps, *((unit.rows, unit.columns) if self.activations.ndim == 4 else ()))
        signal = torch.zeros_like(self.activations[unit.images])
        signal[(0, *place)] = self.activations[(unit.images, *place)]
        return [(self.layer, signal.clone()), *self.signals(signal, unit.images)]

    @torch.no_grad()
    def signals(
        self, seed: Float[Tensor, "m maps *place"], images: Int64[Tensor, " m"]
    ) -> Iterator[tuple[str, Tensor]]:
        """Any signals at the layer on their way down whole images, step by step.

        Args:
            seed: the signals, of the form of the layer's activations.
            images: which of the recorded images each one goes down in.

        Yields:
            What each unpooling, rectification and filtering gives, (m, maps, h, w), named as "pool2:
            unpooled".

        Raises:
            ValueError: signals of another form, or not one image for each.
        """
        form = tuple(self.activations.shape[1:])
        if tuple(seed.shape[1:]) != form or len(seed) != len(images):
            came = f"{tuple(seed.shape)} and {len(images)} images"
            raise ValueError(f"{self.layer} takes signals {('m', *form)} and m images, got {came}")
        words = {"conv": "filtered", "pool": "unpooled", "average": "spread out", "relu": "rectified"}
        words["fc"] = words["conv"]
        signal, trace = seed.clone(), self.trace.of(images.to(self.activations.device))
        for i in range(self._end, -1, -1):
            step = self.deconvnet.steps[i]
            signal = self.deconvnet._back(i, signal, trace)
            if step.kind in words and (step.name, step.kind) != (self.layer, "relu"):
                yield f"{step.name}: {words[step.kind]}", signal.clone()
