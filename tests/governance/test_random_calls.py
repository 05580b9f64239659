"""Random calls, legal and not, of everything governance lets people do: what is live, and was at any time before, is what an oracle says that another hand wrote."""
import collections, random, shutil
from datetime import timedelta
import pytest
from governed_workspace import PARAMS, make_workspace, small_bundle
from release_oracle import Made, Oracle, Rules
from marketing_mlops.contracts.verdict import Reason, Verdict
from marketing_mlops.governance.approvals import RequestNote, approval_state, grant, refuse, request_approval, withdraw
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.live_pointers import live, what_was_live
from marketing_mlops.governance.release_gates import rules_to_check_by
from marketing_mlops.governance.release_states import CHECKED
from marketing_mlops.governance.releases import RollbackChoice, bundle_evidence, release, rollback
from marketing_mlops.governance.trials import retire, start_canary, start_shadow
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.errors import MmopsError
from marketing_mlops.workspace.places import find_workspace

START = instant_of("2026-03-02T09:00:00Z")
OWNER, SALES, DATA, ENGINEER, ANALYST, STRANGER = (f"{name}@example.com" for name in ("model-owner", "sales", "data-protection", "engineer", "analyst", "stranger"))
ROLES = [OWNER, SALES, DATA, ENGINEER, ANALYST, STRANGER]
SIDES = [((OWNER, SALES), (DATA, ENGINEER)), ((OWNER,), (DATA, ENGINEER, SALES)), ((OWNER, SALES), (SALES, DATA))]
MADE = [Made(f"plain_{i}", "plain", None) for i in range(4)] + [Made("other_audience", "other", None), Made("strict_0", "plain", .6), Made("strict_1", "plain", .6), Made("poor", "plain", None, is_good=False)]

def written(root, rules):
    "The files as somebody has edited them; without rules they hold one that nobody could keep."
    said = rules or Rules(days=0)
    gates = f"gates: {{auc: {said.auc}}}, " if said.auc else ""
    release = f"release: {{stages: [{', '.join(said.stages)}], canary_share: {said.share}, approval_days: {said.days}}}"
    (root/"params.yaml").write_text(PARAMS.replace("task: propensity}", f"task: propensity, {gates}{release}}}", 1))
    (root/"settings.ini").write_text(f"[DEFAULT]\nbusiness_approvers = {', '.join(said.business)}\ntechnical_approvers = {', '.join(said.technical)}\n")
    return find_workspace(root)

class World:
    "A workspace, the oracle, and who tries what next."
    def __init__(self, root, seed):
        self.rng, self.tree, self.clock_minute = random.Random(seed), Rules(days=3, business=SIDES[0][0], technical=SIDES[0][1]), 0
        make_workspace(root)
        self.shop, self.oracle = written(root, self.tree), Oracle(MADE)
        self.folders, self.known = {}, MADE[:2]
        for i, made in enumerate(MADE):
            self.folders[made.name] = small_bundle(self.shop, made.name, status="pass" if made.is_good else "fail", even_after=30. + i,
                **({"gates": {"auc": made.auc}} if made.auc else {}), **({"consent_purpose": "newsletter"} if made.structure == "other" else {}))
        self.altered = root/"data"/"altered"
        self.evidence = {name: bundle_evidence(folder) for name, folder in self.folders.items()}
        self.names = {each.bundle_hash: name for name, each in self.evidence.items()}
        self.structures = {"plain": self.evidence["plain_0"].structure, "other": self.evidence["other_audience"].structure, None: None}
        self.tried = collections.Counter()

    # ---- what is tried
    def next_call(self):
        "A step that leads on, or anything at all."
        return self.sensible() if self.rng.random() < .55 else self.anything()

    def sensible(self):
        rng, o = self.rng, self.oracle
        if o.standing and rng.random() < .12: return "rollback", ("Complaints doubled",), rng.choice([{}, {"to": rng.choice(o.ever)}, {"stage": "canary" if o.canary else "champion"}])
        name = rng.choice(self.known).name
        m, made = o.matters[name], o.bundles[name]
        if o.is_valid(name) and m.state in ("approved", "shadow", "canary"):
            if m.check and o.standing and o.champion not in (name, m.check[3]): return "checked", (name, "pass", self.tree), {}
            step = rng.choice(["release", "release", "start_canary", "start_canary", "start_shadow"])
            return step, (name,), {}
        if m.asked and m.state in ("candidate", "retired") or m.check and m.asked and m.check[1] != m.asked["rules"]: return "checked", (name, rng.choice(["pass", "pass", "review"]), self.tree), {}
        if m.asked is None or m.is_barred or (m.ends is not None and rng.random() < .5): return "request", (name, rng.choice([ANALYST, STRANGER]), ANALYST, self.tree, made.structure), {}
        return "grant", (name, rng.choice(sorted((o.in_force or m.asked["rules"]).approvers))), {}

    def anything(self):
        rng = self.rng
        name, role = rng.choice(self.known).name, rng.choice(ROLES)
        reason = rng.choice(["Seen", "Complaints", ""]) if rng.random() < .3 else "Complaints doubled"
        altered = {"is_altered": True} if rng.random() < .15 else {}
        return rng.choice([
            lambda: ("request", (name, rng.choice([role, ANALYST, "nobody"]), rng.choice([ANALYST, role]), self.tree, rng.choice(["plain", "other", None])), {}),
            lambda: ("grant", (name, role), {}), lambda: ("refuse", (name, role, reason), {}), lambda: ("withdraw", (name, role, reason), {}),
            lambda: ("checked", (name, rng.choice(["pass", "review", "unknown", "fail"]), self.tree), {}),
            lambda: ("release", (name,), altered), lambda: ("start_shadow", (name,), altered),
            lambda: ("start_canary", (name,), {"share": rng.choice([None, .05, .25, .5, 0., 1., -.1])} | altered),
            lambda: ("rollback", (reason,), {}), lambda: ("rollback", (reason,), {"to": name}), lambda: ("rollback", (reason,), {"to": name, "is_whole": False}),
            lambda: ("rollback", (reason,), {"stage": rng.choice(["shadow", "canary", "champion"])}),
            lambda: ("retire", (name, reason), {}), self.edited, self.built])()

    def edited(self):
        "Somebody edits the rules in the files."
        business, technical = self.rng.choice(SIDES)
        self.tree = self.rng.choice([Rules((), .1, 3, *SIDES[0]), Rules(self.rng.choice([(), ("canary",), ("shadow", "canary")]), self.rng.choice([.1, .2]), self.rng.choice([1, 3]),
                                     business, technical, self.rng.choice([None, None, .6])), None])
        return "nothing", (), {}

    def built(self):
        self.known = MADE[:len(self.known) + 1]
        return "nothing", (), {}

    # ---- doing it
    def place(self, name, is_altered):
        if not is_altered: return self.folders[name]
        shutil.rmtree(self.altered, ignore_errors=True)
        shutil.copytree(self.folders[name], self.altered)
        (self.altered/"parameters.json").write_text("{}")
        return self.altered

    def do(self, call, words, more):
        "The call as the package offers it; raises what the package raises."
        shop, matter, clock = self.shop, self.evidence[words[0]].matter if words and words[0] in self.evidence else None, ReplayClock(self.at(self.minute))
        stepped = dict(release=release, start_shadow=start_shadow, start_canary=start_canary)
        if call == "request": request_approval(shop, matter, words[1], note=RequestNote(author=words[2]), structure=self.structures[words[4]], clock=clock)
        elif call == "grant": grant(shop, matter, words[1], clock=clock)
        elif call in ("refuse", "withdraw"): dict(refuse=refuse, withdraw=withdraw)[call](shop, matter, words[1], reason=words[2], clock=clock)
        elif call == "checked": self._record_check(words[0], words[1], clock)
        elif call in stepped:
            facts = {name: value for name, value in more.items() if name == "share"}
            stepped[call](shop, "churn", self.place(words[0], more.get("is_altered", False)), ANALYST, clock=clock, **facts)
        elif call == "rollback": self._roll_back(words[0], clock, **more)
        elif call == "retire": retire(shop, "churn", matter.bundle_hash, STRANGER, words[1], clock=clock)

    def _record_check(self, name, status, clock):
        "What gates answer is not the question here, only what follows from it; so one of them answers as it is told."
        digest, ledger = self.evidence[name].bundle_hash, Ledger(self.shop, clock)
        rules = rules_to_check_by(self.shop, "churn", digest, ledger.entries(subject="churn"))
        now = live(self.shop, "churn")
        said = Verdict("fairness", status, [Reason(status, "As told.", severity=status)]).to_dict()
        ledger.append(CHECKED, "churn", ANALYST, dict(bundle_hash=digest, evaluation_hash=self.evidence[name].evaluation_hash,
            policy_hash=rules.hash, status=status, champion=now.champion if now else None, measured=["fairness"], tests={}, verdicts={"fairness": said}))

    def _roll_back(self, reason, clock, to=None, stage=None, is_whole=True):
        digest = self.evidence[to].bundle_hash if to else None
        place = self.shop.path("data", "bundles", digest) if to and not is_whole else None
        hidden = place.rename(place.with_name("aside")) if place and place.is_dir() else None
        try: rollback(self.shop, "churn", STRANGER, reason, choice=RollbackChoice(digest and digest[:9], stage), clock=clock)
        finally:
            if hidden: hidden.rename(place)

    # ---- comparing
    def at(self, minute): return START + timedelta(minutes=minute)
    def seen(self, pointer): return None if pointer is None else (self.names[pointer.champion], self.names.get(pointer.canary), pointer.canary_share, self.names.get(pointer.shadow))
    def log(self): return b"".join(path.read_bytes() for path in self.shop.path("data", "ledger").glob("*.jsonl"))

    def step(self):
        call, words, more = self.next_call()
        self.minute = self.oracle.minute + self.rng.choice([1, 5, 60, 300, 300, 1500])
        self.oracle.pass_time(self.minute)
        if call == "nothing":
            self.shop = written(self.shop.root, self.tree)
            return
        kept, allowed = self.log(), self.oracle.call(call, *words, **more)
        said, told = "", (call, words, more)
        try: self.do(call, words, more)
        except MmopsError as refused: said = str(refused)
        assert (not said) == allowed, (told, said or "went through, and the rules do not allow it")
        assert allowed or self.log() == kept, (told, "left a trace")
        self.tried[call, allowed] += 1
        self.compare(told)

    def compare(self, told):
        o = self.oracle
        pointer = live(self.shop, "churn")
        assert self.seen(pointer) == o.serving, told
        assert pointer is None or bool(pointer.despite) == o.despite, (told, pointer.despite)
        for minute in {each for since, _ in o.past for each in (since - 1, since)} | {self.rng.randint(0, self.minute)}:
            assert self.seen(what_was_live(self.shop, "churn", self.at(minute))) == (o.served(minute) if minute >= 0 else None), (told, minute)
        name = told[1][0] if told[1] and told[1][0] in o.matters else self.rng.choice(MADE).name
        assert approval_state(self.shop, self.evidence[name].matter, clock=ReplayClock(self.at(self.minute))).is_valid == o.is_valid(name), (told, name)

def a_history(folder, seed, length):
    world = World(folder/f"shop_{seed}", seed)
    for _ in range(length): world.step()
    assert Ledger(world.shop).verify().status != "fail"
    return world.tried

def test_sixty_random_calls_leave_live_what_the_oracle_says_at_every_moment(tmp_path):
    tried = sum((a_history(tmp_path, seed, 40) for seed in range(2)), collections.Counter())
    assert sum(tried.values()) >= 60

@pytest.mark.slow
def test_a_thousand_random_calls_leave_live_what_the_oracle_says_at_every_moment(tmp_path):
    tried = sum((a_history(tmp_path, seed, 130) for seed in range(100, 109)), collections.Counter())
    assert sum(tried.values()) >= 1000
    calls = ("request", "grant", "refuse", "withdraw", "release", "start_shadow", "start_canary", "rollback", "retire")
    assert not [(call, way) for call in calls for way in (True, False) if tried[call, way] < 3], tried
