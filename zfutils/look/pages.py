"""The pages of a look: what was looked at, the network, its strongest maps, and what a covered picture does.

Plain files that load nothing from elsewhere, in the look of the atlas, which stands beside them.
"""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from scipy.special import softmax

from zfutils.data.listings import counted
from zfutils.data.pixels import Pixels
from zfutils.data.preprocessing import Preprocessing
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.top_projections import TopProjections
from zfutils.experiments.occlusion.figures import REST, most_probable
from zfutils.experiments.occlusion.sliding_patch import Occlusion
from zfutils.experiments.projections.atlas import stem
from zfutils.experiments.projections.atlas_page import head
from zfutils.look import figures
from zfutils.nets.outline import Line
from zfutils.plotting.projections import nine
from zfutils.plotting.tiles import CONTRAST, titled
from zfutils.stats.formatting import HARD

GENERATOR = '<meta name="generator" content="zfutils look">'
PAGES = {
    "index.html": "Overview",
    "network.html": "Network",
    "strongest.html": "Strongest maps",
    "atlas/index.html": "Atlas",
    "occlusion.html": "Occlusion",
}
SHOWN = 6  # maps of a layer on the page; the atlas has the others
TOP = 5  # classes that are listed


def write_page(folder: Path, name: str, title: str, body: str) -> None:
    """One page, with links to the others."""
    links = "".join(
        f'<a href="{page}"{" aria-current=page" if page == name else ""}>{words}</a>'
        for page, words in PAGES.items()
    )
    styles = (f'<link rel="stylesheet" href="{sheet}">' for sheet in ("atlas/atlas.css", "look.css"))
    text = f"""{head(title, GENERATOR, *styles)}
<body>
<nav class="pages" aria-label="Pages">{links}</nav>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
"""
    (folder / name).write_text(text, encoding="utf-8")


def overview(
    said: Mapping[str, str],
    lines: Sequence[Line],
    layers: Sequence[str],
    pictures: Pixels,
    rules: Sequence[str],
) -> str:
    """What was looked at, what was chosen, and what was set aside.

    Args:
        said: facts, by what they are about.
        lines: of the network.
        layers: that were looked at.
        pictures: all that were read.
        rules: what is done on the way back beside the paper's own, one sentence each.
    """
    facts = "".join(f"<dt>{escape(what)}</dt><dd>{escape(words)}</dd>" for what, words in said.items())
    chosen = {line.name: line for line in lines if line.name in layers}
    table = "".join(
        f'<tr><td><a href="strongest.html#{stem(name)}">{escape(titled(name))}</a></td>'
        f'<td class="number">{chosen[name].shape[0]:,}</td>'
        f'<td class="number">{"×".join(map(str, chosen[name].shape[1:])) or "1"}</td>'
        f'<td class="number">{chosen[name].field.kernel if chosen[name].field else "all"}</td></tr>'
        for name in layers
    )
    aside = [f"<li>{escape(line)}</li>" for line in pictures.undecodable]
    passed = f"<p>Passed over because of their ending: {escape(counted(pictures.passed_over))}.</p>"
    return f"""<dl>{facts}</dl>
<h2>Layers</h2>
<div class="wide"><table>
<thead><tr><th>layer</th><th>maps</th><th>size</th><th>a unit sees (px)</th></tr></thead>
<tbody>{table}</tbody></table></div>
{"".join(f"<p>{escape(rule)}</p>" for rule in rules)}
{f"<h2>Set aside</h2><p>These files could not be decoded:</p><ul>{''.join(aside)}</ul>" if aside else ""}
{passed if pictures.passed_over else ""}
"""


def rules(deconvnet: Deconvnet) -> list[str]:
    """How rectifiers other than ReLU and gates are reversed, where there are such."""
    kinds = {step.name: type(step.module).__name__ for step in deconvnet.steps if step.module is not None}
    others = sorted({kinds.get(name, "a gate") for name in deconvnet.rules} - {"ReLU", "a gate"})
    said = [f"On the way back {', '.join(others)} is rectified as ReLU is."] if others else []
    gated = any(step.kind == "scaled" for step in deconvnet.steps)
    return said + ["Gates are held at the value that they had on the way up."] * gated


def described(preprocessing: Preprocessing) -> str:
    """What a picture undergoes, in words."""
    side, size = preprocessing.side, preprocessing.size
    square = "squashed to a square" if preprocessing.fit == "squash" else "the middle of each"
    whole = f", the inner {side} px of {size}" if size > side else f" of {side} px"
    kind = {1: "grey", 3: "RGB"}.get(preprocessing.channels, f"{preprocessing.channels} channels")
    by_pixel = not isinstance(preprocessing.mean, tuple)
    mean = "mean of each pixel" if by_pixel else f"mean {_numbers(preprocessing.mean)}"
    return f"{square}{whole}; {kind}; {mean}; standard deviation {_numbers(preprocessing.std)}"


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.3g}" for value in dict.fromkeys(values))


def strongest(folder: Path, tops: Mapping[str, TopProjections]) -> str:
    """Write a figure of nine for each shown map; the page that shows them."""
    sections = []
    for layer, top in tops.items():
        (folder / (place := f"strongest/{stem(layer)}")).mkdir(parents=True)
        shown = []
        for index, number in enumerate(top.maps.tolist()[:SHOWN]):
            path = f"{place}/map-{number}.webp"
            width, height = figures.save(nine(top.of(top.maps.new_tensor([index])), columns=1), folder / path)
            words = f"nine projections of map {number} of {layer}, and their patches"
            shown.append(
                f'<a href="atlas/index.html#{stem(layer)}-map-{number}"><img src="{path}" width="{width}" '
                f'height="{height}" loading="lazy" alt="{escape(words)}"></a>'
            )
        sections.append(
            f'<section><h2 id="{stem(layer)}">{escape(titled(layer))}</h2>'
            f'<div class="nines">{"".join(shown)}</div></section>'
        )
    return (
        "<p>Some maps of each layer: at the left the projections of a map's strongest activations, each from "
        "another image, the strongest first; at the right, in the same places, the patches that they come "
        f"from. {escape(CONTRAST)} Hatched: outside the image, or no further answer. A figure leads to its "
        f"map in the atlas, which has more of them.</p>{''.join(sections)}"
    )


def occlusion(
    folder: Path, found: Occlusion, images: np.ndarray, names: Sequence[str], classes: Sequence[str]
) -> str:
    """Write the panels of covered pictures; the page that shows them.

    Args:
        folder: of the pages.
        found: what the network says of the covered pictures.
        images: the pictures as it sees them, bytes (n, h, w, channels).
        names: of the pictures.
        classes: names by index; empty where they are not known.
    """
    (folder / "occlusion").mkdir()
    size, sections = images.shape[1:3], []
    for i, name in enumerate(names):
        own = _called(int(found.labels[i]), classes)
        drawn = {
            "the image, and the patch": figures.picture(images[i], found),
            f"probability of {own}": figures.probability(size, found, i),
            "log-odds lost (nats)": figures.lost(size, found, i),
            "most probable class": figures.classes(size, found, i),
        }
        panels = []
        for number, (words, figure) in enumerate(drawn.items()):
            path = f"occlusion/{i}-{number}.webp"
            width, height = figures.save(figure, folder / path)
            key = _key(found, i, classes) if number == len(drawn) - 1 else ""
            panels.append(
                f"<figure{' class=named' if key else ''}><figcaption>{escape(words)}</figcaption><img "
                f'src="{path}" width="{width}" height="{height}" alt="{escape(words)}">{key}</figure>'
            )
        sections.append(
            f"<section><h2>{escape(name)}</h2>{_probable(found.plain_logits[i], classes)}"
            f'<div class="panels">{"".join(panels)}</div></section>'
        )
    patch = found.patch
    return (
        f"<p>A grey square of {patch.size} px slides over the image, {patch.stride} px at a time. The maps "
        "show what the network says with the square at each position: the class that it names for the whole "
        f"image, and the one it names instead.</p>{''.join(sections)}"
    )


def _called(label: int, classes: Sequence[str]) -> str:
    return classes[label] if label < len(classes) else f"class {label}"


def _probable(logits: np.ndarray, classes: Sequence[str]) -> str:
    """The most probable classes of the whole image."""
    shares = softmax(logits.astype(np.float64))
    listed = []
    for k in np.argsort(-shares, kind="stable")[:TOP].tolist():
        name = f"{classes[k]} ({k})" if k < len(classes) else f"class {k}"
        listed.append(f"{name}, {100 * shares[k]:.1f}{HARD}%")
    return f"<p>Most probable: {escape('; '.join(listed))}.</p>"


def _key(found: Occlusion, i: int, classes: Sequence[str]) -> str:
    """The colours of the classes, those that occur."""
    named, place, colours = most_probable(found, i)
    words = [*(_called(number, classes) for number in named), REST]
    items = [
        f'<li><i style="background: {colours[n]}"></i>{escape(words[n])}</li>'
        for n in range(len(words))
        if (place == n).any()
    ]
    return f'<ul class="key">{"".join(items)}</ul>'
