"Alerts reach their receivers, once, whatever is in their names and whatever the receivers do."
import json, os, subprocess, sys
from datetime import datetime, timedelta, timezone
from email import message_from_bytes, policy
import pytest
from hypothesis import given, settings, strategies as st
from listening_servers import mail_server, web_hook
from marketing_mlops.schedules import transports, watches
from marketing_mlops.schedules.alert_journal import alert_events, journal_path
from marketing_mlops.schedules.alerts import Alert, open_alerts, raise_alert, settle_alerts
from marketing_mlops.schedules.deliveries import deliver_alerts, undelivered
from marketing_mlops.schedules.destinations import DeliveryError, deliver, read_destination
from marketing_mlops.schedules.records import DueRun, stamp
from marketing_mlops.schedules.messages import as_mail, as_webhook, is_signed, message_of
from marketing_mlops.workspace.errors import SettingsError
from marketing_mlops.workspace.places import find_workspace

MONDAY = datetime(2026, 4, 6, 5, tzinfo=timezone.utc)
NASTY = "Spring 🌷 sale\r\nBcc: everybody@example.com\n\n<!channel> <b>&amp;\u202e\ud800"
TO_MARKETING = read_destination("email:marketing@example.com")
CHAT = read_destination("webhook:env:CHAT_ALERTS")

def alert(kind="failed", schedule="weekly_readout", due_at=MONDAY, **more):
    return Alert(kind, schedule, due_at, "The readout failed three times.", "Read its page.", **more)

def smtp(server, **more): return {"MMOPS_SMTP": f"{server.server_address[0]}:{server.server_address[1]}"} | more
def hook(server, **more): return {"CHAT_ALERTS": f"http://127.0.0.1:{server.server_address[1]}/T0/B1/s3cret-token"} | more

@pytest.fixture
def workspace(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nalert_destinations = email:marketing@example.com, webhook:env:CHAT_ALERTS\n")
    return find_workspace(tmp_path)

def test_a_mail_arrives_at_a_real_server_with_what_happened_and_what_to_do():
    with mail_server() as server: deliver(message_of([alert(owner="marketing@example.com")]), TO_MARKETING, now=MONDAY, environment=smtp(server))
    mail = message_from_bytes(server.mails[0], policy=policy.default)
    assert mail["To"] == "marketing@example.com" and "weekly_readout failed" in mail["Subject"]
    assert "The readout failed three times." in mail.get_content() and "Next: Read its page." in mail.get_content()

def test_a_name_with_line_breaks_and_emoji_adds_no_header_and_no_receiver():
    with mail_server() as server: deliver(message_of([alert(schedule=NASTY)]), TO_MARKETING, now=MONDAY, environment=smtp(server))
    mail = message_from_bytes(server.mails[0], policy=policy.default)
    assert mail["Bcc"] is None and "🌷" in mail["Subject"]
    assert [line for line in server.said if line.upper().startswith("RCPT")] == ["rcpt TO:<marketing@example.com>"]

@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80))
def test_no_name_breaks_a_mail_or_rings_a_channel(name):
    message = message_of([alert(schedule=name, owner=name, run=name)])
    mail = message_from_bytes(bytes(as_mail(message, "mmops@example.com", "marketing@example.com", MONDAY)), policy=policy.default)
    assert set(mail.keys()) == {"Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "Content-Type", "Content-Transfer-Encoding", "MIME-Version"}
    assert not set("<>") & set(json.loads(as_webhook(message))["text"])
    assert all(len(line.splitlines()) <= 1 for line in message.lines)

def test_a_password_goes_to_this_machine_or_over_an_encrypted_connection_and_nowhere_else():
    login = dict(MMOPS_SMTP_USER="mmops", MMOPS_SMTP_PASSWORD="s3cret")
    with mail_server(password="s3cret") as server: deliver(message_of([alert()]), TO_MARKETING, now=MONDAY, environment=smtp(server, **login))
    assert len(server.mails) == 1
    if sys.platform != "linux": return                      # other systems have only 127.0.0.1
    with mail_server("127.0.0.2", password="s3cret") as far:
        with pytest.raises(DeliveryError, match="offers no encryption"): deliver(message_of([alert()]), TO_MARKETING, now=MONDAY, environment=smtp(far, **login))
    assert not far.mails and not [line for line in far.said if line.upper().startswith("AUTH")]

@pytest.mark.parametrize("told, environment, says", [(dict(refuses=True), {}, "550 no such mailbox"),
    (dict(password="right"), dict(MMOPS_SMTP_USER="mmops", MMOPS_SMTP_PASSWORD="s3cret"), "535 wrong password")], ids=["mailbox", "password"])
def test_the_refusal_of_a_mail_server_is_repeated_without_the_password(told, environment, says):
    with mail_server(**told) as server, pytest.raises(DeliveryError, match=says) as refused:
        deliver(message_of([alert()]), TO_MARKETING, now=MONDAY, environment=smtp(server, **environment))
    assert "s3cret" not in str(refused.value) and len(str(refused.value).splitlines()) == 2

def test_a_server_that_takes_the_call_and_says_nothing_is_left_alone(monkeypatch):
    monkeypatch.setattr(transports, "PATIENCE_S", .05)
    with mail_server(silent=True) as server, pytest.raises(DeliveryError, match="says nothing"):
        deliver(message_of([alert()]), TO_MARKETING, now=MONDAY, environment=smtp(server))

def test_a_chat_gets_a_signed_body_that_rings_nobody():
    with web_hook() as server: deliver(message_of([alert(schedule=NASTY)]), CHAT, now=MONDAY, environment=hook(server, MMOPS_WEBHOOK_KEY="our key"))
    path, headers, body = server.posts[0]
    assert path == "/T0/B1/s3cret-token" and is_signed(body, headers["X-Mmops-Signature"], "our key", MONDAY)
    assert "<!channel>" not in json.loads(body)["text"] and "&lt;!channel&gt;" in json.loads(body)["text"]

@pytest.mark.parametrize("answers", [302, 400, 404, 429, 500])
def test_the_token_of_a_chat_is_never_shown_nor_carried_elsewhere(answers):
    with web_hook() as other, web_hook(answers, f"http://127.0.0.1:{other.server_address[1]}/T0/B1/s3cret-token") as server:
        with pytest.raises(DeliveryError, match=f"answers {answers}") as refused: deliver(message_of([alert()]), CHAT, now=MONDAY, environment=hook(server))
    assert not other.posts and "s3cret" not in str(refused.value)

@pytest.mark.parametrize("address", ["http://[::1", "https://", "ftp://chat.example.com/x", "http://10.0.0.7/x", "s3cret-token"])
def test_an_address_that_cannot_be_used_is_not_repeated(address):
    with pytest.raises(DeliveryError, match="holds no https address") as refused: deliver(message_of([alert()]), CHAT, now=MONDAY, environment=dict(CHAT_ALERTS=address))
    assert "s3cret" not in str(refused.value)

@pytest.mark.parametrize("text", ["", "webhook", "webhook:env:", "webhook:env:A B", "webhook:https://chat.example.com/s3cret", "email:", "email:a b@example.com",
                                  "a@example.com,b@example.com", "mail:a@example.com", "file:x", "email:a@b@example.com", "email:ä\n@example.com"])
def test_a_destination_that_leads_nowhere_is_refused_when_the_file_is_read(text):
    with pytest.raises(SettingsError) as refused: read_destination(text)
    assert len(str(refused.value).splitlines()) == 2

def test_two_processes_that_notice_the_same_missed_run_write_it_down_once(workspace):
    code = ("import sys; from datetime import datetime; from marketing_mlops.schedules.alerts import Alert, raise_alert; from marketing_mlops.workspace.places import find_workspace\n"
            "w = find_workspace(sys.argv[1])\n"
            "for hour in range(24): raise_alert(Alert('missed', 'hourly', datetime.fromisoformat(f'2026-04-06T{hour:02}:00+00:00'), 'Not run.', 'Run it.'), w)")
    started = [subprocess.Popen([sys.executable, "-c", code, str(workspace.root)]) for _ in range(2)]
    assert [each.wait() for each in started] == [0, 0]
    raised = [event["due_at"] for event in alert_events(workspace) if event["event"] == "raised"]
    assert len(raised) == len(set(raised)) == 24

def test_what_waited_over_easter_is_one_mail_and_the_dead_chat_gets_it_later(workspace, monkeypatch):
    for hour in range(72): raise_alert(alert("missed", due_at=MONDAY - timedelta(hours=hour)), workspace, now=MONDAY)
    with mail_server() as post, web_hook(503) as dead:
        for name, value in (smtp(post) | hook(dead)).items(): monkeypatch.setenv(name, value)
        told = deliver_alerts(workspace, now=MONDAY)
    assert told["email:marketing@example.com"] == "" and len(post.mails) == 1 and b"72 alerts" in post.mails[0]
    assert "503" in undelivered(workspace)[0] and "s3cret" not in journal_path(workspace).read_text()
    with web_hook() as alive:
        monkeypatch.setenv("CHAT_ALERTS", hook(alive)["CHAT_ALERTS"])
        deliver_alerts(workspace, now=MONDAY + timedelta(minutes=2))
        deliver_alerts(workspace, now=MONDAY + timedelta(minutes=3))
    assert len(alive.posts) == 1 and undelivered(workspace) == []

def test_a_clock_that_is_set_back_does_not_put_the_next_try_off(workspace, monkeypatch):
    for name in ("MMOPS_SMTP", "CHAT_ALERTS"): monkeypatch.delenv(name, raising=False)
    raise_alert(alert(), workspace, now=MONDAY + timedelta(days=400))
    assert all(deliver_alerts(workspace, now=MONDAY + timedelta(days=400)).values())
    assert len(deliver_alerts(workspace, now=MONDAY)) == 2

@pytest.mark.parametrize("garbage", [b"\x00\xff\xfe not json\n", b'{"event": "raised", "at": "never"}\n', b'{"event": "sent", "at": "2026-04-06T05:00:00+00:00"}\n', b"[]\n" * 3, b'{"event": "raised"',
    b'{"event": "raised", "at": "2026-04-06T05:00:00+00:00", "kind": "haunted", "schedule": "s", "sentence": "", "next_step": "", "owner": "", "run": "", "destinations": [], "alert_id": "x"}\n'])
def test_lines_that_nobody_understands_hide_no_other(workspace, garbage):
    raise_alert(alert("late"), workspace, now=MONDAY)
    with open(journal_path(workspace), "ab") as file: file.write(garbage)
    raise_alert(alert(), workspace, now=MONDAY)
    assert [each.kind for each in open_alerts(workspace, now=MONDAY)] == ["late", "failed"]
    assert set(deliver_alerts(workspace, now=MONDAY, send=lambda waiting, now: None).values()) == {""}

def test_a_workspace_without_destinations_opens_no_connection(tmp_path, monkeypatch):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    workspace = find_workspace(tmp_path)
    monkeypatch.setattr("socket.socket.connect", lambda *to: pytest.fail(f"connects to {to}"))
    raise_alert(alert(), workspace, now=MONDAY)
    assert deliver_alerts(workspace, now=MONDAY) == {} and settle_alerts(workspace, now=MONDAY) == 1 and open_alerts(workspace, now=MONDAY) == []

def test_a_line_without_an_id_or_with_words_for_a_time_stops_no_delivery(workspace, monkeypatch):
    raise_alert(alert(), workspace, now=MONDAY)
    at = MONDAY.isoformat()
    lines = [dict(event="raised", at=at), dict(event="raised", at=at, destinations=None, alert_id=7), dict(event="raised", at=at, kind=["failed"], schedule="", due_at=9, sentence="", next_step="", owner="", run="")]
    with open(journal_path(workspace), "a") as journal: journal.writelines(json.dumps(line) + "\n" for line in lines)
    arrived = deliver_alerts(workspace, now=MONDAY, send=lambda waiting, now: None)
    assert set(arrived.values()) == {""} and len(arrived) == 2 and len(open_alerts(workspace, now=MONDAY)) == 1

def test_what_waits_for_a_misspelt_destination_goes_to_the_corrected_one_and_to_nobody_twice(tmp_path):
    def settings_say(destinations):
        (tmp_path/"settings.ini").write_text(f"[DEFAULT]\nalert_destinations = {destinations}\n")
        return find_workspace(tmp_path)
    def send(waiting, now):
        read_destination(waiting.destination)
        sent.append(waiting.destination)
    before, sent = settings_say("emial:marketing@example.com, file"), []
    raise_alert(alert(), before, now=MONDAY)
    assert "no kind" in deliver_alerts(before, now=MONDAY, send=send)["emial:marketing@example.com"]
    after = settings_say("email:marketing@example.com, file")
    assert deliver_alerts(after, now=MONDAY + timedelta(minutes=2), send=send) == {"email:marketing@example.com": ""}
    assert (sent, undelivered(after)) == (["file", "email:marketing@example.com"], [])

def test_a_disk_that_is_almost_full_when_a_look_begins_is_told_once_a_day(workspace, monkeypatch):
    monkeypatch.setattr(watches, "keep_room", lambda state: False)
    monkeypatch.setattr(watches, "deliver_alerts", lambda workspace, now: {})
    workspace.path("schedule.yaml").write_text("schedules: {}\n")
    for minute in range(2): watches.keep_watch(workspace, lambda: MONDAY.replace(minute=minute), tell=print)
    assert [(each.kind, "less than a megabyte" in each.sentence) for each in open_alerts(workspace, now=MONDAY)] == [("full", True)]

def test_whatever_goes_wrong_while_people_are_told_is_a_line_and_hides_no_other_error(workspace, monkeypatch):
    def broken(workspace, now): raise KeyError("alert_id")
    monkeypatch.setattr(watches, "deliver_alerts", broken)
    said = []
    watches.tell_people(workspace, MONDAY, said.append)
    assert said == ["alerts: could not be delivered (KeyError); they are sent again later."]

def test_an_alert_leaves_the_list_when_its_run_is_made_however_much_later(workspace):
    (workspace.root/"schedule.yaml").write_text("schedules: {}\n")
    raise_alert(alert("missed"), workspace, now=MONDAY + timedelta(days=1))
    later = MONDAY + timedelta(days=200)
    assert open_alerts(workspace, now=later, days=400)
    watches.tell_of_hindrances(workspace, [DueRun("weekly_readout", stamp(MONDAY), "done")], later)
    assert open_alerts(workspace, now=later, days=400) == []
