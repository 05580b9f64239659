"""The report that shows any explorer as somebody left it: bound to parameters, made twice alike, without a customer in it."""
import json, re, shutil
import pytest
from app_workspace import HOSTILE, filled_workspace
from shop_after_a_run import ANALYST, MODEL, mmops
from marketing_mlops.explorers.explorer_app import ExplorerApp
from marketing_mlops.explorers.explorer_pages import EXPLORER_PAGES, open_explorer
from marketing_mlops.explorers.explorer_reports import read_explorer_state, view_explorer
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.workspace.errors import MmopsError, ParameterError, StageError
from marketing_mlops.workspace.places import find_workspace

MOVED = dict(table=lambda e: e.select({"channel": {"any_of": ["app"]}, "market": {"any_of": ["DE"]}}), features=lambda e: e.select("orders_90d"), uplift=lambda e: e.select(.3, contact_cost=.2),
             segments=lambda e: e.select([["recency_days", ">", 60]], name="quiet", definition="Bought nothing for two months."), plan=lambda e: e.select(worthwhile=1.5), readout=lambda e: e.select("days"), approvals=lambda e: e.select(role="marketing@example.com"))
SMALL = ("table", "features", "uplift")

def with_template(place, repository):
    (place.root/"nbs"/"reports").mkdir(parents=True, exist_ok=True)
    shutil.copy2(repository/"nbs"/"reports"/"explorer_snapshot.ipynb", place.root/"nbs"/"reports")
    return place

@pytest.fixture(scope="module")
def place(tmp_path_factory, repository): return with_template(filled_workspace(tmp_path_factory.mktemp("views")/"shop"), repository)

def moved(place, name):
    explorer = open_explorer(place, name)
    MOVED[name](explorer)
    return explorer

def plain(state): return json.loads(json.dumps(state))

@pytest.fixture(scope="module", params=SMALL)
def made(request, place, tmp_path_factory):
    explorer = moved(place, request.param)
    return explorer, run_report("explorer_snapshot", dict(explorer=request.param, state=plain(explorer.state())), place, tmp_path_factory.mktemp("page"))

def test_the_page_says_what_the_explorer_says_and_opens_it_again(place, made):
    explorer, page = made
    results, shot = json.loads(page.with_suffix(".json").read_text())["results"], explorer.snapshot()
    assert results["sentence"] == shot.sentence and len(results["table"]) == len(shot.table)
    assert results["state"] == plain(explorer.state())
    name = next(name for name in SMALL if type(open_explorer(place, name)) is type(explorer))
    assert open_explorer(place, name, state=results["state"]).snapshot().svg == shot.svg != open_explorer(place, name).snapshot().svg

def test_no_customer_and_no_script_of_a_name_is_in_it(place, made):
    _, page = made
    executed = "".join(file.read_text() for file in place.path("data", "runs").rglob("*.*") if file.suffix in (".ipynb", ".json", ".html"))
    assert not re.search(r"\bc\d{1,4}\b|\bo\d{2,5}\b", re.sub(r"#[0-9a-f]{3,6}|[0-9a-f]{8,}", "", page.read_text()))
    assert HOSTILE not in page.read_text() and '"c17"' not in executed

def test_it_can_be_made_twice_alike(place, tmp_path):
    chosen = dict(explorer="table", state=plain(moved(place, "table").state()))
    assert run_report("explorer_snapshot", chosen, place, tmp_path/"a").read_bytes() == run_report("explorer_snapshot", chosen, place, tmp_path/"b").read_bytes()

def test_a_state_in_a_file_and_the_state_of_the_app_are_the_same_view(place, tmp_path):
    app = ExplorerApp(place)
    app.open("uplift").select(.3)
    (place.root/"view.json").write_text(json.dumps(app.state()))
    results = json.loads(run_report("explorer_snapshot", dict(state_file="view.json"), place, tmp_path).with_suffix(".json").read_text())["results"]
    assert results["state"] == plain(app.state()["explorer"]) and results["sentence"] == app.open("uplift").snapshot().sentence

BROKEN = [(dict(explorer="tabel"), "Did you mean 'table'"), (dict(choice="shop/ordrs"), "Did you mean 'shop/orders'"), (dict(state_file="absent.yaml"), "no file absent.yaml"), (dict(explorer="segments"), "nothing to open yet"),
          (dict(state=dict(table="ordrs", source=None)), "Did you mean 'orders'"), (dict(state=dict(table="orders")), "Pass what state"), (dict(state=dict(role="", model=None)), "it has no 'table'"), (dict(minimum=0), "at least 1"), (dict(explorer="uplift", minimum=5), "cannot be set")]

@pytest.mark.parametrize("given, says", BROKEN, ids=lambda each: str(each)[:40])
def test_what_cannot_be_shown_is_said(place, given, says):
    given = dict(explorer="table", choice=None, state={}, state_file=None, minimum=10) | given
    with pytest.raises(MmopsError, match=says): view_explorer(place, given["explorer"], given["choice"], read_explorer_state(place, given["state"], given["state_file"]), given["minimum"])

def test_the_report_stops_with_these_words(place):
    with pytest.raises(StageError, match="Did you mean 'orders'"): run_report("explorer_snapshot", dict(state=dict(table="ordrs", source=None)), place)

def test_what_a_state_names_and_is_gone_is_named(place):
    state = plain(moved(place, "table").state())
    with pytest.raises(MmopsError, match="chanel"): view_explorer(place, "table", state=state | dict(selection={"chanel": {"any_of": ["app"]}}))
    with pytest.raises(ParameterError, match="'churned'. Did you mean 'churn'"): view_explorer(place, "features", state=plain(open_explorer(place, "features").state()) | dict(model="churned"))
    with pytest.raises(ParameterError, match="one of a frame"): view_explorer(place, "table", state=state | dict(table=None))

def test_a_selection_of_a_few_is_not_drawn(place): assert "fewer than 30000 rows selected" in view_explorer(place, "table", state=plain(moved(place, "table").state()), minimum=30_000).shot.sentence

@pytest.mark.edges
def test_every_explorer_of_a_workspace_after_its_run_makes_its_page(first_run, tmp_path, repository):
    shutil.copytree(first_run/"workspace", tmp_path/"workspace", symlinks=True)
    place = with_template(find_workspace(tmp_path/"workspace"), repository)
    mmops(place, "request", MODEL, "--as", ANALYST, "--reason", "monthly training")
    for name in EXPLORER_PAGES:
        explorer = open_explorer(place, name)
        if name not in SMALL: MOVED[name](explorer)
        given = dict(explorer=name, state=plain(explorer.state())) | (dict(choice=next(iter(EXPLORER_PAGES[name].choices(place)))) if name == "segments" else {})
        results = json.loads(run_report("explorer_snapshot", given, place, tmp_path/name).with_suffix(".json").read_text())["results"]
        assert (results["sentence"], results["state"]) == (explorer.snapshot().sentence, plain(explorer.state())), name
