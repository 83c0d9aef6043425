"""Does an image that was made for one network excite a network of another seed?

The maps of two networks do not correspond, so the one idea: the other network is asked for the map that
answers best, as a share of that map's own strongest real activation. The best of many maps is high for any
image of some contrast; noise with the image's spectrum says how high.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.deconv.top_activations import TopActivations
from zfutils.experiments.maximisation.ascent import Goal, Made, Probe
from zfutils.experiments.maximisation.likeness import phases_at_random
from zfutils.nets.activations import activations
from zfutils.runtime.devices import device_of, dtype_of, to_host


@dataclass(frozen=True)
class Asked:
    """A network with what its maps' strongest real activations are, NaN for a map that is silent."""

    model: nn.Module
    most: Float[np.ndarray, " maps"]


@dataclass(frozen=True)
class Shares:
    """Shares of the strongest real activation that the images of some units reach, mean over starts."""

    own: Float[np.ndarray, " units"]  # of the unit itself
    other: Float[np.ndarray, " units"]  # of the best map of another network
    noise: Float[np.ndarray, " units"] | None = None  # of its best map for noise with the images' spectrum


def answers(
    model: nn.Module, goal: Goal, images: Float[np.ndarray, "maps starts channels side side"]
) -> Float[np.ndarray, "maps starts all"]:
    """What every map of a network says of images, at the unit that sees just these, or as the map's mean.

    Args:
        model: of the geometry of the network that the images were made for.
        goal: what they were made for.
        images: centred and scaled.
    """
    probe = Probe.of_goal(model, goal)
    flat = torch.from_numpy(images.reshape(-1, *images.shape[2:]))
    where = {"device": device_of(model), "dtype": dtype_of(model)}
    found = np.concatenate([to_host(probe(part.to(**where))) for part in flat.split(64)])
    return found.reshape(*images.shape[:2], -1)


def best_share(
    answers: Float[np.ndarray, "*n maps"], most: Float[np.ndarray, " maps"]
) -> Float[np.ndarray, "*n"]:
    """The largest share of its own strongest real activation that any map reaches; NaN where none has one.

    Args:
        answers: of all maps, to some images.
        most: their strongest real activations, NaN for a map that is silent.
    """
    known = np.isfinite(most)
    shares = np.asarray(answers, float)[..., known] / most[known]
    return shares.max(-1) if known.any() else np.full(np.shape(answers)[:-1], np.nan)


def shares(made: Made, own: Asked, other: Asked, *, seed: int = 0) -> Shares:
    """What images excite: the unit that they were made for, and the best map of another network.

    Args:
        made: the images.
        own: the network that they were made for.
        other: a network of another seed.
        seed: of the noise.
    """
    noise = phases_at_random(made.images, seed=seed)
    found = [
        best_share(answers(other.model, made.goal, images), other.most) for images in (made.images, noise)
    ]
    mine = made.reached / own.most[list(made.goal.maps), None]
    return Shares(mine.mean(1), found[0].mean(1), found[1].mean(1))


def noise_shares(made: Made, own: Asked, other: Asked, *, seed: int = 0) -> Shares:
    """The same of noise with the images' spectrum; what it says to the unit itself is a control too."""
    maps, noise = list(made.goal.maps), phases_at_random(made.images, seed=seed)
    said = answers(own.model, made.goal, noise)
    mine = said[np.arange(len(maps)), :, maps] / own.most[maps, None]
    elsewhere = best_share(answers(other.model, made.goal, noise), other.most)
    return Shares(mine.mean(1), elsewhere.mean(1))


def picture_shares(found: TopActivations, maps: Sequence[int], inputs: Inputs, other: Asked) -> Shares:
    """The same of each map's strongest real picture: the other network is asked at the same position of it.

    Args:
        found: the strongest activations of the network itself.
        maps: which of its maps.
        inputs: the pictures that were searched.
        other: a network of another seed and the same geometry.
    """
    chosen = found.on("cpu").of(torch.tensor(maps))
    rows, place = chosen.images[:, 0].unique(return_inverse=True)
    seen = activations(other.model, inputs.at(rows), [found.layer])
    values = np.concatenate([to_host(part.layers[found.layer]) for part in seen])
    at = [to_host(index) for index in (place, chosen.rows[:, 0], chosen.columns[:, 0])]
    said = values[at[0], :, at[1], at[2]]
    return Shares(np.ones(len(maps)), best_share(said, other.most))
