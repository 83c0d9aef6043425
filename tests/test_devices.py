"""Everything that looks through a network keeps to the network's device, whichever it is.

A GPU that is not there is stood in for by PyTorch's fake tensors, which have a shape and a device and no
values; an operation on tensors of two devices raises. The tests marked `cuda` take these roads on a real one.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from small import CLASSES, RECIPE, SPEC, pictures
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from zfutils.data.inputs import Inputs
from zfutils.data.pixels import Pixels, prefetched
from zfutils.deconv.deconvnet import Deconvnet
from zfutils.deconv.top_activations import top_activations
from zfutils.deconv.units import Units
from zfutils.deconv.unpooling import Frame
from zfutils.experiments.occlusion.incremental import Incremental
from zfutils.experiments.occlusion.sliding_patch import Patch
from zfutils.experiments.pooling.aliasing import share_beyond
from zfutils.experiments.pooling.steadiness import labels_under_shifts
from zfutils.experiments.transfer.features import features
from zfutils.nets.activations import activations, forward
from zfutils.runtime.devices import (
    chosen_device,
    device_name,
    device_of,
    dtype_of,
    image_type,
    refuse_old,
    to_host,
)
from zfutils.training.evaluation import evaluate
from zfutils.training.step import Step

CPU, GPU, META = torch.device("cpu"), torch.device("cuda", 0), torch.device("meta")
N = 6  # pictures, of 40 px, of which the network sees 32


def on_a_gpu(test: Callable) -> Callable:
    """A test that needs a real CUDA device."""
    there = torch.cuda.is_available()
    return pytest.mark.cuda(pytest.mark.skipif(not there, reason="there is no CUDA device")(test))


def pretends() -> bool:
    """Whether this PyTorch makes a layer on a GPU that is not there; 2.6 asks the driver."""
    try:
        with FakeTensorMode(), GPU:
            nn.Conv2d(1, 1, 1)
    except RuntimeError:
        return False
    return True


on_a_stand_in = pytest.mark.skipif(not pretends(), reason="this PyTorch cannot stand in for a GPU")


# ---- the roads: what comes back of a network and pictures, wherever both are


def walk(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    (batch,) = activations(model, inputs, ["relu1", "relu2"], batch=N)
    return [batch.layers["relu1"], forward(model, inputs.tensor(), ["relu2", "fc4"])["fc4"], batch.labels]


def way_up(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    recording = Deconvnet(model, nonlinearity="guided").forward(inputs.tensor(), "relu2")
    return [recording.activations, recording.switches["pool1"], recording.trace.signs["relu1"]]


def way_down(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    deconvnet, images = Deconvnet(model), inputs.tensor()
    units = Units(*torch.tensor([[0, 5, 5], [3, 3, 0], [0, 6, 2], [4, 0, 2]]))
    found, recording = deconvnet.project(images, "relu2", units), deconvnet.forward(images, "relu2")
    return [found.pixels, found.values, recording.project(units).pixels, recording.project_maps(4)]


def strongest(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    found = top_activations(model, inputs, layers=["relu2", "fc4"], k=2, batch=4)
    return [found["relu2"].values, found["fc4"].values]


def occluded(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    patch, (image, other) = Patch(10, 8), inputs[:2].tensor()
    network = Incremental(model, "relu2", patch.rectangles(32, 32), shape=(3, 32, 32), batch=7)
    return list(network.answers(image, other))


def evaluated(model: nn.Module, inputs: Inputs) -> list[np.ndarray]:
    ten = evaluate(model, inputs, crops=10, precision="float32", batch=4)
    return [ten.probabilities, evaluate(model, inputs, precision="float32").probabilities]


def featured(model: nn.Module, inputs: Inputs) -> list[np.ndarray]:
    return list(features(model, inputs, ["relu1", "relu3"], at_most=32, batch=4).values())


def shifted(model: nn.Module, inputs: Inputs) -> list[np.ndarray]:
    return [labels_under_shifts(model, inputs, shifts=(1, 4), batch=4).kept]


def aliased(model: nn.Module, inputs: Inputs) -> list[Tensor]:
    return [share_beyond(forward(model, inputs.tensor(), ["relu2"])["relu2"], 2)]


# Worked out by hand: a convolution of 5×5 at every second of 32 px gives 14, its pooling 7, the next layer 7.
SHAPES: dict[Callable, list[tuple[int, ...]]] = {
    walk: [(N, 8, 14, 14), (N, 3), (N,)],
    way_up: [(N, 12, 7, 7), (N, 8, 7, 7), (N, 8, 14, 14)],
    way_down: [(3, 3, 17, 17), (3,), (3, 3, 17, 17), (N, 3, 32, 32)],
    strongest: [(12, 2), (3, 2)],
    occluded: [(16, 3), (16, 12), (3,), (12,)],
    evaluated: [(N, 3), (N, 3)],
    featured: [(N, 32), (N, 24)],
    shifted: [(N, 2)],
    aliased: [(N,)],
}

# ---- a GPU that is not there


class Answering(TorchDispatchMode):
    """Answers of fake tensors where a program asks for values: always no, zero, and a few first places."""

    def __init__(self, answer: bool = False) -> None:
        super().__init__()
        self.answer = answer

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        operations, first = torch.ops.aten, arguments[0] if arguments else None
        if function is operations._local_scalar_dense.default:
            return self.answer if first.dtype == torch.bool else 0
        if function is operations.nonzero.default:
            return first.new_zeros((2, first.ndim), dtype=torch.int64)
        if function is operations._unique2.default:
            return first, torch.zeros_like(first), torch.zeros_like(first)
        return function(*arguments, **(options or {}))


@contextmanager
def fake(device: torch.device) -> Iterator[tuple[nn.Sequential, Inputs]]:
    """A network and a resident set of pictures on a device that need not be there."""
    with FakeTensorMode(), Answering():
        with device:
            model = SPEC.build()
            store = torch.empty(N, 40, 40, 3, dtype=torch.uint8), torch.zeros(N, dtype=torch.int64)
            images = Pixels(*store, torch.empty(40, 40, 3), CLASSES, tuple("abcdef"), {})
        yield model, Inputs.of(images, side=32, scale=1 / 64)


@pytest.fixture
def door(monkeypatch):
    """Stands in for `to_host`, which has no values to take: what leaves must come from the device."""

    def left(values: Tensor) -> np.ndarray:
        assert values.device == GPU, f"results of shape {tuple(values.shape)} are on {values.device}"
        return np.zeros(tuple(values.shape), np.float32)

    for room in ("training.evaluation", "experiments.transfer.features", "experiments.pooling.steadiness"):
        monkeypatch.setattr(f"zfutils.{room}.to_host", left)


@on_a_stand_in
@pytest.mark.parametrize("road", SHAPES, ids=lambda road: road.__name__)
def test_a_road_keeps_to_the_network_s_device(road, door):
    with fake(GPU) as (model, inputs):
        found = road(model, inputs)
    assert [tuple(values.shape) for values in found] == SHAPES[road]
    assert {values.device for values in found if isinstance(values, Tensor)} <= {GPU}


@on_a_stand_in
@pytest.mark.parametrize("road", SHAPES, ids=lambda road: road.__name__)
def test_a_weight_on_another_device_is_caught_on_every_road(road, door):
    """So that the test above can fail: the bias of layer 2 is left on the CPU."""
    with fake(GPU) as (model, inputs):
        model.conv2.bias = nn.Parameter(torch.zeros(12, device="cpu"))
        with pytest.raises((RuntimeError, ValueError), match="device"):
            road(model, inputs)


@on_a_stand_in
def test_a_tensor_that_is_made_on_the_cpu_is_caught():
    with fake(GPU) as (_, inputs):
        images = inputs.tensor(GPU)
        assert (images - torch.zeros(3, 32, 32, device=images.device)).device == GPU
        with pytest.raises(RuntimeError, match=r"two .*devices,? cuda:0"):
            images - torch.zeros(3, 32, 32)


@on_a_stand_in
def test_a_window_beyond_the_border_is_filled_on_the_device():
    with FakeTensorMode(), Answering(True):
        maps = torch.ones(2, 4, 7, 7, device=GPU)
        corner = torch.zeros(3, dtype=torch.int64, device=GPU)
        cut = Frame(corner, corner - 2, 5, 5, of=(7, 7)).cut(maps, torch.zeros_like(corner))
    assert (cut.device, cut.shape) == (GPU, (3, 4, 5, 5))


def step_of(model: nn.Sequential) -> Step:
    """A step of a network that is there already; Lightning refuses a device that is not."""
    step = Step.__new__(Step)
    step.wrapped, step.fabric = model, SimpleNamespace(backward=Tensor.backward)
    step.stepping = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=5e-4)
    step.limited = [(model.conv1.weight, 0.1), (model.conv2.weight, 0.1)]
    return step


def test_a_training_step_keeps_to_the_network_s_device():
    """On the device "meta", which is no CPU either: PyTorch goes back on a GPU by its driver alone."""
    with fake(META) as (model, inputs):
        batches = inputs.images.shuffled(inputs.rows, seed=0, epoch=1, batch=4, side=32, scale=1 / 64)
        (batch,) = prefetched(batches, META)
        loss = step_of(model)(batch.images, batch.labels)
        weights = list(model.parameters())
    assert (loss.device, loss.shape, batch.images.shape) == (META, (), (4, 3, 32, 32))
    assert {weight.device for weight in weights} == {weight.grad.device for weight in weights} == {META}


@on_a_stand_in
@pytest.mark.parametrize("what", ["labels", "a filter's radius", "the norm's band"])
def test_what_a_training_step_takes_from_another_device_is_caught(what):
    with fake(META) as (model, inputs):
        step, images, labels = step_of(model), inputs.tensor(META), inputs.images.labels
        if what == "labels":
            labels = labels.cpu()
        elif what == "the norm's band":
            model.norm1.band = model.norm1.band.cpu()
        else:
            step.limited = [(model.conv1.weight, torch.ones(8, device="cpu"))]
        with pytest.raises(RuntimeError, match="device"):
            step(images, labels)


@pytest.mark.parametrize(("free", "expected"), [(2, GPU), (1.99, CPU)])
def test_a_store_is_resident_where_it_takes_half_of_the_free_memory_at_most(monkeypatch, free, expected):
    with fake(CPU) as (_, inputs):
        taken = inputs.images.pixels.numel()
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(free * taken), 100 * taken))
        assert inputs.images.resident(GPU).pixels.device == expected
        assert inputs.images.resident(CPU) is inputs.images


def test_batches_are_handed_on_as_they_come():
    how = {"seed": 3, "epoch": 2, "batch": 16, "side": 32, "scale": 1 / 64}
    images = pictures(50)
    expected, found = (
        [(batch.rows, batch.labels, batch.images) for batch in batches]
        for batches in (
            images.shuffled(torch.arange(50), **how),
            prefetched(images.shuffled(torch.arange(50), **how), CPU),
        )
    )
    assert len(found) == len(expected) == 3
    for batch, same in zip(found, expected, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(batch, same, strict=True))


# ---- which device there is, and what leaves it


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("asked", ["cuda", "cuda:0", "gpu", "cpu:1", "tpu"])
def test_a_device_that_is_not_there_is_refused_and_those_that_are_are_named(monkeypatch, asked):
    monkeypatch.setenv("ZFUTILS_DEVICE", asked)
    there = "mps, cpu" if torch.backends.mps.is_available() else "cpu"
    with pytest.raises(ValueError, match=f"^ZFUTILS_DEVICE is '{asked}'; this machine has {there}$"):
        chosen_device()


def test_the_device_is_the_best_there_is_unless_another_is_named(monkeypatch):
    monkeypatch.setenv("ZFUTILS_DEVICE", "cpu")
    assert chosen_device() == CPU
    monkeypatch.delenv("ZFUTILS_DEVICE")
    gpu = torch.cuda.is_available() or torch.backends.mps.is_available()
    assert (chosen_device().type == "cpu") != gpu


@pytest.mark.parametrize(
    ("capability", "old"),
    [((3, 5), True), ((7, 0), True), ((7, 5), False), ((8, 6), False), ((10, 0), False)],
)
def test_a_gpu_older_than_those_pytorch_is_built_for_is_refused_with_what_to_set(capability, old):
    refused = nullcontext()
    if old:
        refused = pytest.raises(ValueError, match=r"Quadro \(sm_\d+\) is older .*set ZFUTILS_DEVICE=cpu")
    with refused:
        refuse_old("Quadro", capability, ["sm_80", "sm_75", "sm_90a", "compute_120"])


def test_where_pytorch_does_not_say_what_it_is_built_for_no_gpu_is_refused():
    refuse_old("Quadro", (3, 5), [])


def test_a_pytorch_that_cannot_be_asked_about_the_processor_computes_in_float32(monkeypatch):
    """torch 2.6, the floor of pyproject.toml, has no `get_capabilities`."""
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert image_type("auto", CPU) == torch.float32
    assert "thread" in device_name(CPU)


def test_results_leave_the_device_as_arrays_and_bf16_as_float32():
    for dtype, expected in [
        (torch.bfloat16, "f4"),
        (torch.float64, "f8"),
        (torch.int64, "i8"),
        (torch.bool, "?"),
    ]:
        values = to_host(torch.tensor([0, 1, 3]).to(dtype))
        assert values.dtype == np.dtype(expected)
        assert values.tolist() == torch.tensor([0, 1, 3]).to(dtype).tolist()
    assert to_host(torch.ones(2, requires_grad=True)).tolist() == [1.0, 1.0]


def test_a_network_says_where_and_in_what_type_it_computes():
    assert (device_of(nn.ReLU()), dtype_of(nn.ReLU())) == (CPU, torch.float32)
    halves = nn.Linear(2, 2, device="meta", dtype=torch.bfloat16)
    assert (device_of(halves), dtype_of(halves)) == (META, torch.bfloat16)


def test_the_type_of_images_is_what_is_asked_for_or_what_the_device_multiplies(monkeypatch):
    assert image_type("float32", CPU) == torch.float32
    assert image_type("bf16", CPU) == torch.bfloat16
    for can, expected in [({}, torch.float32), ({"amx_bf16": True}, torch.bfloat16)]:
        monkeypatch.setattr("zfutils.runtime.devices._cpu_capabilities", lambda can=can: can)
        assert image_type("auto", CPU) == expected


def test_a_cpu_is_named_with_its_threads(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert device_name(CPU).endswith(", 1 thread")
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    assert device_name(CPU).endswith(", 3 threads")


# ---- a real one


@pytest.fixture
def exact(monkeypatch):
    """float32 as a CPU has it: by default a GPU convolves with 10 bits of a value instead of 23."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture
def world() -> tuple[nn.Sequential, Inputs]:
    """A network in eval mode with weights of He's size, and pictures."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = SPEC.build().eval()
    return model, Inputs.of(pictures(N), side=32, scale=1 / 64)


def same(found: Tensor | np.ndarray, expected: Tensor | np.ndarray) -> None:
    """Equal within 1e-4 of the largest value."""
    found, expected = (to_host(v) if isinstance(v, Tensor) else v for v in (found, expected))
    assert found.shape == expected.shape
    assert np.abs(found.astype(np.float64) - expected).max() <= 1e-4 * max(1e-6, np.abs(expected).max())


def test_the_roads_give_something_on_a_cpu(world):
    """What the real GPU is compared with is no row of zeros."""
    for road, shapes in SHAPES.items():
        found = road(*world)
        assert [tuple(values.shape) for values in found] == shapes
        assert all((to_host(v) if isinstance(v, Tensor) else v).any() for v in found)


@on_a_gpu
@pytest.mark.parametrize("resident", [True, False], ids=["resident", "streamed"])
@pytest.mark.parametrize("road", SHAPES, ids=lambda road: road.__name__)
def test_a_gpu_gives_what_the_cpu_gives(road, resident, world, exact):
    model, inputs = world
    moved = Inputs.of(inputs.images.to(GPU) if resident else inputs.images, side=32, scale=1 / 64)
    for found, expected in zip(road(copy.deepcopy(model).to(GPU), moved), road(model, inputs), strict=True):
        same(found, expected)


@on_a_gpu
def test_a_gpu_trains_as_the_cpu_does(world, exact):
    _, inputs = world
    after = {}
    for device in (CPU, GPU):
        step = Step(SPEC, RECIPE, device=device, seed=1)
        step.model.eval()  # dropout draws otherwise on a GPU
        batch = inputs.tensor(device), inputs.labels.to(device)
        losses = torch.stack([step(*batch) for _ in range(3)])
        after[device] = [losses, *(weight.detach() for weight in step.model.parameters())]
        assert {values.device for values in after[device]} == {losses.device}
    assert after[GPU][0].device == GPU
    for found, expected in zip(after[GPU], after[CPU], strict=True):
        same(found, expected)


@on_a_gpu
def test_a_gpu_trains_in_bf16_as_in_float32_but_for_rounding(world):
    """Autocast takes some roots in float32, and a backward pass of our own must not mix the two."""
    _, inputs = world
    losses = {}
    for precision, dtype in (("float32", torch.float32), ("bf16", torch.bfloat16)):
        step = Step(SPEC, RECIPE.model_copy(update={"precision": precision}), device=GPU, seed=1)
        step.model.eval()
        batch = inputs.tensor(GPU).to(dtype), inputs.labels.to(GPU)
        losses[precision] = to_host(torch.stack([step(*batch) for _ in range(3)]))
    np.testing.assert_allclose(losses["bf16"], losses["float32"], rtol=0.05)


@on_a_gpu
def test_a_set_that_is_streamed_to_a_gpu_gives_the_batches_of_a_resident_one(monkeypatch):
    images = pictures(50)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (images.pixels.numel(), 1 << 40))
    assert images.resident(GPU) is images
    how = {"seed": 3, "epoch": 2, "batch": 16, "side": 32, "scale": 1 / 64}
    streamed, resident = (
        list(prefetched(store.shuffled(torch.arange(50), **how), GPU)) for store in (images, images.to(GPU))
    )
    assert len(streamed) == len(resident) == 3
    for a, b in zip(streamed, resident, strict=True):
        assert a.images.device == b.images.device == GPU
        assert torch.equal(a.rows, b.rows)
        assert torch.equal(a.labels, b.labels)
        same(a.images, b.images)
