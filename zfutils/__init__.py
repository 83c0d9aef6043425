"""Visualizing and Understanding Convolutional Networks (Zeiler & Fergus 2013), reproduced: the public names.

    import zfutils

    net = zfutils.published("zfnet")  # trained on photographs
    dog = net.inputs("dog.jpg")
    recording = zfutils.Deconvnet(net.model).forward(dog.tensor(), "relu5")

Networks and images
    published         a network of the published run, with its classes and what an image undergoes before it
    zfnet, krizhevsky the paper's networks as data: `.without` a layer, `.scaled`, `.build()` the module
    Inputs            images of a set as a network sees them: which, how large a crop, on which scale
    Preprocessing     what files and arrays undergo: side, channels, mean and standard deviation
    activations       what layers give for images, a batch at a time; `forward` for images that are at hand

Looking into a network
    Deconvnet, Units  single activations brought back to pixels (§2.1)
    top_activations   the strongest activations of every map over a set of images (Fig. 2)
    top_projections   the same, projected, beside the patches that they come from
    occlude, Patch    what a network says while a patch slides over images (§4.2)
    features          frozen features of every layer (§5.2)

The study
    Study             one edition of the book: its images, networks, claims and results

Everything else lies in rooms: runtime and stats below; data and nets; training and deconv; plotting;
experiments, a room for each chapter; look; study. A name is imported when it is first used.
"""

from importlib import import_module
from typing import Any

_WHERE = {
    "Deconvnet": "deconv.deconvnet",
    "Inputs": "data.inputs",
    "Patch": "experiments.occlusion.sliding_patch",
    "Preprocessing": "data.preprocessing",
    "Study": "study.study",
    "Units": "deconv.units",
    "activations": "nets.activations",
    "features": "experiments.transfer.features",
    "forward": "nets.activations",
    "krizhevsky": "nets.zoo",
    "occlude": "experiments.occlusion.sliding_patch",
    "published": "study.publish",
    "top_activations": "deconv.top_activations",
    "top_projections": "deconv.top_projections",
    "zfnet": "nets.zoo",
}
__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used: PyTorch alone takes seconds."""
    if name not in _WHERE:
        raise AttributeError(f"module 'zfutils' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"zfutils.{_WHERE[name]}"), name)


def __dir__() -> list[str]:
    return __all__
