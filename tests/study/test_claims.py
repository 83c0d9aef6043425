"""What the register of claims promises: it is readable, it is strict, and it can go either way."""

import itertools
import json
from pathlib import Path

import pytest

from zfutils.stats.intervals import Interval
from zfutils.study.claims import NAMES, Claim, Measurement, Verdict, retired, standing
from zfutils.study.claims_file import load
from zfutils.study.parameters import PAGES
from zfutils.study.places import BOOK, REFERENCE
from zfutils.study.rules import Condition, printed

REGISTER = load(BOOK / "claims.yaml")

ENTRY = """\
- id: architecture-error
  chapter: 1
  kind: paper
  source: Table 2
  says: one errs less than the other
  quantity: difference of their errors, positive where the paper is right
  unit: points
  n: pictures
  resampled: pictures, paired
  control: one crop
  rule:
    testable: "n >= 100"
    reproduced: "low > 1"
    partly: "low > 0"
"""

CHAPTERS = {int(page[:2]): page[3:] for page in PAGES if page[0].isdigit()}
MOVED = {  # to another page with what they measure; an id stays what it was
    "projections-recover-the-picture": 14,
    "projections-survive-randomisation": 14,
    "projections-switches-carry-structure": 14,
    "projections-switches-carry-the-projection": 14,
    "projections-switches-carry-more-than-shifts": 14,
}


def measured(low=None, estimate=None, high=None, *, n=1000, edition="quick", **more) -> Measurement:
    interval = None if low is None else Interval(estimate, low, high, 1, "pictures")
    return Measurement(interval, edition, n=n, **more)


@pytest.fixture
def claims_file(tmp_path):
    def write(text: str) -> Path:
        path = tmp_path / "claims.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def claim(claims_file) -> Claim:
    return load(claims_file(ENTRY))["architecture-error"]


def test_its_words_have_the_quotation_marks_of_print(claims_file):
    text = ENTRY.replace("one errs less than the other", "its 'partly' is nobody's, nor the networks' word")
    says = load(claims_file(text))["architecture-error"].says
    opened, closed = "\N{LEFT SINGLE QUOTATION MARK}", "\N{RIGHT SINGLE QUOTATION MARK}"
    assert says == f"its {opened}partly{closed} is nobody{closed}s, nor the networks{closed} word"


# verdicts


@pytest.mark.parametrize(
    ("measurement", "verdict"),
    [
        (measured(1.1, 2.0, 3.0), Verdict.REPRODUCED),
        (measured(1.0, 2.0, 3.0), Verdict.PARTLY),
        (measured(0.1, 2.0, 3.0), Verdict.PARTLY),
        (measured(0.0, 2.0, 3.0), Verdict.NOT_REPRODUCED),
        (measured(-3.0, -2.0, -1.0), Verdict.NOT_REPRODUCED),
        (measured(1.1, 2.0, 3.0, n=99), Verdict.NOT_TESTABLE),
        (measured(1.1, 2.0, 3.0, n=100), Verdict.REPRODUCED),
        (measured(1.1, 2.0, 3.0, edition="smoke"), Verdict.NOT_TESTABLE),
        (measured(1.1, 2.0, 3.0, edition="my-photographs"), Verdict.REPRODUCED),
        (measured(n=0), Verdict.NOT_TESTABLE),
    ],
)
def test_a_verdict_follows_from_the_rule_in_its_order(claim, measurement, verdict):
    assert claim.verdict(measurement) is verdict


def test_verdicts_are_the_words_of_the_book():
    assert [str(verdict) for verdict in Verdict] == [
        "reproduced",
        "partly reproduced",
        "not reproduced",
        "not testable at this scale",
    ]


def test_a_claim_is_judged_only_in_the_editions_it_names(claims_file):
    text = ENTRY.replace("    reproduced", "    editions: [photos]\n    reproduced")
    claim = load(claims_file(text))["architecture-error"]
    assert claim.open_in("photos")
    assert not claim.open_in("quick")
    assert claim.verdict(measured(1.1, 2.0, 3.0, edition="photos")) is Verdict.REPRODUCED
    assert claim.verdict(measured(1.1, 2.0, 3.0, edition="quick")) is Verdict.NOT_TESTABLE


def test_without_a_rule_for_partly_a_claim_holds_or_does_not(claims_file):
    claim = load(claims_file(ENTRY.replace('    partly: "low > 0"\n', "")))["architecture-error"]
    assert claim.verdict(measured(0.5, 2.0, 3.0)) is Verdict.NOT_REPRODUCED


def test_a_rule_about_what_was_not_measured_is_an_error_and_no_verdict(claims_file):
    claim = load(claims_file(ENTRY.replace('"low > 1"', '"low > 1 and p < 0.05"')))["architecture-error"]
    assert claim.verdict(measured(1.1, 2.0, 3.0, p=0.04)) is Verdict.REPRODUCED
    with pytest.raises(ValueError, match="compares p, which the measurement does not give"):
        claim.verdict(measured(1.1, 2.0, 3.0))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"p": 1.5}, "p must lie in 0…1"),
        ({"p": float("nan")}, "p must be a finite number, got nan"),
        ({"detectable": -1}, "detectable difference be ≥ 0"),
    ],
)
def test_an_impossible_measurement_is_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        measured(0, 0.5, 1, **numbers)


# conditions

CONDITIONED = ENTRY.replace(
    "  rule:\n",
    """\
  condition: "ended >= 1 and training_gap <= 2"
  where: {ended: share of networks that ended, training_gap: points}
  rule:
""",
)


@pytest.fixture
def conditioned(claims_file) -> Claim:
    return load(claims_file(CONDITIONED))["architecture-error"]


def test_where_a_condition_fails_there_is_no_verdict_whatever_came_out(conditioned):
    for ends in ((1.1, 2.0, 3.0), (-3.0, -2.0, -1.0)):
        met = measured(*ends, conditions={"ended": 1.0, "training_gap": 2.0})
        failed = measured(*ends, conditions={"ended": 1.0, "training_gap": 5.3})
        assert conditioned.verdict(met) is not Verdict.NOT_TESTABLE
        assert conditioned.verdict(failed) is Verdict.NOT_TESTABLE
        assert conditioned.missed(failed) == ["training_gap is 5.3, must be ≤ 2"]


def test_everything_that_keeps_a_claim_from_a_verdict_is_named(conditioned):
    found = measured(1, 2, 3, n=60, edition="smoke", conditions={"ended": 0.5, "training_gap": 0.0})
    assert conditioned.missed(found) == [
        "n is 60, must be ≥ 100",
        "ended is 0.5, must be ≥ 1",
        "registered for every edition but smoke (this is smoke)",
    ]


def test_a_missing_or_unknown_condition_is_an_error_and_no_verdict(conditioned, claim):
    with pytest.raises(ValueError, match="compares ended, which the measurement does not give"):
        conditioned.verdict(measured(1, 2, 3, conditions={"training_gap": 0.0}))
    extra = {"ended": 1.0, "training_gap": 0.0, "width": 0.25}
    with pytest.raises(ValueError, match="no condition on width; it has ended, training_gap"):
        conditioned.verdict(measured(1, 2, 3, conditions=extra))
    with pytest.raises(ValueError, match="no condition on ended; it has none"):
        claim.verdict(measured(1, 2, 3, conditions={"ended": 1.0}))
    with pytest.raises(ValueError, match="ended must be a finite number, got nan"):
        measured(1, 2, 3, conditions={"ended": float("nan")})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("ended >= 1 and", "ready >= 1 and", "at character 1: expected one of ended, training_gap"),
        ("ended >= 1 and ", "", "'where' explains what the condition does not ask: ended"),
        ("training_gap", "estimate", "a condition is never about the claim's own outcome: estimate"),
        ("  where: {ended: share of networks that ended, training_gap: points}\n", "", "are given together"),
    ],
)
def test_a_condition_compares_what_is_explained_and_never_the_outcome(claims_file, old, new, message):
    with pytest.raises(ValueError, match=message):
        load(claims_file(CONDITIONED.replace(old, new)))


# replacement

SUPERSEDED = "  superseded: {by: [architecture-later], because: unfair}\n  rule:\n"
LATER = (
    ENTRY.replace("architecture-error", "architecture-later")
    .replace("kind: paper\n", "kind: paper\n  replaces: [architecture-error]\n")
    .replace("  rule:\n", "  fails: none is better\n  rule:\n    verdict_on: measured - control\n")
)
PAIR = ENTRY.replace("  rule:\n", SUPERSEDED) + LATER
PLANNED = PAIR.replace("  replaces:", "  planned: true\n  replaces:")


def test_an_old_claim_stands_until_its_successor_is_measured(claims_file):
    planned, measured_by_a_page = load(claims_file(PLANNED)), load(claims_file(PAIR))
    assert (retired(planned), set(standing(planned))) == (set(), {"architecture-error"})
    assert retired(measured_by_a_page) == {"architecture-error"}
    assert set(standing(measured_by_a_page)) == {"architecture-later"}


def test_an_old_claim_stands_until_all_its_successors_are_measured(claims_file):
    other = LATER.replace("architecture-later", "architecture-other").replace(
        "  replaces", "  planned: true\n  replaces"
    )
    both = PAIR.replace("[architecture-later]", "[architecture-later, architecture-other]") + other
    claims = load(claims_file(both))
    assert set(standing(claims)) == {"architecture-error", "architecture-later"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  fails: none is better\n", "", "'architecture-later', key 'fails' is missing"),
        ("    verdict_on: measured - control\n", "", "key 'rule.verdict_on' is missing"),
        (
            "measured - control",
            "measured",
            "'rule.verdict_on': .*'measured - control' or 'measured / control'",
        ),
        ("[architecture-later]", "[architecture-none]", "'architecture-none' is not registered"),
        ("replaces: [architecture-error]", "replaces: [architecture-none]", "'architecture-none' is not"),
        (
            SUPERSEDED,
            "  rule:\n",
            "claim 'architecture-error', key 'superseded.by': lacks 'architecture-later'",
        ),
        (
            "  replaces: [architecture-error]\n",
            "  planned: true\n",
            "claim 'architecture-later', key 'replaces': lacks 'architecture-error'",
        ),
        (", because: unfair", "", "key 'superseded.because': missing"),
        (
            "because: unfair",
            "because: unfair, since: 2026",
            "'superseded.since': unknown; allowed are by, because",
        ),
        ("planned: true", "planned: soon", "key 'planned': .*boolean"),
        ("kind: paper", "run: now\n  kind: paper", "key 'run': .*'published', got 'now'"),
    ],
)
def test_a_replacement_that_does_not_match_is_refused(claims_file, old, new, message):
    text = PLANNED if "planned" in old else PAIR
    assert old in text
    with pytest.raises(ValueError, match=message):
        load(claims_file(text.replace(old, new)))


def test_claims_that_replace_each_other_are_refused(claims_file):
    circle = LATER.replace("  fails", "  superseded: {by: [architecture-error], because: unfair}\n  fails")
    first = ENTRY.replace("  rule:\n", SUPERSEDED).replace(
        "  rule:\n    testable", "  fails: never\n  rule:\n    verdict_on: measured - control\n    testable"
    )
    first = first.replace("kind: paper\n", "kind: paper\n  replaces: [architecture-later]\n")
    with pytest.raises(ValueError, match=r"replace each other in a circle: architecture-\w+ → "):
        load(claims_file(first + circle))


# the grammar of rules


@pytest.mark.parametrize(
    ("text", "low", "high", "holds"),
    [
        ("low > 0", 0.0, 9.0, False),
        ("low >= 0", 0.0, 9.0, True),
        ("high<-1.5", -5.0, -2.0, True),
        ("low > -4 and high < 4", -3.0, 3.0, True),
        ("low > -4 and high < 4", -3.0, 5.0, False),
        ("low > 4 or high < -4", -9.0, -5.0, True),
        ("low > 4 or high < -4", -9.0, 5.0, False),
        # "and" binds closer than "or": the last is A and B or C, with A false and C true
        ("low > 0 and high < 0 or n >= 1000", -1.0, 1.0, True),
        ("n >= 1000 or low > 0 and high < 0", -1.0, 1.0, True),
    ],
)
def test_a_rule_means_what_it_says(text, low, high, holds):
    assert Condition.parse(text, NAMES).holds(measured(low, (low + high) / 2, high).values) is holds


def test_in_print_a_minus_is_no_hyphen_and_a_hyphen_no_minus():
    assert printed("layer-1 error -0.5 [-3, 1.2] in the top-5") == "layer-1 error −0.5 [−3, 1.2] in the top-5"
    assert printed("measured - control; low > -4") == "measured − control; low >\N{NO-BREAK SPACE}−4"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("n => 16", "at character 3: expected one of < <= > >=, got '='"),
        ("low > zero", "at character 7: expected a number, got 'zero'"),
        ("mean > 0", "at character 1: expected one of estimate, low, high, n, p, detectable, got 'mean'"),
        ("low > 0 &", "at character 9: expected 'and', 'or' or the end, got '&'"),
        ("low > 0 and", "at character 12: expected one of estimate.*got 'the end'"),
        ("0 < low < 1", "at character 1: expected one of estimate"),
        ("low > 0 < 1", "at character 9: expected 'and', 'or' or the end, got '<'"),
        ("low == 0", "expected one of < <= > >="),
        ("low > 1e3", "expected"),
        ("low > 1.", "expected"),
        ("", "at character 1: expected one of estimate"),
        ("__import__('os')", "at character 1: expected one of estimate"),
    ],
)
def test_a_rule_outside_the_grammar_names_the_place_and_what_may_stand_there(text, message):
    with pytest.raises(ValueError, match=message):
        Condition.parse(text, NAMES)


@pytest.mark.parametrize(
    ("text", "missed"),
    [
        ("gap <= 6", []),
        ("gap <= 2", ["gap is 5.25, must be ≤ 2"]),
        ("gap <= 2 and ended_1 >= 1", ["gap is 5.25, must be ≤ 2", "ended_1 is 0.5, must be ≥ 1"]),
        ("gap <= 6 and ended_1 >= 1", ["ended_1 is 0.5, must be ≥ 1"]),
        ("gap > 6 or ended_1 > 0.4", []),
        ("n >= 10000", ["n is 2,000, must be ≥ 10,000"]),
        ("gap > 6 or ended_1 > 0.6", ["gap is 5.25, must be > 6", "ended_1 is 0.5, must be > 0.6"]),
    ],
)
def test_what_a_rule_misses_is_said_with_value_and_bound(text, missed):
    rule = Condition.parse(text, ("gap", "ended_1", "n"))
    assert rule.missed({"gap": 5.25, "ended_1": 0.5, "n": 2000}) == missed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("low > 0.1", "whole interval above 0.1"),
        ("high <= 0.25", "whole interval at most 0.25"),
        ("estimate < 2", "estimate below 2"),
        ("low > 8 and high < 20", "whole interval above 8 and whole interval below 20"),
        ("high > 8 and low < 20", "upper end above 8 and lower end below 20"),
        ("low >= 1 or n >= 3", "whole interval at least 1 or n at least 3"),
    ],
)
def test_a_rule_in_words_says_what_an_end_of_the_interval_means_for_all_of_it(text, words):
    assert Condition.parse(text, NAMES).in_words == words


# the file


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "  unit:",
            "  units:",
            "claim 'architecture-error', key 'units': unknown; allowed are id, chapter, kind",
        ),
        ("  unit: points\n", "", "claim 'architecture-error', key 'unit': missing"),
        ("    partly:", "    partially:", "key 'rule.partially': unknown; allowed are testable, editions"),
        ('    testable: "n >= 100"\n', "", "key 'rule.testable': missing"),
        ("chapter: 1", "chapter: 15", "key 'chapter': .*less than or equal to 14, got 15"),
        ("chapter: 1", "chapter: one", "key 'chapter': .*integer, got 'one'"),
        ("kind: paper", "kind: rumour", "key 'kind': .*'paper', 'later-work' or 'gate', got 'rumour'"),
        ("id: architecture-error", "id: Architecture Error", "key 'id': .*pattern"),
        ("unit: points", "unit: ''", "key 'unit': .*at least 1 character"),
        (
            '"low > 1"',
            '"low > one"',
            "key 'rule.reproduced': in 'low > one', at character 7: expected a number",
        ),
        ('"low > 1"', "7", "key 'rule.reproduced': a rule is text"),
        ('"n >= 100"', '"low > 0"', "key 'rule.testable': .*depends on n and detectable only"),
        ("    partly:", "    editions: [photo]\n    partly:", "key 'rule.editions.0': .*'quick', 'photos'"),
        ("    partly:", "    editions: [smoke]\n    partly:", "key 'rule.editions.0': .*'quick', 'photos'"),
        ("    partly:", "    editions: []\n    partly:", "key 'rule.editions': .*at least 1 item"),
        ("  unit: points", "  unit: points\n  unit: cm", "key 'unit' is given twice"),
        ("  rule:", "  rule: [", "not valid YAML"),
    ],
)
def test_a_fault_in_the_file_names_file_claim_key_and_what_is_allowed(claims_file, old, new, message):
    path = claims_file(ENTRY.replace(old, new))
    with pytest.raises(ValueError, match=message) as raised:
        load(path)
    assert str(path) in str(raised.value)


def test_every_fault_is_reported_at_once(claims_file):
    second = ENTRY.replace("architecture-error", "training-crops").replace("kind: paper", "kind: rumour")
    with pytest.raises(
        ValueError, match=r"claim 'architecture-error', key 'unit'.*\n.*claim 'training-crops'"
    ):
        load(claims_file(ENTRY.replace("unit: points", "unit: ''") + second))


def test_two_claims_of_one_id_are_refused(claims_file):
    with pytest.raises(ValueError, match="claim 'architecture-error', key 'id': given twice"):
        load(claims_file(ENTRY + ENTRY))


@pytest.mark.parametrize("text", ["", "claims: {}", "just words"])
def test_a_file_that_is_no_list_of_claims_is_refused(claims_file, text):
    with pytest.raises(ValueError, match="must hold a list of claims"):
        load(claims_file(text))


# the register itself


def test_every_chapter_registers_its_claims_under_its_own_name():
    assert {claim.chapter for claim in REGISTER.values()} == set(CHAPTERS)
    own = {name: claim for name, claim in REGISTER.items() if name not in MOVED}
    assert [name for name, claim in own.items() if not name.startswith(f"{CHAPTERS[claim.chapter]}-")] == []
    assert {name: REGISTER[name].chapter for name in MOVED} == MOVED


def test_the_register_is_in_the_order_of_the_chapters():
    chapters = [claim.chapter for claim in REGISTER.values()]
    assert chapters == sorted(chapters)


def test_the_published_run_holds_no_claim_that_the_register_has_lost():
    published = json.loads((REFERENCE / "photos.json").read_text())["claims"]
    assert {record["claim"] for record in published} <= set(REGISTER)


def meeting(claim: Claim) -> list[dict[str, float]]:
    """Numbers with which the claim's condition holds, and others with which each of its parts alone fails."""
    parts = claim.conditions.parts if claim.conditions else []
    sides = {part.name: (1 if ">" in part.symbol else -1) for part in parts}
    met = {part.name: part.number + 0.01 * sides[part.name] for part in parts}
    return [met] + [met | {part.name: part.number - 0.01 * sides[part.name]} for part in parts]


@pytest.mark.parametrize("claim", [c for c in REGISTER.values() if c.condition], ids=lambda claim: claim.id)
def test_each_part_of_a_registered_condition_can_fail(claim):
    met, *failing = meeting(claim)
    assert claim.conditions.holds(met)
    assert [len(claim.conditions.missed(values)) for values in failing] == [1] * len(failing)
    assert {*claim.where} == {*met}


@pytest.mark.parametrize("claim", [c for c in REGISTER.values() if c.fails], ids=lambda claim: claim.id)
def test_a_new_rule_asks_an_interval_also_for_partly(claim):
    """Gates apart, which a bound decides."""
    if claim.kind != "gate":
        for rule in filter(None, (claim.rule.reproduced, claim.rule.partly)):
            assert rule.names <= {"low", "high"}


@pytest.mark.parametrize("claim", REGISTER.values(), ids=lambda claim: claim.id)
def test_a_registered_claim_can_come_out_either_way(claim):
    """Every verdict that the rule knows is reached by some measurement near the rule's own numbers."""
    rule = claim.rule
    conditions = filter(None, (rule.testable, rule.reproduced, rule.partly))
    parts = [part for condition in conditions for part in condition.parts]
    scale = max(abs(part.number) for part in parts if part.name != "n") or 1
    edges = sorted({part.number for part in parts if part.name in ("estimate", "low", "high")} | {0.0})
    points = [edge + side * scale for edge in edges for side in (-2, -0.01, 0.01, 2)]
    size = max((part.number for part in parts if part.name == "n"), default=1)
    edition = rule.editions[0] if rule.editions else "quick"
    met, *failing = meeting(claim)
    enough = {"n": int(size), "edition": edition, "p": 0.01, "detectable": 0.0, "conditions": met}
    triples = list(itertools.combinations_with_replacement(sorted(points), 3))
    verdicts = {claim.verdict(measured(*ends, **enough)) for ends in triples}
    for changed in ({"n": int(size) - 1}, *({"conditions": values} for values in failing)):
        unanswered = {claim.verdict(measured(*ends, **enough | changed)) for ends in triples[::7]}
        assert unanswered == {Verdict.NOT_TESTABLE}
    verdicts |= unanswered
    expected = set(Verdict) if rule.partly else set(Verdict) - {Verdict.PARTLY}
    assert verdicts == expected


@pytest.mark.parametrize("claim", REGISTER.values(), ids=lambda claim: claim.id)
def test_a_registered_claim_is_reproduced_only_where_it_is_at_least_partly_so(claim):
    """A measurement that moves from reproduced to partly must not jump over it."""
    if claim.rule.partly is None:
        return
    grid = [-50.0, -5.0, -0.1, 0.0, 0.03, 0.15, 0.3, 0.6, 0.96, 1.5, 2.5, 3.5, 12.0, 30.0]
    for ends in itertools.combinations_with_replacement(grid, 3):
        values = measured(*ends, p=0.01, detectable=0.0).values
        assert claim.rule.partly.holds(values) or not claim.rule.reproduced.holds(values)
