"""`mmops report` says where its own page is, whatever colleagues do meanwhile."""
import json
from marketing_mlops.cli.report import ReportRequest, make_report
from marketing_mlops.jobs.runs import latest_run

def run_of(workspace, name, run_id, page):
    folder = workspace/"data"/"runs"/name/"all"/run_id
    folder.mkdir(parents=True)
    (folder/"run.json").write_text(json.dumps(dict(job=name, key="all", run_id=run_id, status="done", parameters={}, engine="warm", started_at="2026-04-06T07:00:00+00:00")))
    (folder/"page.html").write_text(page)
    return folder

def test_a_page_is_that_of_this_run_also_where_a_colleague_makes_the_same_report_meanwhile(tmp_path, monkeypatch, capsys):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    def run_report(name, given, found, into, options):
        ours = run_of(tmp_path, name, "20260406T070000000000Z-0001", "ours")
        options.make_page(ours/"executed.ipynb")
        run_of(tmp_path, name, "20260406T070001000000Z-0002", "a colleague's")
        assert latest_run(found, name).run_id.endswith("0002")
    monkeypatch.setattr("marketing_mlops.reporting.reports.run_report", run_report)
    monkeypatch.setattr("marketing_mlops.reporting.pages.render_page", lambda executed: "ours")
    make_report(ReportRequest("greeting", into=str(tmp_path/"out.html"), workspace=str(tmp_path), no_open=True))
    assert (tmp_path/"out.html").read_text() == "ours" and "out.html" in capsys.readouterr().out
