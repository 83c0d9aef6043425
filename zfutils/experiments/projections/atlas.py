"""The atlas: every map of every layer as pages to browse, beyond what fits on a page of the book (Fig. 2).

A folder of its own: an index, a page for each layer, a small picture for each map. The one idea: plain files
that load nothing from elsewhere and need no script, so that they can be read from a disk as well as from a
server. An atlas is written beside its place and moved there when complete.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from re import search, sub
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from zfutils.data.pixels import Pixels
from zfutils.deconv.top_projections import TopProjections
from zfutils.plotting.tiles import CONTRAST, GUTTER, block, check, colours_and_mask, words

Classes = Mapping[str, Sequence[Sequence[str]]]
SMALLEST = 40  # screen pixels of a tile: smaller windows are enlarged by whole factors
QUALITY = 75  # of WebP, two thirds of a JPEG's bytes for the same looks; enlarged windows lose nothing
PREVIEWS = 4  # maps of a layer on the index
GENERATOR = '<meta name="generator" content="zfutils atlas">'
STYLE = """\
:root { color-scheme: light dark; --ground: #fff; --ink: #222; --faint: #5c5c5c; --line: #d8d8d8;
  --link: #0b5cad; --mark: #d55e00; }
@media (prefers-color-scheme: dark) { :root { --ground: #14181c; --ink: #e4e4e4; --faint: #a5a5a5;
  --line: #3a4148; --link: #7ab8f5; --mark: #ff9a4d; } }
body { margin: 0 auto; max-width: 1500px; padding: 0 1rem 3rem; background: var(--ground);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 1.2rem 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .3rem; }
p { max-width: 46rem; margin: .4rem 0; }
a { color: var(--link); }
nav { position: sticky; top: 0; display: flex; flex-wrap: wrap; gap: .1rem 1rem; padding: .5rem 0;
  background: var(--ground); border-bottom: 1px solid var(--line); z-index: 1; }
nav a { padding: .15rem 0; }
[aria-current] { color: var(--ink); font-weight: 600; text-decoration: none; }
details { margin: .6rem 0; }
.numbers { display: flex; flex-wrap: wrap; gap: .2rem .7rem; }
.maps { display: grid; gap: 1.5rem 1.25rem; margin-top: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, var(--least)), 1fr)); }
figure { margin: 0; scroll-margin-top: 5rem; }
figure:target { outline: 3px solid var(--mark); outline-offset: 5px; }
figure img { display: block; max-width: 100%; height: auto; }
figcaption { font-size: .875rem; line-height: 1.4; margin-top: .3rem; color: var(--faint); }
figcaption b, figcaption b a { color: var(--ink); text-decoration: none; }
"""


@dataclass(frozen=True)
class _Layer:
    """One page: a layer of the trained network, or the same of the one with random weights."""

    name: str
    top: TopProjections
    random: bool
    classes: Sequence[Sequence[str]] | None = None

    @property
    def stem(self) -> str:
        """Of its page and of the folder of its pictures."""
        digits = search(r"\d+$", self.name)
        word = digits[0] if digits else sub(r"\W+", "-", self.name.lower()).strip("-")
        return f"layer-{word}" + ("-random" if self.random else "")

    @property
    def title(self) -> str:
        return words(self.name).capitalize()

    @property
    def answering(self) -> list[int]:
        """Which of its maps answer to anything."""
        return np.flatnonzero(np.asarray(self.top.strongest.values).max(1) > 0).tolist()

    @property
    def about(self) -> str:
        count, silent = len(self.top.maps), len(self.top.maps) - len(self.answering)
        side = self.top.inside.shape[-1]
        never = f"; {silent} never answer{'s' if silent == 1 else ''}" if silent else ""
        return f"{count} map{'s' if count > 1 else ''}, windows of {side}×{side} px{never}."


def write_atlas(
    folder: Path,
    layers: Mapping[str, TopProjections],
    *,
    title: str,
    about: str,
    random: Mapping[str, TopProjections] | None = None,
    classes: Classes | None = None,
) -> Path:
    """Write all maps of all layers as pages to browse; an older atlas in the same place is replaced.

    A map's projections stand at the left and its patches in the same places at the right, strongest first in
    reading order, as in `projections.nine`. Map 17 of layer 3 is `layer-3.html#map-17`.

    Args:
        folder: where the atlas goes; made if need be.
        layers: by name ("relu1" …), in the order of the pages.
        title: of the index.
        about: what was searched, and with which network; a paragraph.
        random: the same layers of the network with random weights, on pages beside.
        classes: by layer, for each map of its `TopProjections`, the classes of its pictures (`classes_of`).

    Returns:
        The path of the index.

    Raises:
        ValueError: no layers, arrays that do not belong together, or classes of another number of maps.
        FileExistsError: the folder holds something that is no atlas.
    """
    folder = Path(folder)
    pages = _pages(layers, random or {}, classes or {})
    index = folder / "index.html"
    if folder.exists() and any(folder.iterdir()) and not _is_atlas(index):
        raise FileExistsError(f"{folder} holds something that is no atlas; it is left as it is")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        fresh = Path(beside) / "fresh"
        fresh.mkdir()
        (fresh / "atlas.css").write_text(STYLE)
        pictures = {page.stem: _write_pictures(fresh, page) for page in pages}
        for page in pages:
            text = _layer_page(page, pages, pictures[page.stem], title)
            (fresh / f"{page.stem}.html").write_text(text, encoding="utf-8")
        text = _index_page(pages, pictures, title, about)
        (fresh / "index.html").write_text(text, encoding="utf-8")
        if folder.exists():
            folder.rename(Path(beside) / "old")
        fresh.rename(folder)
    return index


def classes_of(layers: Mapping[str, TopProjections], images: Pixels) -> Classes:
    """The classes of the pictures of every map's strongest activations, as `write_atlas` shows them.

    Args:
        layers: by name.
        images: the set that was searched.
    """
    return {
        name: [[images.classes[i] for i in images.labels[rows].tolist()] for rows in top.strongest.images]
        for name, top in layers.items()
    }


def _is_atlas(index: Path) -> bool:
    return index.is_file() and GENERATOR in index.read_text(encoding="utf-8", errors="replace")


def _pages(
    layers: Mapping[str, TopProjections], random: Mapping[str, TopProjections], classes: Classes
) -> list[_Layer]:
    """The pages in their order, each checked."""
    if not layers:
        raise ValueError("an atlas needs at least one layer")
    if foreign := [name for given in (random, classes) for name in given if name not in layers]:
        raise ValueError(f"{foreign[0]!r} is not among the atlas's layers: {', '.join(layers)}")
    pages = [_Layer(name, top, False, classes.get(name)) for name, top in layers.items()]
    pages += [_Layer(name, top, True) for name, top in random.items()]
    for page in pages:
        check(page.top)
        if page.classes is not None and len(page.classes) != len(page.top.maps):
            raise ValueError(
                f"{page.name} has {len(page.top.maps)} maps, classes were given for {len(page.classes)}"
            )
    stems = Counter(page.stem for page in pages)
    if twice := [page.name for page in pages if stems[page.stem] > 1]:
        raise ValueError(f"layers {', '.join(twice)} would share a page; they need different numbers")
    return pages


# ---- pictures


def _write_pictures(folder: Path, page: _Layer) -> dict[int, tuple[str, int, int]]:
    """One picture for each map that answers: its address, width and height, by place in `page.top`."""
    (folder / page.stem).mkdir()
    side = page.top.inside.shape[-1]
    times = -(-SMALLEST // side)
    written = {}
    for index in page.answering:
        picture = Image.fromarray(_both(page.top, index, side * times))
        how = {"lossless": True, "quality": 50} if times > 1 else {"quality": QUALITY}
        name = f"{page.stem}/map-{int(page.top.maps[index])}.webp"
        picture.save(folder / name, method=2, **how)
        written[index] = (name, *picture.size)
    return written


def _both(top: TopProjections, index: int, tile: int) -> np.ndarray:
    """Projections, a gap, patches."""
    colours, patches, inside = colours_and_mask(top, index)
    left, right = (block(tiles, inside, tile=tile, gap=2) for tiles in (colours, patches))
    between = np.full((len(left), max(8, tile // 6), 3), GUTTER, np.uint8)
    return np.concatenate((left, between, right), axis=1)


# ---- pages


def _document(title: str, body: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
{GENERATOR}
<title>{escape(title)}</title>
<link rel="stylesheet" href="atlas.css">
</head>
<body>
{body}
</body>
</html>
"""


def _navigation(pages: Sequence[_Layer], here: _Layer | None) -> str:
    """Links to the index, to all layers of the same network, and to this layer of the other."""
    random = here is not None and here.random
    links = [("index.html", "Contents", here is None)]
    links += [(f"{p.stem}.html", p.title, p is here) for p in pages if p.random == random]
    if here is not None:
        words_ = "trained weights" if random else "random weights"
        links += [
            (f"{p.stem}.html", f"{p.title} with {words_}", False)
            for p in pages
            if p.name == here.name and p.random != random
        ]
    current = ' aria-current="page"'
    items = [f'<a href="{url}"{current if now else ""}>{escape(text)}</a>' for url, text, now in links]
    return "<nav>" + "\n".join(items) + "</nav>"


def _index_page(
    pages: Sequence[_Layer], pictures: Mapping[str, dict[int, tuple[str, int, int]]], title: str, about: str
) -> str:
    parts = [_navigation(pages, None), f"<h1>{escape(title)}</h1>", f"<p>{escape(about)}</p>", _legend()]
    for page in pages:
        name = f"{page.title}, random weights" if page.random else page.title
        parts.append(f'<h2><a href="{page.stem}.html">{escape(name)}</a></h2><p>{escape(page.about)}</p>')
        there = sorted(pictures[page.stem])
        shown = sorted({there[i * len(there) // PREVIEWS] for i in range(PREVIEWS)} if there else [])
        parts.append(_grid([_figure(page, i, pictures[page.stem].get(i), preview=True) for i in shown], 250))
    return _document(title, "\n".join(parts))


def _layer_page(
    page: _Layer, pages: Sequence[_Layer], pictures: dict[int, tuple[str, int, int]], title: str
) -> str:
    weights = ", random weights" if page.random else ""
    order = np.argsort(np.asarray(page.top.maps), kind="stable").tolist()
    numbers = [int(page.top.maps[i]) for i in order]
    links = " ".join(f'<a href="#map-{number}">{number}</a>' for number in numbers)
    least = min(430, max((width for _, width, _ in pictures.values()), default=430))
    parts = [
        _navigation(pages, page),
        f"<h1>{escape(page.title + weights)}</h1>",
        f"<p>{escape(page.about)}</p>",
        _legend(),
        f'<details><summary>Maps by number</summary><div class="numbers">{links}</div></details>',
        _grid([_figure(page, i, pictures.get(i)) for i in order], least),
    ]
    return _document(f"{page.title}{weights}: {title}", "\n".join(parts))


def _legend() -> str:
    return (
        "<p>Projections at the left, the windows of the pictures they came from at the right, strongest "
        f"first in reading order. {escape(CONTRAST)} Hatched: outside the picture, or no further answer.</p>"
    )


def _grid(figures: Sequence[str], least: int) -> str:
    return f'<div class="maps" style="--least: {least}px">\n' + "\n".join(figures) + "\n</div>"


def _figure(page: _Layer, index: int, picture: tuple[str, int, int] | None, *, preview: bool = False) -> str:
    """One map with its caption; on the index it links to its place on the layer's page."""
    number = int(page.top.maps[index])
    place = f"{page.stem}.html#map-{number}" if preview else f"#map-{number}"
    anchor = "" if preview else f' id="map-{number}"'
    caption = f'<b><a href="{place}">Map {number}</a></b> {escape(_caption(page, index))}'
    image = ""
    if picture is not None:
        url, width, height = picture
        alt = (
            f"Map {number} of {words(page.name)}: projections of its strongest activations at the left, "
            "the windows of their pictures at the right"
        )
        image = (
            f'<a href="{place if preview else url}"><img src="{url}" width="{width}" height="{height}" '
            f'loading="lazy" decoding="async" alt="{escape(alt)}"></a>'
        )
    return f"<figure{anchor}>{image}<figcaption>{caption}</figcaption></figure>"


def _caption(page: _Layer, index: int) -> str:
    """The range of the activations, and the classes of the pictures, the commonest first."""
    values = [float(v) for v in page.top.strongest.values[index] if v > 0]
    if not values:
        return "never answers"
    text = f"activation {max(values):.3g} to {min(values):.3g}"
    if len(values) < len(page.top.strongest.values[index]):
        text += f", answers to {len(values)} picture{'s' if len(values) > 1 else ''} only"
    if page.classes is not None:
        common = Counter(page.classes[index][: len(values)]).most_common()
        text += "; " + ", ".join(f"{n}\u00a0×\u00a0{name}" if n > 1 else name for name, n in common)
    return text
