"""Projections against an oracle that back-propagates and against captum; their support; that they repeat."""

import copy
from dataclasses import replace
from pathlib import Path

import captum.attr
import pytest
import small
import torch
from deconvnet_cases import (
    CHAINS,
    agrees,
    check_against_oracle,
    chosen,
    even,
    noise,
    parts,
    quarter_zfnet,
    units,
    without_norm,
)
from deconvnet_oracle import Oracle
from graph_cases import prepared
from torch import nn

from zfutils.deconv.deconvnet import Deconvnet, Units
from zfutils.deconv.top_activations import top_activations
from zfutils.nets import zoo
from zfutils.nets.geometry import seen_by
from zfutils.training import checkpoints

REFERENCE = Path(__file__).parents[2] / "book" / "reference" / "networks" / "zfnet-0"
LAYERS = (
    "conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3", "relu3", "conv4", "relu4",
    "conv5", "relu5", "pool5", "fc6", "relu6", "fc7", "relu7", "fc8",
)  # fmt: skip


@pytest.fixture(scope="module")
def zfnet():
    return quarter_zfnet()


@pytest.fixture(scope="module")
def trained():
    return checkpoints.load(REFERENCE).model


@pytest.fixture
def tiny():
    return prepared(small.SPEC.build())


# ---- agreement with the oracle


def test_every_layer_of_zfnet_agrees_with_back_propagation(zfnet):
    images = torch.cat([noise(1, 224), parts(1, 224)])
    alive = check_against_oracle(zfnet, images, LAYERS, few=2)
    assert min(alive[layer] for layer in LAYERS) >= 1


@pytest.mark.parametrize("nonlinearity", ["deconvnet", "guided", "gradient"])
def test_even_pictures_agree(nonlinearity):
    layers, options = ["conv2", "relu3", "relu5", "pool5", "fc8"], {"nonlinearity": nonlinearity}
    model, images = quarter_zfnet(128), even(1, 128)
    alive = check_against_oracle(model, images, layers, few=3, windows=False, **options)
    assert alive.total() >= 4


def test_exact_ties_go_to_the_first_place_by_both_roads():
    generator = torch.Generator().manual_seed(0)
    first = (nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    model = nn.Sequential(*first, nn.Conv2d(4, 5, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(3, 2))
    for parameter in model.parameters():  # whole numbers add up to the same sum in every order
        parameter.data = torch.randint(-2, 3, parameter.shape, generator=generator).float()
    images = even(2, 40).round()
    recording = Deconvnet(model).forward(images, "pool2")
    maps, height, width = recording.activations.shape[1:]
    every = torch.cartesian_prod(*(torch.arange(n) for n in (2, maps, height, width)))
    which = units(*every.tolist())
    by_window, by_recording = Deconvnet(model).project(images, "pool2", which), recording.project(which)
    assert torch.equal(by_window.pixels, by_recording.pixels)
    oracles = [Oracle(model, image, "pool2") for image in images]
    ties = 0
    for (image, *place), pattern in zip(every.tolist(), by_window.placed(40, 40), strict=True):
        expected = oracles[image].project("pool2", *place)
        assert torch.equal(pattern, expected)
        ties += bool(expected.any())
    assert ties > 50


@pytest.mark.parametrize("images", [noise(1, 128), parts(1, 128)], ids=["noise", "parts"])
def test_a_trained_network_agrees(trained, images):
    layers = ["conv1", "relu1", "relu2", "pool2", "relu3", "conv4", "relu5", "pool5"]
    assert check_against_oracle(trained, images, layers, few=2).total() >= 12


def test_a_trained_networks_fully_connected_layers_agree(trained):
    images = torch.cat([parts(1, 128), even(1, 128)])  # a unit there sees the whole picture
    assert check_against_oracle(trained, images, ["fc6", "relu6", "relu7", "fc8"]).total() >= 10


def test_the_papers_width_agrees():
    model = prepared(zoo.zfnet().scaled(1, fc_width=1 / 64).build())
    assert check_against_oracle(model, noise(1, 224), ["relu2", "relu5", "fc8"], few=1).total() == 3


def test_an_image_that_is_zero_everywhere_agrees(zfnet):
    alive = check_against_oracle(zfnet, torch.zeros(1, 3, 224, 224), ["relu3", "pool5"], few=2)
    assert alive == {"relu3": 2, "pool5": 2}


@pytest.mark.parametrize("size", [(160, 160), (150, 211), (97, 64)])
def test_units_at_corners_and_edges_agree_in_an_image_of_any_shape(zfnet, size):
    assert check_against_oracle(zfnet, noise(1, *size), ["pool1", "conv3", "relu5"]).total() > 20


@pytest.mark.parametrize("layer", ["conv1", "relu1", "pool1", "relu3", "pool5", "fc6", "fc8"])
def test_a_whole_map_agrees_with_the_oracle_seeded_with_it(zfnet, layer):
    images, maps = noise(2, 224), torch.tensor([3, 11])
    found = Deconvnet(zfnet).forward(images, layer).project_maps(maps)
    for image, unit, pattern in zip(images, maps.tolist(), found, strict=True):
        expected = Oracle(zfnet, image, layer).project_map(layer, unit)
        assert agrees(pattern, expected)
        assert expected.any() or layer == "fc6"


@pytest.mark.filterwarnings("ignore:Setting backward hooks on ReLU activations:UserWarning")
@pytest.mark.parametrize(
    ("layer", "place"), [("relu1", (5, 9)), ("relu3", (0, 6)), ("pool5", (2, 2)), ("fc8", ())]
)
def test_without_norm_the_pattern_is_captums(layer, place):
    model, image = without_norm(), noise(1, 128).requires_grad_()
    recording = Deconvnet(model).forward(image, layer)
    unit = int(recording.activations[(0, slice(None), *place)].argmax())
    theirs = captum.attr.NeuronDeconvolution(model, getattr(model, layer)).attribute(image, (unit, *place))
    ours = recording.project(units((0, unit, *(place or (0, 0)))))
    assert ours.values.item() > 0
    assert theirs.any()
    assert agrees(ours.placed(128, 128), theirs.detach() * ours.values)  # captum starts from 1


# ---- what a projection is


def test_a_seed_twice_as_large_gives_a_pattern_twice_as_large(tiny):
    images, which, deconvnet = noise(2, 32), units((0, 7, 0, 3), (1, 7, 4, 4)), Deconvnet(tiny)
    before = deconvnet.project(images, "conv2", which)
    for values in (tiny.conv2.weight.data, tiny.conv2.bias.data):
        values[7] *= 2
    after = deconvnet.project(images, "conv2", which)
    assert before.pixels.flatten(1).any(1).all()
    assert torch.equal(after.values, 2 * before.values)
    assert torch.equal(after.pixels, 4 * before.pixels)  # twice by the seed, twice by the filter itself


def test_without_norm_and_biases_the_pattern_is_as_many_times_stronger_as_the_picture():
    deconvnet, images = Deconvnet(without_norm(biases=False)), noise(1, 128)
    for layer in ("relu1", "pool5", "fc8"):
        which = chosen(deconvnet.forward(images, layer).activations)
        before = deconvnet.project(images, layer, which).pixels
        assert before.any()
        assert torch.equal(deconvnet.project(4 * images, layer, which).pixels, 4 * before)


@pytest.mark.parametrize("layer", ["conv1", "relu1"])
def test_where_no_relu_lies_between_a_map_is_the_sum_of_its_units(zfnet, layer):
    recording = Deconvnet(zfnet).forward(noise(1, 21), layer)
    side = recording.activations.shape[2]
    every = units(*((0, 5, r, c) for r in range(side) for c in range(side)))
    expected = recording.project(every).placed(21, 21).sum(0)
    assert expected.any()
    assert agrees(recording.project_maps(torch.tensor([5]))[0], expected)


@pytest.mark.parametrize("layer", ["relu2", "pool2"])
def test_a_map_without_activations_has_a_pattern_of_zeros(zfnet, layer):
    model = copy.deepcopy(zfnet)
    model.conv2.bias.data[4] = -1e6
    deconvnet, images, which = Deconvnet(model), noise(2, 64), units((0, 4, 1, 1), (1, 4, 0, 0))
    recording = deconvnet.forward(images, layer)
    for projections in (deconvnet.project(images, layer, which), recording.project(which)):
        assert not projections.values.any()
        assert not projections.pixels.any()
    assert not recording.project_maps(torch.tensor([4, 4])).any()
    assert not any(signal.any() for _, signal in recording.walk(units((0, 4, 1, 1))))


@pytest.mark.parametrize("layer", ["conv1", "relu2", "pool5", "fc8"])
def test_a_walk_ends_in_the_projection_and_says_what_each_step_did(zfnet, layer):
    images, deconvnet = noise(2, 224), Deconvnet(zfnet)
    recording = deconvnet.forward(images, layer)
    which = Units(*(t[-1:] for t in chosen(recording.activations)))  # of the second image
    steps = recording.walk(which)
    unit = (0, which.maps, which.rows, which.columns)[: recording.activations.ndim]
    name, seed = steps[0]
    assert name == layer
    assert seed.count_nonzero() == 1
    assert seed[unit] == recording.project(which).values
    assert agrees(steps[-1][1], deconvnet.project(images, layer, which).placed(224, 224))
    signals = dict(steps)
    assert [name for name, _ in steps if "rectified" in name] == [
        f"relu{i}: rectified" for i in range(7, 0, -1) if LAYERS.index(f"relu{i}") < LAYERS.index(layer)
        and f"relu{i}" != layer
    ]  # fmt: skip
    if layer == "relu2":
        assert list(signals)[1:] == [
            "conv2: filtered", "pool1: unpooled", "relu1: rectified", "conv1: filtered",
        ]  # fmt: skip
        unpooled, weights = signals["pool1: unpooled"], (zfnet.conv2.weight, zfnet.conv1.weight)
        assert unpooled.min() < 0
        assert torch.equal(signals["relu1: rectified"], unpooled.clamp(min=0))
        for name, below, weight, padding in [
            ("conv2: filtered", seed, weights[0], 0),
            ("conv1: filtered", signals["relu1: rectified"], weights[1], 1),
        ]:
            expected = nn.functional.conv_transpose2d(below, weight, None, 2, padding)
            height, width = expected.shape[2:]
            assert agrees(signals[name][:, :, :height, :width], expected)
            assert not signals[name][:, :, height:].any()


# ---- the strongest activation of a map


def test_the_strongest_of_a_map_is_at_its_greatest_value_and_of_equals_the_first():
    same = nn.Conv2d(1, 2, 1, bias=False)
    same.weight.data[:, 0, 0, 0] = torch.tensor([1.0, -1.0])
    images = torch.zeros(2, 1, 4, 5)
    images[0, 0, 1, 3], images[0, 0, 2, 0], images[0, 0, 3, 4] = 7, 7, -9
    images[1, 0, 3, 2], images[1, 0, 0, 4] = 2, -1
    recording = Deconvnet(nn.Sequential(same, nn.ReLU())).forward(images, "relu1")
    assert torch.stack(recording.strongest(0), 1).tolist() == [[0, 0, 1, 3], [1, 0, 3, 2]]
    each = recording.strongest(torch.tensor([1, 0]))
    assert torch.stack(each, 1).tolist() == [[0, 1, 3, 4], [1, 0, 3, 2]]
    assert recording.project(each).values.tolist() == [9, 2]


def test_what_differs_by_rounding_alone_counts_as_equal_as_it_does_in_a_search(tiny):
    recording = Deconvnet(tiny).forward(noise(1, 32), "relu2")
    activations = torch.zeros_like(recording.activations)
    activations[0, 4, 1, 2], activations[0, 4, 3, 0] = 1.0, 1.0 + 4e-7
    near = replace(recording, activations=activations)
    assert torch.stack(near.strongest(4), 1).tolist() == [[0, 4, 1, 2]]


@pytest.mark.parametrize("layer", ["relu1", "relu2", "relu3", "fc4"])
def test_the_strongest_in_a_recording_is_that_of_the_search(tiny, layer):
    inputs = small.seen(5)
    found = top_activations(tiny, inputs, layers=[layer], k=1)[layer]
    recording = Deconvnet(tiny).forward(inputs.tensor(), layer)
    for m in range(0, len(found), 5):
        units = recording.strongest(m)
        best = int(found.images[m, 0])
        assert (units.rows[best], units.columns[best]) == (found.rows[m, 0], found.columns[m, 0])
        values = recording.project(units).values
        torch.testing.assert_close(values.max(), found.values[m, 0], rtol=1e-4, atol=1e-7)


def test_maps_must_be_there_and_one_for_all_images_or_one_for_each(tiny):
    recording = Deconvnet(tiny).forward(noise(3, 32), "relu2")
    for asked in (recording.strongest, recording.project_maps):
        with pytest.raises(ValueError, match=r"one map for each of 3 images, not \(2,\)"):
            asked(torch.tensor([1, 2]))
        with pytest.raises(ValueError, match="relu2 has maps 0…11 here, not 12"):
            asked(12)
    assert torch.equal(recording.project_maps(5), recording.project_maps(torch.tensor([5, 5, 5])))


# ---- support and borders


def test_the_pattern_in_the_whole_image_lies_in_the_units_receptive_field(zfnet):
    deconvnet, images = Deconvnet(zfnet), noise(1, 128)
    for stage in zoo.zfnet(image=128).stages():
        if stage.field is None:
            continue
        recording = deconvnet.forward(images, stage.name)
        which = chosen(recording.activations)
        projections = recording.project(which)
        assert deconvnet.window(stage.name) == stage.field
        for i, (_, _, row, column) in enumerate(torch.stack(which, 1).tolist()):
            rows, columns = seen_by(row, stage.field), seen_by(column, stage.field)
            assert (projections.tops[i], projections.lefts[i]) == (rows.start, columns.start)
            pattern = recording.walk(Units(*(t[[i]] for t in which)))[-1][1][0]
            assert pattern.any()
            pattern[:, max(rows.start, 0) : rows.stop, max(columns.start, 0) : columns.stop] = 0
            assert not pattern.any()


def test_a_window_beyond_the_border_is_zero_there(zfnet):
    images, which = noise(1, 128), units((0, 3, 0, 0), (0, 3, 6, 6))
    found = Deconvnet(zfnet).project(images, "conv5", which)
    assert found.pixels.shape == (2, 3, 139, 139)
    for pixels, top, left in zip(found.pixels, found.tops.tolist(), found.lefts.tolist(), strict=True):
        rows, columns = (torch.arange(139) + start for start in (top, left))
        outside = ((rows < 0) | (rows >= 128))[:, None] | ((columns < 0) | (columns >= 128))
        assert outside.any()
        assert not pixels[:, outside].any()
        assert pixels[:, ~outside].any()


def test_nothing_outside_its_window_changes_a_projection(zfnet):
    images, deconvnet, which = noise(1, 160), Deconvnet(zfnet), units((0, 9, 4, 3))
    rows, columns = seen_by(4, deconvnet.window("relu3")), seen_by(3, deconvnet.window("relu3"))
    others = noise(1, 160, seed=5)
    inside = (..., slice(rows.start, rows.stop), slice(columns.start, columns.stop))
    others[inside] = images[inside]
    for layer in ("conv3", "relu3"):
        before, after = (deconvnet.project(i, layer, which) for i in (images, others))
        assert torch.equal(before.pixels, after.pixels)
        assert agrees(deconvnet.forward(others, layer).project(which).pixels, before.pixels)
    assert before.pixels.shape == (1, 3, 75, 75)


# ---- repeatability


def test_projections_repeat_bit_for_bit(zfnet):
    images, deconvnet = noise(2, 128), Deconvnet(zfnet)
    for layer in ("pool2", "relu5", "fc6"):
        images = noise(2, 224) if layer == "fc6" else images
        which = chosen(deconvnet.forward(images, layer).activations)
        first, again = (deconvnet.project(images, layer, which) for _ in range(2))
        assert torch.equal(first.pixels, again.pixels)
        first, again = (deconvnet.forward(images, layer) for _ in range(2))
        assert torch.equal(first.project(which).pixels, again.project(which).pixels)
        maps = which.maps[-2:]
        assert torch.equal(first.project_maps(maps), again.project_maps(maps))


@pytest.mark.parametrize("layer", ["relu1", "pool5", "fc7"])
def test_the_order_of_units_and_the_size_of_batches_do_not_matter(layer):
    images, deconvnet = parts(3, 128), Deconvnet(quarter_zfnet(128))
    recording = deconvnet.forward(images, layer)
    which = Units(*(t[-4:] for t in chosen(recording.activations)))
    whole = deconvnet.project(images, layer, which)
    order = torch.randperm(len(which.maps), generator=torch.Generator().manual_seed(0))
    shuffled = Units(*(t[order] for t in which))
    for road in (lambda *a, **k: deconvnet.project(images, layer, *a, **k), recording.project):
        for batch in (1, 3, 100):
            found = road(shuffled, batch=batch)
            assert torch.equal(found.tops, whole.tops[order])
            assert torch.equal(found.lefts, whole.lefts[order])
            torch.testing.assert_close(found.values, whole.values[order])
            for pattern, expected in zip(found.pixels, whole.pixels[order], strict=True):
                assert agrees(pattern, expected)


def everything_about(model):
    """All that a careless visitor could leave behind."""
    found = {}
    for name, module in model.named_modules():
        kept = {k: v for k, v in vars(module).items() if k not in ("_parameters", "_buffers", "_modules")}
        found[name] = {k: len(v) if "hook" in k and v is not None else v for k, v in kept.items()}
    for name, t in (*model.named_parameters(), *model.named_buffers()):
        found[name, "tensor"] = (t.data_ptr(), t.stride(), t.dtype, t.requires_grad, t.grad, t.tolist())
    return found


@pytest.mark.parametrize("name", CHAINS)
def test_nothing_is_left_behind(name):
    model, images = prepared(CHAINS[name]()), noise(2, 32).requires_grad_()
    next(model.parameters()).requires_grad_(False)
    before, pictures = everything_about(model), images.detach().clone()
    deconvnet = Deconvnet(model, nonlinearity="guided")
    for layer in deconvnet.layers:
        recording = deconvnet.forward(images, layer)
        kept = recording.activations.clone()
        which = chosen(recording.activations)
        found = [recording.project(which), deconvnet.project(images, layer, which)]
        walked = recording.walk(Units(*(t[:1] for t in which)))
        patterns = [p.pixels for p in found] + [recording.project_maps(which.maps[:2])]
        assert not any(t.requires_grad for t in (kept, *patterns, *(signal for _, signal in walked)))
        assert torch.equal(recording.activations, kept)
    assert everything_about(model) == before
    assert torch.equal(images, pictures)
    assert torch.is_grad_enabled()


def test_a_model_in_training_mode_is_used_as_in_evaluation_and_stays_in_it(tiny):
    images, which = noise(1, 32), units((0, 1, 0, 0))
    expected = Deconvnet(tiny).project(images, "fc4", which).pixels
    tiny.train()
    assert torch.equal(Deconvnet(tiny).project(images, "fc4", which).pixels, expected)
    assert all(module.training for module in tiny.modules())


def test_relus_in_place_overwrite_neither_activations_nor_pictures():
    model = prepared(nn.Sequential(nn.ReLU(inplace=True), nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True)))
    images, deconvnet = noise(1, 12).contiguous(memory_format=torch.channels_last), Deconvnet(model)
    before = images.clone()
    activations = deconvnet.forward(images, "conv1").activations
    expected = model[1](images.relu()).detach()
    assert expected.min() < 0
    assert agrees(activations, expected)
    deconvnet.project(images, "relu1", units((0, 0, 3, 3)))
    assert torch.equal(images, before)
