"""Sign changes and their agreement: values worked out by hand, a slow loop, and what must not matter."""

from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from zfutils.experiments.correspondence import faces, sign_changes, tables
from zfutils.experiments.correspondence.consistency import MEASURES, Consistency
from zfutils.experiments.correspondence.occluders import PLACE, Occluders
from zfutils.experiments.correspondence.sign_agreement import SignChanges, over_pairs, pairs
from zfutils.experiments.correspondence.sign_agreement import delta as as_the_paper_writes_it
from zfutils.stats import intervals


def signs(*rows):
    return np.array(rows, dtype=np.int8)


def draw(n=10, units=40, *, covered=7, seed=0, layers=("relu5", "relu7")):
    """Signs of many squares, whose agreement differs between squares and faces."""
    rng = np.random.default_rng(seed)
    names = (*faces.PARTS, *[PLACE] * (covered - 3))
    found = {}
    for layer in layers:
        common = rng.integers(-1, 2, (covered, 1, units))
        own = rng.integers(-1, 2, (covered, n, units))
        take = rng.random((covered, n, units)) < np.linspace(0.1, 0.6, covered)[:, None, None]
        found[layer] = np.where(take, common, own).astype(np.int8)
    return SignChanges(names, found)


def delta(values):
    """Mean over the pairs of all faces, each once."""
    return over_pairs(pairs(values, values).differ, np.ones((1, len(values))))[0]


def kappa(values):
    return 1 - delta(values) / over_pairs(pairs(values, values).chance, np.ones((1, len(values))))[0]


def slow_delta(values):
    """The paper's sum over ordered pairs, unit by unit."""
    n, units = values.shape
    total = 0
    for i in range(n):
        for j in range(n):
            if i != j:
                total += sum(values[i, u] != values[j, u] for u in range(units)) / units
    return total / (n * (n - 1))


def slow_chance(values):
    """Probability that two independent signs differ, a face's own rates each, over ordered pairs."""
    n = len(values)
    rates = [[(row == value).mean() for value in (-1, 0, 1)] for row in values]
    unlike = [
        sum(rates[i][a] * rates[j][b] for a, b in product(range(3), repeat=2) if a != b)
        for i in range(n)
        for j in range(n)
        if i != j
    ]
    return sum(unlike) / (n * (n - 1))


# ---- Δ and κ


def test_identical_signs_have_a_delta_of_0_and_opposite_ones_of_1():
    row = [1, -1, 0, 1, -1]
    assert delta(signs(row, row, row)) == 0
    assert delta(signs([1, -1, 1], [-1, 1, -1])) == 1


def test_a_sign_has_three_values():
    assert delta(signs([1, 0, 0, 0], [0, 0, 0, 0])) == 0.25
    assert delta(signs([1, 0, -1, 0], [-1, 1, 0, 0])) == 0.75
    three = signs([1, 0], [0, 0], [-1, 0])  # all three pairs differ in the first of two units
    assert delta(three) == 0.5


def test_delta_and_kappa_are_what_a_slow_loop_gives():
    for seed in range(3):
        values = np.random.default_rng(seed).integers(-1, 2, (5, 9)).astype(np.int8)
        assert delta(values) == pytest.approx(slow_delta(values))
        assert as_the_paper_writes_it(values) == pytest.approx(slow_delta(values))
        assert kappa(values) == pytest.approx(1 - slow_delta(values) / slow_chance(values))


def test_kappa_of_identical_signs_is_1_and_of_independent_ones_0():
    row = [1, -1, 0, 0, 1]
    assert kappa(signs(row, row)) == 1
    # every combination of two signs once: independent, and exactly so
    assert kappa(signs([-1, -1, -1, 0, 0, 0, 1, 1, 1], [-1, 0, 1] * 3)) == pytest.approx(0)
    rng = np.random.default_rng(0)
    rare = (rng.random((6, 200_000)) < 0.05) * rng.choice([-1, 1], (6, 200_000))
    assert abs(kappa(rare.astype(np.int8))) < 0.005
    assert delta(rare.astype(np.int8)) < 0.11  # hardly anything changes: low, and yet no agreement


def test_pairs_of_two_sets_compare_each_face_with_every_other():
    first, second = signs([1, 1], [0, 0], [1, -1]), signs([1, 0], [1, 1], [-1, -1])
    np.testing.assert_allclose(pairs(first, second).differ, [[0, 0, 1], [0.5, 0, 1], [0.5, 0.5, 0]])


# ---- faces drawn again


def test_the_interval_of_one_square_is_the_vertex_bootstrap_of_statistics():
    changes = draw()
    found = Consistency(changes, seed=3)
    for i, name in enumerate(faces.PARTS):
        table = pairs(*[changes.signs["relu7"][i]] * 2).differ
        expected = intervals.pairs_interval(table, resampled="faces, not pairs", seed=3)
        got = found.interval(found.values("relu7", name))
        for field in ("estimate", "low", "high"):
            assert getattr(got, field) == pytest.approx(getattr(expected, field), rel=1e-12)
        assert (got.n, got.resampled) == (expected.n, expected.resampled)


def test_a_draw_recomputes_everything_on_the_drawn_faces_without_copies_pairs():
    """Against faces written out again, copies and all, and pairs of copies struck out one by one."""
    changes = draw(n=8, units=12)
    found = Consistency(changes, seed=1)
    copies = found.copies
    assert (copies[0] == 1).all()
    for draw_number in (0, 1, 7):
        drawn = np.repeat(np.arange(8), copies[draw_number].astype(int))
        for layer, (i, name) in product(changes.signs, enumerate(faces.PARTS)):
            values = changes.signs[layer][i]
            kept = [(a, b) for a, b in product(drawn, repeat=2) if a != b]
            differ = np.mean([(values[a] != values[b]).mean() for a, b in kept])
            each = {m: found.values(layer, name, measure=m)[draw_number] for m in MEASURES}
            assert each["delta"] == pytest.approx(differ)
            assert each["changed"] == pytest.approx((values[drawn] != 0).mean())
            pair_chance = pairs(values, values).chance
            chance = np.mean([pair_chance[a, b] for a, b in kept])
            assert each["kappa"] == pytest.approx(1 - differ / chance)


def test_few_faces_have_values_and_no_interval():
    found = Consistency(draw(n=5))
    value = found.values("relu5", "nose")
    assert len(value) == 1
    with pytest.raises(intervals.TooFew, match="5 faces are too few to bootstrap, at least 8"):
        found.interval(value)
    table = found.summary()
    assert table["delta_low"].isna().all()
    assert table["delta"].notna().all()


def test_an_interval_of_nothing_that_changes_is_refused():
    still = SignChanges(("nose", PLACE), {"relu5": np.zeros((2, 9, 6), np.int8)})
    found = Consistency(still)
    assert found.interval(found.values("relu5", "nose")).high == 0
    with pytest.raises(intervals.TooFew, match="no unit changes in some draw"):
        found.interval(found.values("relu5", "nose", measure="kappa"))


def test_the_summary_holds_one_row_per_layer_and_name():
    changes = draw()
    table = Consistency(changes).summary()
    assert list(table["occluded"]) == [*faces.PARTS, PLACE] * 2
    nose = table[(table["layer"] == "relu7") & (table["occluded"] == "nose")].iloc[0]
    own = changes.signs["relu7"][2]
    assert nose["delta"] == pytest.approx(slow_delta(own))
    assert nose["changed"] == pytest.approx((own != 0).mean())
    assert nose["kappa"] == pytest.approx(1 - slow_delta(own) / slow_chance(own))
    assert nose["delta_low"] < nose["delta"] < nose["delta_high"]
    random = table[(table["layer"] == "relu5") & (table["occluded"] == PLACE)].iloc[0]
    places = changes.signs["relu5"][3:]
    assert random["delta"] == pytest.approx(np.mean([slow_delta(s) for s in places]))
    chance = np.mean([slow_chance(s) for s in places])
    assert random["kappa"] == pytest.approx(1 - random["delta"] / chance)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (("relu4", "nose"), "layer 'relu4' was not measured; there are relu5, relu7"),
        (("relu5", "mouth"), "nothing was covered under the name 'mouth'; there are right eye"),
    ],
)
def test_what_was_not_measured_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        Consistency(draw(n=4)).values(*call)


# ---- few faces


def test_five_faces_are_measured_as_the_paper_does():
    changes = draw()
    few = sign_changes.of_few(changes, [7, 0, 3], draws=50)
    nose = few[(few["layer"] == "relu5") & (few["occluded"] == "nose")].iloc[0]
    own = changes.signs["relu5"][2][[7, 0, 3]]
    distances = [(own[a] != own[b]).mean() for a, b in ((0, 1), (0, 2), (1, 2))]
    assert nose["delta"] == pytest.approx(np.mean(distances))
    assert nose["spread"] == pytest.approx(np.std(distances, ddof=1))
    assert nose["across"] > 0


def test_the_order_over_draws_is_certain_where_it_always_holds():
    rng = np.random.default_rng(0)
    noise = rng.integers(-1, 2, (5, 9, 60)).astype(np.int8)
    alike = np.concatenate([noise[:3] * 0, noise[3:]])
    names = (*faces.PARTS, PLACE, PLACE)
    few = sign_changes.of_few(SignChanges(names, {"relu5": alike, "relu7": 1 - alike**2}), range(5))
    assert few.groupby("layer")["ordered"].first().to_dict() == {"relu5": 1.0, "relu7": 1.0}
    parts = few[(few["layer"] == "relu5") & few["occluded"].isin(faces.PARTS)]
    assert (parts["across"] == 0).all()
    turned = SignChanges((PLACE, PLACE, *faces.PARTS), {"relu5": alike})
    assert sign_changes.of_few(turned, range(5))["ordered"].max() == 0


def test_five_faces_stand_beside_the_papers_table():
    few = sign_changes.of_few(draw(), range(5), draws=20)
    table = tables.few_faces_table(few).set_index("covered")
    assert list(table.index) == [*faces.PARTS, PLACE]
    assert table.loc["nose", "layer 5, paper"] == "0.079\u00a0±\u00a00.017"
    assert table.loc[PLACE, "layer 7, paper"] == "0.073\u00a0±\u00a00.014"
    nose = few[(few["layer"] == "relu7") & (few["occluded"] == "nose")].iloc[0]
    assert table.loc["nose", "layer 7"] == f"{nose['delta']:.3f}\u00a0±\u00a0{nose['spread']:.3f}"
    assert table.loc["nose", "layer 7, other samples ±"] == f"{nose['across']:.3f}"


def test_the_summary_in_words_names_the_network():
    summaries = {name: Consistency(draw(seed=k)).summary() for k, name in enumerate(("trained", "random"))}
    table = tables.summary_table(summaries)
    assert table["network"].tolist() == ["trained"] * 8 + ["random"] * 8
    own = summaries["random"]
    assert table["Δ"].tolist()[8:] == [f"{value:.3f}" for value in own["delta"]]
    assert table["units changed"][8] == f"{100 * own['changed'][0]:.1f}\u00a0%"


# ---- the network


def one_filter(*, threshold=0.0, train=False):
    """The identity, rectified, and a second layer that sums everything up: changes can be told by hand."""
    model = nn.Sequential()
    model.add_module("conv1", nn.Conv2d(1, 1, 1))
    model.add_module("relu1", nn.ReLU())
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc2", nn.Linear(16, 2))
    model.add_module("relu2", nn.ReLU())
    model.add_module("drop2", nn.Dropout(0.5))
    with torch.no_grad():
        model.conv1.weight.fill_(1)
        model.conv1.bias.fill_(-threshold)
        model.fc2.weight.copy_(torch.tensor([[1.0], [-1.0]]).expand(2, 16))
        model.fc2.bias.copy_(torch.tensor([0.0, 100.0]))
    return model.train(train)


def squares(corners, *, names=("nose",), size=2, side=4):
    return Occluders(names, np.array(corners), size, side)


def two_images():
    image = torch.zeros(2, 1, 4, 4)
    image[0, 0, 0] = torch.tensor([5.0, 3.0, 2.0, 1.0])
    image[0, 0, 1] = torch.tensor([-4.0, 3.0, 7.0, 7.0])
    image[1] = 1.0
    return image


def test_signs_are_those_of_the_uncovered_minus_the_covered():
    """Face 0: 5, 3, −4, 3 become 3: falls, stays, rises from the rectified 0, stays."""
    grey = torch.full((1, 4, 4), 3.0)
    found = sign_changes.sign_changes(
        one_filter(), two_images(), squares([[[0, 0], [2, 2]]]), grey=grey, layers=("relu1", "relu2")
    )
    first, second = found.signs["relu1"][0].reshape(2, 4, 4)
    np.testing.assert_array_equal(first, [[1, 0, 0, 0], [-1, 0, 0, 0], [0] * 4, [0] * 4])
    expected = np.zeros((4, 4))
    expected[2:, 2:] = -1
    np.testing.assert_array_equal(second, expected)
    # sums: 28 becomes 29 on face 0; 16 becomes 24 on face 1; the second unit is 100 minus the sum
    np.testing.assert_array_equal(found.signs["relu2"][0], [[-1, 1], [-1, 1]])


@pytest.mark.parametrize(("tolerance", "changed"), [(1e-6, 5), (1e-4, 4), (2e-3, 3), (1e-1, 1)])
def test_a_change_within_the_tolerance_of_the_faces_largest_activation_is_none(tolerance, changed):
    """All are covered, and change by 1,000, 100, 5, 1 and 0.002; by 0.0005 too, which none tells."""
    image = torch.zeros(2, 1, 4, 4)
    image[:, 0, 3, 3] = 1000.0
    image[:, 0, 0] = torch.tensor([1.0, 5.0, 100.0, 0.002])
    image[:, 0, 1, 0] = 0.0005  # 1e-6 of 1,000 is 0.001
    what = squares([[[0, 0]] * 2], size=4)
    found = sign_changes.sign_changes(
        one_filter(), image, what, grey=torch.zeros(1, 4, 4), layers=("relu1",), tolerance=tolerance
    )
    assert (found.signs["relu1"] != 0).sum(2).tolist() == [[changed] * 2]
    assert sign_changes.TOLERANCE == 1e-6


def test_neither_the_batch_nor_training_mode_matters_and_the_model_is_left_as_it_was():
    torch.manual_seed(0)
    images, places = torch.randn(5, 1, 4, 4), np.random.default_rng(0).integers(0, 3, (3, 5, 2))
    what = squares(places, names=("nose", PLACE, PLACE))
    grey = torch.zeros(1, 4, 4)
    found = []
    for train, batch in ((False, 5), (True, 2)):
        model = one_filter(train=train)
        layers = ("relu1", "drop2")
        found.append(
            sign_changes.sign_changes(model, images, what, grey=grey, layers=layers, batch=batch).signs
        )
        assert model.training == train
    for layer in found[0]:
        np.testing.assert_array_equal(found[0][layer], found[1][layer])


def test_the_papers_table_is_beside_it():
    paper = sign_changes.PAPER.set_index("occluded")
    assert paper.loc["random", "relu5"] == 0.107
    assert (paper["relu5"] < 0.107).sum() == (paper["relu7"] < 0.073).sum() == 3
