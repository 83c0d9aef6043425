"""The pass that chapter 10 writes out in plain PyTorch: the page's own cell, run against the package."""

import ast

import nbformat
import pytest
import torch
import torch.nn.functional as F
from deconvnet_oracle import Oracle

from zfutils.deconv.deconvnet import Deconvnet
from zfutils.nets import zoo
from zfutils.study.places import BOOK
from zfutils.training.initialisation import initialise

CELLS = {c["id"]: c for c in nbformat.read(BOOK / "10_lenet.ipynb", as_version=4).cells}
WRITTEN_OUT = CELLS["lenet-twelve-lines"]


def pattern(model, image):
    """What the page's cell makes of an image."""
    names = (f"{kind}{n}" for n in range(1, 6) for kind in "wb")
    known = dict(zip(names, (p.detach() for p in model.parameters()), strict=True))
    known |= {"F": F, "torch": torch, "image": image}
    exec(compile(WRITTEN_OUT.source, "the cell", "exec"), known)
    return known["pattern"], known["f5"]


@pytest.mark.parametrize("seed", range(5))
def test_the_page_s_twelve_lines_give_what_the_package_and_back_propagation_give(seed):
    spec = zoo.lenet5()
    model = spec.build().eval()
    initialise(model, "he", seed=seed, paper=spec)
    model = model.double()
    image = torch.randn(1, 1, 28, 28, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    written_out, scores = pattern(model, image)
    assert written_out.abs().max() > 0
    torch.testing.assert_close(scores, model(image))

    recording = Deconvnet(model).forward(image, "fc5")
    unit = recording.strongest(int(scores.argmax()))
    torch.testing.assert_close(written_out, recording.project(unit).placed(28, 28))
    torch.testing.assert_close(
        written_out[0], Oracle(model, image[0], "fc5").project("fc5", int(scores.argmax()))
    )


def test_they_are_twelve_lines_of_plain_pytorch_that_a_reader_sees():
    imported, *lines = ast.parse(WRITTEN_OUT.source).body
    assert ast.unparse(imported) == "import torch.nn.functional as F"
    assert len(lines) == 12
    called = {node.func.value.id for node in ast.walk(ast.parse(WRITTEN_OUT.source)) if named(node)}
    assert {"F", "torch"} <= called <= {"F", "torch", "p2", "f5"}
    for cell in ("lenet-weights", "lenet-twelve-lines", "lenet-package"):
        assert "tags" not in CELLS[cell].metadata, f"{cell} is folded away"


def named(node):
    """Whether a node calls something of a named module or tensor."""
    return isinstance(node, ast.Call) and isinstance(getattr(node.func, "value", None), ast.Name)
