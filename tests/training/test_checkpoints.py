"""Networks on disk: what is saved comes back, and what does not fit is refused by name."""

import json
import math
import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from small import RECIPE, SPEC, pictures

from zfutils.runtime import files
from zfutils.training import checkpoints
from zfutils.training.checkpoints import identity, load, same_network, save_tensors, set_weights
from zfutils.training.trainer import train


@pytest.fixture(scope="module")
def images():
    return pictures(60)


@pytest.fixture
def folder(images, tmp_path):
    """A network that was trained for one epoch."""
    recipe = RECIPE.model_copy(update={"epochs": 1, "snapshots": (0, 1)})
    train(SPEC, images, recipe, tmp_path / "tiny", seed=0, paper=SPEC, say=lambda line: None)
    return tmp_path / "tiny"


def truncate(path, kept):
    path.write_bytes(path.read_bytes()[:kept])


def rewrite(path, change):
    """Weights on disk changed: `change` takes and gives tensors by name."""
    save_file(change(load_file(path)), path)


def convolutions(weights):
    return {name: value for name, value in weights.items() if name.startswith("conv")}


def test_a_saved_network_comes_back_with_spec_weights_and_history(folder):
    found = load(folder)
    assert found.spec == SPEC
    assert not found.model.training
    assert found.history.epoch.tolist() == [0, 1]
    saved = load_file(folder / "epoch-0001.safetensors")
    assert all(torch.equal(value, saved[name]) for name, value in found.model.state_dict().items())


def test_an_epoch_without_a_snapshot_is_refused_with_those_there_are(folder):
    with pytest.raises(ValueError, match="no snapshot of epoch 7; there are 0, 1"):
        load(folder).at(7)


def test_the_networks_of_all_snapshots_are_loaded_one_by_one_when_asked_for(folder):
    network = load(folder)
    models = network.models
    assert list(models) == [0, 1]
    assert len(models) == 2
    for epoch, model in models.items():
        expected = network.at(epoch).state_dict()
        assert all(torch.equal(value, expected[name]) for name, value in model.state_dict().items())
    assert models[1] is not models[1]
    truncate(folder / "epoch-0001.safetensors", 5)
    assert models[0] is not None
    with pytest.raises(ValueError, match=r"epoch-0001\.safetensors is missing, truncated"):
        models[1]
    assert 7 not in models
    with pytest.raises(KeyError, match="7"):
        models[7]


def test_a_folder_without_a_finished_network_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no finished network"):
        load(tmp_path)


def test_half_precision_is_widened(folder):
    path = folder / "epoch-0000.safetensors"
    saved = load_file(path)
    rewrite(path, lambda weights: {name: value.half() for name, value in weights.items()})
    found = load(folder).at(0).state_dict()
    for name, value in saved.items():
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], value.half().float())


def test_a_snapshot_may_hold_the_convolutions_alone_and_has_the_first_dense_layers_then(folder):
    network, path = load(folder), folder / "epoch-0001.safetensors"
    whole, before = load_file(path), network.at(0).state_dict()
    rewrite(path, convolutions)
    found = network.at(1).state_dict()
    for name, value in found.items():
        assert torch.equal(value, (whole if name.startswith("conv") else before)[name])


def test_epoch_0_comes_from_the_seed_where_its_snapshot_was_not_kept(folder):
    kept = {name: value.clone() for name, value in load(folder).at(0).state_dict().items()}
    (folder / "epoch-0000.safetensors").unlink()
    network = load(folder)
    assert network.snapshots == (0, 1)
    assert all(torch.equal(value, kept[name]) for name, value in network.at(0).state_dict().items())


def without(name):
    return lambda weights: {n: value for n, value in weights.items() if n != name}


@pytest.mark.parametrize(
    ("epoch", "change", "named"),
    [
        (0, without("conv1.weight"), r"conv1\.weight"),
        (0, without("conv2.bias"), r"conv2\.bias"),
        (0, lambda weights: {"surprise": torch.zeros(1)}, "surprise"),
        (1, convolutions, r"fc3\.weight"),
    ],
    ids=["a snapshot's weight", "a snapshot's bias", "another name", "a finished network's dense layers"],
)
def test_weights_that_lack_a_layer_or_have_another_are_refused_by_name(folder, epoch, change, named):
    rewrite(folder / f"epoch-000{epoch}.safetensors", change)
    with pytest.raises(
        ValueError, match=rf"epoch-000{epoch}\.safetensors holds another network's weights: {named}"
    ):
        load(folder).at(epoch)


def test_a_snapshot_of_another_network_is_refused_by_name(folder):
    path = folder / "epoch-0000.safetensors"
    save_tensors(SPEC.with_maps(conv2=13).build().state_dict(), path)
    model = load(folder).model
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=r"epoch-0000\.safetensors holds another network's weights: conv2"):
        set_weights(model, path)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("kept", [None, 0, 5, 200, -1])
def test_a_truncated_or_missing_snapshot_is_refused_by_name(folder, kept):
    path = folder / "epoch-0001.safetensors"
    path.unlink() if kept is None else truncate(path, kept)
    with pytest.raises(
        ValueError, match=r"epoch-0001\.safetensors is missing, truncated or no safetensors file"
    ):
        load(folder)


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("write", [pickle.dump, torch.save])
@pytest.mark.parametrize("name", ["epoch-0001.safetensors", "network.json"])
def test_a_pickle_in_the_place_of_a_network_s_file_is_refused_by_name_and_not_executed(
    folder, tmp_path, name, write
):
    with (folder / name).open("wb") as file:
        write(Trap(tmp_path / "executed"), file)
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        load(folder)
    assert not (tmp_path / "executed").exists()
    os.rename(folder / name, tmp_path / name)
    with (tmp_path / name).open("rb") as file:  # which is what would have happened
        pickle.load(file) if write is pickle.dump else torch.load(file, weights_only=False)
    assert (tmp_path / "executed").is_dir()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_refused_by_file_and_layer(folder, value):
    def spoil(weights):
        weights["conv2.weight"][0, 0, 0, 0] = value
        return weights

    rewrite(folder / "epoch-0001.safetensors", spoil)
    with pytest.raises(ValueError, match=r"epoch-0001\.safetensors is damaged: conv2\.weight holds"):
        load(folder)


@pytest.mark.parametrize("text", ["", '{"identity": {"spec"', "{}", "[]", '{"identity": {"spec": {}}}'])
def test_a_truncated_or_foreign_record_is_refused_by_name(folder, text):
    (folder / "network.json").write_text(text)
    with pytest.raises(ValueError, match=r"network\.json is truncated or no network's record"):
        load(folder)


@pytest.mark.parametrize(
    ("write", "old", "new"),
    [
        (checkpoints.save_tensors, {"x": torch.ones(3)}, {"x": torch.zeros(9)}),
        (files.write_json, {"a": 1}, {"a": [2, 3]}),
    ],
)
def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path, monkeypatch, write, old, new):
    def killed(path, target):
        raise KeyboardInterrupt

    path = tmp_path / "file.json"
    write(old, path)
    whole = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            write(new, path)
    assert path.read_bytes() == whole
    write(new, path)
    assert path.read_bytes() != whole


# ---- identity


def test_identity_is_plain_data_and_equal_exactly_when_the_network_is(images):
    own = identity(SPEC, RECIPE, images, 0)
    assert json.loads(json.dumps(own)) == own == identity(SPEC, RECIPE, images, 0)
    others = [
        identity(SPEC.with_fc(25), RECIPE, images, 0),
        identity(replace(SPEC, norm_alpha=0.5), RECIPE, images, 0),
        identity(SPEC, RECIPE.model_copy(update={"rate": 0.04}), images, 0),
        identity(SPEC, RECIPE.model_copy(update={"may_die": True}), images, 0),
        identity(SPEC, RECIPE, pictures(61), 0),
        identity(SPEC, RECIPE, images, 1),
    ]
    assert own not in others
    assert not any(same_network(own, other) for other in others)


def test_what_no_network_was_asked_before_is_no_part_of_its_identity(images):
    made = identity(SPEC, RECIPE, images, 0)["training"]
    assert "may_die" not in made
    assert set(made["plateau"]) == {"factor", "patience", "drops"}


def test_another_recipe_or_encoding_of_the_same_photographs_is_the_same_reference_network(images):
    own = identity(SPEC, RECIPE, images, 0)
    assert same_network({**own, "recipe": own["recipe"] - 1}, own)
    photographs = {"source": "photos", "size": 40, "names": "n", "content": "one"}
    again = {**photographs, "content": "two"}
    assert same_network({**own, "images": photographs}, {**own, "images": again})
    assert not same_network({**own, "images": photographs}, {**own, "images": {**again, "names": "m"}})
