"""Everything that is read of one network, in one row of numbers: the signs by which it may be told sick.

Zeiler & Fergus 2013 judge a first layer by its filters (§4.1), and nothing else is diagnosed there. Here the
same is asked of errors, maps and pictures together. The one idea: each sign is a single number, defined
before any was computed, so that signs can be compared by what they tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from zfutils.data.inputs import Inputs
from zfutils.experiments.diagnosis import appearance, covering
from zfutils.experiments.diagnosis.co_adaptation import moments
from zfutils.runtime.devices import to_host
from zfutils.training.checkpoints import Trained
from zfutils.training.evaluation import evaluate

VERSION = 1  # raised by hand when `measure` changes its meaning, so that kept numbers are measured again

ERRORS, MAPS, PICTURES = "errors and losses", "maps", "pictures"
SIGNS: Mapping[str, tuple[str, str]] = {  # by name: what a reader calls it, and where it is seen
    "training_error": ("training error", ERRORS),
    "validation_error": ("validation error", ERRORS),
    "gap": ("gap between training and validation error", ERRORS),
    "loss_gap": ("gap between training and validation loss", ERRORS),
    "correlation_conv": ("correlation between maps of the convolutions", MAPS),
    "correlation_fc": ("correlation between units of the fully connected layers", MAPS),
    "rank_conv": ("effective rank of the convolutions", MAPS),
    "rank_fc": ("effective rank of the fully connected layers", MAPS),
    "dead_conv": ("dead maps in the convolutions", MAPS),
    "dead_fc": ("dead units in the fully connected layers", MAPS),
    "duplicates_conv": ("duplicate maps in the convolutions", MAPS),
    "duplicates_fc": ("duplicate units in the fully connected layers", MAPS),
    "roughness": ("high frequencies in the filters of layer 1", PICTURES),
    "filters_alike": ("filters of layer 1 like each other", PICTURES),
    "projections_alike": ("projections of layer 2 like each other", PICTURES),
    "projections_beside": ("projections of layer 2 beside the digit", PICTURES),
    "falls": ("fall under the square", PICTURES),
    "falls_beside": ("share of the fall beside the digit", PICTURES),
}
INSIDE = tuple(name for name, (_, where) in SIGNS.items() if where != ERRORS)
OUTSIDE = tuple(name for name, (_, where) in SIGNS.items() if where == ERRORS)
PICTURES_SHOWN = {"maps": 500, "covered": 50}  # validation digits
LAYERS = {"conv": ("relu1", "relu2"), "fc": ("relu3", "relu4")}
INK = 64  # grey level above which a pixel is the digit's


@dataclass(frozen=True)
class Seen:
    """The images that a network is read by."""

    training: Inputs  # what it learnt from, with its fault
    validation: Inputs  # others with the same fault, as whoever trained it would have them
    digits: Bool[np.ndarray, "n side side"]  # of the validation images, which pixels are the digit's


def measure(trained: Trained, seen: Seen) -> Float[np.ndarray, " signs"]:
    """The signs of one network, in the order of `SIGNS`.

    Args:
        trained: LeNet-5.
        seen: its images.
    """
    model, last = trained.model, trained.spec.classifier
    precise = {"precision": "float32"}
    learnt, tested = (evaluate(model, inputs, **precise) for inputs in (seen.training, seen.validation))
    found = {"training_error": learnt.error(), "validation_error": tested.error()}
    found["gap"] = tested.error() - learnt.error()
    found["loss_gap"] = float(tested.log_loss().mean() - learnt.log_loss().mean())

    names = [name for layers in LAYERS.values() for name in layers]
    of_layer = moments(model, seen.validation[: PICTURES_SHOWN["maps"]], names)
    for kind, layers in LAYERS.items():
        both = [of_layer[layer] for layer in layers]
        found[f"correlation_{kind}"] = float(np.mean([one.mean_correlation for one in both]))
        found[f"rank_{kind}"] = float(np.mean([one.effective_rank for one in both]))
        found[f"dead_{kind}"] = float(np.mean([one.dead for one in both]))
        found[f"duplicates_{kind}"] = float(np.mean([one.duplicates for one in both]))

    filters = appearance.first_filters(model)
    found["roughness"] = appearance.roughness(filters)
    found["filters_alike"] = appearance.alikeness(to_host(filters.flatten(1)))
    top = appearance.projected(model, seen.validation[: PICTURES_SHOWN["maps"]], "relu2")
    found["projections_alike"] = appearance.alikeness(appearance.strongest_alone(top))
    found["projections_beside"] = appearance.off_the_object(top, seen.digits)

    few = PICTURES_SHOWN["covered"]
    covered = covering.falls(model, seen.validation[:few], last)
    found["falls"] = float(covered.clip(min=0).mean())
    found["falls_beside"] = covering.beside(covered, seen.digits[:few])
    return np.array([found[name] for name in SIGNS], dtype=np.float32)


def ink(plain: Inputs) -> Bool[np.ndarray, "n side side"]:
    """Which pixels of plain digits are the digit's."""
    return plain.pixels()[..., 0] > INK
