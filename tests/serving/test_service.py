"""`mmops serve` as other programs meet it: real processes, real sockets on loopback, ended by their ids."""
import http.client, json, signal, socket, threading
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from marketing_mlops.governance.live_pointers import bundle_place
from marketing_mlops.governance.releases import rollback
from marketing_mlops.registry.bundles import score_rows
from marketing_mlops.serving.prediction_requests import MOST_BYTES, MOST_ROWS
from served_shop import FEATURES, KEY, customers, put_live, served, start_service

GOOD = {"recency_days": 30, "orders_90d": 2, "trait.age_band": "35+"}
SECRETS = ("Traceback", ".py", "/tmp", "site-packages", "marketing_mlops", KEY)

def assert_in_our_words(text, root=""):
    for word in SECRETS: assert word not in text, text
    assert not root or root not in text

def assert_refused(answer, status=None):
    found, content, text = answer
    assert 400 <= found < 500 and (status is None or found == status), text
    assert content["problem"] and content["remedy"] and len(text) < 20_000
    assert_in_our_words(text)

def test_rows_get_the_scores_of_the_score_stage(client, spring):
    frame = customers(300)
    status, content, text = client.ask(frame.astype(object).where(frame.notna(), None).to_dict("records"))
    assert status == 200 and content["bundle"] == spring.core_hash and content["model"] == "churn"
    assert [each["p_no_order"] for each in content["scores"]] == score_rows(spring, frame).p_no_order.tolist()
    assert_in_our_words(text)

def test_health_names_the_bundle_and_since_when(client, spring):
    found = client.health()
    assert found["status"] == "ok" and found["models"][0]["bundle"] == spring.core_hash and found["models"][0]["since"].endswith("+00:00")

def test_an_unseen_category_is_scored_and_noted(client):
    status, content, _ = client.ask([GOOD, GOOD | {"trait.age_band": "teens"}])
    assert status == 200 and [each["code"] for each in content["notes"]] == ["unseen_category"] and content["notes"][0]["rows"] == [1]
    assert client.ask([GOOD | {"trait.age_band": "another"}])[1]["scores"] == content["scores"][1:]

bodies = (st.binary(max_size=300) | st.text(max_size=100).map(str.encode)
          | st.recursive(st.none() | st.booleans() | st.integers(-10**30, 10**30) | st.floats() | st.text(max_size=10),
                         lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*FEATURES, "model", "rows"]) | st.text(max_size=5), inner, max_size=4), max_leaves=8)
            .flatmap(lambda value: st.sampled_from([value, {"model": "churn", "rows": value}, {"model": "churn", "rows": [value]}, {"model": "churn", "rows": [GOOD, value]}]))
            .map(lambda value: json.dumps(value).encode()))

@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies)
def test_nonsense_is_answered_with_a_reason_and_never_500(client, body):
    answer = client.send(body)
    if answer[0] != 200: assert_refused(answer)

@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_good_question_with_some_bytes_changed_is_answered_or_refused(client, data):
    body = bytearray(json.dumps({"model": "churn", "rows": [GOOD, GOOD]}).encode())
    for place in data.draw(st.lists(st.integers(0, len(body)-1), max_size=4)): body[place] = data.draw(st.integers(0, 255))
    answer = client.send(bytes(body))
    if answer[0] != 200: assert_refused(answer)

@pytest.mark.parametrize("status, change", [
    (404, {"model": "promo"}), (404, {"model": "../../settings"}), (422, {"rows": []}), (422, {"rows": [{}]}), (422, {"more": 1}), (422, {"rows": [GOOD | {"colour": "red"}]}),
    (422, {"rows": [GOOD | {"orders_90d": "12,50"}]}), (422, {"rows": [GOOD | {"orders_90d": float("nan")}]}), (422, {"rows": [GOOD | {"trait.age_band": 35}]}), (413, {"rows": [GOOD]*(MOST_ROWS+1)}),
], ids=["a model not served", "a path", "no rows", "an empty row", "another part", "an extra feature", "a text", "NaN", "a number for a category", "too many rows"])
def test_each_mistake_has_its_status(client, status, change): assert_refused(client.send(json.dumps({"model": "churn", "rows": [GOOD]} | change).encode()), status)

@pytest.mark.parametrize("status, method, path, headers", [
    (401, "POST", "/predict", {"Authorization": ""}), (401, "POST", "/predict", {"Authorization": "Bearer"}), (401, "POST", "/predict", {"Authorization": "Basic " + KEY}),
    (401, "POST", "/predict", {"Authorization": f"Bearer {KEY}x"}), (401, "POST", "/predict", {"Authorization": "Bearer \u00fc"}), (415, "POST", "/predict", {"Content-Type": "text/plain"}),
    (405, "GET", "/predict", {}), (405, "DELETE", "/healthz", {}), (404, "GET", "/docs", {}), (404, "GET", "/openapi.json", {}), (404, "POST", "/predict/", {}), (404, "GET", "/../settings.ini", {}), (404, "GET", "/%00", {}),
], ids=str)
def test_doors_that_stay_closed(client, status, method, path, headers): assert_refused(client.send(json.dumps({"model": "churn", "rows": [GOOD]}).encode(), path, method, **headers), status)

def test_without_the_key_health_says_only_that_it_lives(client): assert client.health(Authorization="") == {"status": "ok"}

@pytest.mark.parametrize("declared", [True, False], ids=["length told", "in chunks"])
def test_a_large_body_is_refused_while_it_arrives(client, declared):
    parts = [b" "*65_536]*(2*MOST_BYTES//65_536)
    caller = client.another()
    try: assert_refused(caller.send(b"".join(parts) if declared else iter(parts)), 413)
    except ConnectionError: pass                                  # refused and hung up before everything was sent
    caller.close()
    assert client.ask([GOOD])[0] == 200

@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"], ids=["TLS", "no request", "a length below zero", "half a body"])
def test_what_is_no_http_harms_nobody(client, sent):
    host, port = client.netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=600) as raw:
        raw.sendall(sent)
        raw.shutdown(socket.SHUT_WR)
        assert_in_our_words(raw.recv(65_536).decode(errors="replace"))
    assert client.ask([GOOD])[0] == 200

def test_eight_callers_at_once_each_get_their_own_answer(client, spring):
    frame = customers(200, seed=3)
    rows, expected = frame.astype(object).where(frame.notna(), None).to_dict("records"), score_rows(spring, frame).p_no_order.tolist()
    found, wrong = {}, []
    def call(number):
        caller = client.another()
        for i in range(number, len(rows), 8):
            status, content, text = caller.ask([rows[i]])
            if status != 200: wrong.append(text)
            else: found[i] = content["scores"][0]["p_no_order"]
        large = caller.ask(rows)
        if [each["p_no_order"] for each in large[1]["scores"]] != expected: wrong.append(large[2][:200])
        caller.close()
    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for each in threads: each.start()
    for each in threads: each.join()
    assert not wrong and [found[i] for i in range(len(rows))] == pytest.approx(expected, abs=1e-12)     # alone or among others, sums may differ in their last digit

def asked_all_the_while(client, act):
    "What eight callers were answered while `act` ran: sets of (status, bundle), before and after it had ended."
    answers, ended, wrong = {False: set(), True: set()}, threading.Event(), []
    def call():
        caller = client.another()
        rounds = 0
        try:
            while rounds < 5:
                after = ended.is_set()                             # before the question is sent
                status, content, text = caller.ask([GOOD])
                answers[after].add((status, content.get("bundle"), content.get("scores", [{}])[0].get("p_no_order")))
                rounds += after
        except Exception as e: wrong.append(e)
        finally: caller.close()
    threads = [threading.Thread(target=call) for _ in range(8)]
    for each in threads: each.start()
    try: act()
    finally:
        ended.set()
        for each in threads: each.join()
    assert not wrong
    return answers[False], answers[True]

def test_a_release_and_a_rollback_are_followed_between_two_questions(shop, spring, summer):
    one = customers(1).assign(**GOOD)
    old, new = ((200, each.core_hash, score_rows(each, one).p_no_order[0]) for each in (spring, summer))
    with served(shop, MMOPS_SERVE_KEY=KEY) as (client, _):
        during, after = asked_all_the_while(client, lambda: put_live(shop, summer))
        assert during <= {old, new} and after == {new}
        during, after = asked_all_the_while(client, lambda: rollback(shop, "churn", "marketing@example.com", "Complaints"))
        assert during <= {old, new} and after == {old}
        assert client.health()["models"][0]["bundle"] == spring.core_hash

def test_a_champion_that_cannot_be_read_leaves_the_one_before_answering(shop, spring, summer):
    with served(shop, MMOPS_SERVE_KEY=KEY) as (client, process):
        place = bundle_place(shop, summer.core_hash)
        def release_and_damage():
            put_live(shop, summer)
            (place/"schema.json").write_text("{}")
        release_and_damage()
        assert client.ask([GOOD])[1]["bundle"] in (spring.core_hash, summer.core_hash)
        rollback(shop, "churn", "marketing@example.com", "Damaged")
        place.rename(place.with_name("elsewhere"))
        assert client.ask([GOOD])[1]["bundle"] == spring.core_hash

def test_health_says_that_a_champion_could_not_be_read(shop, spring, summer):
    put_live(shop, summer)
    rollback(shop, "churn", "marketing@example.com", "Complaints")
    with served(shop, MMOPS_SERVE_KEY=KEY) as (client, process):
        bundle_place(shop, summer.core_hash).rename(shop.root/"elsewhere")
        file = shop.path("data", "live", "churn.json")
        file.write_text(json.dumps({"champion": summer.core_hash, "ledger_head": "0"*64}))     # follows from an entry nobody has
        found = client.health()
        assert found["status"] == "behind" and found["models"][0]["bundle"] == spring.core_hash and "could not be read" in found["models"][0]["note"]
        assert_in_our_words(json.dumps(found), str(shop.root))
        assert client.ask([GOOD])[1]["bundle"] == spring.core_hash
        process.terminate()
        assert "which the ledger does not hold" in process.communicate(timeout=600)[1]

def test_ctrl_c_ends_it_in_two_lines(shop):
    with served(shop, "--no-key") as (client, process):
        assert client.ask([GOOD])[0] == 200
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=600)[1]
        assert process.returncode == 130 and len(errors.splitlines()) == 2 and "Stopped by Ctrl-C" in errors

def test_without_a_key_only_this_machine_under_its_own_name_is_answered(shop):
    with served(shop, "--no-key") as (client, _):
        assert client.ask([GOOD])[0] == 200
        assert_refused(client.send(b"{}", Host="rebound.example.com"), 403)
        assert_refused(client.send(b"{}", **{"Content-Type": "text/plain"}), 415)

REFUSED = {
    "no key": ([], {}, "", "MMOPS_SERVE_KEY is not set"), "a short key": ([], {"MMOPS_SERVE_KEY": "secret"}, "", "too short (6 characters)"),
    "no key wanted, others let in": (["--no-key", "--host", "0.0.0.0"], {}, "", "reachable from others"), "an unknown model": (["--no-key", "--model", "chrun"], {}, "", "Did you mean 'churn'?"),
    "a model without champion": (["--no-key", "--model", "promo"], {}, "", "promo has no champion"), "a port that is none": (["--no-key", "--port", "99999"], {}, "", "is no port"),
    "a port that is a word": (["--no-key", "--port", "http"], {}, "", "invalid int value"), "an address of nobody": (["--no-key", "--host", "no.such.host.invalid"], {}, "", "reachable from others"),
    "without the group serve": (["--no-key"], {}, "sys.modules.update(fastapi=None, uvicorn=None)", "Serving needs fastapi and uvicorn"),
}

IN_CI = ("no key", "no key wanted, others let in", "an unknown model", "without the group serve")   # each starts a service

@pytest.mark.parametrize("words, environment, code, says", [pytest.param(*each, marks=() if name in IN_CI else pytest.mark.slow) for name, each in REFUSED.items()], ids=REFUSED)
def test_what_cannot_be_served_is_told_in_two_lines(shop, words, environment, code, says):
    output, errors = (process := start_service(shop, *words, code=code, **environment)).communicate(timeout=600)
    assert process.returncode == 1 and output == "" and len(errors.splitlines()) == 2 and "Traceback" not in errors and says in errors, errors

def test_a_port_in_use_is_told_in_two_lines(shop):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        output, errors = (process := start_service(shop, "--no-key", "--port", str(taken.getsockname()[1]))).communicate(timeout=600)
    assert process.returncode == 1 and len(errors.splitlines()) == 2 and "in use" in errors, errors
