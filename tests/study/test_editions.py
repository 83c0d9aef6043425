"""How an edition's file starts from another one: however it is written, and what is taken out."""

import subprocess
import sys

import pytest

from tests.study.test_profile import SMALL, WHOLE, refusal
from zfutils.nets.scale import sides
from zfutils.study import editions
from zfutils.study.places import BOOK
from zfutils.study.profile import Profile

ORDINARY = "extends: base\nimages: {crop: 96, size: 96}\n"


@pytest.mark.parametrize(
    "text",
    [
        ORDINARY.replace("base", '"base"'),
        ORDINARY.replace("base", "'base'"),
        ORDINARY.replace("base", "base   # the one to start from"),
        ORDINARY.replace("\n", "\r\n"),
        "\ufeff" + ORDINARY,
        "---\n" + ORDINARY,
        "{extends: base, images: {crop: 96, size: 96}}",
    ],
)
def test_the_base_is_found_however_it_is_written(tmp_path, text):
    (tmp_path / "base.yaml").write_text(WHOLE)
    mine = tmp_path / "mine.yaml"
    mine.write_bytes(text.encode())
    assert Profile.load(mine).images.crop == 96
    assert [path.stem for path in editions.files(mine)] == ["mine", "base"]


def test_the_files_of_an_edition_are_printed_for_make():
    done = subprocess.run(
        [sys.executable, "-m", "zfutils.study.editions", "smoke"],
        cwd=BOOK.parent, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["book/profiles/smoke.yaml", "book/profiles/quick.yaml"]


@pytest.mark.parametrize("text", ["extends: [a, b]", "extends: 3"])
def test_a_base_that_is_no_name_is_refused(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    assert "extends names one edition" in refusal(tmp_path / "mine.yaml")


def test_bytes_that_are_no_text_are_refused_by_the_file_s_name(tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"about: caf\xe9")
    assert "mine.yaml is not readable" in refusal(tmp_path / "mine.yaml")


def test_photographs_on_an_edition_of_drawn_pictures_are_refused_in_one_line(tmp_path):
    (tmp_path / "quick.yaml").write_text((BOOK / "profiles" / "quick.yaml").read_text())
    (tmp_path / "mine.yaml").write_text("extends: quick\nimages: {source: photos, sets: [mine]}\n")
    assert refusal(tmp_path / "mine.yaml").splitlines() == [
        "mine.yaml: an edition of photographs starts from one of photographs: extends: photos"
    ]


def test_networks_and_groups_of_the_base_are_taken_out_by_null(tmp_path):
    (tmp_path / "photos.yaml").write_text((BOOK / "profiles" / "photos.yaml").read_text())
    (tmp_path / "mine.yaml").write_text(
        "extends: photos\nimages: {sets: [mine]}\nnetworks: {evolution: null}\n"
        "small: {faults: null, depth: null, seeds_of: null, pooling: {'fine, blurred': null}}\n"
        "transfer: null\n"
    )
    mine, base = (Profile.load(tmp_path / f"{name}.yaml") for name in ("mine", "photos"))
    assert set(base.networks) - set(mine.networks) == {"evolution"}
    assert (mine.small.faults, mine.small.depth, mine.small.seeds_of) == ({}, None, {})
    assert set(base.small.pooling) - set(mine.small.pooling) == {"fine, blurred"}
    assert base.transfer
    assert mine.transfer is None


def test_settings_of_a_recipe_may_be_null(tmp_path):
    (tmp_path / "base.yaml").write_text(WHOLE)
    (tmp_path / "mine.yaml").write_text(
        "extends: base\ntraining: {plateau: null, phases: {factor: 0.1, shares: [0.5, 0.5]}}"
    )
    assert Profile.load(tmp_path / "mine.yaml").networks["zfnet"].training.plateau is None


# ---- what is refused when the edition is read


def written(tmp_path, text):
    (tmp_path / "base.yaml").write_text(WHOLE)
    (tmp_path / "mine.yaml").write_text("extends: base\n" + text)
    return tmp_path / "mine.yaml"


@pytest.mark.parametrize("crop", [16, 32, 65, 225])
def test_pictures_for_which_there_is_no_geometry_are_refused_before_anything_is_built(tmp_path, crop):
    message = refusal(written(tmp_path, f"images: {{size: 300, crop: {crop}}}"))
    assert f"images.crop is {crop} px; networks to scale take pictures of 64, 96, 128, 160, 224 px" in message
    assert sides() == [64, 96, 128, 160, 224]


def test_small_pictures_are_held_to_the_same(tmp_path):
    small = SMALL | {"images": {"size": 40, "crop": 32}}
    assert "small.images.crop is 32 px" in refusal(written(tmp_path, f"small: {small}"))


@pytest.mark.parametrize("choice", ["classes: 4", "per_class: 10", "folder: /pictures"])
def test_what_is_chosen_of_photographs_is_refused_of_drawn_pictures(tmp_path, choice):
    name = choice.partition(":")[0]
    assert f"{name} is of photographs" in refusal(written(tmp_path, f"images: {{{choice}}}"))


def test_a_set_that_is_named_twice_is_refused(tmp_path):
    (tmp_path / "photos.yaml").write_text((BOOK / "profiles" / "photos.yaml").read_text())
    (tmp_path / "mine.yaml").write_text("extends: photos\nimages: {sets: [mine, mine]}")
    assert "sets names 'mine' twice" in refusal(tmp_path / "mine.yaml")
