"""Both online stores keep the same promises, whoever is killed, reads meanwhile or comes second."""
import os, signal, sqlite3, subprocess, sys, threading
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
import pytest
from hypothesis import given, settings, strategies as st
import numpy as np, pandas as pd
from marketing_mlops.features.online_redis import open_redis
from marketing_mlops.features.online_rows import Generation, packed_rows, unpacked_row, unpacked_rows
from marketing_mlops.features.online_stores import NotMaterialised, OnlineStoreError, open_online_store
from marketing_mlops.features.own_redis import own_redis
from marketing_mlops.workspace.errors import AlreadyRunning, DataError
from marketing_mlops.workspace.places import Workspace
from marketing_mlops.workspace.settings import Settings

MIDNIGHT = datetime.fromisoformat("2026-07-01T00:00Z")
DRAFT = Generation("churn", "shop", MIDNIGHT, MIDNIGHT, {"orders": "a1", "band": "b2"}, texts=("band",), limits={"orders": 2.})

@pytest.fixture(scope="module")
def redis_address():
    with own_redis() as address: yield address

@pytest.fixture(params=["sqlite", "redis"])
def place(request, tmp_path):
    "A workspace whose online store is empty."
    address = "sqlite" if request.param == "sqlite" else request.getfixturevalue("redis_address")
    if address is None: pytest.skip("redis-server is not installed")
    workspace = Workspace(tmp_path, Settings("development", tmp_path, online_store=address))
    if request.param == "redis": open_redis(workspace, address).client.flushdb()
    return workspace

@pytest.fixture
def store(place): return open_online_store(place)

def rows(n=5, value=1., band="35+"):
    frame = pd.DataFrame({"orders": np.full(n, value), "band": [band]*n})
    return list(zip((f"customer {i}" for i in range(n)), packed_rows(frame, DRAFT)))

def orders(store, *entities):
    found = store.read("churn", entities)
    return [row and unpacked_row(row, found.generation)["orders"] for row in found.packed]

def test_what_is_written_in_parts_is_read_one_by_one_and_all_at_once(store):
    everybody = rows(2_500)
    written = store.write(DRAFT, [everybody[:1_000], [], everybody[1_000:]])
    assert (written.n, written.number) == (2_500, 1) and store.shown("churn") == written
    assert store.read("churn", ["customer 7"]).packed == [everybody[7][1]]
    asked = [f"customer {i}" for i in (2_499, 0, 0, 9_999, 1_200)]
    assert [bool(each) for each in store.read("churn", asked).packed] == [True, True, True, False, True]
    assert store.entities("churn") == sorted(name for name,_ in everybody)

def test_nothing_written_is_said_and_makes_nothing(store, tmp_path):
    with pytest.raises(NotMaterialised, match="mmops materialise churn"): store.read("churn", ["customer 1"])
    assert (store.shown("churn"), store.history("churn"), store.shelves(), store.entities("churn"), store.forget("x")) == (None, [], [], [], 0)
    assert not (tmp_path/"data").exists()

@pytest.mark.parametrize("entities", [[], [""], ["' OR 1=1"], ["\U0001f337", "ümlaut", "a\tb\nc", "x"*10_000]], ids=["none", "empty", "quotes", "odd signs"])
def test_unknown_customers_are_none_whatever_they_are_called(store, entities):
    store.write(DRAFT, [rows()])
    assert store.read("churn", entities).packed == [None]*len(entities)

def test_odd_ids_are_found_again(store):
    names = ["\U0001f337", "ümlaut", "a\tb\nc", "x:y", "churn"]
    store.write(DRAFT, [[(name, row) for name,(_,row) in zip(names, rows())]])
    assert None not in store.read("churn", names).packed and all(store.read("churn", [name]).packed[0] for name in names)

def test_shelves_do_not_touch_each_other(store):
    store.write(DRAFT, [rows()])
    store.write(replace(DRAFT, shelf="promo"), [rows(2, 7.)])
    assert store.shelves() == ["churn", "promo"] and orders(store, "customer 1") == [1.]
    assert (store.forget("customer 1") > 1, store.read("promo", ["customer 1"]).packed, orders(store, "customer 1")) == (True, [None], [None])

def test_a_generation_replaces_the_one_before_as_a_whole(store):
    store.write(DRAFT, [rows()])
    store.write(DRAFT, [rows(2, 2.)])
    assert orders(store, "customer 0", "customer 4") == [2., None] and [each.n for each in store.history("churn")] == [2, 5]

def test_the_history_keeps_thirty(store):
    for i in range(33): store.write(DRAFT, [rows(1, i)])
    assert len(store.history("churn")) == 30 and orders(store, "customer 0") == [32.]

@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_while_computing_leaves_what_was_shown(store, error):
    store.write(DRAFT, [rows()])
    def broken():
        yield rows(5, 2.)
        raise error
    with pytest.raises(error): store.write(DRAFT, broken())
    assert orders(store, "customer 0") == [1.]
    assert store.write(DRAFT, [rows(5, 3.)]).n == 5 and orders(store, "customer 0") == [3.]

def test_a_customer_twice_is_refused_and_not_named(store):
    store.write(DRAFT, [rows()])
    with pytest.raises(DataError, match="comes twice") as refused: store.write(DRAFT, [rows(3, 2.), rows(1, 9.)])
    assert "customer 0" not in str(refused.value) and orders(store, "customer 0") == [1.]

def test_no_reader_sees_two_generations_at_once(place, store):
    store.write(DRAFT, [rows(5, 0.)])
    done, seen = threading.Event(), []
    def read():
        while not done.is_set(): seen.append(orders(store, "customer 0", "customer 4"))
    readers = [threading.Thread(target=read) for _ in range(2)]
    for each in readers: each.start()
    for i in range(1, 20): open_online_store(place).write(DRAFT, [rows(2, i), rows(5, i)[2:]])
    done.set()
    for each in readers: each.join()
    assert seen and all(first == last and first is not None for first,last in seen) and orders(store, "customer 0") == [19.]

HALF = """
import os, sys
from test_online_stores import DRAFT, rows
from marketing_mlops.features.online_stores import open_online_store
from marketing_mlops.workspace.places import Workspace
from marketing_mlops.workspace.settings import Settings
store = open_online_store(Workspace(sys.argv[1], Settings("development", sys.argv[1], online_store=sys.argv[2])))
if hasattr(store, "lock_seconds"): store.lock_seconds = 1
def half():
    yield rows(3, 2.)
    print("half-way", flush=True)
    sys.stdin.read()
    yield rows(5, 2.)[3:]
store.write(DRAFT, half())
"""

def test_a_writer_who_is_killed_half_way_leaves_the_values_before_and_the_way_free(place, store):
    store.write(DRAFT, [rows()])
    code = HALF.replace("sys.argv[1]", f"__import__('pathlib').Path({str(place.root)!r})").replace("sys.argv[2]", repr(place.settings.online_store))
    writer = subprocess.Popen([sys.executable, "-c", f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})\n{code}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout.readline() == "half-way\n"
        with pytest.raises(AlreadyRunning, match="being materialised already"): store.write(DRAFT, [rows(1, 9.)])
        assert orders(store, "customer 0") == [1.]
    finally:
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
    assert orders(store, "customer 0", "customer 4") == [1., 1.] and store.entities("churn") == [f"customer {i}" for i in range(5)]
    while True:      # the lock in Redis ends by itself, one second after the writer's last word
        try: assert store.write(DRAFT, [rows(5, 3.)]).n == 5; break
        except AlreadyRunning: pass
    assert orders(store, "customer 0", "customer 4") == [3., 3.]

def lose(place, store):
    "What a deleted file or a Redis restarted without its memory leaves: nothing."
    if hasattr(store, "client"): store.client.flushall()
    else: store.file.unlink()

def test_a_store_that_was_lost_and_filled_again_is_read_as_what_it_is_now(place, store):
    store.write(DRAFT, [rows(5, 1.)])
    assert orders(store, "customer 0") == [1.]
    lose(place, store)
    with pytest.raises(NotMaterialised): store.read("churn", ["customer 0"])
    later = replace(DRAFT, versions={"amount": "c3", "orders": "a1", "band": "b2"})
    packed = packed_rows(pd.DataFrame({"amount": [50.], "orders": [2.], "band": ["35+"]}), later)
    written = open_online_store(place).write(later, [[("customer 0", packed[0])]])
    assert written.number == 1 and store.shown("churn") == written and orders(store, "customer 0", "customer 1") == [2., None]

def test_a_file_that_is_deleted_while_another_process_reads_it_is_written_anew_at_once(tmp_path):
    store = open_online_store(Workspace(tmp_path, Settings("development", tmp_path)))
    store.write(DRAFT, [rows(2_500)])
    with sqlite3.connect(store.file) as db:   # holds what SQLite keeps beside the file
        db.execute("SELECT * FROM shown").fetchall()
        store.write(DRAFT, [rows(2_500, 2.)])
        assert os.path.getsize(f"{store.file}-wal") > 0
        store.file.unlink()
        assert store.write(DRAFT, [rows(5, 3.)]).number == 1 and orders(store, "customer 0") == [3.]
    db.close()
    assert orders(open_online_store(Workspace(tmp_path, Settings("development", tmp_path))), "customer 4") == [3.]

def test_a_stranger_whose_id_begins_like_that_of_a_customer_is_unknown(store):
    store.write(DRAFT, [rows()])
    assert orders(store, "customer 0", "customer 0\0", "customer 0\0x", "customer 00") == [1., None, None, None]

def test_a_place_where_no_file_can_be_is_two_lines_that_name_it(tmp_path):
    (tmp_path/"file").write_text("no folder")
    for named in ("", "file/online.db"):
        store = open_online_store(Workspace(tmp_path, Settings("development", tmp_path, online_store=f"sqlite:///{tmp_path}/{named}")))
        with pytest.raises(OnlineStoreError, match="cannot be used") as refused: store.write(DRAFT, [rows()])
        assert len(str(refused.value).splitlines()) == 2
    with pytest.raises(OnlineStoreError, match="cannot be used"): open_online_store(Workspace(tmp_path, Settings("development", tmp_path, online_store=f"sqlite:///{tmp_path}"))).shelves()

def test_whoever_is_erased_while_a_generation_is_written_is_in_none(place, store):
    store.write(DRAFT, [rows()])
    def erased_half_way():
        yield rows(3, 2.)
        assert open_online_store(place).forget("customer 0") > 0
        yield rows(5, 2.)[3:]
    try: store.write(DRAFT, erased_half_way())
    except OnlineStoreError as refused: assert hasattr(store, "client") and "somebody was erased meanwhile" in refused.problem
    assert orders(store, "customer 0") == [None] and orders(store, "customer 4") != [None]

numbers = st.floats(width=64) | st.sampled_from([0., -0., float("nan"), 1/3, 1e-310])
texts = st.none() | st.text(st.characters(codec="utf-8"), max_size=12)

@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(numbers, texts, numbers), min_size=1, max_size=6))
def test_what_is_packed_comes_back_to_the_last_bit(values):
    frame = pd.DataFrame(values, columns=["a", "t", "b"]).astype({"a": "float64", "t": "str", "b": "float64"})
    draft = replace(DRAFT, versions={"b": "1", "t": "2", "a": "3"}, texts=("t",))
    packed = packed_rows(frame, draft)
    again = unpacked_rows(packed, draft)
    assert list(again) == ["b", "t", "a"] and all(frame[name].to_numpy().tobytes() == again[name].to_numpy().tobytes() for name in "ab")
    assert again.t.astype(object).where(again.t.notna(), None).tolist() == [text for _,text,_ in values]
    assert [unpacked_row(each, draft)["t"] for each in packed] == [text for _,text,_ in values]

@pytest.fixture
def server():
    with ExitStack() as servers:
        def start(*options):
            address = servers.enter_context(own_redis(*options))
            if address is None: pytest.skip("redis-server is not installed")
            return open_redis(Workspace("nowhere", Settings("development", "nowhere")), address)
        yield start

def test_a_full_redis_says_so_and_serves_what_it_had(server):
    store = server("--maxmemory", "3mb", "--maxmemory-policy", "noeviction")
    store.write(DRAFT, [rows()])
    with pytest.raises(OnlineStoreError, match="maxmemory") as refused: store.write(DRAFT, [rows(100, band="x"*50_000)])
    assert len(str(refused.value).splitlines()) == 2 and orders(store, "customer 0") == [1.]

def test_a_read_only_redis_says_so_and_serves_what_it_had(server):
    store = server()
    store.write(DRAFT, [rows()])
    store.client.replicaof("127.0.0.1", "1")
    with pytest.raises(OnlineStoreError, match="read only"): store.write(DRAFT, [rows()])
    assert orders(store, "customer 0") == [1.]

def test_values_that_redis_has_evicted_are_not_taken_for_unknown_customers(server):
    store = server()
    generation = store.write(DRAFT, [rows()])
    store.client.unlink(store._key("churn", generation.number))
    with pytest.raises(OnlineStoreError, match="has lost the values of churn"): store.read("churn", ["customer 0"])

def test_no_message_shows_a_password(tmp_path):
    for address in ("redis://user:s3cret@127.0.0.1:1/0", "rediss://:s3cret@127.0.0.1:1/0", f"unix://:s3cret@{tmp_path}/socket"):
        store = open_redis(Workspace(tmp_path, Settings("development", tmp_path)), address)
        with pytest.raises(OnlineStoreError, match="cannot be used") as refused: store.read("churn", ["customer 0"])
        assert "s3cret" not in str(refused.value) and ":***@" in str(refused.value) and len(str(refused.value).splitlines()) == 2

def test_a_generation_that_was_replaced_lives_on_for_its_grace_and_an_abandoned_one_ends_by_itself(server):
    store = server()
    first, second = store.write(DRAFT, [rows()]), store.write(DRAFT, [rows()])
    assert 0 < store.client.ttl(store._key("churn", first.number)) <= 60 and store.client.ttl(store._key("churn", second.number)) == -1
