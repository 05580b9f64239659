"""What is live, approved and owed follows from the few entries that decide: read by themselves they give the same answers as everything that was ever recorded."""
import random
from datetime import timedelta
import pytest
from governed_workspace import make_workspace
from marketing_mlops.cli.live import approval_words, champion_at, duty_words, entries_by_model, proofs_at
from marketing_mlops.cli.release_status import candidate_words
from marketing_mlops.governance import deciding_entries
from marketing_mlops.governance.deciding_entries import DECIDING_KINDS
from marketing_mlops.governance.duties import REVIEW_HELD
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_entries import ENTRY_KINDS, LedgerEntry, entry_line, instant_text, next_entry
from marketing_mlops.governance.live_pointers import LIVE_KINDS
from marketing_mlops.governance.policies import POLICY_CHANGED, Policy
from marketing_mlops.governance.release_states import CANARY_STEP, CHECKED, GRANTED, REFUSED, RELEASED, REQUESTED, RETIRED, ROLLED_BACK, SHADOWED, WITHDRAWN
from marketing_mlops.governance.text_log import log_file
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.places import write_json, write_text

START, MODELS = instant_of("2026-03-02T09:00:00Z"), ["churn", "promo"]
BUSINESS, TECHNICAL, ANALYST = (f"{role}@example.com" for role in ("marketing", "model-owner", "analyst"))
BUNDLES, OTHER_KINDS = ["aa"*32, "bb"*32, "cc"*32], sorted(set(ENTRY_KINDS) - set(DECIDING_KINDS))
STEPS = (RELEASED, RELEASED, RELEASED, CANARY_STEP, SHADOWED)

class History:
    "Two people who write at once, each with the other's log as of the last pull; what they write is mostly in order, and sometimes not."
    def __init__(self, seed):
        self.rng, self.now, self.lines, self.last, self.held, self.all = random.Random(seed), START, {"anna": [], "zoe": []}, {}, {}, []
        for model in MODELS: self.add("anna", POLICY_CHANGED, model, self.rules(model, 30))
    def rules(self, model, days):
        rules = Policy(model, {}, live_days=days, business=(BUSINESS,), technical=(TECHNICAL,))
        return dict(policy_hash=rules.hash, policy=rules.to_dict())
    def add(self, writer, kind, subject, facts, actor=ANALYST):
        rng, other = self.rng, "zoe" if writer == "anna" else "anna"
        if rng.random() < .4 and other in self.last: self.held[writer] = self.last[other]
        self.now += timedelta(minutes=rng.choice([1, 30, 300, 1500]))
        occurred = self.now - timedelta(days=rng.choice([0, 0, 0, 0, 3]))
        draft = LedgerEntry(kind, subject, actor, facts, instant_text(occurred), instant_text(self.now), writer, 0, 0)
        entry = next_entry(draft, self.last.get(writer), [self.held[writer]] if writer in self.held else [])
        self.last[writer] = entry
        self.lines[writer].append(entry_line(entry)), self.all.append(entry)
        return entry
    def found(self, subject, *kinds, **facts): return [each for each in self.all if each.subject == subject and each.kind in kinds and facts.items() <= each.payload.items()]
    def about(self, bundle): return dict(bundle_hash=bundle, evaluation_hash="ee"*32)
    def newest(self, model, *kinds, **facts): return next(reversed(self.found(model, *kinds, **facts)), None)

    def round(self):
        "One matter from the request to the step, with whatever goes wrong or comes between."
        rng, model, bundle, writer = self.rng, self.rng.choice(MODELS), self.rng.choice(BUNDLES), self.rng.choice(["anna", "zoe"])
        if rng.random() < .2: self.add(writer, POLICY_CHANGED, model, self.rules(model, rng.choice([2, 30])))
        said = self.about(bundle) | dict(policy_hash=self.newest(model, POLICY_CHANGED).payload["policy_hash"])
        request = self.add(writer, REQUESTED, model, said | dict(author=ANALYST, reason="", structure={"feature set": "ab"*32}, changes=["feature set"], missing=["business", "technical"]))
        checked = self.add(self.turn(writer), CHECKED, model, self.about(bundle) | dict(status=rng.choice(["pass"]*5 + ["fail"]), verdicts={}))
        for role, missing in ((BUSINESS, ["technical"]), (TECHNICAL, [])):
            self.between()
            yes = said | dict(request=request.hash, missing=missing, expires_at=instant_text(self.now + timedelta(days=rng.choice([2, 30]))), checked=checked.hash, signature="", identity="unverified", reason="")
            if rng.random() < .92: self.add(self.turn(writer), GRANTED, model, yes, role)
        self.between()
        if rng.random() < .15: self.add(self.turn(writer), rng.choice([REFUSED, WITHDRAWN]), model, self.about(bundle) | dict(request=request.hash, reason="Complaints"), BUSINESS)
        facts = self.about(bundle) | dict(approver=f"{BUSINESS}, {TECHNICAL}", structure={"feature set": "ab"*32}, reason="", share=.1)
        if rng.random() < .85: self.add(self.turn(writer), rng.choice(STEPS), model, facts)
    def turn(self, writer): return writer if self.rng.random() < .8 else "zoe" if writer == "anna" else "anna"

    def between(self):
        "What anybody may record at any time: about a model or something else, of any kind."
        rng, writer, model = self.rng, self.rng.choice(["anna", "zoe"]), self.rng.choice(MODELS)
        if rng.random() < .25:
            facts = self.about(rng.choice(BUNDLES)) | dict(text="Seen", to="aa"*32, before=rng.choice(BUNDLES), request="aa"*32, reason="Seen", share=.5, status="fail", checked="aa"*32)
            self.add(writer, rng.choice(OTHER_KINDS), rng.choice([*MODELS, "shop", "spring"]), facts | dict(expires_at=instant_text(self.now), review_due=instant_text(self.now)))
        released = self.found(model, RELEASED)
        if released and rng.random() < .08:
            left, to = released[-1].payload["bundle_hash"], rng.choice(released)
            due = instant_text(self.now + timedelta(days=1))
            self.add(writer, ROLLED_BACK, model, dict(to=to.hash, bundle_hash=to.payload["bundle_hash"], before=left, reason="Complaints", review_due=due), BUSINESS)
        if rng.random() < .05: self.add(writer, REVIEW_HELD, model, {"with": [TECHNICAL], "seen": "Fine"})
        if rng.random() < .03: self.add(writer, RETIRED, model, dict(bundle_hash=rng.choice(BUNDLES), reason="Old"))

    def written(self, root):
        shop = make_workspace(root, "anna")
        for writer, lines in self.lines.items(): write_text(log_file(shop, writer), "".join(f"{line}\n" for line in lines))
        for model, bundle in zip(MODELS, BUNDLES): write_json(shop.output("bundle", model)/"envelope.json", dict(core_hash=bundle))
        return shop

def everything(shop):
    past = {}
    for entry in Ledger(shop).entries(): past.setdefault(entry.subject, []).append(entry)
    return past

def outcome(call, *words):
    try: return call(*words)
    except Exception as error: return repr(error)

def answers(shop, past, moments):
    "All that the morning's two commands say about models."
    found = []
    for model in MODELS:
        own = past.get(model, ())
        found.append(candidate_words(shop, model, own))
        for at in moments: found += [champion_at(model, own, at), outcome(proofs_at, shop, past, [model], at), outcome(approval_words, model, past, ReplayClock(at)), duty_words(model, own, at)]
    return found

def a_history(folder, seed, rounds=9):
    history = History(seed)
    for _ in range(rounds): history.round()
    end = history.now
    return history.written(folder/f"shop_{seed}"), [START + (end - START)*part for part in (.4, .7, .95, 1.0, 1.2)]

@pytest.fixture(scope="module")
def histories(tmp_path_factory):
    "Shops, moments, and what follows from all entries."
    folder = tmp_path_factory.mktemp("histories")
    made = [a_history(folder, seed) for seed in range(16)]
    return [(shop, moments, answers(shop, everything(shop), moments)) for shop, moments in made]

def test_the_entries_that_decide_answer_like_all_entries(histories):
    for shop, moments, of_all in histories:
        for models in (MODELS, *([each] for each in MODELS)):
            lean = entries_by_model(shop, models)
            assert [entry for entry in lean.get(models[0], ()) if entry.kind in DECIDING_KINDS] == Ledger(shop).entries(*DECIDING_KINDS, subject=models[0])
        assert answers(shop, entries_by_model(shop, MODELS), moments) == of_all

def test_a_model_alone_is_answered_as_among_all(histories):
    for shop, moments, _ in histories:
        for model in MODELS:
            alone, past = entries_by_model(shop, [model]), everything(shop)
            for at in moments:
                assert outcome(proofs_at, shop, alone, [model], at) == outcome(proofs_at, shop, past, [model], at)
                assert outcome(approval_words, model, alone, ReplayClock(at)) == outcome(approval_words, model, past, ReplayClock(at))

def test_the_histories_hold_steps_with_and_without_approvals_and_answers_of_every_sort(histories):
    found = [each for *_, of_all in histories for each in of_all]
    proofs = [proof for each in found if isinstance(each, dict) for stages in each.values() for proof in stages.values()]
    assert {proof.is_proven for proof in proofs} == {True, False} and len({proof.objection for proof in proofs}) >= 6
    words = [each for each in found if isinstance(each, str)]
    assert any("was not held" in line for each in found if isinstance(each, list) for line in each)
    assert any("is live for" in line for each in found if isinstance(each, list) for line in each)
    assert any("Next: `mmops release" in each for each in words) and any("a candidate waits" in each for each in words)

@pytest.mark.parametrize("kind", DECIDING_KINDS)
def test_no_kind_that_decides_can_be_left_out(histories, monkeypatch, kind):
    monkeypatch.setattr(deciding_entries, "DECIDING_KINDS", tuple(each for each in DECIDING_KINDS if each != kind))
    assert any(outcome(answers, shop, entries_by_model(shop, MODELS), moments) != of_all for shop, moments, of_all in histories)

def test_what_writers_had_seen_cannot_be_left_out(histories, monkeypatch):
    monkeypatch.setattr(Ledger, "seen_by", lambda self, entries: [])
    assert any(answers(shop, entries_by_model(shop, MODELS), moments) != of_all for shop, moments, of_all in histories)

def test_what_the_ledger_is_about_is_told_in_the_order_of_first_mention(histories):
    for shop, *_ in histories:
        past = everything(shop)
        assert Ledger(shop).subjects() == list(past)
        assert Ledger(shop).subjects(*LIVE_KINDS) == [name for name, entries in past.items() if any(entry.kind in LIVE_KINDS for entry in entries)]

def test_nothing_is_read_but_what_decides_and_what_its_links_name(histories, monkeypatch):
    from marketing_mlops.governance import ledger_store
    read, kept, foreign = set(), ledger_store._entry_of, set()
    monkeypatch.setattr(ledger_store, "_entry_of", lambda row: read.add(row["hash"]) or kept(row))
    for shop, *_ in histories:
        decides = Ledger(shop).entries(*DECIDING_KINDS, subject="promo")
        named = {digest for entry in decides if entry.kind in (REQUESTED, *LIVE_KINDS) for digest in entry.seen.values()}
        read.clear()
        entries_by_model(shop, ["promo"])
        assert read == named | {entry.hash for entry in decides}
        foreign |= named - read.intersection(entry.hash for entry in decides)
    assert foreign
