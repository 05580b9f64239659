"""What the rules of a release say, kept by another hand: no line of `governance` is read here, only its rules in words.

An oracle hears of each call before the package does, says whether it may go through, and notes who serves from then on. Minutes count from a start."""
from dataclasses import dataclass, field

@dataclass(frozen=True)
class Rules:
    "What two sides approved, or what somebody wrote into the files."
    stages: tuple = ()
    share: float = .1
    days: int = 30
    business: tuple = ()
    technical: tuple = ()
    auc: float | None = None                      # the gate; None for none
    @property
    def approvers(self): return {*self.business, *self.technical}

@dataclass
class Matter:
    "The approval of one bundle, and where the bundle stands."
    state: str = "candidate"
    lasting: int | None = None                    # until when the yes holds that a check may wake up again
    asked: dict | None = None                     # the request in question
    yeses: list = field(default_factory=list)     # (role, until, open points it saw) in answer to it
    ends: int | None = None                       # of a complete approval
    is_barred: bool = False                       # refused, withdrawn or rolled back, and not asked again since
    objected: bool = False                        # the same or retired, and not approved again since
    hands: set = field(default_factory=set)       # who asked for it or built it, ever
    check: tuple | None = None                    # what the gates said last: status, the rules they asked by, the point they left open, and the champion it was held against
    is_known: bool = False

@dataclass(frozen=True)
class Made:
    "A bundle as it was built."
    name: str
    structure: str
    auc: float | None
    is_good: bool = True

class Refused(Exception): "The rules do not allow it."

def allow(condition):
    if not condition: raise Refused

class Oracle:
    def __init__(self, bundles):
        self.bundles, self.matters = {each.name: each for each in bundles}, {each.name: Matter() for each in bundles}
        self.in_force, self.minute = None, 0
        self.standing, self.ever = [], []         # champions that can be returned to step by step; everything that was champion once
        self.canary, self.share, self.shadow = None, 0., None
        self.despite = False                      # whether the champion came back against an objection
        self.past = [(0, None)]                   # who served from which minute on

    @property
    def champion(self): return self.standing[-1] if self.standing else None
    @property
    def serving(self): return None if not self.standing else (self.champion, self.canary, self.share, self.shadow)
    def served(self, minute): return [each for since, each in self.past if since <= minute][-1]
    def is_valid(self, name): m = self.matters[name]; return not m.is_barred and m.ends is not None and m.ends > self.minute

    def pass_time(self, minute):
        "An approval ends by the clock; nothing that serves stops for it."
        self.minute = minute
        for m in self.matters.values():
            if m.state == "approved" and (m.lasting is None or m.lasting <= minute): m.state = "checked"

    def call(self, name, *words, **more):
        "Whether a call goes through; what changed is noted."
        try: getattr(self, name)(*words, **more)
        except Refused: return False
        if self.serving != self.past[-1][1]: self.past.append((self.minute, self.serving))
        return True

    # ---- asking and answering
    def request(self, name, by, author, tree, told):
        "Anybody with an address may ask; a question that stands already, or is answered with a yes that holds, is not asked again."
        allow("@" in by and tree is not None)
        m, same = self.matters[name], (by, author, tree)
        if self.is_valid(name): return
        if m.asked and not m.is_barred and m.ends is None and m.asked["same"] == same: return
        change = not self.standing or told is None or told != self.bundles[self.champion].structure or (self.in_force is not None and tree != self.in_force)
        allow(self._leaves_somebody(self.in_force or tree, change, {by, author}, m.hands))
        m.is_known, m.hands = True, m.hands | {by, author}
        m.asked, m.yeses, m.ends, m.is_barred = dict(same=same, rules=tree, two_sides=change, told=told), [], None, False

    def _leaves_somebody(self, rules, two_sides, asking, hands):
        "Who asks or built it can never answer; a question nobody of a side could answer for that reason is not asked."
        free = rules.approvers - asking - hands
        if not two_sides: return bool(free) or not rules.approvers & asking
        business, technical = free & set(rules.business), free & set(rules.technical)
        if any(one != other for one in business for other in technical): return True
        stuck = [rules.technical] if business and technical else [side for side, left in ((rules.business, business), (rules.technical, technical)) if not left]
        return not any(set(side) & asking for side in stuck)

    def _approver(self, name, role):
        "Only whom the rules in force name, and never somebody who asked for these bytes or built them."
        m = self.matters[name]
        allow(m.asked is not None)
        deciding = self.in_force or m.asked["rules"]
        allow(role in deciding.approvers and role not in m.hands)
        return m, deciding

    def grant(self, name, role):
        m, deciding = self._approver(name, role)
        allow(not m.is_barred)
        holding = [yes for yes in m.yeses if yes[1] > self.minute]
        if role in [yes[0] for yes in holding]: return
        until = min([self.minute + deciding.days*1440, *(yes[1] for yes in holding)])
        mine = role, until, m.check[2] if m.check else None
        holding.append(mine)
        roles = {yes[0] for yes in holding}
        both = any(one != other for one in roles & set(deciding.business) for other in roles & set(deciding.technical))
        if not (both if m.asked["two_sides"] else roles & deciding.approvers):
            m.yeses.append(mine)
            return
        m.yeses, m.ends, m.lasting, m.objected = holding, until, until, False
        if m.asked["two_sides"]: self.in_force = m.asked["rules"]     # other rules need both sides; one yes never changes them
        if m.state == "checked": m.state = "approved"

    def _object(self, m):
        m.is_barred = m.objected = True
        m.lasting = None
        if m.state == "approved": m.state = "checked"

    def refuse(self, name, role, reason):
        m, _ = self._approver(name, role)
        allow(reason)
        self._object(m)

    def withdraw(self, name, role, reason):
        "Who said yes takes it back."
        m = self.matters[name]
        allow(m.asked is not None and not m.is_barred)
        allow(role in [each for each, until, _ in m.yeses if m.ends is not None or until > self.minute] and reason)
        self._object(m)

    def checked(self, name, status, tree):
        "A gate that failed takes the bundle back; a yes that still holds counts again when it passes. The rules asked by are those of the last request, else those of the file."
        m = self.matters[name]
        rules = m.asked["rules"] if m.asked else tree
        allow(rules is not None)
        m.is_known, m.check = True, (status, rules, status if status in ("review", "unknown") else None, self.champion)
        if status == "fail":
            if m.state in ("checked", "approved"): m.state = "candidate"
        elif m.state in ("candidate", "retired"): m.state = "approved" if m.lasting is not None and m.lasting > self.minute else "checked"

    # ---- going live
    def _may_step(self, name, is_altered, steps_from, passed_over):
        m, made = self.matters[name], self.bundles[name]
        allow(not is_altered and made.is_good and self.is_valid(name))
        names = {role for role, _, _ in m.yeses}
        allow(not names & m.hands and m.asked["told"] in (None, made.structure))
        allow(names <= self.in_force.approvers and self.in_force.auc == made.auc and m.asked["rules"] == self.in_force)
        allow(m.check is not None and m.check[0] != "fail" and m.check[1] == m.asked["rules"])
        allow(m.check[2] is None or all(seen == m.check[2] for _, _, seen in m.yeses))     # nobody answers for what came up after the yes
        allow(m.state in steps_from)
        allow(not self.standing or self.champion in (name, m.check[3]))                     # what it would replace is what it was held against
        if self.standing: allow(not set(passed_over[m.state]) & set(self.in_force.stages))

    def release(self, name, is_altered=False):
        allow(not is_altered)
        if self.champion == name: return
        m = self.matters[name]
        self._may_step(name, is_altered, ("approved", "shadow", "canary"), dict(approved=("shadow", "canary"), shadow=("canary",), canary=()))
        if self.standing: self._leave(self.champion, "retired")
        self._off_trial(name)
        m.state, self.despite = "champion", False
        self.standing.append(name); self.ever.append(name)

    def _leave(self, name, state): self.matters[name].state, self.matters[name].lasting = state, None
    def _off_trial(self, name):
        if self.canary == name: self.canary, self.share = None, 0.
        if self.shadow == name: self.shadow = None

    def start_shadow(self, name, is_altered=False):
        allow(not is_altered)
        if self.standing and self.shadow == name: return
        self._may_step(name, is_altered, ("approved", "shadow"), dict(approved=(), shadow=()))
        allow(self.standing and self.shadow in (None, name))
        self.shadow, self.matters[name].state = name, "shadow"

    def start_canary(self, name, share=None, is_altered=False):
        share = (self.in_force.share if self.in_force else .1) if share is None else share
        allow(0 < share < 1 and not is_altered)
        if self.standing and (self.canary, self.share) == (name, share): return
        self._may_step(name, is_altered, ("approved", "shadow", "canary"), dict(approved=("shadow",), shadow=(), canary=()))
        allow(self.standing and self.canary in (None, name))
        self._off_trial(name)
        self.canary, self.share, self.matters[name].state = name, share, "canary"

    # ---- going back
    def rollback(self, reason, to=None, stage=None, is_whole=True):
        "One role is enough. Nothing that people said keeps an earlier champion away, only bytes that are not whole; what stands against it is said."
        allow(reason and self.standing)
        stage = stage or ("champion" if to or not self.canary else "canary")
        allow(not to or stage == "champion")
        left = dict(champion=self.champion, canary=self.canary, shadow=self.shadow)[stage]
        allow(left is not None)
        if stage == "champion": self._return(left, to, is_whole)
        else: self._off_trial(left)
        self._object(self.matters[left])
        self._leave(left, "candidate")

    def _return(self, left, to, is_whole):
        "Who names none gets the newest that stands and that nobody objects to, else the one before; what was left once is never guessed."
        earlier = [each for each in self.standing[:-1] if each != left]
        allow(to in self.ever and to != left if to else earlier)
        goal = to or next((each for each in reversed(earlier) if not self.matters[each].objected), earlier[-1:] and earlier[-1])
        allow(is_whole)
        self.despite = self.matters[goal].objected
        self._off_trial(goal)
        if goal in self.standing: del self.standing[len(self.standing) - self.standing[::-1].index(goal):]
        else: self.standing[-1] = goal
        self.matters[goal].state = "champion"

    def retire(self, name, reason):
        m = self.matters[name]
        allow(reason and m.is_known)
        if self.champion == name:
            allow(not self.canary and not self.shadow)
            self.standing = []
        self._off_trial(name)
        self.standing = [each for each in self.standing if each != name]
        m.objected = True
        self._leave(name, "retired")
