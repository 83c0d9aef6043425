"""What can be changed on each page, the defaults, and what is allowed; a page's first cell is held to it.

A run with the defaults is the page's official one, whose records the scoreboard shows. They stand here, and a
test compares them with the notebooks, so that a default edited in JupyterLab does not make a trial official.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from zfutils.study.places import NAMED, named
from zfutils.training.recipe import Count, Strict


class Page(Strict):
    """The parameters that every page has, beside `edition`."""

    seed: Count = 0


class Projections(Page):
    """Chapter 3."""

    image: str = ""
    layer: str = "relu5"


class Invariance(Page):
    """Chapter 5."""

    pictures: Count = 0  # 0: as many as the edition says


class Occlusion(Page):
    """Chapter 6."""

    image: str = ""
    pictures: Count = 0  # 0: as many as the edition says
    patch: Count = 0  # 0: a quarter of the picture's side
    fill: Literal["grey", "black", "noise", "blurred"] = "grey"
    layer: str = "relu5"


class Correspondence(Page):
    """Chapter 7."""

    places: int = Field(24, ge=2)


class YourNetwork(Page):
    """The page on a network and pictures of one's own."""

    model: str = ""
    weights: str = ""
    images: str = ""
    layers: str = ""


PAGES: dict[str, type[Page]] = {
    "01_architecture": Page,
    "02_training": Page,
    "03_projections": Projections,
    "04_evolution": Page,
    "05_invariance": Invariance,
    "06_occlusion": Occlusion,
    "07_correspondence": Correspondence,
    "08_ablation": Page,
    "09_transfer": Page,
    "10_lenet": Page,
    "11_maximisation": Page,
    "12_pooling": Page,
    "13_diagnosis": Page,
    "14_trial": Page,
    "your_network": YourNetwork,
}


def read(page: str, given: Mapping[str, Any], *, layers: tuple[str, ...], side: int) -> Page:
    """The parameters of a page, checked.

    Args:
        page: its notebook's name.
        given: values by name; what is left out is the default.
        layers: names of the network's layers that a map can be followed in.
        side: of the pictures that the network sees (pixels).

    Raises:
        ValueError: no such page, an unknown name, or a value out of range; says what is allowed.
    """
    if page not in PAGES:
        raise ValueError(f"there is no page {page!r}; there are {', '.join(PAGES)}")
    kind = PAGES[page]
    try:
        parameters = kind.model_validate(dict(given))
    except ValidationError as error:
        lines = [f"{page}: {_reason(detail, kind)}" for detail in error.errors()]
        raise ValueError("\n".join(lines)) from None
    if (layer := getattr(parameters, "layer", layers[0])) not in layers:
        raise ValueError(f"{page}: layer is {layer!r}; it must be one of {', '.join(layers)}")
    if (patch := getattr(parameters, "patch", 0)) > side:
        raise ValueError(f"{page}: patch is {patch} px; the pictures have {side} px")
    for name in NAMED:
        named(name, getattr(parameters, name, ""))
    return parameters


def _reason(detail: Mapping[str, Any], kind: type[Page]) -> str:
    name = ".".join(map(str, detail["loc"]))
    if detail["type"] == "extra_forbidden":
        return f"there is no parameter {name!r}; there are {', '.join(kind.model_fields)}"
    return f"{name} is {detail['input']!r}: {detail['msg']}"
