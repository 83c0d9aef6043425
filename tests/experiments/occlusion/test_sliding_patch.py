"""Occlusion: the values of the plain way, whatever network, patch, stride and border; and what they say."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import nn

from zfutils.data.inputs import Inputs
from zfutils.data.preprocessing import Preprocessing
from zfutils.experiments.occlusion.incremental import Incremental
from zfutils.experiments.occlusion.plain import one_by_one
from zfutils.experiments.occlusion.rectangles import Rectangles, Spans, planned
from zfutils.experiments.occlusion.sliding_patch import Fill, Occlusion, Patch, occlude
from zfutils.nets.contrast_norm import ContrastNorm
from zfutils.nets.geometry import Window, output_size, seen_by


def random_network(seed, *, size):
    """A chain of a random shape, with weights large enough that every layer matters."""
    draw = np.random.default_rng(seed)
    layers, channels, shape = [], 3, size
    for depth in range(1, 4):
        kernel, stride = int(draw.integers(1, 6)), int(draw.integers(1, 3))
        window = Window(kernel, stride, int(draw.integers(0, kernel)))
        if min(output_size(n, window) for n in shape) < 4:
            break
        maps = int(draw.choice([7, 24, 40]))  # below and above FEW weights a filter
        shape = tuple(output_size(n, window) for n in shape)
        rectified = (f"relu{depth}", nn.ReLU())
        layers += [(f"conv{depth}", nn.Conv2d(channels, maps, *window)), rectified]
        pooled = Window(3, int(draw.integers(1, 4)), int(draw.integers(0, 2)))
        if draw.random() < 0.6 and min(output_size(n, pooled) for n in shape) >= 3:
            pooling = nn.AvgPool2d if seed % 3 == 2 else nn.MaxPool2d
            layers.append((f"pool{depth}", pooling(*pooled)))
            if seed % 2:  # a rectification may come after the pooling
                layers[-2:] = [layers[-1], rectified]
            shape = tuple(output_size(n, pooled) for n in shape)
        kind = draw.integers(3)
        if kind:
            extra = (ContrastNorm(maps, alpha=1.0), nn.BatchNorm2d(maps))[kind - 1]
            layers.append((("norm", "bn")[kind - 1] + str(depth), extra))
        channels = maps
    layers += [("flatten", nn.Flatten()), ("fc6", nn.Linear(channels * shape[0] * shape[1], 24))]
    layers += [("relu6", nn.ReLU(inplace=True)), ("drop6", nn.Dropout()), ("fc7", nn.Linear(24, 5))]
    network = nn.Sequential()
    for name, module in layers:
        network.add_module(name, module)
    for name, parameter in network.named_parameters():
        nn.init.normal_(parameter, std=0.3 if "bias" in name else 1.5 / parameter[0].numel() ** 0.5)
    return network.eval(), [name for name, module in layers if isinstance(module, nn.ReLU)][-2]


@torch.no_grad()
def plainly(model, image, filled, rectangles, layer):
    """Every covered picture through the whole network, one by one."""
    logits, sums = [], []
    ends = [e.tolist() for axis in rectangles for e in axis]
    for top, bottom, left, right in zip(*ends, strict=True):
        covered = image.clone()
        covered[:, top:bottom, left:right] = filled[:, top:bottom, left:right]
        x = covered[None]
        for name, module in model.named_children():
            x = module(x.clone())
            if name == layer:
                sums.append(x.sum((0, 2, 3)))
        logits.append(x[0])
    return torch.stack(logits), torch.stack(sums)


def assert_equal(ours, plain):
    assert float((ours - plain).abs().max()) <= 1e-5 * float(plain.abs().max())


def any_rectangles(draw, n, size):
    spans = []
    for side in size:
        ends = np.sort(draw.integers(0, side + 1, (n, 2)), axis=1)
        starts = np.minimum(ends[:, 0], side - 1)
        spans.append(Spans(starts, np.maximum(ends[:, 1], starts + 1)))
    return Rectangles(*spans)


@pytest.mark.parametrize("seed", range(16))
def test_the_answers_are_those_of_the_plain_way(seed):
    torch.manual_seed(seed)
    draw = np.random.default_rng(100 + seed)
    size = tuple(int(n) for n in draw.integers(24, 44, 2))  # not square
    model, layer = random_network(seed, size=size)
    image, filled = torch.randn(2, 3, *size)
    for rectangles in (
        Patch(int(draw.integers(6, 18)), int(draw.integers(3, 7))).rectangles(*size),
        any_rectangles(draw, 20, size),
    ):
        logits, sums = plainly(model, image, filled, rectangles, layer)
        batch = int(draw.choice([1, 5, 300]))
        network = Incremental(model, layer, rectangles, shape=(3, *size), batch=batch)
        answers = network.answers(image, filled)
        assert_equal(answers.logits, logits)
        assert_equal(one_by_one(model, image, filled, rectangles), logits)
        assert_equal(answers.sums, sums)
        assert_equal(answers.plain_logits, model(image[None]).detach()[0])
        assert (logits - answers.plain_logits).abs().max() > 0.01 * logits.abs().max()  # something happened


def test_any_layer_with_maps_can_be_looked_at_and_the_model_stays_as_it_was(model):
    image, filled = torch.randn(2, 3, 32, 32)
    rectangles = Patch(9, 5).rectangles(32, 32)
    before = {name: t.clone() for name, t in model.state_dict().items()}
    for layer in ("conv1", "relu1", "pool1", "norm1", "conv2", "relu2", "pool2"):
        answers = Incremental(model, layer, rectangles, shape=(3, 32, 32)).answers(image, filled)
        assert_equal(answers.sums, plainly(model, image, filled, rectangles, layer)[1])
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


@pytest.mark.parametrize("window", [Window(1), Window(3, 1, 1), Window(3, 2, 1), Window(5, 2), Window(2, 3)])
def test_a_stretch_reaches_the_units_that_see_it(window):
    size, above = 17, output_size(17, window)
    for start in range(size):
        for stop in range(start + 1, size + 1):
            fields = [seen_by(unit, window) for unit in range(above)]
            see = [u for u, field in enumerate(fields) if field.start < stop and field.stop > start]
            reached = Spans(np.array([start]), np.array([stop])).above(window, above)
            if see:
                assert (reached.starts[0], reached.stops[0]) == (see[0], see[-1] + 1)
            else:
                assert reached.stops[0] - reached.starts[0] == 1


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_a_plan_holds_every_rectangle_once_no_more_than_a_batch_at_a_time_and_all_that_it_reaches(batch):
    rectangles, layers, sizes = Patch(12, 4).rectangles(40, 52), [Window(5, 2, 1)], [(40, 52), (19, 25)]
    batches = planned(rectangles, layers, sizes, batch=batch)
    assert max(sum(len(group.places) for group in groups) for groups in batches) <= batch
    groups = [group for groups in batches for group in groups]
    assert sorted(np.concatenate([group.places for group in groups])) == list(range(len(rectangles)))
    reached = (rectangles.ends(), rectangles.above(layers[0], sizes[1]).ends())
    for group in groups:
        assert group.ends == [reached[0][place] for place in group.places]
        for ends, windows, size in zip(reached, group.windows, sizes, strict=True):
            for place, (row, column) in zip(group.places, windows.corners, strict=True):
                top, bottom, left, right = ends[place]
                assert 0 <= row <= top < bottom <= row + windows.size[0] <= size[0]
                assert 0 <= column <= left < right <= column + windows.size[1] <= size[1]


@pytest.mark.parametrize(
    ("size", "stride", "side"), [(48, 8, 224), (5, 5, 23), (6, 4, 9), (7, 3, 32), (4, 1, 4)]
)
def test_positions_cover_every_pixel_and_lie_symmetrically(size, stride, side):
    patch = Patch(size, stride)
    spans, centres = patch.spans(side), patch.centres(side)
    covered = np.zeros(side, dtype=int)
    for start, stop in zip(*spans, strict=True):
        covered[start:stop] += 1
    assert covered.min() >= 1
    assert (np.diff(centres) == stride).all()
    assert centres[0] >= 0 > centres[0] - stride
    assert centres[-1] < side <= centres[-1] + stride
    assert abs(centres[0] - (side - 1 - centres[-1])) <= 1


def test_positions_of_the_papers_size_by_hand():
    patch = Patch(48, 8)
    assert patch.centres(224).tolist() == list(range(4, 224, 8))
    assert [ends[:2].tolist() for ends in patch.spans(224)] == [[0, 0], [28, 36]]
    assert len(patch.rectangles(224, 224)) == 28 * 28


def test_sums_under_the_patch_are_those_of_the_covered_pixels():
    values = np.random.default_rng(0).normal(size=(2, 19, 26))
    patch = Patch(7, 4)
    rows, columns = patch.rectangles(19, 26)
    by_hand = [values[:, a:b, c:d].sum((1, 2)) for a, b, c, d in zip(*rows, *columns, strict=True)]
    np.testing.assert_allclose(patch.under(values).reshape(2, -1), np.transpose(by_hand), atol=1e-12)


@pytest.mark.parametrize("fill", Fill.__args__)
def test_each_fill_shows_what_it_says(model, inputs, fill):
    patch, third = Patch(32, 32, fill), inputs.at(torch.tensor([3]))
    found = occlude(model, third, patch=patch, layer="relu2", seed=5)
    pixels, mean = third.pixels()[0].astype(np.float32), inputs.images.mean[4:36, 4:36].numpy()
    if fill == "noise":
        assert found.logits.shape == (1, 1, 1, 3)
        again = occlude(model, third, patch=patch, layer="relu2", seed=5)
        other = occlude(model, third, patch=patch, layer="relu2", seed=6)
        np.testing.assert_array_equal(found.logits, again.logits)
        assert not np.allclose(found.logits, other.logits)
        return
    blurred = gaussian_filter(pixels - mean, (8, 8, 0), mode="mirror", truncate=2) + mean
    shown = {"grey": mean, "black": 0 * mean, "blurred": blurred}[fill]
    x = torch.from_numpy((shown - mean) / 64).permute(2, 0, 1)[None].float()
    np.testing.assert_allclose(found.logits[0, 0, 0], model(x).detach()[0], rtol=1e-3, atol=1e-3)


def test_what_is_kept_of_a_picture_is_what_the_network_says(model, inputs):
    two = inputs.at(torch.tensor([7, 2]))
    found = occlude(model, two, patch=Patch(10, 6), layer="relu2", batch=4)
    assert found.logits.shape == (2, 6, 6, 3)
    for place, (row, image) in enumerate(zip((7, 2), two.tensor(), strict=True)):
        rectangles = found.patch.rectangles(32, 32)
        logits, sums = plainly(model, image, torch.zeros_like(image), rectangles, "relu2")
        whole = model[:6](image[None]).detach().sum((0, 2, 3))
        assert found.maps[place] == int(whole.argmax())
        assert_equal(torch.from_numpy(found.logits[place]).reshape(-1, 3), logits)
        activations = torch.from_numpy(found.activations[place]).flatten()
        assert_equal(activations, sums[:, found.maps[place]])
        assert found.labels[place] == row % 3
        own = logits.softmax(1)[:, row % 3].numpy()
        np.testing.assert_allclose(found.probability[place].ravel(), own, rtol=1e-4)
    np.testing.assert_array_equal(found.predicted, found.probabilities.argmax(-1))
    np.testing.assert_allclose(found.probabilities.sum(-1), 1)


def by_hand(**changes):
    """One picture, one row of two positions, three classes."""
    logits = np.log(np.array([[[[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]]]]))
    arrays = {
        "rows": [4],
        "labels": [0],
        "maps": [1],
        "activations": [[[1.0, 3.0]]],
        "plain_activations": [2.0],
    }
    arrays = {name: np.array(values) for name, values in arrays.items()}
    arrays |= {"logits": logits, "plain_logits": np.log(np.array([[0.8, 0.1, 0.1]]))}
    return Occlusion(Patch(2, 1), "relu5", **(arrays | changes))


def test_falls_by_hand():
    found = by_hand()
    np.testing.assert_allclose(found.fall("probability"), [[[0.3, 0.6]]])
    np.testing.assert_allclose(found.fall("log-odds"), [[[np.log(4), np.log(16)]]])
    np.testing.assert_allclose(found.fall("activation"), [[[0.5, -0.5]]])
    assert found.predicted.tolist() == [[[0, 2]]]
    assert found.plain_predicted.tolist() == [0]
    np.testing.assert_allclose(found.following(np.array([2])).fall(), [[[-0.15, -0.5]]])


def test_a_map_that_does_not_answer_cannot_fall():
    assert (by_hand(plain_activations=np.array([0.0])).fall("activation") == 0).all()


def test_log_odds_stay_finite_where_the_probability_is_one_to_the_last_digit():
    found = by_hand(plain_logits=np.array([[200.0, 0.0, 0.0]]))
    np.testing.assert_allclose(found.fall("log-odds")[0, 0, 0], 200 - np.log(2), rtol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 1), "1 pixel or more"),
        ((4, 0), "not 4 and 0"),
        ((4, -2), "not 4 and -2"),
        ((4, 5), "uncovered"),
        ((4, 2, "red"), "grey, black, noise, blurred"),
    ],
)
def test_a_patch_that_makes_no_sense_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        Patch(*arguments)


def test_wrong_arguments_are_named(model, inputs):
    def run(seen=inputs[:1], **changes):
        occlude(model, seen, **{"patch": Patch(8, 8), "layer": "relu2"} | changes)

    for changes, words in (
        ({"layer": "relu9"}, "'relu9' has no maps in this network; these have: conv1, relu1"),
        ({"layer": "relu3"}, "'relu3' has no maps"),
        ({"labels": torch.tensor([3])}, "label 3 is no class of this network, which has 0 … 2"),
        ({"labels": torch.tensor([-1])}, "label -1"),
        ({"labels": torch.tensor([1, 1])}, "one label for each of 1 pictures"),
        ({"patch": Patch(33, 8)}, "33 px is larger than the picture of 32 px"),
        ({"batch": 0}, "batch is 0"),
        ({"seen": Inputs.of(inputs.images, side=24)}, "give fc3"),
    ):
        with pytest.raises(ValueError, match=words):
            run(**changes)
    with pytest.raises(ValueError, match="measure is one of probability, log-odds, activation"):
        by_hand().fall("size")


def test_pictures_that_the_network_does_not_take_are_refused(model):
    one = Rectangles(*[Spans(np.array([0]), np.array([4]))] * 2)
    for shape, words in (((1, 32, 32), "3 channels"), ((3, 5, 5), "is empty")):
        with pytest.raises(ValueError, match=words):
            Incremental(model, "relu1", one, shape=shape)
    training = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    with pytest.raises(ValueError, match="training mode"):
        Incremental(training, "conv1", one, shape=(3, 3, 3))


# ---- networks that are no plain chains


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.relu = nn.Conv2d(3, 6, 3, 2, 1), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU()
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = self.relu(self.a(x))
        x = self.relu(self.b(x) + x)
        return self.fc(x.mean((2, 3)))


@pytest.mark.parametrize(
    "built",
    [
        Residual,
        lambda: nn.Sequential(
            nn.Conv2d(3, 6, 3, dilation=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(96, 3),
        ),
    ],
    ids=["residual", "dilated, ceil_mode, averaged"],
)  # fmt: skip
def test_occlusion_of_any_network_is_a_plain_loop(built, inputs):
    torch.manual_seed(0)
    network, patch, two = built().double().eval(), Patch(12, 10), inputs[:2]
    layer, name = ("relu", "relu") if isinstance(network, Residual) else ("relu1", "1")
    found = occlude(network, two, patch=patch, layer=layer, batch=3)
    kept, rectangles = [], patch.rectangles(32, 32)
    hook = network.get_submodule(name).register_forward_hook(lambda m, x, y: kept.append(y[0].sum((1, 2))))
    for i, image in enumerate(two.tensor(dtype=torch.float64)):
        kept.clear()
        logits = one_by_one(network, image, torch.zeros_like(image), rectangles)
        np.testing.assert_allclose(found.logits[i].reshape(logits.shape), logits, rtol=1e-10)
        sums = torch.stack(kept[:: len(kept) // len(rectangles)])  # one ReLU may run twice, the first counts
        np.testing.assert_allclose(found.activations[i].ravel(), sums[:, found.maps[i]], rtol=1e-10)
    hook.remove()


# ---- pictures of one's own


def test_a_tensor_a_picture_and_a_folder_of_it_are_covered_alike_by_default(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 5, 2), nn.GELU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    )
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "own.png")
    how = Preprocessing(28)
    tensor = how.inputs(pixels).tensor()[0]
    found = [
        occlude(model, tensor),
        occlude(model, pixels, preprocessing=how),
        occlude(model, tmp_path, preprocessing=how),
        occlude(
            model, how.inputs(pixels), patch=Patch(7, 2), layer="1", labels=model(tensor[None]).argmax(1)
        ),
    ]
    for one in found:
        assert (one.patch, one.layer) == (Patch(7, 2), "1")
        assert one.labels == one.plain_predicted, "nobody knows what it shows"
        np.testing.assert_allclose(one.logits, found[0].logits, rtol=1e-5)
    grey, at = tensor.clone(), found[0].patch.spans(28)
    grey[:, at.starts[3] : at.stops[3], at.starts[5] : at.stops[5]] = 0
    np.testing.assert_allclose(found[0].logits[0, 3, 5], model(grey[None])[0].detach(), rtol=1e-5)


def test_a_picture_need_not_be_square():
    wide = nn.Sequential(
        nn.Conv2d(3, 6, 5, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    )
    assert occlude(wide, torch.randn(2, 3, 28, 42)).logits.shape == (2, 14, 21, 4)


def test_black_has_no_meaning_in_a_tensor_and_its_own_in_a_picture():
    model = nn.Sequential(nn.Conv2d(3, 2, 8), nn.ReLU(), nn.Flatten(), nn.Linear(2, 2))
    with pytest.raises(ValueError, match="grey or blurred, not black"):
        occlude(model, torch.zeros(3, 8, 8), patch=Patch(8, 8, "black"), layer="relu1")
    how = Preprocessing(8, mean=0.5, std=(0.5, 0.25, 0.125))
    covered = occlude(
        model, np.full((8, 8, 3), 200, np.uint8), patch=Patch(8, 8, "black"), layer="relu1", preprocessing=how
    )
    black = torch.tensor([-1.0, -2.0, -4.0])[:, None, None].expand(3, 8, 8)
    np.testing.assert_allclose(covered.logits[0, 0, 0], model(black[None])[0].detach(), rtol=1e-4)
