"""The network and the pictures of the page on a network of one's own: those named, or the edition's."""

from dataclasses import replace
from pathlib import Path

import torch

from zfutils.data.inputs import Inputs
from zfutils.look.networks import Network, load, prepared
from zfutils.runtime.devices import to_host
from zfutils.study.publish import Published
from zfutils.study.study import Study

PICTURES = 64  # of the edition, where no folder is named


def chosen(study: Study) -> tuple[Network, Inputs, list[str] | None]:
    """The network, the pictures as it sees them, and the layers, if any are named.

    Args:
        study: opened for the page "your_network".

    Raises:
        ValueError: weights without a model; a network, weights or pictures that cannot be read.
    """
    given = study.parameters
    if given.weights and not given.model:
        raise ValueError("weights belong to a model; name it too")
    if given.model:
        network = load(given.model, given.weights or None, seed=given.seed)
        network = replace(network, preprocessing=prepared(network))
    else:
        trained, images = study.network("zfnet"), study.train_images
        own = Published(trained.model, images.classes, trained, images.mean)
        said = f"trained on the images of the edition {study.edition}"
        network = Network("ZFNet", own.model.eval(), own.preprocessing, own.classes, said)
    if given.images:
        pictures = network.preprocessing.inputs(Path(given.images))
    else:
        draw = torch.Generator().manual_seed(given.seed)
        rows = torch.randperm(len(study.validation_images), generator=draw)[:PICTURES]
        known = study.validation_images.only(rows)
        pictures = network.preprocessing.inputs(to_host(known.pixels))
        named = {"classes": known.classes, "labels": known.labels, "names": known.names}
        pictures = replace(pictures, images=replace(pictures.images, **named))
    layers = [name.strip() for name in given.layers.split(",") if name.strip()]
    return network, pictures, layers or None
