"An attempt is carried out within the limits of its entry, whatever it runs."
import json
from datetime import date
import pytest
from marketing_mlops.jobs.limits import RunLimits
from marketing_mlops.schedules.attempts import Order, carry_out
from marketing_mlops.schedules.entries import Schedule
from marketing_mlops.workspace.places import find_workspace

@pytest.fixture
def workspace(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    cells = [dict(cell_type="code", id="c0", execution_count=None, outputs=[], metadata={"tags": ["parameters"]}, source="shop: str = 'spring'  # Whose orders are counted")]
    for folder in ("jobs", "reports"):
        (tmp_path/"nbs"/folder).mkdir(parents=True)
        (tmp_path/"nbs"/folder/"count.ipynb").write_text(json.dumps(dict(cells=cells, metadata={}, nbformat=4, nbformat_minor=5)))
    return find_workspace(tmp_path)

@pytest.mark.parametrize("memory_mb", [None, 700.])
@pytest.mark.parametrize("kind, for_each, runs_it", [("job", (), "jobs.runner.run_notebook"), ("report", (), "reporting.reports.run_report"), ("report", ("shop=spring,summer",), "reporting.grids.make_grid")])
def test_the_deadline_of_an_entry_reaches_whatever_is_run(workspace, monkeypatch, kind, for_each, runs_it, memory_mb):
    seen = []
    monkeypatch.setattr(f"marketing_mlops.{runs_it}", lambda *given, limits=None, options=None, **more: seen.append(limits or options.limits))
    monkeypatch.setattr("marketing_mlops.reporting.grid_outcomes.raise_failures", lambda grid: None)
    schedule = Schedule("daily", kind, "count", "0 6 * * *", "UTC", "marketing@example.com", for_each=for_each, deadline_s=90., memory_mb=memory_mb)
    carry_out(Order(schedule, "2026-04-06T06:00:00+00:00", "schedule/daily@2026-04-06#1"), workspace)
    [limits] = seen
    assert limits.deadline_s == 90. and (limits.memory_mb or 0) <= (memory_mb or RunLimits().memory_mb or 0)

def test_days_that_vary_are_seen_from_the_due_day_however_late_the_run_starts(workspace, monkeypatch):
    seen = []
    monkeypatch.setattr("marketing_mlops.reporting.grids.make_grid", lambda *given, options: seen.append(options.on))
    monkeypatch.setattr("marketing_mlops.reporting.grid_outcomes.raise_failures", lambda grid: None)
    schedule = Schedule("daily", "report", "count", "30 0 * * *", "Europe/Berlin", "marketing@example.com", for_each=("shop=spring,summer",))
    carry_out(Order(schedule, "2026-04-05T22:30:00+00:00", "schedule/daily@2026-04-06#1"), workspace)
    assert seen == [date(2026, 4, 6)]
