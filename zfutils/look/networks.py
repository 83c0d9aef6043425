"""A network by its name: one of torchvision's, or one that a module of the user's own gives.

Weights are read so that nothing in them is executed: safetensors, or PyTorch's files as tensors alone.
"""

import importlib
import pickle
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from zfutils.data.preprocessing import Preprocessing
from zfutils.nets.activations import default_preprocessing
from zfutils.runtime.devices import chosen_device

DEFAULT = "DEFAULT"  # weights: those that torchvision gives by default
TORCHVISION = "torchvision"
ENDINGS = (".safetensors", ".pt", ".pth")
INSIDE = ("state_dict", "model_state_dict", "model")  # where training scripts put weights in a file
WRAPPED = "module."  # how DataParallel begins every name
FEW = 3  # names that a message lists


@dataclass(frozen=True)
class Network:
    """A network to look into, with what it takes and what is said of it."""

    name: str
    model: nn.Module  # in eval mode, on the study's device
    preprocessing: Preprocessing | None  # that it brings; none: what is asked for, or the default
    classes: tuple[str, ...]  # by index; empty where their names are not known
    weights: str  # where they come from, in words


def load(name: str, weights: str | None = None, *, seed: int = 0) -> Network:
    """A network by its name.

    Args:
        name: "torchvision:resnet18", or "module:name", imported from where the user stands. That is a module,
            a function without arguments that gives one, or an object with a `model` and perhaps with
            `preprocessing` and `classes`, as `zfutils:published` gives.
        weights: a file, or "DEFAULT", which torchvision fetches; none: as the module has them, random ones in
            one of torchvision's.
        seed: of random weights.

    Raises:
        ValueError: no such network, weights that do not fit, hold more than tensors or cannot be fetched;
            says what there is.
    """
    where, colon, what = name.partition(":")
    if not (colon and where and what):
        raise ValueError(f"a network is torchvision:NAME or module:NAME, not {name!r}")
    if where != TORCHVISION and weights == DEFAULT:
        raise ValueError(f"DEFAULT weights are torchvision's; for {name} name a file")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _torchvisions(what, weights) if where == TORCHVISION else _own(where, what)
    if weights not in (None, DEFAULT):
        _fill(network, Path(weights).expanduser())
        network = replace(network, weights=f"weights of {Path(weights).name}")
    return replace(network, name=name, model=network.model.to(chosen_device()).eval())


def _torchvisions(name: str, weights: str | None) -> Network:
    """One of torchvision's networks, with its DEFAULT weights, or with random ones to be replaced."""
    from torchvision import models  # takes as long as PyTorch

    if name not in (known := models.list_models(models)):
        near = get_close_matches(name, known, n=5) or known
        raise ValueError(f"torchvision has no classifier {name!r}; it has {', '.join(near)}")
    given = models.get_model_weights(name).DEFAULT
    classes = tuple(given.meta.get("categories") or ())
    try:
        preprocessing = Preprocessing.of_transform(given.transforms())
    except ValueError:  # of detection, say
        preprocessing = None
    with warnings.catch_warnings():  # of initialisations that will take another form
        warnings.simplefilter("ignore")
        if weights != DEFAULT:
            model = models.get_model(name, weights=None)
            theirs = Path(weights or "").name == Path(given.url).name
            if theirs and hasattr(model, "transform_input"):
                model.transform_input = True  # these were trained on another scale of inputs
            return Network(name, model, preprocessing, classes if theirs else (), "random weights")
        try:
            given.get_state_dict(
                progress=False, check_hash=True, weights_only=True
            )  # refuses all but tensors
            model = models.get_model(name, weights=given, progress=False)
        except (OSError, RuntimeError, pickle.UnpicklingError) as error:
            raise ValueError(
                f"the DEFAULT weights of {name} cannot be fetched here ({error}); "
                f"fetch {given.url} elsewhere and give --weights FILE"
            ) from None
    return Network(name, model, preprocessing, classes, f"weights {given} of torchvision")


def _own(where: str, what: str) -> Network:
    """What a module of the user's has under a name."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        module = importlib.import_module(where)
        found = getattr(module, what)
    except ImportError as error:
        raise ValueError(f"module {where!r} cannot be imported from {here}: {error}") from None
    except AttributeError:
        has = [name for name in dir(module) if not name.startswith("_")]
        raise ValueError(f"module {where!r} has no {what!r}; it has {', '.join(has)}") from None
    finally:
        sys.path.remove(here)
    if callable(found) and not isinstance(found, nn.Module):
        try:
            found = found()
        except TypeError as error:
            raise ValueError(f"{where}:{what} must give a network without arguments: {error}") from None
    model = found if isinstance(found, nn.Module) else getattr(found, "model", None)
    if not isinstance(model, nn.Module):
        raise ValueError(f"{where}:{what} gives a {type(found).__name__}, which is no nn.Module and has none")
    preprocessing = getattr(found, "preprocessing", None)
    if preprocessing is not None and not isinstance(preprocessing, Preprocessing):
        raise ValueError(f"{where}:{what}: preprocessing is no zfutils.Preprocessing")
    classes = getattr(found, "classes", ())
    named = isinstance(classes, Sequence) and all(isinstance(one, str) for one in classes)
    return Network(
        what, model, preprocessing, tuple(classes) if named else (), "weights as the module has them"
    )


def prepared(network: Network, **given: Any) -> Preprocessing:
    """What pictures undergo: as the network brings it, or the default, but for what is given.

    Args:
        network: whose.
        given: `side`, `channels`, `mean`, `std` of `Preprocessing`; those that are None are not.

    Raises:
        ValueError: numbers that do not fit together.
    """
    known, given = network.preprocessing, {k: v for k, v in given.items() if v is not None}
    if known is None:
        return replace(default_preprocessing(network.model), **{"mean": None, "std": None} | given)
    if "side" in given:
        given["size"] = round(known.size * given["side"] / known.side)
    if given.get("channels", known.channels) != known.channels:
        given = {"mean": None, "std": None} | given
    return replace(known, **given)


# ---- weights


def _fill(network: Network, path: Path) -> None:
    """Give a network the weights of a file; all of them, and no others."""
    weights = read_weights(path)
    own = network.model.state_dict()
    common = own.keys() & weights.keys()
    others = {
        "the network has no": weights.keys() - own.keys(),
        "the file has no": own.keys() - weights.keys(),
        "another shape:": {n for n in common if own[n].shape != weights[n].shape},
    }
    if any(others.values()):
        said = [f"{words} {_some(names)}" for words, names in others.items() if names]
        raise ValueError(f"{path} does not fit {network.name}: {'; '.join(said)}")
    network.model.load_state_dict(weights)


def _some(names: set[str]) -> str:
    more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
    return ", ".join(sorted(names)[:FEW]) + more


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors by name from a file; nothing in it is executed.

    Args:
        path: safetensors, or what `torch.save` wrote of a state dict, perhaps below "state_dict" or "model".

    Raises:
        ValueError: another ending, a broken file, or one that holds more than tensors.
        FileNotFoundError: there is no such file.
    """
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"weights are a file that ends in {', '.join(ENDINGS)}, or DEFAULT; not {path}")
    if not path.is_file():
        raise FileNotFoundError(f"there is no file of weights {path}")
    try:
        safe = path.suffix.lower() == ".safetensors"
        found: Any = load_file(path) if safe else torch.load(path, "cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"{path} holds more than tensors, or is broken; it is not loaded, for that may execute code. "
            f"Save model.state_dict() instead"
        ) from None
    except (SafetensorError, RuntimeError, EOFError, BadZipFile, OSError) as error:
        raise ValueError(f"{path} cannot be read as weights: {error}") from None
    for inside in INSIDE:
        if isinstance(found, Mapping) and isinstance(found.get(inside), Mapping):
            found = found[inside]
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"{path} holds a {type(found).__name__}, not tensors by name (model.state_dict())")
    wrapped = bool(found) and all(name.startswith(WRAPPED) for name in found)
    return {name.removeprefix(WRAPPED) if wrapped else name: value for name, value in found.items()}
