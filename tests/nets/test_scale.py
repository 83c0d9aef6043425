"""Windows to scale: the table against a search by the rules that its module states."""

import itertools
from dataclasses import replace

import pytest
import torch

from zfutils.nets import zoo
from zfutils.nets.geometry import Window, receptive_field
from zfutils.nets.scale import STEMS, Stem

SIZES = (64, 96, 128, 160)


def convolutions(spec):
    return [stage for stage in spec.stages() if stage.kind == "conv"]


def near(ours, theirs):
    return abs(ours / theirs - 1) <= 0.15


def stems(first, second):
    """Every stem whose layer 1 sees the pixels asked for, to within one, and layer 2 to within 15 %."""
    kernels = [k for k in range(3, 23, 2) if abs(k - first) <= 1]
    for k1, k2 in itertools.product(kernels, (3, 5)):
        strides = itertools.product(range(1, min(k1, 4) + 1), (1, 2, 3), (1, 2), (1, 2, 3))
        for s1, p1, s2, p2 in strides:
            if near(receptive_field([Window(k1, s1), Window(3, p1), Window(k2, s2)]).kernel, second):
                paddings = itertools.product(range(k1 // 2 + 1), (0, 1), range(k2 // 2 + 1), (0, 1))
                for a, b, c, d in paddings:
                    yield Stem(Window(k1, s1, a), Window(3, p1, b), Window(k2, s2, c), Window(3, p2, d))


@pytest.mark.parametrize("image", SIZES)
@pytest.mark.parametrize("network", [zoo.zfnet, zoo.krizhevsky])
def test_the_table_holds_the_best_of_all_stems_by_the_networks_own_stages(network, image):
    spec = network()
    lower, upper = spec.convolutions[:2], [replace(c, pool=None) for c in spec.convolutions[2:]]
    paper = Stem(*(window for c in lower for window in (c.window, c.pool)))
    wanted = [stage.field.kernel / 224 * image for stage in convolutions(spec)]
    ranked = {}
    for stem in stems(*wanted[:2]):
        pairs = zip(lower, (stem[:2], stem[2:]), strict=True)
        edited = (*(replace(c, window=window, pool=pool) for c, (window, pool) in pairs), *upper)
        found = convolutions(replace(spec, image=image, convolutions=edited))
        fields = zip((stage.field.kernel for stage in found[1:]), wanted[1:], strict=True)
        if all(9 <= stage.size <= 15 for stage in found[2:]) and all(near(*pair) for pair in fields):
            stride = abs(stem.conv1.stride - paper.conv1.stride)
            changed = sum(a[:2] != b[:2] for a, b in zip(stem, paper, strict=True))
            cost = sum(stage.multiply_adds for stage in found)
            ranked[stem] = (stride, changed, cost, sum(window.padding for window in stem), stem)
    assert STEMS[paper][image] == min(ranked, key=ranked.get)


def test_at_the_papers_size_nothing_changes():
    for network, parameters in ((zoo.zfnet, 62_357_608), (zoo.krizhevsky, 62_378_344)):
        assert network().at(224) == network()
        assert network().at(224).parameters == parameters


@pytest.mark.parametrize("image", SIZES)
def test_every_row_of_table_3_works_at_every_size_and_an_edit_may_come_first(image):
    for network in (zoo.zfnet, zoo.krizhevsky):
        for spec in zoo.table_3(network(10).at(image).scaled(0.25)).values():
            with torch.device("meta"):
                assert spec.build()(torch.empty(1, 3, image, image)).shape == (1, 10)
        row = "without layers 3, 4, 6, 7"
        assert zoo.table_3(network().at(image))[row] == zoo.table_3(network())[row].at(image)


def test_a_size_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"100 px; the nearest is 96 px.*64, 96, 128, 160, 224"):
        zoo.zfnet().at(100)


def test_another_network_is_refused():
    with pytest.raises(ValueError, match="ZFNet"):
        zoo.lenet5().at(64)
    with pytest.raises(ValueError, match="layer 2"):
        zoo.zfnet().without("conv2").at(64)
