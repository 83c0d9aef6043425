"""Networks trained apart from the book for their filters: earned by one command, read by two chapters."""

import pytest

from zfutils.__main__ import main
from zfutils.nets.filters import filter_rms, greatest_responses
from zfutils.study import filter_networks, kept_scores
from zfutils.study.filter_networks import FULL_WIDTH, SWEEP, OfFilters
from zfutils.study.places import BOOK
from zfutils.study.profile import Profile


@pytest.fixture(scope="module")
def earned(study):
    """Nothing was there; then the command earned all; what the chapters read before and after."""
    before = filter_networks.sweep(study), filter_networks.full_width(study)
    assert main(["scores", "--edition", "smoke", "filters"]) == 0
    return before, (filter_networks.sweep(study), filter_networks.full_width(study))


@pytest.mark.slow
def test_one_command_earns_all_and_no_page_trains_any(study, earned):
    (sweep, wide), (later, later_wide) = earned
    assert not any(sweep.values())
    assert not any(wide.values())
    assert list(later) == [None, 0.1, 0.05, 0.02]
    assert list(later_wide) == ["Krizhevsky", "ZFNet"]
    files = list(kept_scores.folder("smoke").glob("*.npz"))
    assert len(files) == len(SWEEP) + len(FULL_WIDTH)
    for name in study.filters.profile.networks:
        assert study.filters.find(study.filters.plan(name)) is None, "no weights are needed"


@pytest.mark.slow
def test_full_width_is_the_papers_96_filters_in_layer_1_and_nothing_else(study, earned):
    for label, base in (("Krizhevsky", "krizhevsky"), ("ZFNet", "zfnet")):
        spec, narrow = earned[1][1][label].spec, study.small.spec(f"{base}: none")
        assert spec.convolutions[0].maps == 96 > narrow.convolutions[0].maps
        assert spec.convolutions[1:] == narrow.convolutions[1:]
        assert earned[1][1][label].measured["rms"].shape == (2, 96)


@pytest.mark.slow
def test_what_is_kept_is_what_the_network_has(study, earned):
    one = OfFilters(study.filters, SWEEP[0.02], 0)
    trained = one.study.made(one.plan)  # once more
    kept = earned[1][0][0.02].measured
    for i, model in enumerate((trained.at(0), trained.model)):
        assert kept["rms"][i] == pytest.approx(filter_rms(model.conv1.weight).detach().numpy(), rel=1e-4)
        assert kept["response"][i] == pytest.approx(greatest_responses(model, one.asked), rel=1e-3)
    assert kept["rms"][1].max() <= 0.02 * 1.001, "the radius holds"
    own = trained.history[[f"rms_max_conv{k}" for k in range(1, 6)]].to_numpy()
    assert kept["largest_rms"] == pytest.approx(own, rel=1e-4)
    assert kept["largest_rms"].shape == (trained.record["epochs"] + 1, 5)
    assert kept["largest_rms"][1:].max() <= 0.02 * 1.001


def test_the_radius_that_counts_is_the_largest_that_filters_pass():
    assert [filter_networks.passed(rms) for rms in (0.3, 0.07, 0.05, 0.021, 0.01)] == [
        0.1,
        0.05,
        0.02,
        0.02,
        0.02,
    ]


@pytest.mark.slow
def test_a_network_without_a_radius_has_two_twins_and_none_that_was_not_run(earned):
    sweep = earned[1][0]
    (papers, passed) = filter_networks.twins(sweep, 0.06, "papers", "passed")
    assert papers[:3] == ("papers", 0.1, (sweep[None], sweep[0.1]))
    assert passed[:3] == ("passed", 0.05, (sweep[None], sweep[0.05]))
    assert papers[3] == {"ended": pytest.approx(papers[3]["ended"]), "reach": pytest.approx(0.6)}
    some = sweep | {0.1: None}
    assert [name for name, *_ in filter_networks.twins(some, 0.06, "papers", "passed")] == ["passed"]
    assert not list(filter_networks.twins(dict.fromkeys(SWEEP), 0, "papers", "passed"))


@pytest.mark.parametrize("edition", ["quick", "smoke"])
def test_the_sweep_differs_in_the_radius_alone_and_is_named_after_it(edition):
    runs = Profile.load(BOOK / "profiles" / f"{edition}.yaml").small.filters
    assert set(runs) == {*SWEEP.values(), *FULL_WIDTH.values()}
    swept = {radius: runs[name] for radius, name in SWEEP.items()}
    assert {radius: run.training.radius for radius, run in swept.items()} == {r: r for r in SWEEP}
    alike = [
        run.model_copy(update={"about": "", "training": run.training.model_copy(update={"radius": None})})
        for run in swept.values()
    ]
    assert all(one == alike[0] for one in alike)
    assert alike[0].training.input_scale == 1
