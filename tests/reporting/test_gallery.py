"""The gallery tells the truth about every run, whatever the runs are called and whatever happens while it is written."""
import json, re, shutil, signal, subprocess, sys, time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from gallery_example import BEGAN, add_many, add_run, gallery_workspace, page_text
from marketing_mlops.contracts.figures import METRICS
from marketing_mlops.reporting.difference_blocks import difference_html
from marketing_mlops.reporting.galleries import MOST_AT_ONCE, cover_path, difference_of, gallery_folder, refresh_gallery, write_gallery
from marketing_mlops.reporting.page_contents import text_of
from marketing_mlops.reporting.run_changes import run_difference

NOW = datetime(2026, 12, 1, 9, tzinfo=timezone.utc)
DAY = timedelta(days=1)

def read_aloud(page): return text_of(re.sub('<span class="said".*?</span>', "", Path(page).read_text()))
def cover(workspace, run): return read_aloud(cover_path(workspace, run.run_id))
def listed(workspace):
    "Rows of the list, by run id."
    text = (gallery_folder(workspace)/"index.html").read_text()
    found = re.search(r'id="runs">(.*?)</script>', text, re.S)
    return {row[0]: row for row in json.loads(found[1])["runs"]} if found else {}

def test_an_empty_workspace_says_how_a_report_is_made(tmp_path):
    workspace = gallery_workspace(tmp_path)
    assert write_gallery(workspace, NOW).n_runs == 0
    assert "mmops run" in read_aloud(gallery_folder(workspace)/"index.html")

def test_a_failed_a_killed_and_a_running_run_stand_in_it_with_what_to_do(tmp_path):
    workspace = gallery_workspace(tmp_path)
    made = add_run(workspace, "weekly_performance", "shop", BEGAN, page=page_text("Weekly: shop", {}), results=dict(owner="finance@example.com", verdict="as_usual"))
    failed = add_run(workspace, "weekly_performance", "shop", BEGAN + DAY, status="failed", error=dict(problem="There is no week 9.", remedy="Name another week."))
    killed = add_run(workspace, "weekly_performance", "shop", BEGAN + 2*DAY, status="running")
    write_gallery(workspace, NOW)
    assert "Failed: There is no week 9." in cover(workspace, failed) and "Name another week." in cover(workspace, failed) and "mmops report weekly_performance -p source=shop" in cover(workspace, failed)
    assert "Owner finance@example.com" in cover(workspace, failed).replace("Owner:", "Owner") and "Killed: " in cover(workspace, killed) and "There is a newer run" in cover(workspace, made)
    from marketing_mlops.jobs.runs import alive
    running = add_run(workspace, "weekly_performance", "shop", BEGAN + 3*DAY, status="running")
    with alive(running.folder):
        write_gallery(workspace, NOW)
        assert "under way" in cover(workspace, running) and "1 is under way" in read_aloud(gallery_folder(workspace)/"index.html")
    write_gallery(workspace, NOW)
    assert "under way" not in cover(workspace, running)

def test_a_run_is_compared_with_the_last_one_that_was_made(tmp_path):
    workspace = gallery_workspace(tmp_path)
    runs = [add_run(workspace, "weekly_performance", "shop", BEGAN + i*DAY, status=status, results=dict(figures=dict(net_revenue=dict(value=value))) if value else {})
            for i, (status, value) in enumerate([("done", 100.5), ("failed", None), ("done", 150.75)])]
    other = add_run(workspace, "weekly_performance", "other", BEGAN + 5*DAY, results=dict(figures=dict(net_revenue=dict(value=1.5))))
    write_gallery(workspace, NOW)
    assert "Net revenue rose by 50.25 EUR, from 100.50 EUR to 150.75 EUR (+50.0 %), which is better." in cover(workspace, runs[2])
    assert "What changed" not in cover(workspace, runs[1]) and "What changed" not in cover(workspace, other)

def test_a_report_whose_notebook_is_gone_stays_readable_and_says_so(tmp_path):
    workspace = gallery_workspace(tmp_path)
    run = add_run(workspace, "weekly_performance", "shop", BEGAN, page=page_text("Weekly: shop", {}))
    write_gallery(workspace, NOW)
    assert "no longer in the workspace" not in cover(workspace, run)
    (tmp_path/"nbs"/"reports"/"weekly_performance.ipynb").unlink()
    assert write_gallery(workspace, NOW).n_written == 1
    assert "no longer in the workspace" in cover(workspace, run) and "Open the report" in cover(workspace, run) and run.run_id in listed(workspace)

def test_a_damaged_manifest_hides_no_other_run_and_is_named(tmp_path):
    workspace = gallery_workspace(tmp_path)
    runs = add_many(workspace, 10)
    (runs[3].folder/"run.json").write_text('{"job": "weekly')
    (runs[4].folder/"run.json").write_text('{"job": "weekly_performance"}')
    written = write_gallery(workspace, NOW)
    assert written.n_runs == 8 and len(written.unread) == 2 and "2 runs cannot be read" in read_aloud(written.index)

def test_only_what_changed_is_written_again_and_a_damaged_memory_does_no_harm(tmp_path):
    workspace = gallery_workspace(tmp_path)
    add_many(workspace, 80)
    first = write_gallery(workspace, NOW)
    before = {path: path.read_bytes() for path in gallery_folder(workspace).rglob("*.html")}
    assert (first.n_written, write_gallery(workspace, NOW).n_written) == (80, 0)
    (gallery_folder(workspace)/"gallery.json").write_text("{")
    assert write_gallery(workspace, NOW).n_written == 80
    assert {path: path.read_bytes() for path in gallery_folder(workspace).rglob("*.html")} == before

def test_every_link_of_the_gallery_leads_somewhere(tmp_path):
    workspace = gallery_workspace(tmp_path)
    runs = add_many(workspace, 130)
    write_gallery(workspace, NOW)
    shutil.rmtree(runs[7].folder)
    write_gallery(workspace, NOW)
    folder = gallery_folder(workspace)
    assert not [run_id for run_id in listed(workspace) if not (folder/"runs"/run_id/"index.html").is_file()] and not cover_path(workspace, runs[7].run_id).exists()
    lost = [(page, link) for page in folder.rglob("index.html") for link in re.findall(r'href="([^"#]+)', page.read_text()) if not (page.parent/link).resolve().is_file()]
    assert lost == []

WRITER = "import sys; from datetime import datetime, timezone; from marketing_mlops.workspace.places import find_workspace; from marketing_mlops.reporting.galleries import write_gallery; print(write_gallery(find_workspace(sys.argv[1]), datetime(2026, 12, 1, 9, tzinfo=timezone.utc)).n_written)"
def writer(root): return subprocess.Popen([sys.executable, "-c", WRITER, str(root)], stdout=subprocess.PIPE, text=True)

def test_two_writers_take_turns_and_leave_one_gallery(tmp_path):
    workspace = gallery_workspace(tmp_path)
    add_many(workspace, 60)
    both = [writer(tmp_path), writer(tmp_path)]
    assert sorted(int(each.communicate(timeout=300)[0]) for each in both) == [0, 60]
    assert len(listed(workspace)) == 60

def test_a_writer_that_is_killed_leaves_a_gallery_that_works(tmp_path):
    workspace = gallery_workspace(tmp_path)
    add_many(workspace, 40)
    write_gallery(workspace, NOW)
    old = set(listed(workspace))
    for i, run in enumerate(list(old)[:3]): shutil.rmtree(next(workspace.path("data", "runs").glob(f"*/*/{run}")))
    for i in range(200): add_run(workspace, "monitoring", f"late_{i}", BEGAN + timedelta(days=300, minutes=i), page=page_text(f"Monitoring: late {i}", {}))
    begun = writer(tmp_path)
    end = time.monotonic() + 120
    while len(list((gallery_folder(workspace)/"runs").iterdir())) < 60 and begun.poll() is None and time.monotonic() < end: time.sleep(.002)
    begun.send_signal(signal.SIGKILL); begun.wait()
    assert begun.returncode == -signal.SIGKILL
    for run_id in listed(workspace): assert cover_path(workspace, run_id).read_text().endswith("</html>\n")
    assert set(listed(workspace)) == old
    assert write_gallery(workspace, NOW).n_runs == 237
    assert not [path for path in gallery_folder(workspace).rglob("*.tmp")] and len(list((gallery_folder(workspace)/"runs").iterdir())) == 237

def pair(workspace, before, after, **more):
    runs = [add_run(workspace, "weekly_performance", f"shop{more.get('tag', '')}", BEGAN + i*DAY, results=results, page=page, inputs=more.get("inputs", [{}, {}])[i]) for i, (results, page) in enumerate((before, after))]
    return difference_of(runs[0].folder, runs[1].folder, workspace)

def test_one_changed_figure_is_one_change_and_everything_else_is_counted(tmp_path):
    figures = {name: dict(value=10.5 + i, low=1.25, high=99.75) for i, name in enumerate(METRICS)}
    other = json.loads(json.dumps(figures))
    for name, declared in METRICS.items():
        changed = other | {name: other[name] | dict(value=other[name]["value"] + 1)}
        difference = run_difference(*_two(figures, changed))
        assert len(difference.changes) == 1 and difference.n_equal["figure"] == 3*len(figures) - 1
        assert difference.changes[0].judged == dict(higher="better", lower="worse", neither="")[declared.direction], name

def _two(before, after):
    from marketing_mlops.jobs.runs import Run
    for i, figures in enumerate((before, after)): yield Run("weekly", "shop", f"r{i}", Path("."), "done", {}, "warm", BEGAN.isoformat(), results=dict(figures=figures))

def test_a_market_without_data_and_a_rate_without_denominator_are_said_to_be_not_measured(tmp_path):
    workspace = gallery_workspace(tmp_path)
    def results(value, markets): return dict(figures=dict(ctr=dict(value=value), cac=dict(value=None)), markets=[dict(market=name, net_revenue=revenue) for name, revenue in markets.items()])
    difference = pair(workspace, (results(.0192, dict(DE=100.5, UK=90.25)), None), (results(None, dict(DE=100.5, UK=None, US=4.5)), None))
    said = [each.words for each in difference.changes]
    assert "Click-through rate is not measured any more; it was 1.92 %." in said and any("UK, Net revenue is not measured any more" in each for each in said)
    assert any("US, Net revenue" in name for name in difference.only_after["figure"]) and difference.n_equal["figure"] == 1

def test_a_table_sorted_otherwise_is_the_same_and_ten_thousand_campaigns_stay_a_small_page(tmp_path):
    workspace = gallery_workspace(tmp_path)
    rows = {f"Campaign {i}": f"{1_000 + i:,} EUR" for i in range(10_000)}
    same = pair(workspace, ({}, page_text("W", rows)), ({}, page_text("W", dict(reversed(rows.items())))), tag="sorted")
    assert same.is_same and same.n_equal["cell"] == 10_000
    moved = pair(workspace, ({}, page_text("W", rows)), ({}, page_text("W", {name: f"{int(text[:-4].replace(',', '')) + 1 + i:,} EUR" for i, (name, text) in enumerate(rows.items())})), tag="moved")
    shown = difference_html(moved)
    assert len(moved.changes) == 10_000 and "9,950 smaller ones are not shown" in shown and len(shown) < 50_000
    assert "Campaign 9999, Spend rose by 10,000 EUR" in shown and "Campaign 0," not in shown
    written = write_gallery(workspace, NOW)
    assert max(path.stat().st_size for path in gallery_folder(workspace).rglob("index.html")) < 100_000 and written.n_runs == 4

def test_other_data_other_parameters_and_another_notebook_are_said(tmp_path):
    workspace = gallery_workspace(tmp_path)
    first = add_run(workspace, "weekly_performance", "shop", BEGAN, parameters=dict(week="2026-01-05", market="DE"), inputs={"a.parquet": "1"*64, "b.parquet": "2"*64, "gone.parquet": "3"*64})
    second = add_run(workspace, "weekly_performance", "shop", BEGAN + DAY, parameters=dict(week="2026-01-12"), inputs={"a.parquet": "1"*64, "b.parquet": "9"*64}, notebook_sha256="b"*64)
    difference = difference_of(first.folder, second.folder, workspace)
    assert [each.kind for each in difference.changes] == ["parameter", "data", "making"] and difference.n_equal["data"] == 1
    assert "b.parquet is another version: 99999999, before 22222222." in difference.changes[1].words and "Week: 2026-01-12; it was 2026-01-05" in difference.changes[0].words.capitalize()
    assert difference.only_before == dict(parameter=("market: DE",), data=("gone.parquet",))

def test_a_failure_is_told_in_plain_words_with_the_day_it_could_be_resumed_and_the_run_that_mended_it(tmp_path):
    workspace = gallery_workspace(tmp_path)
    error = dict(problem="weekly_performance (shop) stopped in its cell 5: ImportError: cannot import name 'x' from 'y'", remedy="Mend it. Until 06:30 UTC, `mmops resume r1` goes on from there.")
    failed, again = (add_run(workspace, "weekly_performance", "shop", BEGAN + i*DAY, status="failed", error=error) for i in (0, 1))
    write_gallery(workspace, NOW)
    said = cover(workspace, failed)
    assert "it needs a library, or a part of one, that is not there, in cell 5 of its notebook" in said and "ImportError: cannot import name 'x' from 'y'" in said and "Made since" not in said
    assert "Until 5 January 2026, 06:30 UTC, mmops resume r1 goes on" in said and "Until 6 January 2026, 06:30 UTC" in cover(workspace, again)
    mended = add_run(workspace, "weekly_performance", "shop", BEGAN + 3*DAY, page=page_text("Weekly: shop", {}))
    add_run(workspace, "weekly_performance", "shop", BEGAN + 4*DAY, page=page_text("Weekly: shop", {}))
    assert write_gallery(workspace, NOW).n_written == 4
    for each in (failed, again):
        said = cover(workspace, each)
        assert said.index("The same report was made on 8 January 2026, 06:00 UTC") < said.index("ImportError") and listed(workspace)[each.run_id][16] == mended.run_id
    assert "Made since" not in cover(workspace, mended) and listed(workspace)[mended.run_id][16] == ""

def test_a_cell_that_lost_its_cents_is_no_change_and_one_that_moved_by_a_cent_is(tmp_path):
    workspace = gallery_workspace(tmp_path)
    for tag, before, after, n in (("a", "1,654.20 EUR", "1,654 EUR", 0), ("b", "999.80 EUR", "1,000 EUR", 0), ("c", "1,654.20 EUR", "1,654.21 EUR", 1), ("d", "1,654 EUR", "1,655.00 EUR", 1), ("e", "4.01 %", "4 %", 0), ("f", "4 EUR", "4 USD", 1)):
        found = pair(workspace, ({}, page_text("W", {"search": before})), ({}, page_text("W", {"search": after})), tag=tag)
        assert len(found.of("cell")) == n, (before, after)
    moved = pair(workspace, (dict(figures=dict(net_revenue=dict(value=1654.2))), None), (dict(figures=dict(net_revenue=dict(value=1654.))), None), tag="g")
    assert len(moved.changes) == 1 and "from 1,654.20 EUR to 1,654.00 EUR" in moved.changes[0].words

def test_what_only_one_run_has_is_counted_by_kind_and_folded(tmp_path):
    workspace = gallery_workspace(tmp_path)
    many = {f"Campaign {i}": f"{i + 1} EUR" for i in range(300)}
    found = pair(workspace, (dict(figures=dict(ctr=dict(value=.5))), page_text("W", {"search": "1 EUR"})), (dict(figures=dict(cac=dict(value=2.5))), page_text("W", {"search": "1 EUR"} | many)))
    shown = text_of(difference_html(found))
    assert "Only the later run has 1 figure, 300 parts of tables. Only the earlier run has 1 figure." in shown and "entries" not in shown
    assert difference_html(found).count("<details><summary>") == 2 and found.only_after["cell"][0] == "Channels: Campaign 0 (1 EUR)" and len(difference_html(found)) < 5_000

def test_a_changed_advice_stands_on_the_card(tmp_path):
    workspace = gallery_workspace(tmp_path)
    advised = lambda text: page_text("W", {}).replace("<main>", f'<main><div class="decision good"><p class="word">As usual</p><p class="why">So.</p><dl><dt>What to do</dt><dd>{text}</dd></dl></div>')
    runs = [add_run(workspace, "weekly_performance", "shop", BEGAN + i*DAY, page=advised(text)) for i, text in enumerate(("Nothing has to be done.", "Take the plan up with finance."))]
    write_gallery(workspace, NOW)
    assert listed(workspace)[runs[1].run_id][14].startswith("What to do now: Take the plan up with finance.") and "What to do now: Take the plan up with finance." in cover(workspace, runs[1])

def test_the_gallery_is_kept_by_the_way_and_never_stands_in_the_way(tmp_path):
    workspace = gallery_workspace(tmp_path)
    assert refresh_gallery(workspace, NOW) == "" and not gallery_folder(workspace).exists()
    add_many(workspace, 50)
    assert refresh_gallery(workspace, NOW) == "" and len(listed(workspace)) == 50
    add_many(gallery_workspace(tmp_path/"long"), MOST_AT_ONCE + 1)
    assert "`mmops gallery`" in refresh_gallery(gallery_workspace(tmp_path/"long"), NOW) and not (tmp_path/"long"/"data"/"gallery"/"index.html").exists()
    from filelock import FileLock
    add_run(workspace, "monitoring", "late", BEGAN + timedelta(days=300))
    with FileLock(workspace.state/"gallery.lock"): assert refresh_gallery(workspace, NOW) == "" and len(listed(workspace)) == 50
    assert refresh_gallery(workspace, NOW) == "" and len(listed(workspace)) == 51
    add_run(workspace, "monitoring", "later", BEGAN + timedelta(days=301))
    (gallery_folder(workspace)/"gallery.json").write_text("[")
    assert refresh_gallery(workspace, NOW) == "" and len(listed(workspace)) == 52
