"""What a network answered to images, from which single activations are brought back to pixels.

The way up leaves a trace, the switches of every pooling and what each ReLU let pass; the way down follows it,
on whole images or on the windows of single units. The ways themselves are `deconvnet.Deconvnet`'s.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from zfutils.deconv.top_activations import rounded
from zfutils.deconv.units import Projections, Units, check
from zfutils.deconv.unpooling import Frame, frames_of
from zfutils.deconv.ways import Trace
from zfutils.nets.geometry import Window
from zfutils.nets.graphs import needed

WORDS = {
    "conv": "filtered",
    "fc": "filtered",
    "pool": "unpooled",
    "maxima": "unpooled",
    "average": "spread out",
    "relu": "rectified",
    "add": "handed on",
    "concat": "split",
    "scaled": "scaled",
    "linear": "transposed",
}


@dataclass(frozen=True)
class Recording:
    """What a network answered to images, with all that the way back needs.

    Attributes:
        deconvnet: the `Deconvnet` that recorded it, whose ways up and down these are.
        layer: up to which it was recorded.
        activations: of that layer, (n, maps, h, w) or (n, units).
        trace: what the layers below keep.
    """

    deconvnet: Any
    layer: str
    activations: Float[Tensor, "n maps *place"]
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
    def project(self, units: Units, *, batch: int = 32, whole: bool = False) -> Projections:
        """Pixel patterns of single activations, each on its window.

        Args:
            units: which activations; a unit of a fully connected layer sees the whole image.
            batch: units at a time; bounds the memory.
            whole: as if every unit saw the whole image.

        Raises:
            ValueError: a unit that is not there.
        """
        units = units.on(self.activations.device)
        check(units, self.layer, self.activations.shape)
        fields = self.deconvnet.fields(self._end)
        if not whole and self.deconvnet.within(self._end, self.trace.shapes[0][1:]):
            return Projections.joined([self._on_windows(part, fields) for part in units.split(batch)])
        kept = None if whole else fields
        return Projections.joined([self._from_whole(part, kept) for part in units.split(batch)])

    def _from_whole(self, units: Units, fields: Mapping[int, Window] | None) -> Projections:
        signal, at = torch.zeros_like(self.activations[units.images]), self._places(units)
        values = self.activations[(units.images, *at)]
        signal[(torch.arange(len(signal), device=signal.device), *at)] = values
        pixels = self.deconvnet.ways.down(signal, self._end, self.trace.of(units.images))
        frame = Frame.whole(pixels, size := tuple(pixels.shape[2:]))
        if fields is not None:
            frame = frames_of(units, {0: fields[0]}, {0: size})[0]
            pixels = frame.cut(pixels, torch.arange(len(pixels), device=pixels.device))
        return Projections(pixels, frame.tops, frame.lefts, values)

    def _places(self, units: Units) -> tuple[Tensor, ...]:
        return tuple(units[1 : self.activations.ndim])

    def _on_windows(self, units: Units, fields: Mapping[int, Window]) -> Projections:
        frames = frames_of(units, fields, {node: shape[1:] for node, shape in self.trace.shapes.items()})
        trace = self.trace._replace(switches={}, signs={}, fields=fields, frames=frames)
        for i in needed(self.deconvnet.steps, self._end):
            name = self.deconvnet.steps[i].name
            for here, whole in ((trace.switches, self.trace.switches), (trace.signs, self.trace.signs)):
                if name in whole:
                    here[name] = frames[i + 1].cut(whole[name], units.images, zero_outside=False)
        activations = self.activations[units.images, :, units.rows, units.columns]
        return self.deconvnet.ways.seeded(activations, self._end, units, trace)

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
        return self.deconvnet.ways.down(seed, self._end, self.trace)

    def _of_maps(self, maps: Int64[Tensor, " n"] | int) -> Units:
        """The first unit of a map in each image."""
        n, maps = len(self.activations), torch.as_tensor(maps, device=self.activations.device)
        if maps.shape not in ((), (n,)):
            raise ValueError(f"one map for each of {n} images, not {tuple(maps.shape)}")
        images, zeros = torch.arange(n, device=maps.device), torch.zeros_like(maps.expand(n))
        units = Units(images, maps.expand(n), zeros, zeros)
        check(units, self.layer, self.activations.shape)
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
        check(unit, self.layer, self.activations.shape)
        if len(unit.images) != 1:
            raise ValueError(f"one unit is walked down, not {len(unit.images)}")
        place = self._places(unit)
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
        trace, below = self.trace.of(images.to(self.activations.device)), ()
        for step, below in self.deconvnet.ways.descent(seed.clone(), self._end, trace):
            if step.kind in WORDS and (step.name, step.kind) != (self.layer, "relu"):
                yield f"{step.name}: {WORDS[step.kind]}", below[0].clone()
