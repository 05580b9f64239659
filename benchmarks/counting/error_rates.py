"""What the benchmarks of error rates share: scenarios with a known truth, counted and recorded.

Each scenario draws from a random stream of its own, made of the seed and its name, so that adding one changes no other.
This folder holds no benchmark: `python3 tasks.py bench` runs the scripts beside it.
"""
import json, subprocess, zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
import numpy as np
from marketing_mlops.measurement.intervals import Estimate, NotMeasurable

ROOT = Path(__file__).resolve().parents[2]

@dataclass(frozen=True)
class Scenario:
    name: str
    kind: str                     # coverage | false_alarm | decision | power | limit
    says: str                     # what is counted, for a reader
    draws: int
    allowed: tuple[float, float]  # in which the observed share must lie
    once: Callable[[np.random.Generator], bool]

def holds(estimate, truth): return isinstance(estimate, Estimate) and estimate.low <= truth <= estimate.high

@dataclass
class ErrorRates:
    "The scenarios of one benchmark, counted one after the other."
    benchmark: str                # its file without .py, and that of its record
    seed: int
    unmeasured_is_none: bool = False # does a draw that measures nothing count as one in which the event did not happen?
    scenarios: dict[str, Scenario] = field(default_factory=dict)

    def scenario(self, kind, says, draws, allowed, **variants):
        "Register a function of (rng, **variant) once per variant."
        def add(once):
            for label, arguments in (variants or {"": {}}).items():
                name = once.__name__ + (f"[{label}]" if label else "")
                self.scenarios[name] = Scenario(name, kind, f"{says}{', ' + label if label else ''}", draws, allowed, lambda rng, a=arguments: once(rng, **a))
            return once
        return add

    def _happened(self, chosen, rng):
        try: return bool(chosen.once(rng))
        except NotMeasurable:
            if self.unmeasured_is_none: return False
            raise

    def observe(self, chosen, draws=None):
        "Share of draws in which a scenario's event happened."
        rng, n = np.random.default_rng([self.seed, zlib.crc32(chosen.name.encode())]), draws or chosen.draws
        return sum(self._happened(chosen, rng) for _ in range(n))/n

    def measure(self, names=()):
        "One row for each scenario, or for those that are named."
        rows = []
        for chosen in self.scenarios.values():
            if names and chosen.name not in names: continue
            row = dict(name=chosen.name, kind=chosen.kind, says=chosen.says, draws=chosen.draws, allowed=list(chosen.allowed), observed=round(self.observe(chosen), 5))
            print(f"{row['observed']:.4f}  allowed {chosen.allowed}  {chosen.name}", flush=True)
            rows.append(row)
        return rows

    def main(self, *names):
        "Measures all and writes the record; with names prints only those."
        rows = self.measure(names)
        if names: return
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
        record = dict(command=f"python benchmarks/{self.benchmark}.py", seed=self.seed, commit=commit, scenarios=rows)
        result = ROOT/"benchmarks"/"results"/f"{self.benchmark}.json"
        result.parent.mkdir(parents=True, exist_ok=True)
        result.write_text(json.dumps(record, indent=1, sort_keys=True)+"\n")
