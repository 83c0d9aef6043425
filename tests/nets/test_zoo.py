"""Networks: the paper's figure, and the contrast norm, against what a forward pass gives."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from zfutils.nets import specs, zoo
from zfutils.nets.contrast_norm import ContrastNorm
from zfutils.nets.geometry import seen_by


def test_sizes_and_receptive_fields_of_zfnet_are_those_of_the_paper():
    found = {s.name: (s.size, s.field.kernel, s.field.stride) for s in zoo.zfnet().stages() if s.field}
    assert found == {
        "conv1": (110, 7, 2), "pool1": (55, 11, 4), "conv2": (26, 27, 8), "pool2": (13, 43, 16),
        "conv3": (13, 75, 16), "conv4": (13, 107, 16), "conv5": (13, 139, 16), "pool5": (6, 171, 32),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "parameters"),
    [(zoo.zfnet(), 62_357_608), (zoo.krizhevsky(), 62_378_344), (zoo.lenet5(), 61_706)],
)
def test_parameters_are_the_known_counts_and_those_of_the_module(spec, parameters):
    assert spec.parameters == parameters
    with torch.device("meta"):
        assert sum(p.numel() for p in spec.build().parameters()) == parameters


AVERAGING = [replace(zoo.lenet5(), pooling=pooling) for pooling in ("average", "blurred")]


@pytest.mark.parametrize("base", [zoo.zfnet(20, 128), zoo.krizhevsky(20, 128), zoo.lenet5(), *AVERAGING])
def test_the_forward_pass_has_the_sizes_that_geometry_computes(base):
    spec = base.scaled(0.25)
    model, x = spec.build().eval(), torch.rand(2, spec.channels, spec.image, spec.image)
    seen = {}
    for name, module in model.named_children():
        x = module(x)
        seen[name] = tuple(x.shape[1:])
    for stage in spec.stages():
        assert seen[stage.name] == (
            (stage.maps,) if stage.kind == "fc" else (stage.maps, stage.size, stage.size)
        )
    assert x.shape == (2, spec.classes)


def test_a_unit_sees_its_receptive_field_and_nothing_else():
    spec = zoo.zfnet(10, 96).scaled(0.05)
    model, unit = spec.build().eval(), 2
    image = torch.rand(1, 3, 96, 96, requires_grad=True)
    x = image
    for name, module in model.named_children():
        if not isinstance(module, nn.ReLU):  # a linear stack lets every weight through
            x = (
                nn.functional.avg_pool2d(x, 3, 2, module.padding)
                if isinstance(module, nn.MaxPool2d)
                else module(x)
            )
        if name == "conv3":
            break
    x[0, 0, unit, unit].backward()
    touched = image.grad.abs().sum((0, 1))
    field = next(s.field for s in spec.stages() if s.name == "conv3")
    span = seen_by(unit, field)
    rows = touched.sum(1).nonzero().flatten()
    assert (rows.min().item(), rows.max().item() + 1) == (max(span.start, 0), min(span.stop, 96))


def test_table_3_rows_at_full_width_have_the_papers_layers():
    rows = zoo.table_3(zoo.zfnet())
    assert rows["without layers 3, 4"].layers == ("conv1", "conv2", "conv5", "fc6", "fc7", "fc8")
    assert rows["without layers 3, 4, 6, 7"].layers == ("conv1", "conv2", "conv5", "fc8")
    assert [d.units for d in rows["layers 6, 7: 8192 units"].dense] == [8192, 8192]
    wide = rows["layers 3, 4, 5: 512, 1024, 512 maps"]
    assert [c.maps for c in wide.convolutions] == [96, 256, 512, 1024, 512]


def test_a_spec_survives_its_json():
    for spec in (*zoo.table_3(zoo.krizhevsky(20, 128).scaled(0.5)).values(), *AVERAGING):
        assert specs.NetworkSpec.from_dict(spec.to_dict()) == spec


@pytest.mark.parametrize("alpha", [1e-4, 0.5])
def test_contrast_norm_equals_pytorchs_forwards_and_backwards(alpha):
    x = torch.randn(2, 7, 5, 4, dtype=torch.float64, requires_grad=True)
    ours = ContrastNorm(7, alpha).double()
    theirs = nn.LocalResponseNorm(5, alpha=alpha, beta=0.75, k=2.0)
    weight = torch.randn(2, 7, 5, 4, dtype=torch.float64)
    (ours_gradient,) = torch.autograd.grad((ours(x) * weight).sum(), x)
    (theirs_gradient,) = torch.autograd.grad((theirs(x) * weight).sum(), x)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(ours_gradient, theirs_gradient, rtol=1e-6, atol=1e-8)


def test_an_image_too_small_is_refused_with_the_layer_at_which_the_map_vanishes():
    with pytest.raises(ValueError, match=r"image of 20 px is too small, the map vanishes at conv2"):
        zoo.zfnet(image=20)


def test_an_unknown_layer_is_refused_with_the_layers_there_are():
    with pytest.raises(ValueError, match=r"'conv6' is not in ZFNet.*it has conv1, conv2, .*fc7"):
        zoo.zfnet().without("conv6")
    with pytest.raises(ValueError, match="'fc8'"):
        zoo.zfnet().without("fc8")


def test_one_class_is_refused():
    with pytest.raises(ValueError, match="at least 2 classes"):
        zoo.zfnet(classes=1)
