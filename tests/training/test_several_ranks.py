"""Two ranks do what one process does, and a training goes on with another number of them."""

import numpy as np
import pytest
import work_shared_out
from on_ranks import on_ranks
from small import pictures
from work_shared_out import KILLED_AFTER, LONGER, STEPS, trained, work

from zfutils.__main__ import main


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """What one process finds."""
    return work(tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What each of two ranks finds, and what was printed."""
    folder = tmp_path_factory.mktemp("together")
    run = on_ranks(2, work_shared_out.__file__, folder)
    assert run.returncode == 0, run.stderr
    return [dict(np.load(folder / f"rank-{rank}.npz")) for rank in (0, 1)], run.stdout


@pytest.mark.slow
def test_the_losses_of_two_ranks_are_those_of_one_process_over_fifty_steps(alone, together):
    first, second = together[0]
    assert len(first["losses"]) == STEPS
    np.testing.assert_allclose(first["losses"], alone["losses"], atol=1e-4)
    assert np.array_equal(first["losses"], second["losses"])
    assert alone["losses"][-5:].mean() < 0.8 * alone["losses"][:5].mean(), (
        "weights that do not move agree, too"
    )


@pytest.mark.slow
def test_a_training_on_two_ranks_gives_the_history_and_the_errors_of_one_process(alone, together):
    for found in together[0]:
        np.testing.assert_allclose(found["history"], alone["history"], atol=1e-4)
        assert found["training error"] == alone["training error"]


@pytest.mark.slow
def test_each_rank_has_the_answers_strongest_activations_and_features_of_one_process(alone, together):
    asked = ("probabilities", "labels", "ranks", "log-loss", "one picture", "relu1", "fc4", "features")
    names = [name for name in alone if name.startswith(asked)]
    assert len(names) == 25
    for found in together[0]:
        for name in names:
            np.testing.assert_allclose(found[name], alone[name], atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_batches_are_shared_out_as_one_process_forms_them(alone, together):
    """45 images in batches of 8: six, of which each rank has every other one."""
    by_hand = [[*range(8), *range(16, 24), *range(32, 40)], [*range(8, 16), *range(24, 32), *range(40, 45)]]
    assert [found["batches"].tolist() for found in together[0]] == by_hand
    assert alone["batches"].tolist() == list(range(45))


@pytest.mark.slow
def test_one_rank_builds_a_store_and_the_other_finds_it(alone, together):
    first, second = together[0]
    assert (first["read"], second["read"]) == (alone["read"], 0)
    assert np.array_equal(first["store"], alone["store"])
    assert np.array_equal(second["store"], alone["store"])


@pytest.mark.slow
def test_rank_0_decides_and_it_alone_prints(together):
    found, printed = together
    assert [one["agreed"] for one in found] == [0, 0]
    assert printed.splitlines() == ["rank 0 is through"]


@pytest.mark.slow
def test_a_batch_that_two_ranks_cannot_share_out_is_refused(together):
    for found in together[0]:
        assert "31 images cannot be shared out equally among 2 ranks" in str(found["refused"])


@pytest.mark.slow
def test_a_rank_that_dies_ends_the_run_and_one_process_goes_on_from_the_last_checkpoint(tmp_path, alone):
    run = on_ranks(2, work_shared_out.__file__, tmp_path, "kill")
    assert run.returncode != 0
    assert "SIGKILL" in run.stderr
    folder, lines = tmp_path / "network", []
    assert (folder / "resume.safetensors").is_file()
    network = trained(folder, pictures(), lines.append)
    left = LONGER.epochs - KILLED_AFTER
    assert len(lines) in (left, left + 1), "one epoch again, if rank 0 was stopped before it had written it"
    np.testing.assert_allclose(network.history["loss"], alone["history"], atol=1e-4)
    assert network.training_error == alone["training error"]


@pytest.mark.slow
def test_the_command_line_says_which_rank_refuses_what(tmp_path):
    run = on_ranks(2, "-m", "zfutils", "train", "zfnett", "--edition", "smoke", ZFUTILS_BUILD=tmp_path)
    assert run.returncode != 0
    assert "zfutils, rank 1 of 2: the edition smoke has no network 'zfnett'" in run.stderr


def test_commands_that_work_in_one_process_are_refused_under_torchrun(monkeypatch, capsys):
    for name, value in {"WORLD_SIZE": "2", "RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    assert main(["execute", "book/01_architecture.ipynb", "--edition", "smoke"]) == 2
    assert "rank 1 of 2: execute works in one process" in capsys.readouterr().err
