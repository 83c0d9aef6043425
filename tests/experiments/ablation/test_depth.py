"""Four layers against eight by the number of pictures: gains by hand, and what is not known yet."""

import numpy as np
import pytest
from drawn import series
from legible import assert_readable, texts
from table_3_rows import of_seeds, outcome

from zfutils.experiments.ablation import depth, figures, tables
from zfutils.experiments.ablation.depth import Pair
from zfutils.training.outcomes import NOT_RUN

NONE = {}


@pytest.fixture
def pairs():
    """Of 20 pictures four layers err on 10 and eight on 9, 8, 7; then on 6 and 2; wider on 4 and 1."""
    return [
        Pair(100, False, of_seeds(10, 10, 10), of_seeds(9, 8, 7)),
        Pair(400, False, of_seeds(6, 6, 6), of_seeds(2, 2, 2)),
        Pair(400, True, of_seeds(4, 4, 4), of_seeds(1, 1, 1)),
    ]


def test_a_gain_is_over_the_seeds_that_both_have(pairs):
    assert pairs[0].gain().interval.estimate == pytest.approx(10)  # 5, 10 and 15 points
    lacking = Pair(100, False, of_seeds(10, 10, 10), of_seeds(9, 8))
    assert lacking.seeds == [0, 1]
    assert lacking.gain().interval.estimate == pytest.approx(7.5)
    assert Pair(100, False, of_seeds(10, 10), NONE).gain() is None


def test_a_gain_in_log_odds_has_no_floor(pairs):
    def odds(errors):
        return np.log((errors + 0.5) / (20 - errors + 0.5))

    found = pairs[1].gain_in_log_odds().interval
    assert found.estimate == pytest.approx(odds(6) - odds(2))
    assert pairs[1].gain().interval.estimate == pytest.approx(20)


def test_a_claim_compares_two_gains(pairs):
    least, most, wider = depth.ends(pairs)
    effect, arms = depth.gain_over(most, least)
    assert arms == pytest.approx((20, 10))
    assert effect.interval.estimate == pytest.approx(10)
    assert depth.gain_over(wider, most)[1] == pytest.approx((15, 20))
    assert depth.gain_over(most, Pair(100, False, NONE, NONE)) is None
    one_seed = Pair(100, False, of_seeds(10), of_seeds(9))
    assert depth.gain_over(most, one_seed) is None


def test_conditions_are_about_trainings_and_what_could_be_measured(pairs):
    harder = Pair(
        400, False, of_seeds(6, 6), {s: outcome(2, train=0.2 + 0.1 * s, ended=s == 0) for s in range(2)}
    )
    known = depth.known_beforehand(harder, pairs[0])
    assert known.pop("room") == pytest.approx(22.5)  # 30 points of four layers, minus a gain of 5 and 10
    assert known == {"ended": pytest.approx(9 / 10), "training_gap": pytest.approx(15)}
    nothing = Pair(0, False, NONE, NONE)
    assert depth.known_beforehand(nothing, nothing) == dict.fromkeys(("ended", "training_gap", "room"))
    assert depth.ends([]) == (nothing,) * 3


def test_errors_of_networks_that_were_not_run_are_left_out(pairs):
    table = depth.errors([pairs[0], Pair(400, False, of_seeds(6), NONE)])
    assert table[["pictures", "layers"]].to_numpy().tolist() == [[100, 4], [100, 8], [400, 4]]
    assert table["validation"].tolist() == pytest.approx([50, 40, 30])
    assert table["validation_low"].isna().tolist() == [False, False, True]
    assert depth.errors([]).empty


def test_the_table_says_what_was_not_run(pairs):
    some = [pairs[0], Pair(400, True, of_seeds(6, 6), NONE)]
    first, second = tables.depth(some, depth.errors(some)).to_dict("records")
    assert first["8 layers"].startswith("40.0\u00a0[")
    assert first["gain of 8 (points)"].startswith("10.0\u00a0[")
    assert (second["8 layers"], second["gain of 8 (points)"], second["train, 8"]) == (NOT_RUN, NOT_RUN, "–")
    assert (second["width"], second["ended"]) == ("wider", "2 of 2")
    alone = [Pair(400, True, of_seeds(6), of_seeds(7))]  # one seed gives no interval
    assert tables.depth(alone, depth.errors(alone))["gain of 8 (points)"].tolist() == [tables.ONE_SEED]
    everything = [Pair(100, False, NONE, NONE)]
    assert tables.depth(everything, depth.errors(everything))["4 layers"].tolist() == [NOT_RUN]


def test_the_figure_shows_every_error_with_its_interval(pairs):
    table = depth.errors(pairs)
    figure = figures.depth(table)
    assert_readable(figure)
    for axes, split in zip(figure.axes, figures.SPLITS, strict=True):
        for line, ends in series(axes):
            layers, wider = int(line.get_label()[0]), "wider" in line.get_label()
            own = table[(table["layers"] == layers) & (table["wider"] == wider)]
            np.testing.assert_allclose(line.get_ydata(), own[split])
            np.testing.assert_allclose(ends, own[[f"{split}_low", f"{split}_high"]])
    assert {"100", "400", "8 layers, wider"} <= {text for text, _ in texts(figure)}
