"""The connection to the ledger's file that stays open is used again only while nobody else touched the file."""
import multiprocessing, os, shutil, sqlite3
import pytest
from sqlalchemy import event
from governed_workspace import make_workspace
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_databases import check_store, open_store, store_file
from marketing_mlops.governance.ledger_entries import LedgerError
from marketing_mlops.governance.ledger_store import newest_entry, stored_entries

ROLE = "model-owner@example.com"

@pytest.fixture
def shop(tmp_path):
    found = make_workspace(tmp_path/"shop")
    for i in range(60): Ledger(found).append("note", "retailer_churn_90d", ROLE, {"text": f"Note {i} " + "x"*200})
    return found

def opened(store, work):
    "How many connections `work` opens."
    times = []
    def count(*_): times.append(1)
    event.listen(store, "connect", count)
    try: work()
    finally: event.remove(store, "connect", count)
    return len(times)

def texts(store): return [entry.payload["text"][:7].strip() for entry in stored_entries(store)]

def test_questions_and_appends_of_one_process_share_a_connection(shop):
    ledger = Ledger(shop)
    ledger.entries()
    def work():
        for i in range(5): ledger.append("note", "retailer_churn_90d", ROLE, {"text": f"More {i}"})
        ledger.entries("note")
    assert opened(ledger.store, work) == 0

def test_a_connection_is_replaced_when_another_process_wrote(shop):
    store = open_store(shop)
    before = len(stored_entries(store))
    with sqlite3.connect(store_file(shop)) as other: other.execute("delete from ledger_entries where number = 60")
    other.close()
    assert opened(store, lambda: texts(store)) == 1
    assert len(stored_entries(store)) == before - 1

def test_a_file_made_anew_or_put_back_is_read_from_the_disk(shop, tmp_path):
    store = open_store(shop)
    shutil.copy2(store_file(shop), tmp_path/"kept.db")
    ledger = Ledger(shop)
    ledger.append("note", "retailer_churn_90d", ROLE, {"text": "Later"})
    os.replace(tmp_path/"kept.db", store_file(shop))
    assert "Later" not in texts(store)
    store_file(shop).unlink()
    assert len(Ledger(shop).entries()) == 61

def test_a_page_damaged_in_place_is_seen_at_once(shop):
    store = open_store(shop)
    check_store(shop, store)
    look = store_file(shop).stat()
    with open(store_file(shop), "r+b") as file:
        for page in range(1, look.st_size//4096):
            file.seek(page*4096)
            file.write(b"\xff"*512)
    os.utime(store_file(shop), ns=(look.st_atime_ns, look.st_mtime_ns))     # as a failing disk would: size and time as before
    with pytest.raises(LedgerError): check_store(shop, store)

def in_a_child(store, answers):
    answers.put(opened(store, lambda: answers.put(newest_entry(store).number)))

def test_a_forked_process_opens_a_connection_of_its_own(shop):
    store = open_store(shop)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=in_a_child, args=(store, answers))
    child.start()
    assert [answers.get(timeout=30), answers.get(timeout=30)] == [60, 1]
    child.join(30)
    assert child.exitcode == 0
    assert opened(store, lambda: newest_entry(store)) == 0

def test_an_idle_connection_locks_nothing(shop):
    open_store(shop)
    other = sqlite3.connect(store_file(shop), timeout=0)
    other.execute("begin exclusive")
    other.rollback()
    other.close()
