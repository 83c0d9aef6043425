"""The atlas's page: the network drawn as the way to its layers, and a card for every map.

The one idea: everything is in the page without a script (sections, cards, links to pictures); `atlas.js` adds
searching, sorting and a closer view of one map, whose address is its card's.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log2
from typing import NamedTuple

from zfutils.nets.specs import NetworkSpec
from zfutils.plotting.tiles import CONTRAST, titled, words

GENERATOR = '<meta name="generator" content="zfutils atlas">'
BOOK = ("../03_projections.html", "Back to the book")  # from the atlas's folder in the built book
TALLEST = 64  # screen pixels of the largest map as it is drawn
THEME = (
    'const mode = localStorage.getItem("mode"); '
    'if (["light", "dark"].includes(mode)) document.documentElement.dataset.theme = mode;'
)


def head(title: str, *inside: str) -> str:
    """The beginning of a page of its own, with what else stands in its head."""
    lines = "\n".join(inside)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
{lines}
</head>"""


@dataclass(frozen=True)
class Entry:
    """One map as the page shows it."""

    number: int
    captions: Mapping[str, str]  # "trained" and perhaps "random"
    traits: Mapping[str, float | str]  # what it is sorted by
    history: Sequence[tuple[float, str]]  # by epoch, its strongest activation and the class of that picture
    pictures: Mapping[str, tuple[int, int]]  # width and height of "first", "nine", "random", "epochs"


@dataclass(frozen=True)
class Layer:
    """One section of the page."""

    stem: str  # of its address and of the folder of its pictures
    name: str  # "relu5"
    side: int  # of a unit's window (pixels)
    entries: Sequence[Entry]

    @property
    def title(self) -> str:
        return titled(self.name)


class Plate(NamedTuple):
    """The picture or a layer, as the network is drawn."""

    title: str
    maps: int
    size: int  # of a map along its longer side (pixels)
    text: str
    layers: tuple[str, ...] = ()  # of the atlas, to whose section it leads


def plates(spec: NetworkSpec) -> list[Plate]:
    """The picture and the layers of a network that is known as data."""
    drawn = [Plate("Image", 1, spec.image, f"{spec.image} px")]
    for stage in spec.stages():
        if stage.kind == "pool":
            continue
        number = stage.name.removeprefix("conv").removeprefix("fc")
        text = f"{stage.maps} maps, {stage.size} px" if stage.kind == "conv" else f"{stage.maps} units"
        drawn.append(Plate(f"Layer {number}", stage.maps, stage.size, text, (f"relu{number}", stage.name)))
    return drawn


def page(
    layers: Sequence[Layer],
    network: Sequence[Plate],
    *,
    title: str,
    about: str,
    epochs: Sequence[int],
    classes: Sequence[str],
    back: tuple[str, str],
) -> str:
    """The atlas's page.

    Args:
        layers: in order.
        network: as it is drawn, the picture first.
        title, about: of the page; plain text.
        epochs: that the maps' histories and pictures are of.
        classes: of the set that was searched.
        back: address of the page above, and what the link to it says.
    """
    traits = [trait for layer in layers for entry in layer.entries for trait in entry.traits.items()]
    known = sorted({*filter(None, classes), *(value for _, value in traits if isinstance(value, str))})
    data = {
        "epochs": epochs,
        "maps": {
            f"{layer.stem}-map-{entry.number}": {
                "folder": f"{layer.stem}/map-{entry.number}",
                "title": f"{layer.title}, map {entry.number}",
                "captions": entry.captions,
                "traits": entry.traits,
                "history": entry.history,
                "pictures": list(entry.pictures),
            }
            for layer in layers
            for entry in layer.entries
        },
    }
    random = any("random" in entry.captions for layer in layers for entry in layer.entries)
    beside = ["the same map with random weights"] * random + ["how it came about in training"] * bool(epochs)
    *first, last = ["its nine strongest", *beside]
    closer = f"{', '.join(first)} and {last}" if first else last
    text = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    look = f'<script>{THEME}</script>\n<link rel="stylesheet" href="atlas.css">'
    return f"""{head(title, GENERATOR, look)}
<body>
<header>
<p><a href="{escape(back[0])}">{escape(back[1])}</a></p>
<h1>{escape(title)}</h1>
<p>{escape(about)} A card shows a map's strongest projection, on a scale of its own, beside the patch of
the image it came from; choose one to see {closer}.</p>
{_network(layers, network)}
<form role="search" hidden>
<label>Class or part <input type="search" name="query" list="known" autocomplete="off"></label>
<datalist id="known">{"".join(f'<option value="{escape(word)}"></option>' for word in known)}</datalist>
<label>Sort by <select name="order"><option value="">number</option>
{"".join(f"<option>{escape(key)}</option>" for key in dict(traits))}</select></label>
<output aria-live="polite"></output>
</form>
</header>
<main>
{"".join(_section(layer) for layer in layers)}
</main>
{_dialog(epochs)}
<script type="application/json" id="data">{text}</script>
<script src="atlas.js"></script>
</body>
</html>
"""


def _network(layers: Sequence[Layer], network: Sequence[Plate]) -> str:
    """The image and the layers as plates to scale; those of the atlas link to their sections."""
    sections, drawn = {layer.name: layer for layer in layers}, []
    for plate in network:
        shown = _plates(plate.size, plate.maps, network[0].size)
        shown += f"<b>{escape(plate.title)}</b><span>{escape(plate.text)}</span>"
        layer = next((sections[name] for name in plate.layers if name in sections), None)
        drawn.append(f'<li><a href="#{layer.stem}">{shown}</a></li>' if layer else f"<li>{shown}</li>")
    return f'<nav aria-label="Layers of the network"><ol>{"".join(drawn)}</ol></nav>'


def _plates(size: int, maps: int, image: int) -> str:
    """A square as large as the map beside the image, one plate behind another for every doubling of maps."""
    side, count = max(8.0, TALLEST * size / image), 1 + round(log2(maps))
    step, least = 3, max(8.0, TALLEST * size / image) + 3 * count
    plates = "".join(
        f'<rect x="{1 + step * i}" y="{1 + step * (count - 1 - i)}" width="{side:.0f}" height="{side:.0f}"/>'
        for i in reversed(range(count))
    )
    return f'<svg width="{least + 2:.0f}" height="{least + 2:.0f}" aria-hidden="true">{plates}</svg>'


def _section(layer: Layer) -> str:
    silent = sum("nine" not in entry.pictures for entry in layer.entries)
    never = f"; {silent} never answer{'s' if silent == 1 else ''}" if silent else ""
    count = f"{len(layer.entries)} map{'s' if len(layer.entries) > 1 else ''}"
    cards = "\n".join(_card(layer, entry) for entry in layer.entries)
    return f"""<section aria-labelledby="{layer.stem}">
<h2 id="{layer.stem}">{escape(layer.title)}</h2>
<p>{count}, windows of {layer.side}×{layer.side} px{never}.</p>
<div class="maps">
{cards}
</div>
</section>
"""


def _card(layer: Layer, entry: Entry) -> str:
    """A map's strongest projection and patch, linked to its nine, and a line about it."""
    name, image = f"Map {entry.number}", ""
    if "first" in entry.pictures:
        width, height = entry.pictures["first"]
        folder = f"{layer.stem}/map-{entry.number}"
        image = (
            f'<img src="{folder}-first.webp" width="{width}" height="{height}" loading="lazy" '
            f'decoding="async" alt="strongest projection of {words(layer.name)}, and its patch">'
        )
        name = f'<a href="{folder}-nine.webp">{name}{image}</a>'
    part = entry.traits.get("part")
    line = escape(entry.captions["trained"] + (f"; on the part {part}" if part else ""))
    return f'<figure id="{layer.stem}-map-{entry.number}">{name}<figcaption>{line}</figcaption></figure>'


def _dialog(epochs: Sequence[int]) -> str:
    """The closer view of one map, filled and opened by the script."""
    last = len(epochs) - 1
    history = f"""<section><h3>While the network trained</h3>
<label for="epoch">Epoch</label> <input type="range" id="epoch" max="{last}" value="{last}">
<output for="epoch"></output>
<div class="frame"><img id="epochs" alt="strongest projection at this epoch, and below it its patch"></div>
</section>"""
    return f"""<dialog aria-labelledby="which">
<div class="bar"><h2 id="which" tabindex="-1"></h2>
<button type="button" value="-1">Previous</button> <button type="button" value="1">Next</button>
<button type="button" value="close">Close</button></div>
<p id="traits"></p>
<div class="sides">
<figure><h3>Trained</h3><figcaption></figcaption>
<img id="nine" alt="nine strongest projections, and below them their patches"></figure>
<figure><h3>Random weights</h3><figcaption></figcaption>
<img id="random" alt="the same with random weights"></figure>
{history if epochs else ""}
</div>
<p>Nine projections above, strongest first in reading order, and below them, in the same places, the patches
they came from. {escape(CONTRAST)} Hatched: outside the image, or no further answer.</p>
</dialog>"""
