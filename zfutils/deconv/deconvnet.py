"""What a unit sees: a single activation brought back to pixels (Zeiler & Fergus 2013, §2.1 and Fig. 1).

All other activations of the layer are set to zero, then, layer by layer downwards: unpool into the places
that the pooling took its maxima from (the switches), rectify, filter with the same filters transposed. Biases
play no part, contrast normalisation is left out, and pooling that averages is reversed by its transpose. The
one idea here: a unit depends on its window of the picture alone, so recording and projecting are done on that
window, with the values of the whole picture; a unit that sees all of it is projected in it.

What the paper leaves open, and what is chosen: two poolings that overlap can share a switch, and then
their signals add, as in back-propagation.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from zfutils.data.preprocessing import Preprocessing
from zfutils.deconv.recording import Recording
from zfutils.deconv.units import Projections, Units, check
from zfutils.deconv.unpooling import Shared, Switches, frames_of
from zfutils.deconv.ways import Nonlinearity, Ways
from zfutils.nets import chains, graphs, outline
from zfutils.nets.activations import Images, as_tensor, taken
from zfutils.nets.chains import chain
from zfutils.nets.geometry import Window
from zfutils.nets.tracing import graph
from zfutils.runtime.devices import device_of, dtype_of

__all__ = ["Deconvnet", "Projections", "Recording", "Units", "chain"]
STARTS = ("conv", "relu", "pool", "average", "fc", "add", "concat", "scaled", "linear", "maxima")


class Deconvnet:
    """A network that can be walked back to pixels.

    Args:
        model: any network that `tracing.graph` takes; used as in evaluation, and left as it is.
        nonlinearity: how a ReLU is reversed. "deconvnet" rectifies the signal (the paper), "gradient" lets
            it pass where the activation was positive (Simonyan 2014), "guided" asks both (Springenberg 2014).
            Its kin (leaky, GELU, SiLU, hard-swish and others) are rectified likewise; their gradient is their
            slope. `rules` says it step by step.
        shared: what becomes of signals that one switch receives from two poolings: "add", as the adjoint
            does; the "last" in reading order alone, as a stock unpooling writes; the "largest" alone.
        switches: "recorded" on the way up; "centred" in each window, or drawn at "random" in it, to see
            what the recorded ones contribute (Mahendran & Vedaldi 2016).
        seed: of random switches.
        preprocessing: of files and arrays of bytes; by default what torchvision's weights ask for.

    Raises:
        ValueError: an unknown option, or a network that cannot be traced; names the line. A layer without a
            way back is refused when a projection through it is asked for.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        nonlinearity: Nonlinearity = "deconvnet",
        shared: Shared = "add",
        switches: Switches = "recorded",
        seed: int = 0,
        preprocessing: Preprocessing | None = None,
    ) -> None:
        options = {"nonlinearity": nonlinearity, "shared": shared, "switches": switches}
        for (name, came), allowed in zip(options.items(), (Nonlinearity, Shared, Switches), strict=True):
            if came not in allowed.__args__:
                raise ValueError(f"{name} is one of {', '.join(allowed.__args__)}, not {came!r}")
        self.model, self.steps, self.preprocessing = model, graph(model), preprocessing
        self.ways = Ways(self.steps, nonlinearity, shared, switches, seed)
        self._fields: dict[int, dict[int, Window] | None] = {}

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers that a projection can start from."""
        return tuple(s.name for i, s in enumerate(self.steps) if s.kind in STARTS and not self._refusal(i))

    @property
    def rules(self) -> dict[str, str]:
        """By rectifier and gated step: how it is reversed."""
        words = {
            "deconvnet": "rectified",
            "gradient": "times its slope",
            "guided": "rectified, times its slope",
        }
        how = {"relu": words[self.ways.nonlinearity], "scaled": "times its gate, which is held"}
        return {step.name: how[step.kind] for step in self.steps if step.kind in how}

    def default_layers(self, images: Float[Tensor, "n channels h w"]) -> list[str]:
        """The layers of `nets.outline.default_layers` that a projection can start from.

        Raises:
            ValueError: there is none; says why.
        """
        names = outline.default_layers(self.model, images)
        known = [name for name in names if name in self.layers]
        if not known:
            self.index(names[-1])
        return known

    def index(self, layer: str) -> int:
        """The place of a layer among the steps.

        Raises:
            ValueError: no such layer, naming those there are; or one below which something has no way back,
                naming it.
        """
        i = next((i for i, s in enumerate(self.steps) if s.name == layer and s.kind in STARTS), None)
        if i is None:
            raise ValueError(f"layer {layer!r} is not in this network; it has {', '.join(self.layers)}")
        if refusal := self._refusal(i):
            raise ValueError(f"{layer} cannot be projected to pixels: {refusal}")
        return i

    def _refusal(self, end: int) -> str:
        """Why no signal goes from a step down to the picture; empty where one does."""
        stops = (self.steps[i] for i in graphs.way_down(self.steps, end))
        return next((f"{step.name} ({step.refusal})" for step in stops if step.refusal), "")

    def fields(self, end: int) -> dict[int, Window] | None:
        """What a unit of a step sees of each node below (pixels); none where it sees the whole picture."""
        if end not in self._fields:
            self._fields[end] = graphs.fields(self.steps, end)
        return self._fields[end]

    def within(self, end: int, size: tuple[int, int]) -> bool:
        """Whether a unit of a step sees less than a picture of a height and width: less to compute."""
        fields = self.fields(end)
        return fields is not None and fields[0].kernel < max(size)

    def window(self, layer: str, side: int | None = None) -> Window:
        """Receptive field of a layer's units (pixels).

        Args:
            layer: of the units.
            side: of the images, which is what a unit sees that is fully connected, or above a global pooling
                or a gate; its window is the same in all places, so that its stride is 0.

        Raises:
            ValueError: no such layer, or one whose units see the whole image and no side is given.
        """
        if (fields := self.fields(self.index(layer))) is not None:
            return fields[0]
        if side is None:
            raise ValueError(f"a unit of {layer} sees the whole image, whatever its size")
        return Window(side, 0, 0)

    @torch.no_grad()
    def forward(self, images: Images, upto: str | None = None) -> Recording:
        """The way up: activations of a layer, and the switches of every pooling below it.

        Args:
            images: in any form that `nets.activations.taken` takes: files, arrays or a tensor, of any size at
                which no map vanishes; sent where its weights are, in their type.
            upto: where the way up ends; by default the last of `default_layers`.

        Raises:
            ValueError: no such layer, images of another form, a map that vanishes; names the layer.
        """
        images = as_tensor(taken(self.model, images, self.preprocessing))
        upto = self.default_layers(images)[-1] if upto is None else upto
        end = self.index(upto)
        images, _ = self._taken(images, end)
        activations, trace = self.ways.up(images, end)
        return Recording(self, upto, activations, trace)

    @torch.no_grad()
    def project(
        self,
        images: Images,
        layer: str,
        units: Units,
        *,
        batch: int = 32,
        whole: bool = False,
    ) -> Projections:
        """Pixel patterns of single activations, each recorded and projected on its own window.

        Equal to `forward(images, layer).project(units)` but for random switches, which are drawn for each
        unit anew, and but for maxima that tie to the last bits, as in an image of even patches: there a
        convolution of a window may round otherwise than one of the whole image, and another of them win.
        Units that see the whole image, or whose window is larger than that, are projected in it.

        Args:
            images: as for `forward`.
            layer: of the units.
            units: which activations.
            batch: units at a time; bounds the memory.
            whole: project every unit in its whole image, whatever it sees of it.

        Raises:
            ValueError: no such layer, images of another form, a unit that is not there.
        """
        end = self.index(layer)
        images, sizes = self._taken(as_tensor(taken(self.model, images, self.preprocessing)), end)
        units, fields = units.on(images.device), self.fields(end)
        shape = (self._maps(end + 1, images.shape[1]), *sizes[end + 1]) if fields else (None, None, None)
        check(units, layer, (len(images), *shape))
        found = []
        if whole or not self.within(end, sizes[0]):
            for part in units.split(batch):
                chosen, place = part.images.unique(return_inverse=True)
                recording = self.forward(images[chosen], layer)
                found.append(recording.project(part._replace(images=place), batch=batch, whole=whole))
            return Projections.joined(found)
        for part in units.split(batch):
            frames = frames_of(part, fields, sizes)
            windows = frames[0].cut(images, part.images)
            activations, trace = self.ways.up(windows, end, fields, frames)
            found.append(self.ways.seeded(activations[:, :, 0, 0], end, part, trace))
        return Projections.joined(found)

    def _taken(self, images: Tensor, end: int) -> tuple[Tensor, dict[int, tuple[int, int]]]:
        """Images where the network is, in its type, and the sizes of maps that they give, where known."""
        graphs.refuse_mixture(self.model)
        sizes = chains.sizes(self.steps, images, only=graphs.needed(self.steps, end))
        return images.to(device_of(self.model), dtype_of(self.model)), dict(enumerate(sizes))

    def _maps(self, node: int, channels: int) -> int:
        """How many maps a node has, of pictures of so many channels."""
        step = self.steps[node - 1]
        if not node or step.kind == "conv":
            return step.module.out_channels if node else channels
        each = [self._maps(below, channels) for below in step.inputs]
        return sum(each) if step.kind == "concat" else max(each)
