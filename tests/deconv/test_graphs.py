"""Networks that are no chains: projections against an oracle, what is refused, and by what name."""

from collections import Counter

import pytest
import torch
from deconvnet_cases import units
from graph_cases import LAYERS, compare, picture, prepared, torchvisions
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, parametrize, prune, spectral_norm, weight_norm

from zfutils.deconv.deconvnet import Deconvnet
from zfutils.nets.activations import forward
from zfutils.nets.geometry import Window

DOUBLE, SINGLE = (torch.float64, 1e-12), (torch.float32, 1e-5)


# ---- torchvision's networks


@pytest.mark.parametrize("name", ["squeezenet1_0", "resnet18"])
def test_residual_sums_and_concatenations_agree_with_back_propagation(name):
    assert compare(torchvisions(name), picture(64, 80), LAYERS[name], 1e-12) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("size", [(224, 224), (161, 224)], ids=lambda size: "×".join(map(str, size)))
@pytest.mark.parametrize("name", LAYERS)
def test_seven_networks_agree_to_the_last_bits_in_double(name, size):
    assert compare(torchvisions(name), picture(*size), LAYERS[name], 1e-12) >= 5


@pytest.mark.slow
@pytest.mark.parametrize("name", LAYERS)
def test_seven_networks_agree_in_single_precision_on_inputs_without_ties(name):
    dtype, within = SINGLE
    model, image = torchvisions(name, dtype), picture(161, 224, dtype, seed=1)
    assert compare(model, image, LAYERS[name], within) >= 5


# ---- one network for each kind of step


class Net(nn.Module):
    """Layers by name, and a forward that calls them as a function of the network and the picture."""

    def __init__(self, run, **layers):
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            setattr(self, name, layer)

    def forward(self, x):
        return self.run(self, x)


def first(outputs=6, **options):
    return nn.Conv2d(3, outputs, 3, padding=1, **options)


def conv(*args, inputs=6, outputs=6, **options):
    return nn.Conv2d(inputs, outputs, *(args or (3,)), **options)


def chain(*layers):
    return lambda: nn.Sequential(first(), nn.ReLU(), *(layer() for layer in layers), nn.ReLU())


def functional_ones(net, x):
    x = functional.max_pool2d(functional.relu(net.a(x), inplace=True), 3, stride=2, ceil_mode=True)
    x = functional.avg_pool2d(functional.leaky_relu(net.b(x), 0.2).relu_(), 2, padding=1)
    x = functional.adaptive_avg_pool2d(torch.relu(net.b(x)), (2, 2))
    return net.last(x.view(x.size(0), -1))


def residual(net, x):
    x = net.a(x)
    for _ in range(2):  # the same modules twice
        x = net.relu(net.b(x) + x)
        y = net.relu(x - 1)
    return net.b(x - 0.5 * y + 1)


def scaled(net, x):
    x = net.relu(net.a(x))
    gate = torch.sigmoid(net.squeeze(x.mean((2, 3), keepdim=True)))
    x = net.b(x * gate) * net.scale
    return net.b(x * x.sigmoid())


def branches(net, x):
    x = net.relu(net.a(x))
    left, right = x.chunk(2, dim=1)
    together = torch.cat([net.c(left), right, net.pool(x)], 1)
    shuffled = together.view(x.shape[0], 2, 6, x.shape[2], x.shape[3]).transpose(1, 2).reshape(together.shape)
    return net.d(net.relu(shuffled[:, :, 1:]))


NETWORKS = {
    "functional": lambda: Net(functional_ones, a=first(), b=conv(padding=1), last=nn.Linear(24, 5)),
    "residual": lambda: Net(residual, a=first(), b=conv(padding=1), relu=nn.ReLU()),
    "gates": lambda: Net(
        scaled, a=first(), b=conv(padding=1), squeeze=conv(1), relu=nn.ReLU(),
        scale=nn.Parameter(torch.linspace(-1, 1, 6)[:, None, None]),
    ),
    "branches": lambda: Net(
        branches, a=first(), c=conv(inputs=3, outputs=3, padding=1), pool=nn.MaxPool2d(3, 1, 1),
        d=conv(inputs=12), relu=nn.ReLU(),
    ),
    "dilated": chain(lambda: conv(dilation=2), lambda: conv(3, padding=3, dilation=3)),
    "depthwise": chain(lambda: conv(groups=6, stride=2)),
    "not square": chain(lambda: conv((1, 5), stride=(1, 2)), lambda: nn.MaxPool2d((3, 2), (2, 1))),
    "same": chain(lambda: conv(5, padding="same"), lambda: conv(3, padding="same", dilation=2)),
    "reflected": chain(lambda: conv(padding=1, padding_mode="reflect")),
    "ceil_mode": chain(
        lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True), lambda: nn.MaxPool2d(2, 2, ceil_mode=True)
    ),
    "averages": chain(
        lambda: nn.AvgPool2d(3, 2, 1, ceil_mode=True), lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False)
    ),
    "dilated maxima": chain(lambda: nn.MaxPool2d(3, 2, dilation=2), lambda: nn.AdaptiveMaxPool2d(3)),
    "rectifiers": chain(
        conv, nn.GELU, conv, nn.SiLU, conv, nn.Hardswish, conv, nn.ELU, conv, lambda: nn.LeakyReLU(0.1)
    ),
    "wider again": chain(lambda: nn.ConvTranspose2d(6, 6, 3, 2), lambda: nn.Upsample(scale_factor=2)),
    "dropped": chain(nn.Dropout2d, conv),
    "global": chain(lambda: nn.AdaptiveAvgPool2d(1), lambda: conv(1), nn.Flatten, lambda: nn.Linear(6, 4)),
    "flattened twice": chain(
        lambda: nn.AdaptiveAvgPool2d(2), nn.Flatten, nn.Flatten, lambda: nn.Linear(24, 4)
    ),
}  # fmt: skip


def every_layer(model):
    """All layers that a module of the network gives, as `compare` takes them."""
    deconvnet, calls = Deconvnet(model), Counter()
    paths, found = {id(module): path for path, module in model.named_modules()}, {}
    for step in deconvnet.steps:
        if (path := paths.get(id(step.module))) and step.name in deconvnet.layers:
            found[step.name] = (path, calls[path])
        calls[path] += 1
    return found


@pytest.mark.parametrize("nonlinearity", ["deconvnet", "guided", "gradient"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_kind_of_step_agrees_in_every_layer(name, nonlinearity):
    model = prepared(NETWORKS[name]()).double()
    image = picture(19, 22)
    layers = every_layer(model)
    assert compare(model, image, layers, 1e-12, nonlinearity=nonlinearity) >= len(layers) > 1


def test_a_sum_hands_the_signal_to_both_and_a_concatenation_splits_it_by_hand():
    double, triple = (nn.Conv2d(1, 1, 1, bias=False) for _ in range(2))
    double.weight.data.fill_(2)
    triple.weight.data.fill_(3)
    image = torch.tensor([[[[5.0]]]])
    summed = Net(lambda net, x: net.a(x) + net.b(x), a=double, b=triple)
    # the activation 2·5 + 3·5 = 25 goes down both ways: 25·2 + 25·3
    found = Deconvnet(summed).project(image, "add", units((0, 0, 0, 0)))
    assert (found.values.item(), found.pixels.item()) == (25, 125)
    joined = Net(lambda net, x: torch.cat([net.a(x), net.b(x)], 1), a=double, b=triple)
    found = Deconvnet(joined).project(image, "cat", units((0, 0, 0, 0), (0, 1, 0, 0)))
    assert found.pixels.flatten().tolist() == [10 * 2, 15 * 3]


def test_a_unit_that_sees_beyond_the_picture_has_the_pattern_of_its_window_either_way(monkeypatch):
    model, image = prepared(NETWORKS["residual"]()).double(), picture(19, 22)
    deconvnet, layer = Deconvnet(model), [*every_layer(model)][-1]
    monkeypatch.setattr(deconvnet, "within", lambda end, size: True)
    windows = deconvnet.project(image, layer, some := units((0, 1, 0, 0), (0, 2, 1, 1)))
    monkeypatch.setattr(deconvnet, "within", lambda end, size: False)
    whole = deconvnet.project(image, layer, some)
    for ours, theirs in zip(vars(whole).values(), vars(windows).values(), strict=True):
        assert ours.shape == theirs.shape
        assert torch.allclose(ours, theirs, rtol=0, atol=1e-12)


def test_paths_of_different_reach_are_seen_through_the_hull_of_their_windows():
    model = Net(lambda net, x: net.a(x) + net.b(x), a=nn.Conv2d(1, 1, 5, 2, 2), b=nn.Conv2d(1, 1, 3, 2, 0))
    # 5 pixels from −2 on beside 3 from 0 on: both lie in −2 … 2
    assert Deconvnet(model).window("add") == Window(5, 2, 2)
    image = picture(13, 13, channels=1, dtype=torch.float32)
    recording = Deconvnet(model).forward(image[:, :, :12, :12], "a")
    assert recording.activations.shape == (1, 1, 6, 6)


def test_what_sees_the_whole_picture_has_it_as_its_window():
    deconvnet = Deconvnet(NETWORKS["global"]().eval())
    assert deconvnet.window("0") == Window(3, 1, 1)
    with pytest.raises(ValueError, match="3 sees the whole image"):
        deconvnet.window("3")
    assert deconvnet.window("3", 20) == Window(20, 0, 0)


def test_each_rectifier_says_how_it_is_reversed():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Conv2d(4, 4, 3), nn.ReLU())
    assert Deconvnet(model).rules == {"1": "rectified", "3": "rectified"}
    assert Deconvnet(model, nonlinearity="gradient").rules["1"] == "times its slope"
    assert (
        Deconvnet(torchvisions("mobilenet_v3_small"))
        .rules["features.1.block.1.mul"]
        .startswith("times its gate")
    )


# ---- the weights that the forward pass used


def pruned(layer):
    prune.l1_unstructured(layer, "weight", 0.5)
    return layer


@pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm` is deprecated")
@pytest.mark.parametrize("hooked", [weight_norm, pruned, spectral_norm, parametrizations.weight_norm])
@pytest.mark.parametrize("graph", [False, True], ids=["chain", "graph"])
def test_parametrised_and_hooked_weights_are_those_that_the_forward_pass_used(hooked, graph):
    def built():
        torch.manual_seed(0)
        layers = [
            hooked(nn.Conv2d(3, 6, 3)),
            nn.LeakyReLU(0.1) if graph else nn.ReLU(),
            hooked(nn.Conv2d(6, 5, 3)),
        ]
        return nn.Sequential(*layers).double().eval()

    model, other, image = built(), built(), picture(12, 12)
    for values in other.state_dict().values():
        values.mul_(1.5) if values.is_floating_point() else None
    model.load_state_dict(other.state_dict())  # after hooks have set their weights once
    top = Deconvnet(model).layers[-1]
    found = Deconvnet(model).project(image, top, units((0, 2, 1, 3)))
    assert compare(model, image, {top: ("2", 0)}, 1e-12)
    assert found.values.item() == pytest.approx(model(image)[0, 2, 1, 3].item(), rel=1e-12)


def test_tracing_leaves_nothing_behind():
    model = NETWORKS["gates"]().train()
    before = {name: set(vars(module)) for name, module in model.named_modules()}
    Deconvnet(model).forward(picture(12, 12, torch.float32), "a")
    assert {name: set(vars(module)) for name, module in model.named_modules()} == before
    assert all(module.training for module in model.modules())
    assert not any(parametrize.is_parametrized(module) for module in model.modules())


def test_a_number_made_in_the_forward_is_no_part_of_the_model():
    model = Net(lambda net, x: net.a(x) + torch.tensor(2.0), a=first()).eval()
    image = picture(8, 8, torch.float32)
    torch.testing.assert_close(forward(model, image, ["add"])["add"], model(image).detach())
    assert not [name for name in vars(model) if "constant" in name]


def test_a_module_used_twice_is_two_layers():
    model = NETWORKS["residual"]().eval()
    image = picture(9, 9, torch.float32)
    found, once = forward(model, image, ["a", "relu", "b_2"]), model.b(model.a(image))
    torch.testing.assert_close(found["relu"], (once + model.a(image)).relu().detach())
    torch.testing.assert_close(found["b_2"], model(image).detach())
    assert found["a"].min() < 0


def test_what_is_overwritten_in_place_is_read_so_afterwards_and_kept_as_it_was():
    model = Net(
        lambda net, x: net.b(net.relu(x := net.a(x))) + x, a=first(), b=conv(padding=1), relu=nn.ReLU(True)
    )
    image = picture(9, 9, torch.float32)
    found = forward(model.eval(), image, ["a", "add"])
    torch.testing.assert_close(found["add"], model(image).detach())
    assert found["a"].min() < 0


# ---- refusals


def fails(net, x):
    return net.a(x) if x.sum() > 0 else x


@pytest.mark.parametrize(
    ("layers", "asked", "message"),
    [
        ([nn.LPPool2d(2, 2), nn.Conv2d(4, 4, 3)], "2", r"2 cannot .*: 1 \(LPPool2d has no backward"),
        ([nn.Sigmoid(), nn.Conv2d(4, 4, 3)], "2", r"1 \(Sigmoid is a gate.*nn\.ReLU"),
        ([nn.GroupNorm(2, 4), nn.Conv2d(4, 4, 3)], "2", r"1 \(GroupNorm"),
        ([nn.BatchNorm2d(4, track_running_stats=False), nn.Conv2d(4, 4, 3)], "2", r"running statistics"),
    ],
)  # fmt: skip
def test_a_step_without_a_way_back_is_refused_where_a_projection_would_pass_it(layers, asked, message):
    deconvnet = Deconvnet(nn.Sequential(nn.Conv2d(3, 4, 3), *layers).eval())
    assert deconvnet.layers == ("0",)
    with pytest.raises(ValueError, match=message):
        deconvnet.forward(picture(9, 9, torch.float32), asked)


def test_a_product_of_two_signals_is_refused_by_its_name():
    model = Net(lambda net, x: net.a(x) * net.b(x), a=first(), b=first()).eval()
    with pytest.raises(ValueError, match=r"0\.mul \(mul combines two signals"):
        Deconvnet(nn.Sequential(model, conv())).index("1")


def test_a_forward_that_looks_at_values_is_refused_with_its_line():
    with pytest.raises(ValueError, match=r"Net cannot be traced at .*test_graphs\.py:\d+"):
        Deconvnet(Net(fails, a=first()))


def test_a_second_input_is_refused_by_its_name():
    class Two(nn.Module):
        def forward(self, x, mask):
            return x * mask

    with pytest.raises(ValueError, match="Two takes 'mask' beside the picture"):
        Deconvnet(Two())


def test_a_hook_that_may_change_what_a_layer_gives_is_refused_by_the_layers_name():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    handle = model[1].register_forward_hook(lambda module, given, came: 2 * came)
    with pytest.raises(ValueError, match=r"1 \(ReLU\) has a forward hook"):
        Deconvnet(model)
    handle.remove()
    assert Deconvnet(model).layers == ("conv1", "relu1")


@pytest.mark.parametrize("graph", [False, True], ids=["chain", "graph"])
def test_weights_of_two_types_are_refused_by_both_names(graph):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU() if graph else nn.ReLU(), nn.Conv2d(4, 4, 3).double())
    with pytest.raises(ValueError, match=r"several types: torch\.float32 and torch\.float64"):
        Deconvnet(model)


@pytest.mark.parametrize("options", [{"shared": "last"}, {"switches": "centred"}])
def test_other_switches_are_refused_where_there_are_none(options):
    deconvnet = Deconvnet(NETWORKS["dilated maxima"]().eval(), **options)
    with pytest.raises(ValueError, match="2 takes its maxima"):
        deconvnet.forward(picture(19, 19, torch.float32), "3")


def test_images_that_a_step_cannot_take_are_refused_by_its_name():
    model = NETWORKS["functional"]().eval()
    with pytest.raises(ValueError, match="takes images of 3 channels, not 4"):
        Deconvnet(model).forward(picture(9, 9, torch.float32, channels=4), "b")
    model.last = nn.Linear(7, 5)
    with pytest.raises(ValueError, match=r"last \(Linear\) cannot take what comes to it, \(1, 24\)"):
        Deconvnet(model).forward(picture(19, 19, torch.float32), "last")
