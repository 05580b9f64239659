"""`mmops lineage` answers in words or as data, refuses in two lines, and writes nothing but its page."""
import json, shutil
import pytest
from marketing_mlops.cli.commands import main
from marketing_mlops.workspace.places import find_workspace, write_json, write_text

RUN = "20260629T060000000000Z-0b22"

@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    root = tmp_path_factory.mktemp("lineage")/"shop"
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(root/"params.yaml", "sources: {shop: {kind: simulated, seed: 7}}\nmodels: {churn: {owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity, features: [recency_days]}}\n")
    for table in ("orders", "order_lines"): write_text(root/"data"/"validate"/"shop"/f"{table}.parquet", "rows")
    said = dict(job="weekly", key="shop", run_id=RUN, status="done", started_at="2026-06-29T06:00:00+00:00", parameters={"source": "shop"}, inputs={"data/validate/shop/orders.parquet": "aa"*32}, results=dict(figures={"net_revenue": {"value": -319_874.99}}, sentence="\x1b[2J<b>Hi</b>"))
    write_json(root/"data"/"runs"/"weekly"/"shop"/RUN/"run.json", said), write_text(root/"data"/"runs"/"weekly"/"shop"/RUN/"page.html", "x")
    return root

@pytest.fixture
def asked(capsys):
    "What the command says, and its exit code."
    def ask(root, *words):
        code = main(["lineage", *map(str, words), "--workspace", str(root)])
        said = capsys.readouterr()
        return code, said.out, said.err
    return ask

def test_the_answer_holds_the_three_questions_and_where_each_thing_lies(shop, run_mmops):
    done = run_mmops("lineage", "319,874.99", cwd=shop)
    assert done.returncode == 0, done.stderr
    for words in ("Where did the signal originate?", "How was it transformed?", "What was the downstream impact?", "Upstream, nearest first", "data/validate/shop/orders.parquet", "validate@shop"): assert words in done.stdout
    assert "\x1b" not in done.stdout

def test_a_negative_number_is_no_flag(shop, asked): assert "figures.net_revenue" in asked(shop, "-319874.99")[1]

@pytest.mark.parametrize("flag, there, gone", [("--up", "Upstream", "downstream impact"), ("--down", "downstream impact", "originate")])
def test_one_direction_leaves_the_other_out(shop, asked, flag, there, gone):
    code, said, error = asked(shop, "orders", flag)
    assert code == 0 and there in said and gone not in said

def test_json_is_one_document_and_a_page_is_all_that_is_written(shop, asked, snapshot, tmp_path):
    before = snapshot(shop)
    code, said, error = asked(shop, "orders", "--json", "--page", "--into", tmp_path/"answer.html", "--no-open")
    assert [each["name"] for each in json.loads(said)["about"]] == ["shop.orders"]
    assert "<title>Lineage of shop.orders" in (tmp_path/"answer.html").read_text()
    assert snapshot(shop) == before

@pytest.mark.parametrize("words, says", [(["ordres"], "Did you mean 'orders'"), (["orders", "--page", "--into", "."], "is a folder"), ([" "], "nothing was asked for"), ([], "lineage --help"), (["77.7"], "No report on record says")])
def test_what_cannot_be_answered_is_two_lines(shop, asked, words, says):
    code, said, error = asked(shop, *words)
    assert code == 1 and len(error.splitlines()) == 2 and says in error and "Traceback" not in error

def test_a_ledger_that_cannot_be_read_is_said_and_the_origin_is_told(shop, asked, tmp_path):
    copy = shutil.copytree(shop, tmp_path/"copy")
    newer = dict(actor="a@example.com", kind="note", number=1, occurred_at="2026-07-01T00:00:00.000000+00:00", payload={}, position=1, previous="", recorded_at="2026-07-01T00:00:00.000000+00:00", schema=99, seen={}, subject="x", writer="laptop")
    write_text(copy/"data"/"ledger"/"laptop.jsonl", json.dumps(newer | {"hash": "0"*64}, sort_keys=True, separators=(",", ":")) + "\n")
    code, said, error = asked(copy, "orders")
    assert code == 0 and "The ledger cannot be read" in said and "originate" in said
