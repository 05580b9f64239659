"""Where bundles stand, held against a table written by another hand, for random histories and every moment in them."""
import random
from datetime import datetime, timedelta, timezone
import pytest
from marketing_mlops.governance.ledger_entries import LedgerEntry, instant_text
from marketing_mlops.governance.release_states import (CANARY_STEP, CHECKED, GRANTED, MOVES, REFUSED, RELEASED, RELEASE_STATES, RETIRED, ROLLED_BACK, SHADOWED,
    WITHDRAWN, MoveError, check_move, release_states)

START = datetime(2026, 1, 1, 9, tzinfo=timezone.utc)
BUNDLES = [digit*64 for digit in "abc"]

def entry(kind, minutes, bundle, number, **facts):
    at = instant_text(START + timedelta(minutes=minutes))
    return LedgerEntry(kind, "churn", "analyst@example.com", {"bundle_hash": bundle} | facts, at, at, "laptop", number, number)

# What a person would keep in a notebook: a state and a standing yes for each bundle, changed line by line as the rules say in words.
class Diary:
    def __init__(self): self.state, self.yes_until = {}, {}
    def of(self, bundle): return self.state.get(bundle, "candidate")
    def has_yes(self, bundle, minute): return self.yes_until.get(bundle, minute) > minute
    def champion(self): return next((bundle for bundle in BUNDLES if self.of(bundle) == "champion"), None)
    def let_time_pass(self, minute):
        for bundle in BUNDLES:
            if self.of(bundle) == "approved" and not self.has_yes(bundle, minute): self.state[bundle] = "checked"

    def checked(self, bundle, status, minute):
        now = self.of(bundle)
        if status == "fail":
            if now in ("checked", "approved"): self.state[bundle] = "candidate"
        elif now in ("candidate", "retired"): self.state[bundle] = "approved" if self.has_yes(bundle, minute) else "checked"

    def approved(self, bundle, missing, until):
        if missing: return
        self.yes_until[bundle] = until
        if self.of(bundle) == "checked": self.state[bundle] = "approved"

    def objected(self, bundle):
        self.yes_until.pop(bundle, None)
        if self.of(bundle) == "approved": self.state[bundle] = "checked"

    def tried(self, bundle, stage):
        before = {"shadow": ("approved", "shadow"), "canary": ("approved", "shadow", "canary")}[stage]
        if self.of(bundle) in before: self.state[bundle] = stage

    def released(self, bundle):
        if self.of(bundle) not in ("approved", "shadow", "canary"): return
        before = self.champion()
        if before: self.state[before] = "retired"; self.yes_until.pop(before, None)
        self.state[bundle] = "champion"

    def went_back(self, left, to):
        if self.of(left) not in ("shadow", "canary", "champion"): return
        self.state |= {left: "candidate", to: "champion"}
        self.yes_until.pop(left, None)

    def retired(self, bundle): self.state[bundle] = "retired"; self.yes_until.pop(bundle, None)

def a_history(seed, length=40):
    "Random entries, legal and not, and what the diary says at every minute."
    rng, diary, entries, said, minute = random.Random(seed), Diary(), [], [], 0
    for number in range(1, length + 1):
        minute += rng.randint(1, 30)
        diary.let_time_pass(minute)
        bundle = rng.choice(BUNDLES)
        kind = rng.choice([CHECKED, CHECKED, GRANTED, GRANTED, REFUSED, WITHDRAWN, SHADOWED, CANARY_STEP, RELEASED, RELEASED, ROLLED_BACK, RETIRED])
        if kind == CHECKED:
            status = rng.choice(["pass", "review", "fail"]); facts = dict(status=status); diary.checked(bundle, status, minute)
        elif kind == GRANTED:
            missing, until = rng.choice([[], [], ["business"]]), minute + rng.randint(5, 120)
            facts = dict(missing=missing, expires_at=(START + timedelta(minutes=until)).isoformat()); diary.approved(bundle, missing, until)
        elif kind == ROLLED_BACK:
            left = rng.choice([each for each in BUNDLES if each != bundle]); facts = dict(before=left, reason="harm"); diary.went_back(left, bundle)
        else:
            facts = dict(share=.1)
            {REFUSED: diary.objected, WITHDRAWN: diary.objected, RELEASED: diary.released, RETIRED: diary.retired,
             SHADOWED: lambda b: diary.tried(b, "shadow"), CANARY_STEP: lambda b: diary.tried(b, "canary")}[kind](bundle)
        entries.append(entry(kind, minute, bundle, number, **facts))
        said.append((minute, {each: diary.of(each) for each in BUNDLES}))
    return entries, said

@pytest.mark.parametrize("block", range(10))
def test_states_at_every_moment_of_random_histories_are_those_of_the_diary(block):
    seen = set()
    for seed in range(block*100, block*100 + 100):
        entries, said = a_history(seed)
        for minute, expected in said:
            found = release_states(entries, START + timedelta(minutes=minute))
            assert {bundle: found.get(bundle, "candidate") for bundle in BUNDLES} == expected, (seed, minute)
            seen |= set(expected.values())
    assert seen == set(RELEASE_STATES)     # every state was reached, so every row was tried

def test_a_history_has_never_two_champions():
    for seed in range(200):
        entries, said = a_history(seed, 80)
        for minute, _ in said[::7]: assert list(release_states(entries, START + timedelta(minutes=minute)).values()).count("champion") <= 1

def test_an_end_that_passes_between_two_entries_counts_at_the_second_it_comes():
    entries = [entry(CHECKED, 0, BUNDLES[0], 1, status="pass"), entry(GRANTED, 1, BUNDLES[0], 2, missing=[], expires_at=(START + timedelta(minutes=60)).isoformat())]
    def at(minutes, seconds=0): return release_states(entries, START + timedelta(minutes=minutes, seconds=seconds))[BUNDLES[0]]
    assert [at(59, 59), at(60)] == ["approved", "checked"]

@pytest.mark.parametrize("state", RELEASE_STATES)
def test_a_step_that_is_not_in_the_table_is_refused_by_name(state):
    for signal in ("shadow", "canary", "release", "returned", "retire", "left"):
        if signal in MOVES[state]: check_move("churn", BUNDLES[0], state, signal)
        else:
            with pytest.raises(MoveError, match=f"Bundle aaaaaaaaaaaa of churn is a?.*{state}; from there it cannot") as refused: check_move("churn", BUNDLES[0], state, signal)
            assert str(refused.value).count("\n") == 1

@pytest.mark.parametrize("state, signal, needed, owed", [("approved", "canary", ["shadow"], "shadow"), ("approved", "release", ["shadow", "canary"], "shadow"),
    ("shadow", "release", ["shadow", "canary"], "canary"), ("approved", "release", ["canary"], "canary")])
def test_a_stage_that_the_rule_asks_for_cannot_be_left_out(state, signal, needed, owed):
    with pytest.raises(MoveError, match=f"asks for {owed} before this step"): check_move("churn", BUNDLES[0], state, signal, needed)
