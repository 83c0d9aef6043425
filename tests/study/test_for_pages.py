"""What `make book` trains before the first page: all that the pages would train, and nothing else."""

from collections import Counter

import pytest

from zfutils.__main__ import main
from zfutils.study import for_pages, kept_scores
from zfutils.study.kept_scores import Wanted


@pytest.mark.slow
def test_what_a_page_trains_is_found_in_every_part_of_the_edition(study, elsewhere):
    there = elsewhere()
    wanted = for_pages.lacking(there)
    parts = Counter(one.study.folder.relative_to(there.folder).as_posix() for one in wanted)
    faults = study.profile.digits.faults.values()
    rows, steps = study.small.profile.networks.values(), study.profile.transfer.scratch
    assert parts == {
        ".": 2 + len(study.profile.networks) - 1,  # two seeds of ZFNet, one of each other
        "digits": 3 + sum(len(run.trained) for run in faults),
        "small": sum(len({*run.trained} & {*run.seeds}) for run in rows),
        "source": 1 + 2 * steps.folds * len(steps.per_class) + 1,  # scratch, fine-tuned; several objects
    }
    work = [one.plan.work for one in wanted]
    assert work == sorted(work, reverse=True)


@pytest.mark.slow
def test_once_trained_nothing_is_lacking_and_no_page_trains(study, elsewhere, capfd):
    """Without the parts, whose networks would be trained here too."""
    runs = {name: study.profile.networks[name] for name in ("zfnet", "trial-he")}
    there = elsewhere(small=None, transfer=None, digits=None, networks=runs)
    for_pages.train(there)
    assert for_pages.lacking(there) == []
    kept = sorted((there.folder / "results" / "scores").glob("*.npz"))
    assert [path.stem.partition("validation-")[2] for path in kept] == ["1", "10"]
    before = [path.stat().st_mtime_ns for path in kept]
    assert there.scores("zfnet", crops=10).classes == len(there.validation_images.classes)
    assert [path.stat().st_mtime_ns for path in kept] == before, "no page asks the network again"
    capfd.readouterr()
    assert all(there.network("zfnet", seed).spec == there.spec("zfnet") for seed in (0, 1))
    assert "epoch" not in capfd.readouterr().out


@pytest.mark.slow
def test_a_training_that_fails_is_said_and_the_others_are_trained(study, elsewhere, capfd):
    run = study.profile.networks["zfnet"]
    wild = run.model_copy(
        update={"training": run.training.model_copy(update={"rate": 1e12, "may_die": False})}
    )
    there = elsewhere(small=None, transfer=None, digits=None, networks={"wild": wild, "zfnet": run})
    for_pages.train(there)
    assert "wild" in capfd.readouterr().out
    assert {one.name for one in for_pages.lacking(there)} == {"wild"}


@pytest.mark.slow
def test_a_row_whose_answers_are_kept_is_not_trained(study, elsewhere):
    row = study.profile.small.trained.networks[0]  # from seeds 0 and 1
    one = Wanted(study.small, row, 0)
    for _ in kept_scores.publish([one]):
        pass
    try:
        of_row = [found.seed for found in for_pages.lacking(elsewhere()) if found.name == row]
        assert of_row == [1]
    finally:
        one.published.unlink()


def test_the_command_without_names_trains_them(monkeypatch):
    asked = []
    monkeypatch.setattr(for_pages, "train", lambda study: asked.append(study.edition))
    assert main(["train", "--edition", "smoke"]) == 0
    assert asked == ["smoke"]
