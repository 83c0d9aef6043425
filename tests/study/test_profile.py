"""Editions: what a file may say, what is made of it, and how it is refused."""

from pathlib import Path

import pytest
import yaml

from zfutils.study.profile import Profile

EDITIONS = sorted((Path(__file__).parents[2] / "book" / "profiles").glob("*.yaml"))

WHOLE = """
about: A small one.
images: {source: parts, size: 72, crop: 64, train: 640, validation: 64}
network: {width: 0.25, fc_width: 0.25}
training:
  epochs: 3
  rate: 0.02
  input_scale: 0.015625
  initialisation: he
  plateau: {factor: 0.2, patience: 2, drops: 1}
networks:
  zfnet: {}
"""


@pytest.fixture
def write(tmp_path):
    """Write an edition: a text with values set, `a__b` being key b below a."""

    def write(name, text=WHOLE, /, **changes):
        data = yaml.safe_load(text)
        for dotted, value in changes.items():
            *above, key = dotted.split("__")
            place = data
            for step in above:
                place = place[step]
            place[key] = value
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(data))
        return tmp_path / f"{name}.yaml"

    return write


def refusal(path):
    with pytest.raises(ValueError, match=r"^\w+\.yaml") as caught:
        Profile.load(path)
    return str(caught.value)


@pytest.mark.parametrize("path", EDITIONS, ids=lambda path: path.stem)
def test_every_edition_of_the_book_loads(path):
    profile = Profile.load(path)
    assert profile.name == path.stem
    assert profile.networks


@pytest.mark.parametrize("path", EDITIONS, ids=lambda path: path.stem)
def test_only_trials_and_what_is_made_for_tests_may_die(path):
    profile = Profile.load(path)
    everything = {name: run.training for name, run in profile.networks.items()}
    everything |= {"small": profile.small.training, "transfer": profile.transfer.training}
    for name, training in everything.items():
        assert training.may_die == (
            path.stem in ("smoke", "imagenet-rehearsal") or name.startswith("trial-")
        ), name


def test_an_edition_is_called_as_its_file_is(write):
    assert Profile.load(write("mine")).name == "mine"
    assert "'name'" in refusal(write("other", name="mine"))


@pytest.mark.parametrize(
    ("place", "shown", "allowed"),
    [
        (
            "imagse",
            "imagse",
            "about, digits, extends, images, network, networks, pictures, small, speed_seconds, training, "
            "transfer",
        ),
        (
            "images__sise",
            "images.sise",
            "classes, crop, download, fit, folder, per_class, seed, sets, size, source, train, validation",
        ),
        ("network__widht", "network.widht", "dropout, fc_width, full_first_layer, geometry, width"),
        ("training__epoch", "training.epoch", "batch, decay, epochs, held_out"),
        ("training__plateau__factr", "training.plateau.factr", "drops, factor, least, of, patience"),
        (
            "networks__zfnet__seed",
            "networks.zfnet.seed",
            "about, background, base, first_window, network, pictures, pooling, row, seeds, shuffled, "
            "trained, training",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_file_key_and_allowed_keys(write, place, shown, allowed):
    message = refusal(write("mine", **{place: 1}))
    assert "mine.yaml" in message
    assert f"  {shown}: unknown key; allowed are {allowed}" in message


@pytest.mark.parametrize("network", ["zfnet", "images", "training"])
def test_an_unknown_key_of_a_networks_own_recipe_is_refused_whatever_the_network_is_called(write, network):
    path = write("mine", networks={network: {"training": {"plateau": {"factr": 0.5}}}})
    place = f"networks.{network}.training.plateau.factr"
    assert f"  {place}: unknown key; allowed are drops, factor, least, of, patience" in refusal(path)


@pytest.mark.parametrize(
    ("missing", "shown"),
    [
        ("rate", "training.rate: Field required"),
        ("plateau", "training: the rate is lowered by plateau or by"),
    ],
)
def test_a_missing_key_is_named(write, missing, shown):
    data = yaml.safe_load(WHOLE)
    del data["training"][missing]
    path = write("mine", yaml.safe_dump(data))
    assert "mine.yaml" in refusal(path)
    assert shown in refusal(path)


@pytest.mark.parametrize(
    ("place", "value", "allowed"),
    [
        ("training__rate", -0.1, "greater than 0 (came: -0.1)"),
        ("training__rate", float("inf"), "finite number (came: inf)"),
        ("training__momentum", 1.0, "less than 1 (came: 1.0)"),
        ("training__initialisation", "xavier", "'literal', 'fan-in', 'he' or 'small-first' (came: 'xavier')"),
        ("training__snapshots", [0, -1], "greater than or equal to 0 (came: -1)"),
        ("training__plateau", 0.2, "(came: 0.2)"),
        ("network__width", 1.5, "less than or equal to 1 (came: 1.5)"),
        ("images__source", "films", "'parts', 'photos', 'digits' or 'MNIST' (came: 'films')"),
        ("networks__zfnet__base", "vgg", "'zfnet', 'krizhevsky' or 'lenet5' (came: 'vgg')"),
        ("networks__zfnet__seeds", [], "at least 1 item"),
        ("networks__zfnet", 3, "(came: 3)"),
        ("networks", [], "(came: [])"),
    ],
)
def test_a_value_out_of_range_is_refused_with_key_value_and_range(write, place, value, allowed):
    message = refusal(write("mine", **{place: value}))
    assert "mine.yaml" in message
    assert place.replace("__", ".") in message
    assert allowed in message


def test_a_crop_larger_than_the_image_is_refused(write):
    message = refusal(write("mine", images__crop=96))
    assert "images: crop (96 px) is larger than size (72 px)" in message


def test_parts_need_their_counts_and_photographs_their_sets(write):
    assert "needs train and validation" in refusal(write("mine", images__train=None))
    assert "needs sets" in refusal(write("mine", images__source="photos"))


def test_all_mistakes_of_a_file_are_told_at_once(write):
    message = refusal(write("mine", training__rate=0, network__widht=1))
    assert "training.rate" in message
    assert "network.widht" in message


def test_an_edition_of_three_lines_takes_everything_else_from_its_base(write, tmp_path):
    write("base", images__size=128)
    (tmp_path / "mine.yaml").write_text("extends: base\nabout: My own.\nimages: {crop: 96}\n")
    mine, base = Profile.load(tmp_path / "mine.yaml"), Profile.load(tmp_path / "base.yaml")
    assert (mine.name, mine.about, mine.images.size, mine.images.crop) == ("mine", "My own.", 128, 96)
    assert (mine.training, mine.networks) == (base.training, base.networks)


def test_editions_that_extend_each_other_are_refused_with_the_circle(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b")
    (tmp_path / "b.yaml").write_text("extends: a")
    assert "a -> b -> a" in refusal(tmp_path / "a.yaml")
    (tmp_path / "c.yaml").write_text("extends: c")
    assert "c -> c" in refusal(tmp_path / "c.yaml")


def test_an_unknown_edition_or_base_is_refused_with_those_there_are(write, tmp_path):
    write("whole")
    (tmp_path / "mine.yaml").write_text("extends: photo")
    for path in (tmp_path / "mine.yaml", tmp_path / "photo.yaml"):
        with pytest.raises(FileNotFoundError, match=r"no edition 'photo' in .*; there are: mine, whole"):
            Profile.load(path)


@pytest.mark.parametrize("text", ["a: [", "- a list", ""])
def test_a_file_that_is_no_mapping_is_refused_by_name(tmp_path, text):
    (tmp_path / "mine.yaml").write_text(text)
    assert "mine.yaml" in refusal(tmp_path / "mine.yaml")


def test_a_network_changes_single_keys_of_the_common_recipe_however_deep(write):
    own = {"training": {"rate": 0.5, "plateau": {"factor": 0.9}}}
    profile = Profile.load(write("mine", networks={"zfnet": None, "bold": own}))
    assert profile.networks["zfnet"].training == profile.training
    bold = profile.networks["bold"].training
    assert (bold.rate, bold.plateau.factor, bold.plateau.patience, bold.epochs) == (0.5, 0.9, 2, 3)
    assert (profile.training.rate, profile.training.plateau.factor) == (0.02, 0.2)


def test_a_networks_own_recipe_is_held_to_the_same_ranges(write):
    path = write("mine", networks={"bold": {"training": {"rate": -1}}})
    assert "networks.bold.training.rate: Input should be greater than 0 (came: -1)" in refusal(path)


SMALL = {
    "images": {"size": 72, "crop": 64, "train": 64},
    "network": {"width": 0.1, "fc_width": 0.1},
    "seeds": [0, 1],
    "training": {"epochs": 2},
}
DEPTH = {"train": [64, 84], "wider": {"width": 0.2, "fc_width": 0.2}, "seeds": [0]}
TRANSFER = {
    "target": "held-out",
    "per_class": [1, 4],
    "folds": 3,
    "scratch": {"per_class": [4], "folds": 2},
    "training": {"rate": 0.5},
}


def test_networks_that_are_looked_at_for_their_filters_change_single_keys_of_the_small_ones_recipe(write):
    bounded = {"bounded": {"training": {"radius": 0.05}}, "free": {"training": {"radius": None}}}
    filters = Profile.load(write("mine", small=SMALL | {"filters": bounded})).small.filters
    assert {name: run.training.radius for name, run in filters.items()} == {"bounded": 0.05, "free": None}
    assert all((run.training.epochs, run.training.rate) == (2, 0.02) for run in filters.values())


def test_small_networks_and_networks_from_scratch_change_single_keys_of_the_recipe(write):
    profile = Profile.load(write("mine", small=SMALL, transfer=TRANSFER))
    assert (profile.small.training.epochs, profile.small.training.rate) == (2, 0.02)
    assert (profile.transfer.training.epochs, profile.transfer.training.rate) == (3, 0.5)
    assert profile.transfer.source is profile.transfer.fine_tuning is None


def test_the_source_starts_from_the_small_networks_recipe_and_fine_tuning_from_that_of_scratch(write):
    more = {"source": {"train": 128, "training": {"batch": 7}}, "fine_tuning": {"epochs": 9}}
    transfer = Profile.load(write("mine", small=SMALL, transfer=TRANSFER | more)).transfer
    assert (transfer.source.training.epochs, transfer.source.training.batch) == (2, 7)
    assert (transfer.fine_tuning.epochs, transfer.fine_tuning.rate) == (9, 0.5)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"transfer": TRANSFER | {"scratch": {"per_class": [2], "folds": 2}}}, "2, which per_class lacks"),
        ({"transfer": TRANSFER | {"scratch": {"per_class": [4], "folds": 4}}}, "more than the 3 there are"),
        ({"transfer": TRANSFER | {"target": "caltech101"}}, "'caltech101' does not go with source 'parts'"),
        (
            {"small": SMALL | {"imagse": 1}},
            "small.imagse: unknown key; allowed are cheats, depth, faults, filters",
        ),
        ({"small": SMALL | {"depth": DEPTH | {"train": [84, 64]}}}, "train must grow"),
        (
            {"small": SMALL | {"filters": {"training": {"training": {"radus": 0.1}}}}},
            "small.filters.training.training.radus: unknown key; allowed are batch, decay, epochs",
        ),
        (
            {"small": SMALL | {"seeds_of": {"without layer 2": [0]}}},
            "'without layer 2'; Table 3 has the rows",
        ),
        ({"small": SMALL | {"seeds_of": {"none": []}}}, "small.seeds_of.none: Tuple should have at least 1"),
        (
            {"small": SMALL | {"trained": {"networks": ["none"], "seeds": [0]}}},
            "small: trained.networks has 'none'; there are 'krizhevsky: none', ",
        ),
        ({"transfer": TRANSFER | {"folds": 0}}, "transfer.folds: Input should be greater than or equal to 1"),
    ],
)
def test_a_transfer_that_cannot_be_is_refused(write, changes, told):
    assert told in refusal(write("mine", **changes))


def test_only_parts_can_be_drawn_before_another_background(write):
    photos = {"source": "photos", "sets": ["holidays"], "size": 72, "crop": 64}
    message = refusal(write("mine", images=photos, networks={"cheat": {"background": "by-label"}}))
    assert "networks.cheat.background: only parts" in message


def test_a_profile_cannot_be_changed(write):
    with pytest.raises(ValueError, match="frozen"):
        Profile.load(write("mine")).training.rate = 1.0
