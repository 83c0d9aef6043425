"""Windows to scale: the table against the search, and the search against the rules it states."""

import pytest

from zfutils.nets import zoo
from zfutils.nets.geometry import Window
from zfutils.nets.scale import KRIZHEVSKY, MAPS, STEMS, ZFNET, Stem, map_sizes, search, shares

CASES = [(paper, image) for paper in (ZFNET, KRIZHEVSKY) for image in (64, 96, 128, 160)]


@pytest.mark.parametrize(("paper", "image"), CASES)
def test_the_table_holds_the_first_that_the_search_finds(paper, image):
    assert STEMS[paper][image] == search(paper, image)[0]


@pytest.mark.parametrize("network", [zoo.zfnet, zoo.krizhevsky])
@pytest.mark.parametrize("image", [64, 96, 128, 160])
def test_each_layer_sees_the_papers_share_by_the_networks_own_stages(network, image):
    paper, spec = network(), network().at(image)
    theirs = {s.name: s.field.kernel / 224 for s in paper.stages() if s.kind == "conv"}
    for stage in (s for s in spec.stages() if s.kind == "conv"):
        share = stage.field.kernel / image
        if stage.name == "conv1":
            assert abs(stage.field.kernel - theirs["conv1"] * image) <= 1
        else:
            assert abs(share / theirs[stage.name] - 1) <= 0.15
        if stage.name in ("conv3", "conv4", "conv5"):
            assert MAPS[0] <= stage.size <= MAPS[1]


def test_the_papers_shares_are_those_of_the_figure():
    assert [round(s, 2) for s in shares(ZFNET, 224)] == [0.03, 0.12, 0.33, 0.48, 0.62]
    assert map_sizes(ZFNET, 224) == (110, 55, 26, 13)


def test_on_128_px_zfnet_keeps_the_papers_strides_in_layer_1_and_its_maps_of_13():
    stem = STEMS[ZFNET][128]
    assert (stem.conv1, stem.pool1) == (Window(5, 2, 0), Window(3, 2, 0))
    assert map_sizes(stem, 128)[-1] == 13


def test_at_the_papers_size_nothing_changes():
    for network, parameters in ((zoo.zfnet, 62_357_608), (zoo.krizhevsky, 62_378_344)):
        assert network().at(224) == network()
        assert network().at(224).parameters == parameters


@pytest.mark.parametrize("image", [64, 96, 128, 160])
def test_every_row_of_table_3_works_at_every_size_and_an_edit_may_come_first(image):
    for network in (zoo.zfnet, zoo.krizhevsky):
        for spec in zoo.table_3(network(10).at(image).scaled(0.25)).values():
            assert spec.parameters > 0
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


def test_no_two_networks_share_a_stem():
    stems = [stem for sizes in STEMS.values() for stem in sizes.values()]
    assert len(set(stems)) == len(stems)
    assert all(isinstance(stem, Stem) for stem in stems)
