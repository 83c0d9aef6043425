"""The page of deviations: what was replaced, by what, and why."""

import re

import pytest

from zfutils.study import register
from zfutils.study.claims import Claim, Superseded, standing
from zfutils.study.study import Study

RULE = {
    "testable": "n >= 10",
    "verdict_on": "measured - control",
    "reproduced": "low > 1",
    "partly": "low > 0",
}


def claim(name: str, **changes) -> Claim:
    entry = {
        **{"id": name, "chapter": 2, "kind": "paper", "source": "§3", "says": "a < b", "quantity": "b - a"},
        **{"unit": "points", "n": "pictures", "resampled": "pictures", "control": "a twin", "rule": RULE},
    }
    return Claim.model_validate(entry | changes)


@pytest.fixture
def pair() -> dict[str, Claim]:
    """An old claim and its successor, which no page measures yet."""
    old = claim("training-old", superseded=Superseded(by=("training-new",), because="its twin stood beside"))
    new = claim(
        "training-new",
        planned=True,
        replaces=("training-old",),
        fails="no difference",
        condition="ended >= 1",
        where={"ended": "share of networks"},
    )
    return {each.id: each for each in (old, new)}


def test_a_replaced_claim_says_why_by_what_and_its_last_verdict(pair):
    record = {"verdict": "partly reproduced", "estimate": 0.51, "low": 0.1234, "high": 0.9}
    entries = dict(register.old_entries(pair["training-old"], pair, record))
    assert entries["why it was replaced"] == "its twin stood beside"
    assert entries["replaced by"] == "training-new"
    assert entries["last published verdict"] == "partly reproduced: 0.51\u00a0[0.123,\u00a00.9] points"
    assert entries["status"] == "replaced, on the scoreboard until all its successors are measured"


def test_a_replaced_claim_whose_successor_is_measured_has_left_the_scoreboard(pair):
    pair["training-new"] = pair["training-new"].model_copy(update={"planned": False})
    entries = dict(register.old_entries(pair["training-old"], pair))
    assert entries["status"] == "replaced, left the scoreboard"
    assert entries["last published verdict"] == "none"


def test_a_new_claim_gives_its_whole_rule(pair):
    entries = dict(register.new_entries(pair["training-new"]))
    assert {term: text.replace("\N{NO-BREAK SPACE}", "_") for term, text in entries.items()} == {
        "status": "new, registered, not measured yet",
        "replaces": "training-old",
        "says": "a < b",
        "measures": "b - a (points)",
        "control, in the number": "a twin",
        "interval over": "pictures",
        "condition": "ended ≥_1",
        "where": "ended: share of networks",
        "rule": "verdict on measured − control; tested if n ≥_10; reproduced if low >_1; partly if low >_0",
        "would fail if": "no difference",
    }


def test_a_reworded_claim_keeps_its_rule_and_says_how_it_was_first_put():
    words = {"first": "all b", "because": "one b is measured"}
    changed = claim("training-one", reworded=words, known="b of one network")
    entries = dict(register.new_entries(changed))
    assert entries["status"] == "as first registered, but for its words, on the scoreboard"
    assert entries["first put as"] == "all b"
    assert entries["why in other words"] == "one b is measured"
    assert entries["known beforehand"] == "b of one network"
    assert "replaces" not in entries
    assert "would fail if" not in entries


def test_a_claim_that_nothing_happened_to_is_not_called_new():
    assert (
        dict(register.new_entries(claim("training-one")))["status"]
        == "as first registered, on the scoreboard"
    )


def test_a_card_holds_text_and_no_markup_of_it(pair):
    shown = register.card(pair["training-new"], register.new_entries(pair["training-new"]))
    assert "<dt>says</dt><dd>a &lt; b</dd>" in shown
    assert 'id="training-new"' in shown


def test_a_card_leads_to_what_was_replaced_and_to_the_scoreboard(pair):
    new, today = pair["training-new"], claim("training-one")
    shown = register.card(new, register.new_entries(new))
    assert '<dd><a href="deviations.html#training-old">training-old</a></dd>' in shown
    assert "scoreboard.html" not in shown, "it is planned, and measured by no page"
    assert 'href="scoreboard.html#claim-training-one"' in register.card(today, register.new_entries(today))


def test_on_the_page_the_rule_is_folded_and_what_was_claimed_is_not():
    study = Study.open("smoke")
    cards = register.deviations(study, 1).text.split('<div class="claim"')[1:]
    for card in cards:
        shown, folded = card.split("<details>")
        assert "<dt>says</dt>" in shown
        assert "<dt>rule</dt>" in folded


def test_the_page_holds_every_claim_but_those_that_stand_unchanged():
    study = Study.open("smoke")
    chapters = {claim.chapter for claim in study.claims.values()}
    shown = "".join(register.deviations(study, chapter).text for chapter in chapters)
    cards = re.findall(r'<div class="claim" id="([a-z0-9-]+)"', shown)
    assert len(cards) == len(set(cards))
    assert set(cards) == set(study.claims) - set(register.unchanged(study))
    assert set(register.unchanged(study)) <= set(standing(study.claims))
