"""An edition of photographs with boxes: where their objects are, and their cue."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_tree import written

from zfutils.data.part_masks import object_masks
from zfutils.experiments.diagnosis.faults import HEALTHY
from zfutils.study.faulty_networks import ZFNET, OfPictures
from zfutils.study.groups import SMALL
from zfutils.study.sections import Images, SmallImages
from zfutils.study.study import Study


@pytest.fixture
def boxed(tmp_path, monkeypatch):
    monkeypatch.setenv("ZFUTILS_DATA", str(written(tmp_path / "data")))
    images = Images(source="photos", sets=("tiny-imagenet-200",), size=64, crop=32)
    return replace(Study.open("smoke").changed(images=images), folder=tmp_path / "build")


def test_objects_of_photographs_are_their_boxes_in_the_crop(boxed):
    """Boxes 1, 2, 3, 4 + k of 64 px lie outside the crop from 16 to 48; training boxes are not asked for."""
    seen = boxed.inputs(boxed.validation_images)
    masks = boxed.objects(seen)
    assert masks.shape == (3, 32, 32)
    assert not masks.any()
    whole = boxed.objects(seen.whole())
    assert [int(mask.sum()) for mask in whole] == [3 * (3 + k) for k in range(3)]
    assert whole[0][2:5, 1:4].all()


def test_objects_of_drawn_scenes_are_their_parts(build_folder):
    smoke = Study.open("smoke")
    seen = smoke.inputs(smoke.validation_images)[:3]
    assert np.array_equal(smoke.objects(seen), object_masks(smoke.source("validation"), seen))
    assert smoke.located == (smoke, "zfnet")


def test_a_cue_in_photographs_is_centred_as_they_are_and_the_same_in_number(boxed):
    cued = boxed.cued("train").opened()
    assert len(cued) == len(boxed.train_images)
    assert torch.equal(cued.mean, boxed.train_images.mean)
    assert not torch.equal(cued.pixels, boxed.train_images.pixels)
    assert boxed.cued("validation", exchanged=True).opened().names[0].endswith("-another-colour")


def test_objects_are_found_by_name_whatever_row_a_photograph_has(boxed):
    """Cued photographs stand in another order, and one that cannot be decoded moves the others."""
    cued = boxed.inputs(boxed.cued("validation", exchanged=True).opened()).whole()
    backwards = replace(cued, images=replace(cued.images, names=cued.images.names[::-1]))
    areas, turned = (boxed.objects(one).sum((1, 2)) for one in (cued, backwards))
    assert len(set(areas.tolist())) == 3
    assert areas[::-1].tolist() == turned.tolist()


def test_what_sees_photographs_with_boxes_is_the_source_of_the_transfer(boxed, monkeypatch):
    profile = boxed.profile
    of_boxes = profile.small.model_copy(
        update={"images": profile.small.images.model_copy(update={"sets": ("tiny-imagenet-200",)})}
    )
    plain = profile.images.model_copy(update={"sets": ("apples", "pears")})
    there = boxed.changed(images=plain, small=of_boxes)
    place, network = there.located
    assert network == SMALL
    assert place.boxed
    assert not there.boxed
    assert there.changed(transfer=None).located is None
    seen = boxed.inputs(boxed.validation_images)
    monkeypatch.setattr(Study, "source", lambda *_, **__: object())
    with pytest.raises(ValueError, match="does not know where"):
        there.objects(seen)


def test_of_photographs_no_patch_is_kept(boxed):
    small = boxed.profile.small.model_copy(update={"images": SmallImages(size=104, crop=96)})
    one = OfPictures(boxed.changed(small=small).faults_on_pictures, ZFNET + HEALTHY, 0)
    torch.manual_seed(0)
    found = one.measured(SimpleNamespace(model=one.plan.spec.build().eval()))
    assert sorted(found) == ["filters", "projections_relu3", "projections_relu5"]
