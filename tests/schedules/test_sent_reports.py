"A report reaches each of its readers once, or somebody is told; asked of real servers on this machine that fail at every step."
import base64, json, os, re, signal, subprocess, sys, time
from datetime import datetime, timedelta, timezone
from email import message_from_bytes, policy
from html.parser import HTMLParser
from pathlib import Path
import pandas as pd
import pytest
from awkward_servers import post_office, team_chat, variables
from marketing_mlops.cli.commands import main
from marketing_mlops.cli.ledger import fact_words
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.reporting.blocks import decision_block, page_heading, table_block
from marketing_mlops.reporting.charts import render_chart
from marketing_mlops.reporting.pages import render_page
from marketing_mlops.schedules import report_sending
from marketing_mlops.schedules.alert_journal import alert_events
from marketing_mlops.schedules.alerts import open_alerts
from marketing_mlops.schedules.report_deliveries import deliveries_folder, report_deliveries
from marketing_mlops.schedules.report_sending import deliver_reports, send_report
from marketing_mlops.schedules.sent_reports import REPORT_SENT, tell_of_reports, who_received
from marketing_mlops.workspace.errors import MmopsError
from marketing_mlops.workspace.places import find_workspace, write_json, write_text

NOW = datetime(2026, 6, 29, 5, 1, tzinfo=timezone.utc)
READERS = ["marketing@example.com", "finance@example.com"]
SPEC = dict(title="Net revenue <b>by</b> week", width=300, height=120, mark="bar", data=dict(values=[dict(week=n, revenue=r) for n, r in enumerate((41.2, 44.6, 43.4))]),
            encoding=dict(x=dict(field="week", type="ordinal"), y=dict(field="revenue", type="quantitative")))

def notebook_of(*more, source="weekly.show()"):
    heading = page_heading("Weekly performance: shop, week of 22 June 2026", owner="finance@example.com")
    answer = decision_block("as_usual", "Net revenue was 43,409 EUR & <i>flat</i>.", {"How sure": "It lies inside 39,094 to 49,814 EUR.", "What to do": "Nothing has to be done."})
    shown = [each._repr_mimebundle_() for each in (heading, answer)] + list(more)
    cells = [dict(cell_type="code", source=source, metadata={}, outputs=[dict(output_type="display_data", metadata={}, data=data)]) for data in shown]
    return dict(nbformat=4, nbformat_minor=5, metadata={}, cells=cells[:2] + [dict(cell_type="markdown", source="## The weeks before", metadata={})] + cells[2:])

def store(workspace, name="20260629T050000000000Z-1a2b", notebook=None, page=None):
    folder = workspace.root/"data"/"runs"/"weekly_performance"/"shop"/name
    notebook = notebook or notebook_of(render_chart(SPEC), table_block(pd.DataFrame(dict(figure=["Net revenue"], week=["43,409"])))._repr_mimebundle_())
    write_json(folder/"executed.ipynb", notebook)
    write_json(folder/"run.json", dict(job="weekly_performance", key="shop", run_id=name, status="done", parameters={}, engine="warm", started_at="", results=dict(verdict="as_usual"), semantic_hash="5d"*32))
    write_text(folder/"page.html", page or render_page(notebook))
    return folder

@pytest.fixture
def workspace(tmp_path):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\nbusiness_approvers = marketing@example.com, finance@example.com\n")
    write_text(tmp_path/"data"/"state"/"ledger_writer", "laptop\n")
    return find_workspace(tmp_path)

def sent_to(workspace, to, post=None, chat=None, run=None, **more):
    return [each.state for each in send_report(workspace, run or store(workspace), to, "finance@example.com", now=NOW, environment=variables(post, chat), **more)]

def parts_of(mail): return list(message_from_bytes(mail, policy=policy.default).walk())

# --- what arrives ---
def test_each_receiver_gets_one_mail_with_words_html_pictures_and_the_page(workspace):
    run = store(workspace)
    with post_office() as post: assert sent_to(workspace, READERS, post, run=run) == ["taken", "taken"]
    assert [who for who, _ in post.mails] == [f"rcpt TO:<{reader}>" for reader in READERS]
    mails = [message_from_bytes(mail, policy=policy.default) for _, mail in post.mails]
    assert len({mail["Message-ID"] for mail in mails}) == 2 and {mail["Bcc"] for mail in mails} == {None}
    assert mails[0]["Subject"] == "Weekly performance: shop, week of 22 June 2026: as usual"
    words = mails[0].get_body("plain").get_content()
    assert all(each in words for each in ("As usual. Net revenue was 43,409 EUR & <i>flat</i>.", "How sure: It lies inside", "What to do: Nothing has to be done.", "The whole page is attached"))
    attached, = mails[0].iter_attachments()
    assert attached.get_payload(decode=True) == (run/"page.html").read_bytes() and attached.get_filename() == "weekly_performance.html"

class Elements(HTMLParser):
    def __init__(self, text): super().__init__(); self.found = []; self.feed(text)
    def handle_starttag(self, tag, attrs): self.found.append((tag, dict(attrs)))

def test_the_html_of_a_mail_runs_nothing_fetches_nothing_and_names_pictures_that_are_there(workspace):
    with post_office() as post: sent_to(workspace, READERS[:1], post)
    parts = parts_of(post.mails[0][1])
    shown = next(part for part in parts if part.get_content_type() == "text/html" and not part.get_filename()).get_content()
    elements = Elements(shown).found
    assert not {"script", "iframe", "object", "form", "link", "svg"} & {tag for tag, _ in elements} and "url(" not in shown and "http" not in shown
    named = [given["src"] for tag, given in elements if tag == "img"]
    there = {f"cid:{part['Content-ID'][1:-1]}": part.get_payload(decode=True) for part in parts if part["Content-ID"]}
    assert named and set(named) == set(there) and all(png[:8] == b"\x89PNG\r\n\x1a\n" for png in there.values())
    assert all(given["alt"].startswith("Chart: Net revenue <b>by</b> week") for tag, given in elements if tag == "img")
    assert [given for tag, given in elements if tag == "p" and not given.get("style")] == []

def test_a_page_of_more_than_a_megabyte_is_told_and_not_attached(workspace):
    page = render_page(notebook_of()) + f"<!--{'x'*1_000_000}-->"
    with post_office() as post: assert sent_to(workspace, READERS[:1], post, run=store(workspace, page=page)) == ["taken"]
    mail = message_from_bytes(post.mails[0][1], policy=policy.default)
    assert list(mail.iter_attachments()) == [] and "too large for a mail; open data/runs/weekly_performance/shop/" in mail.get_body("plain").get_content()

def test_lines_that_begin_with_a_dot_arrive_as_they_were(workspace):
    notebook = notebook_of()
    notebook["cells"][1]["outputs"][0]["data"]["text/plain"] = "As usual.\n.\n..two\n.three"
    with post_office() as post: sent_to(workspace, READERS[:1], post, run=store(workspace, notebook=notebook))
    received = re.sub(rb"(?m)^\.\.", b".", post.mails[0][1])       # as a server takes the second dot away
    assert "\n.\n..two\n.three\n" in message_from_bytes(received, policy=policy.default).get_body("plain").get_content().replace("\r", "")

def test_a_chat_gets_signed_blocks_that_ring_nobody_and_refuses_a_replay(workspace):
    notebook = notebook_of()
    notebook["cells"][1]["outputs"][0]["data"]["text/plain"] = "<!channel> *sale* <https://example.com|here>"
    with team_chat(NOW) as chat:
        assert sent_to(workspace, ["webhook:env:TEAM_CHAT"], chat=chat, run=store(workspace, notebook=notebook)) == ["taken"]
        headers, body = chat.posts[0]
        import urllib.request, urllib.error
        replay = urllib.request.Request(variables(chat=chat)["TEAM_CHAT"], body, {"X-Mmops-Signature": headers["X-Mmops-Signature"]}, method="POST")
        with pytest.raises(urllib.error.HTTPError, match="401"): urllib.request.urlopen(replay)
    blocks = json.loads(body)["blocks"]
    assert blocks[0]["type"] == "header" and {block["text"]["type"] for block in blocks} == {"plain_text"} and "<" not in json.loads(body)["text"]
    assert headers["X-Mmops-Message"] == report_deliveries(workspace)[0].delivery_id

def test_a_post_that_is_signed_with_another_key_is_refused_and_said(workspace):
    with team_chat(NOW, key="their key") as chat: assert sent_to(workspace, ["webhook:env:TEAM_CHAT"], chat=chat) == ["refused"]
    assert chat.posts == [] and report_deliveries(workspace)[0].why == "it answers 401"

# --- what fails, step by step ---
@pytest.mark.parametrize("step, answer, state", [
    ("connect", "", "waiting"), ("connect", "421 too busy", "waiting"), ("connect", "554 go away", "refused"),
    ("ehlo", "", "waiting"), ("mail", "", "waiting"), ("mail", "451 later", "waiting"), ("mail", "550 not you", "refused"),
    ("rcpt", "", "waiting"), ("rcpt", "450 mailbox busy", "waiting"), ("rcpt", "550 no such mailbox", "refused"),
    ("data", "", "waiting"), ("data", "451 later", "waiting"), ("data", "554 no", "refused"),
    ("dot", "", "unknown"), ("dot", "451 later", "waiting"), ("dot", "552 too big", "refused"), ("dot", "nonsense", "unknown"), ("quit", "", "taken"), ("quit", "500 what", "taken")])
def test_a_failure_at_a_step_of_mail_means_what_the_step_says(workspace, step, answer, state):
    with post_office(step, answer) as post:
        found, = send_report(workspace, store(workspace), READERS[:1], "finance@example.com", now=NOW, environment=variables(post))
    assert found.state == state and (state == "taken") == (found.why == "")
    assert bool(post.mails) == (state == "taken" or (state == "unknown" and not answer))
    assert bool(found.next_try_at) == (state == "waiting")

def test_a_server_that_hangs_up_in_the_middle_of_a_message_gets_it_again_or_a_person_is_asked(workspace):
    with post_office("half") as post: first, = sent_to(workspace, READERS[:1], post)
    assert post.mails == [] and first in ("waiting", "unknown")         # what the system had taken off our hands is not known to be lost
    with post_office() as post: second, = sent_to(workspace, READERS[:1], post, again=first == "unknown")
    assert second == "taken" and len(post.mails) == 1

def test_a_server_that_takes_one_receiver_and_refuses_another_is_recorded_for_each(workspace):
    with post_office("rcpt", "550 no such mailbox", only="finance") as post: assert sent_to(workspace, READERS, post) == ["taken", "refused"]
    assert [who for who, _ in post.mails] == ["rcpt TO:<marketing@example.com>"]
    with post_office() as post: assert sent_to(workspace, READERS, post, again=True) == ["taken", "taken"]
    assert [who for who, _ in post.mails] == ["rcpt TO:<finance@example.com>"]

def test_a_server_that_says_nothing_after_the_message_is_unknown_and_not_asked_again(workspace, monkeypatch):
    monkeypatch.setattr("marketing_mlops.schedules.transports.PATIENCE_S", .2)
    with post_office("slow") as post:
        assert sent_to(workspace, READERS[:1], post) == ["unknown"]
        assert sent_to(workspace, READERS[:1], post) == ["unknown"] and deliver_reports(workspace, now=NOW + timedelta(hours=5), environment=variables(post)) == []
    assert len(post.mails) == 1

def test_a_sender_that_wakes_up_after_nobody_waits_any_more_sends_nothing(workspace, monkeypatch):
    monkeypatch.setattr(report_sending, "SEND_WITHIN_S", .3)
    real = report_sending.DESTINATIONS["email"].issue
    def late(*given): time.sleep(.8); real(*given)
    from dataclasses import replace
    monkeypatch.setitem(report_sending.DESTINATIONS, "email", replace(report_sending.DESTINATIONS["email"], issue=late))
    with post_office() as post:
        assert sent_to(workspace, READERS[:1], post) == ["waiting"]
        time.sleep(1.2)
    assert post.mails == [] and report_deliveries(workspace)[0].state == "waiting"

@pytest.mark.parametrize("told, state", [(dict(status=503), "waiting"), (dict(status=429, retry_after="7200"), "waiting"), (dict(status=404), "refused"), (dict(status=302), "refused"), (dict(hangs_up=True), "unknown")], ids=str)
def test_a_failure_of_a_chat_means_what_its_answer_says(workspace, told, state):
    with team_chat(NOW, **told) as chat: assert sent_to(workspace, ["webhook:env:TEAM_CHAT"], chat=chat) == [state]
    found, = report_deliveries(workspace)
    if "retry_after" in told: assert found.next_try_at == (NOW + timedelta(hours=2)).isoformat(timespec="seconds")
    assert "s3cret" not in json.dumps([each.why for each in report_deliveries(workspace)])

def test_a_failure_that_passes_is_tried_again_with_growing_pauses_and_not_for_ever(workspace):
    store(workspace)
    tried, at = [], NOW
    sent_to(workspace, READERS[:1])
    while report_deliveries(workspace)[0].state == "waiting":
        at += timedelta(seconds=30)
        if deliver_reports(workspace, now=at, environment={}): tried.append((at - NOW)/timedelta(minutes=1))
        if len(tried) > 3: at += timedelta(hours=1)
    assert tried[:3] == [1, 6, 21] and 5 < len(tried) < 40 and report_deliveries(workspace)[0].state == "given_up"

# --- never twice ---
KILL_AT = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from marketing_mlops.schedules import report_deliveries, report_sending, transports
from marketing_mlops.workspace.places import find_workspace
moment = sys.argv[3]
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
if moment == "begun": report_sending._send = die
if moment == "handed_over": transports.Handover.begin = lambda self: (self._before(), die())
if moment == "answered":
    expect = transports._expect
    transports._expect = lambda code, answer: die() if answer[1] == b"taken" else expect(code, answer)
report_sending.send_report(find_workspace(sys.argv[1]), Path(sys.argv[2]), ["marketing@example.com"], "finance@example.com", now=datetime.fromisoformat("2026-06-29T05:01:00+00:00"), environment=os.environ)
"""

@pytest.mark.parametrize("moment, mails, state", [("begun", 0, "taken"), ("handed_over", 0, "unknown"), ("answered", 1, "unknown")])
def test_a_killed_sender_never_makes_two_mails(workspace, moment, mails, state):
    run = store(workspace)
    with post_office() as post:
        killed = subprocess.run([sys.executable, "-c", KILL_AT, str(workspace.root), str(run), moment], env=os.environ | variables(post), capture_output=True)
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        assert len(post.mails) == mails
        told = tell_of_reports(workspace, NOW + timedelta(minutes=1), variables(post), lambda line: None)
        assert [each.state for each in told] == [state] and len(post.mails) == (1 if state == "taken" else mails)
        assert sent_to(workspace, READERS[:1], post, run=run) == [state]
        if state == "unknown":
            assert [event["kind"] for event in alert_events(workspace)] == ["undelivered"]
            assert sent_to(workspace, READERS[:1], post, run=run, again=True) == ["taken"] and len(post.mails) == mails + 1
    assert len({message_from_bytes(mail)["Message-ID"] for _, mail in post.mails}) == 1

def test_two_that_send_at_once_send_each_mail_once(workspace):
    run = store(workspace)
    code = "\n".join(line for line in KILL_AT.splitlines() if "moment" not in line and "expect" not in line and "die" not in line)
    with post_office() as post:
        both = [subprocess.Popen([sys.executable, "-c", code, str(workspace.root), str(run)], env=os.environ | variables(post)) for _ in range(2)]
        assert [each.wait(90) for each in both] == [0, 0]
    assert len(post.mails) == 1 and [each.state for each in report_deliveries(workspace)] == ["taken"]

def test_a_damaged_note_of_a_delivery_counts_as_one_that_may_have_been_sent(workspace):
    with post_office() as post:
        sent_to(workspace, READERS[:1], post)
        note, = deliveries_folder(workspace).glob("*.json")
        note.write_text('{"state": "wai')
        assert sent_to(workspace, READERS[:1], post) == ["unknown"] and len(post.mails) == 1

def test_a_workspace_brought_back_from_before_a_mail_sends_it_no_second_time(workspace, monkeypatch):
    run = store(workspace)
    with post_office() as post:
        sent_to(workspace, READERS[:1], run=run)                                # nobody is there: it waits, and this is backed up
        note, = deliveries_folder(workspace).glob("*.json")
        before = note.read_text()
        tell_of_reports(workspace, NOW + timedelta(minutes=2), variables(post), lambda line: None)
        note.write_text(before)
        (note.parent/".open").touch()                                           # as it was backed up, too
        told = tell_of_reports(workspace, NOW + timedelta(minutes=3), variables(post), lambda line: None)
    assert len(post.mails) == 1 and [each.state for each in told] == ["taken"] and len(Ledger(workspace).entries(REPORT_SENT)) == 1

# --- what has to stay ---
ORDERS = pd.DataFrame(dict(customer_id=["c-000181", "c-000733"], value=[18, 240]))

@pytest.mark.parametrize("data", [{"text/html": ORDERS.to_html(index=False)}, {"text/html": ORDERS.assign(customer_id="[person]").to_html(index=False)},
                                  {"text/html": "<p>anna@shop-mail.de complained</p>"}, {"text/plain": ORDERS.to_string()}], ids=["rows", "hidden rows", "address", "printed"])
def test_a_page_that_shows_people_is_sent_to_nobody(workspace, data):
    run = store(workspace, notebook=notebook_of(data))
    with post_office() as post, team_chat(NOW) as chat:
        with pytest.raises(MmopsError, match="rows about people"): sent_to(workspace, [*READERS, "webhook:env:TEAM_CHAT"], post, chat, run)
    assert post.said == [] and chat.posts == [] and report_deliveries(workspace) == []

def test_a_page_that_was_edited_afterwards_is_looked_at_too(workspace):
    run = store(workspace)
    write_text(run/"page.html", (run/"page.html").read_text().replace("</main>", ORDERS.to_html(index=False) + "</main>"))
    with post_office() as post, pytest.raises(MmopsError, match="the page page.html"): sent_to(workspace, READERS, post, run=run)
    assert post.said == []

@pytest.mark.parametrize("to", ["anna@shop-mail.de", "file", "marketing@example.com,anna@shop-mail.de", "webhook:https://chat.example.com/s3cret", "pigeon:post"])
def test_a_receiver_that_is_no_role_gets_nothing_and_nobody_else_does(workspace, to):
    with post_office() as post, pytest.raises(MmopsError) as refused: sent_to(workspace, [*READERS, to], post)
    assert post.said == [] and len(str(refused.value).splitlines()) == 2 and "s3cret" not in str(refused.value)

# --- on record ---
def test_the_ledger_holds_one_entry_for_a_report_with_its_page_and_each_receiver(workspace):
    run = store(workspace)
    with post_office("rcpt", "550 no", only="finance") as post, team_chat(datetime.now(timezone.utc)) as chat:
        for name, value in variables(post, chat).items(): os.environ[name] = value
        try: code = main(["send", run.name, "--to", *READERS, "webhook:env:TEAM_CHAT", "--as", "finance@example.com", "--workspace", str(workspace.root)])
        finally:
            for name in variables(post, chat): os.environ.pop(name)
    entry, = Ledger(workspace).entries(REPORT_SENT)
    import hashlib
    assert code == 1 and entry.payload["page_sha256"] == hashlib.sha256((run/"page.html").read_bytes()).hexdigest() and entry.actor == "finance@example.com"
    assert {to: what.split()[0] for to, what in entry.payload["sent_to"].items()} == {"email:marketing@example.com": "taken", "email:finance@example.com": "refused", "webhook:env:TEAM_CHAT": "taken"}
    assert "to email:finance@example.com refused" in fact_words(entry.payload) and Ledger(workspace).verify().passed
    assert len(who_received(workspace, run.name)) == 3
    written = "".join(path.read_text() for path in workspace.root.rglob("*") if path.is_file() and path.suffix in (".json", ".jsonl"))
    assert "s3cret" not in written and "our key" not in written

def test_sent_says_who_received_a_report_and_what_it_was(workspace, capsys):
    with post_office() as post: sent_to(workspace, READERS, post)
    assert main(["sent", "20260629T050000000000Z-1a2b", "--workspace", str(workspace.root)]) == 0
    said = capsys.readouterr().out
    assert said.count("taken") == 2 and all(f"email:{reader}" in said for reader in READERS)

def test_a_ledger_that_takes_no_entry_stops_no_mail_and_gets_it_next_time(workspace):
    Ledger(workspace).append("note", "shop", "marketing@example.com", dict(text="begun"))
    log, said = workspace.path("data", "ledger", "laptop.jsonl"), []
    whole = log.read_text()
    with post_office() as post:
        sent_to(workspace, READERS[:1], post)
        log.write_text(whole.replace("begun", "began"))
        tell_of_reports(workspace, NOW + timedelta(minutes=1), variables(post), said.append)
        log.write_text(whole)
        tell_of_reports(workspace, NOW + timedelta(minutes=2), variables(post), said.append)
    assert len(post.mails) == 1 and "could not be put on record" in said[0] and len(Ledger(workspace).entries(REPORT_SENT)) == 1

# --- by a schedule ---
def cells_of(*sources):
    cells = [dict(cell_type="code", id=f"c{i}", execution_count=None, outputs=[], metadata={"tags": ["parameters"]} if i == 0 else {}, source=source) for i, source in enumerate(sources)]
    return json.dumps(dict(cells=cells, metadata=dict(kernelspec=dict(name="python3", language="python", display_name="python3")), nbformat=4, nbformat_minor=5))

@pytest.fixture
def hourly(workspace, monkeypatch):
    "Function (source of the last cell) -> what a look at a minute of the morning told; the report is made by a real process."
    from marketing_mlops.schedules.watches import keep_watch
    monkeypatch.setenv("MMOPS_ENGINE", "kernel")
    monkeypatch.chdir(workspace.root)
    write_text(workspace.root/"params.yaml", "sources: {}\nmodels: {}\n")
    write_text(workspace.root/"schedule.yaml", "schedules:\n  hourly: {report: count, cron: 0 * * * *, zone: UTC, owner: finance@example.com, retries: 0, send_to: [board@example.com, webhook:env:TEAM_CHAT]}\n")
    def look(minute, source=None):
        if source: write_text(workspace.root/"nbs"/"reports"/"count.ipynb", cells_of("shop: str = 'shop'  # Whose orders are counted", source))
        said = []
        keep_watch(workspace, lambda: datetime(2026, 6, 29, 5, tzinfo=timezone.utc) + timedelta(minutes=minute), tell=said.append)
        return said
    return look

def test_a_report_that_a_schedule_makes_reaches_its_readers_at_the_same_look_and_once(workspace, hourly, monkeypatch):
    with post_office() as post, team_chat(datetime(2026, 6, 29, 6, 0, 30, tzinfo=timezone.utc)) as chat:
        for name, value in variables(post, chat).items(): monkeypatch.setenv(name, value)
        hourly(0, "print('412 orders')")
        said = hourly(60.5)
        assert [line for line in said if "taken" in line] and len(post.mails) == len(chat.posts) == 1
        hourly(61), hourly(62)
    assert len(post.mails) == len(chat.posts) == 1 and "board@example.com" in post.mails[0][0]
    entry, = Ledger(workspace).entries(REPORT_SENT)
    assert entry.payload["schedule"] == "hourly" and entry.actor == "finance@example.com" and set(entry.payload["sent_to"]) == {"email:board@example.com", "webhook:env:TEAM_CHAT"}

@pytest.mark.parametrize("step", ["settle", "report_end"])
def test_a_scheduler_that_dies_before_or_after_it_settles_a_run_loses_no_sending_and_repeats_none(workspace, hourly, monkeypatch, step):
    from marketing_mlops.schedules import rounds
    class Killed(BaseException): pass
    def dies(*given): raise Killed
    with post_office() as post, team_chat(datetime(2026, 6, 29, 6, 2, tzinfo=timezone.utc)) as chat:
        for name, value in variables(post, chat).items(): monkeypatch.setenv(name, value)
        hourly(0, "print('412 orders')")
        lives = getattr(rounds, step)
        monkeypatch.setattr(rounds, step, dies)
        with pytest.raises(Killed): hourly(60.5)
        assert len(report_deliveries(workspace)) == 2
        monkeypatch.setattr(rounds, step, lives)
        hourly(62), hourly(63)
    assert len(post.mails) == len(chat.posts) == 1 and {each.state for each in report_deliveries(workspace)} == {"taken"}

def test_a_scheduled_report_that_shows_people_is_an_alert_and_no_mail(workspace, hourly, monkeypatch):
    with post_office() as post:
        for name, value in variables(post).items(): monkeypatch.setenv(name, value)
        hourly(0, "import pandas as pd\npd.DataFrame(dict(customer_id=['c-000181', 'c-000733'], value=[18, 240]))")
        hourly(60.5)
    assert post.said == [] and report_deliveries(workspace) == []
    alert, = open_alerts(workspace, now=NOW + timedelta(hours=1))
    assert alert.kind == "undelivered" and "rows about people" in alert.sentence and "c-000181" not in json.dumps(alert_events(workspace))
