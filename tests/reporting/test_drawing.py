"""One process draws for many: the same bytes as here, and nobody who visits it can harm the others."""
import os, shutil, signal, socket, struct, sys, tempfile
from concurrent.futures import ThreadPoolExecutor
import pytest
from marketing_mlops.jobs.process_memory import processes
from marketing_mlops.jobs.sockets import receive_message, send_message
from marketing_mlops.jobs.workers import stop_worker, wait_until_gone, worker_status
from marketing_mlops.reporting.drawing import draw_here, draw_vegalite, drawing_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the process that draws is forked, which needs Linux")
LOADS = dict(data=dict(url="http://127.0.0.1:9/spend.csv"), mark="bar", encoding={})

def bars(n):
    "A chart of `n` mailings, each of another length."
    rates = [dict(mailing=f"mailing {i} 🍂 <b>", visit_rate=i/10) for i in range(n)]
    return dict(data=dict(values=rates), mark="bar", encoding=dict(y=dict(field="mailing", type="nominal"), x=dict(field="visit_rate", type="quantitative")))

@pytest.fixture(scope="module")
def own_worker():
    "Variables that name a worker of this module's own, so that its only children are processes that draw."
    home = tempfile.mkdtemp(dir="/tmp")
    yield {**os.environ, "MMOPS_WARM_HOME": home}
    stop_worker(home)
    shutil.rmtree(home)

@pytest.fixture(scope="module")
def drawing(own_worker):
    with drawing_process(own_worker) as variables: yield variables

@pytest.fixture
def mortal(own_worker, drawing):
    "Another process that draws, and its id."
    def children():
        worker = worker_status(own_worker["MMOPS_WARM_HOME"])["pid"]
        return {pid for pid, process in processes().items() if process.parent == worker}
    before = children()
    with drawing_process(own_worker) as variables:
        [pid] = children() - before
        yield variables, pid
    assert not os.path.exists(variables["MMOPS_DRAW_AT"]) and children() == before

def visitor(variables):
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(variables["MMOPS_DRAW_AT"])
    return connection

def test_visitors_at_the_same_time_get_the_bytes_that_are_drawn_here(drawing):
    charts = [bars(n) for n in range(1, 9)]
    with ThreadPoolExecutor(8) as many: drawn = list(many.map(lambda chart: draw_vegalite(chart, drawing), charts))
    assert drawn == [draw_here(chart) for chart in charts] and len({*drawn}) == 8

def test_what_cannot_be_drawn_is_refused_in_the_same_words_as_here(drawing):
    for chart in (LOADS, {}, "no chart", None):
        with pytest.raises(ValueError) as here: draw_here(chart)
        with pytest.raises(ValueError) as there: draw_vegalite(chart, drawing)
        assert str(there.value) == str(here.value)

HALF = struct.pack("!I", 500) + b'{"spec": '
@pytest.mark.parametrize("said", [b"", b"\0", HALF, struct.pack("!I", 4) + b"\xff{[(", struct.pack("!I", 2) + b"{}", struct.pack("!I", 2) + b"41", struct.pack("!I", 4) + b"null"],
                         ids=["nothing", "a byte", "half a chart", "no text", "no chart", "a number", "null"])
def test_a_visitor_who_leaves_or_talks_nonsense_harms_nobody(drawing, said):
    with visitor(drawing) as leaves: leaves.sendall(said)
    with visitor(drawing) as stays:
        stays.sendall(said)
        assert draw_vegalite(bars(2), drawing) == draw_here(bars(2))
        stays.shutdown(socket.SHUT_WR)
        assert receive_message(stays)[0] is None               # no answer, and no other visitor's

def test_a_visitor_who_leaves_before_the_picture_is_there_harms_nobody(drawing):
    with visitor(drawing) as hasty: send_message(hasty, dict(spec=bars(9)))
    assert draw_vegalite(bars(2), drawing) == draw_here(bars(2))

def test_charts_are_drawn_here_once_the_process_is_killed_while_somebody_waits(mortal):
    variables, pid = mortal
    with visitor(variables) as waiting:
        waiting.sendall(HALF)
        assert draw_vegalite(bars(3), variables) == draw_here(bars(3))
        os.kill(pid, signal.SIGKILL)
        assert receive_message(waiting)[0] is None and wait_until_gone(pid, 20)
    assert draw_vegalite(bars(3), variables) == draw_here(bars(3))
    with pytest.raises(ValueError, match="(?i)url"): draw_vegalite(LOADS, variables)

def test_a_chart_that_is_being_drawn_when_the_process_is_killed_is_drawn_here(mortal):
    variables, pid = mortal
    with ThreadPoolExecutor(2) as crew:
        drawn = [crew.submit(draw_vegalite, bars(60), variables) for _ in range(2)]
        os.kill(pid, signal.SIGKILL)
        assert {each.result() for each in drawn} == {draw_here(bars(60))}

def test_where_nothing_is_forked_no_address_is_asked_for(monkeypatch):
    monkeypatch.delattr(os, "getuid")                          # as on Windows
    environment = {**os.environ, "MMOPS_ENGINE": "kernel"}
    with drawing_process(environment) as variables: assert variables == environment and draw_vegalite(bars(1), variables) == draw_here(bars(1))
