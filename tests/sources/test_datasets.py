"""Publishers that misbehave, on this machine."""
import hashlib, http.server, io, re, socket, threading, time, zipfile
from contextlib import contextmanager
import pytest
from marketing_mlops.sources.datasets import Patience, fetch, fetch_file, place_of
from marketing_mlops.sources.mappings import Download, FileMapping
from marketing_mlops.workspace.errors import DownloadError
from marketing_mlops.workspace.places import find_workspace

CONTENT = b"customer,arm\n" + b"".join(b"%d,mail\n" % i for i in range(5000))
SHA = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(timeout_s=.5, slowest=50_000, window_s=.3, largest=10_000_000)

@contextmanager
def publisher(answer):
    "A server whose every GET is answered by `answer(handler)`; yields its address and the paths asked for."
    asked = []
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            try: answer(self)
            except (BrokenPipeError, ConnectionResetError): pass
        def log_message(self, *args): pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever); thread.start()
    try: yield f"http://127.0.0.1:{server.server_port}", asked
    finally: server.shutdown(); server.server_close(); thread.join()

def send(handler, body, length=None, status=200, **headers):
    handler.send_response(status)
    for k, v in headers.items(): handler.send_header(k.replace("_", "-"), v)
    handler.send_header("Content-Length", str(len(body) if length is None else length)); handler.end_headers()
    handler.wfile.write(body)

def trickle(handler):
    handler.send_response(200); handler.send_header("Content-Length", "100000"); handler.end_headers()
    for _ in range(40): handler.wfile.write(b"x"); handler.wfile.flush(); time.sleep(.05)

def hang(handler): time.sleep(1.5)
def no_http(handler): handler.wfile.write(b"SSH-2.0-OpenSSH\r\n")
def endless(handler):
    handler.send_response(200); handler.end_headers()
    for _ in range(400): handler.wfile.write(b"x"*65536)

def mapping(*addresses, **more): return FileMapping("mailing.csv", content_sha256=SHA, mirror="spring/mailing.csv", downloads=tuple(Download(a) for a in addresses), **more)
def cache_of(workspace): return workspace.state/"cache"/"datasets"/"spring"

MISBEHAVIOUR = {"wrong bytes": (lambda h: send(h, CONTENT.replace(b"mail", b"post")), "not the published one"), "a login page": (lambda h: send(h, b"<html>log in</html>"), "not the published one"),
    "truncated": (lambda h: send(h, CONTENT[:20000], length=len(CONTENT)), "ended after 20,000 of"), "too long": (lambda h: send(h, CONTENT + b"1,mail\n"), "not the published one"),
    "404": (lambda h: send(h, b"", status=404), "404"), "500": (lambda h: send(h, b"", status=500), "500"), "nothing": (lambda h: send(h, b""), "not the published one"),
    "hanging": (hang, "sent nothing for"), "a trickle": (trickle, "too slow"), "no http": (no_http, "no proper HTTP"), "too much": (endless, "more than the 10,000,000 bytes"),
    "to another host": (lambda h: send(h, b"", status=302, Location="http://example.invalid/x.csv"), "another host, example.invalid"),
    "round in circles": (lambda h: send(h, b"", status=302, Location=h.path), "302"), "to a file": (lambda h: send(h, b"", status=302, Location="file:///etc/passwd"), "")}

@pytest.mark.parametrize("case", MISBEHAVIOUR)
def test_a_misbehaving_publisher_ends_in_two_lines_and_no_file(case, small_workspace):
    answer, says = MISBEHAVIOUR[case]
    with publisher(answer) as (address, _), pytest.raises(DownloadError) as e: fetch_file(mapping(f"{address}/x.csv"), "spring", small_workspace, patience=QUICK)
    assert says in e.value.problem and address in e.value.problem and "MMOPS_DATASETS" in e.value.remedy and len(str(e.value).splitlines()) == 2
    assert not (cache_of(small_workspace)/"mailing.csv").exists()
    assert {p.suffix for p in cache_of(small_workspace).iterdir()} <= {".part"}

def test_a_refused_connection_is_told(small_workspace):
    with socket.socket() as s: s.bind(("127.0.0.1", 0)); port = s.getsockname()[1]
    with pytest.raises(DownloadError, match="no connection"): fetch_file(mapping(f"http://127.0.0.1:{port}/x.csv"), "spring", small_workspace, patience=QUICK)

def test_only_web_addresses_are_fetched(small_workspace, tmp_path):
    (tmp_path/"x.csv").write_bytes(CONTENT)
    with pytest.raises(DownloadError, match="only http and https"): fetch_file(mapping((tmp_path/"x.csv").as_uri()), "spring", small_workspace)

def test_a_second_address_stands_in_for_the_first_and_a_leftover_part_is_never_read(small_workspace):
    cache_of(small_workspace).mkdir(parents=True); (cache_of(small_workspace)/"mailing.csv.part").write_bytes(b"half")
    with publisher(lambda h: send(h, CONTENT) if "good" in h.path else send(h, b"", status=404)) as (address, asked):
        file = mapping(f"{address}/bad.csv", f"{address}/good.csv")
        assert fetch_file(file, "spring", small_workspace, patience=QUICK).read_bytes() == CONTENT
        assert fetch_file(file, "spring", small_workspace, patience=QUICK).read_bytes() == CONTENT
    assert asked == ["/bad.csv", "/good.csv"] and [p.name for p in cache_of(small_workspace).iterdir()] == ["mailing.csv"]

def test_a_redirect_on_the_same_host_is_followed(small_workspace):
    with publisher(lambda h: send(h, CONTENT) if h.path == "/new.csv" else send(h, b"", status=301, Location="/new.csv")) as (address, _):
        assert fetch_file(mapping(f"{address}/old.csv"), "spring", small_workspace).read_bytes() == CONTENT

def test_a_good_cached_file_survives_every_later_failure(small_workspace):
    cache_of(small_workspace).mkdir(parents=True); (cache_of(small_workspace)/"mailing.csv").write_bytes(CONTENT)
    with publisher(lambda h: send(h, b"", status=500)) as (address, asked):
        assert fetch_file(mapping(f"{address}/x.csv"), "spring", small_workspace).read_bytes() == CONTENT
    assert asked == []

def test_a_mirror_is_used_first_and_believed_only_with_the_right_checksum(small_workspace, tmp_path, monkeypatch):
    (tmp_path/"mirror"/"spring").mkdir(parents=True); (tmp_path/"mirror"/"spring"/"mailing.csv").write_bytes(CONTENT)
    monkeypatch.setenv("MMOPS_DATASETS", "mirror")
    workspace = find_workspace(small_workspace.root)
    with publisher(lambda h: send(h, CONTENT)) as (address, asked):
        file = mapping(f"{address}/x.csv")
        assert place_of(file, "spring", workspace)[0] == "mirror" and fetch_file(file, "spring", workspace).read_bytes() == CONTENT
        (tmp_path/"mirror"/"spring"/"mailing.csv").write_bytes(CONTENT + b"1,mail\n")
        with pytest.raises(DownloadError, match="in the mirror is not the published file"): fetch_file(file, "spring", workspace)
    assert asked == []

def zipped(**members):
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in members.items(): z.writestr(name.replace("__", "."), content)
    return whole.getvalue()

@pytest.mark.parametrize("body, member, says", [(zipped(inner__zip=zipped(a__csv=CONTENT)), "inner.zip!a.csv", None), (zipped(a__csv=CONTENT), "b.csv", "no member 'b.csv'"),
    (b"PK\x03\x04 no archive", "a.csv", "no zip archive"), (zipped(a__csv=b"0"*20_000_000), "a.csv", "unpacks to more")], ids=["nested", "absent", "broken", "bomb"])
def test_members_of_archives_are_taken_out_or_refused(body, member, says, small_workspace):
    with publisher(lambda h: send(h, body)) as (address, _):
        file = FileMapping("mailing.csv", content_sha256=SHA, downloads=(Download(f"{address}/a.zip", member=member),))
        if says is None: assert fetch_file(file, "spring", small_workspace, patience=QUICK).read_bytes() == CONTENT
        else:
            with pytest.raises(DownloadError, match=says): fetch_file(file, "spring", small_workspace, patience=QUICK)

def test_an_archive_with_another_checksum_is_not_opened(small_workspace):
    with publisher(lambda h: send(h, zipped(a__csv=CONTENT))) as (address, _), pytest.raises(DownloadError, match="another checksum"):
        fetch_file(FileMapping("mailing.csv", content_sha256=SHA, downloads=(Download(f"{address}/a.zip", member="a.csv", sha256="0"*64),)), "spring", small_workspace)

def test_progress_is_told_from_the_first_piece_to_the_last(small_workspace):
    seen = []
    with publisher(lambda h: send(h, CONTENT)) as (address, _): fetch_file(mapping(f"{address}/x.csv"), "spring", small_workspace, progress=lambda *told: seen.append(told))
    assert seen[-1] == ("mailing.csv", len(CONTENT), len(CONTENT)) and [d for _, d, _ in seen] == sorted(d for _, d, _ in seen)

@pytest.mark.slow
def test_the_bank_archive_and_the_daily_pieces_of_the_gift_shop_become_the_published_files(repository, datasets, small_workspace):
    from marketing_mlops.sources.mappings import read_mapping
    from marketing_mlops.sources.raw_files import file_bytes
    shop = read_mapping(repository/"data"/"sources"/"online-retail").files["online-retail.csv"]
    header, body = file_bytes(datasets/shop.mirror).split(b"\n", 1)
    days = {}
    for line in body.split(b"\n")[:-1]: days.setdefault(re.search(rb",(201[01]-\d\d-\d\d) \d\d:", line)[1].decode(), []).append(line)
    assert set(days) == set(shop.downloads[0].parts) and len(days) == 305
    def answer(h): send(h, header + b"\n" + b"\n".join(days[h.path.split("/")[-1][:10]]) + b"\n")
    with publisher(answer) as (address, asked):
        local = FileMapping(shop.name, content_sha256=shop.content_sha256, downloads=(Download(address + "/{part}.csv", parts=shop.downloads[0].parts),))
        assert hashlib.sha256(fetch_file(local, "online-retail", small_workspace).read_bytes()).hexdigest() == shop.content_sha256
    assert len(asked) == 305
    bank = read_mapping(repository/"data"/"sources"/"bank-marketing").files["bank-additional-full.csv"]
    inner, member = bank.downloads[0].member.split("!")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as z: z.writestr(member, file_bytes(datasets/bank.mirror))
    body = zipped(**{inner.replace(".", "__"): archive.getvalue()})
    with publisher(lambda h: send(h, body)) as (address, _):
        local = FileMapping(bank.name, content_sha256=bank.content_sha256, downloads=(Download(f"{address}/bank.zip", member=bank.downloads[0].member),))
        assert fetch_file(local, "bank-marketing", small_workspace).stat().st_size == 5_834_924

def test_fetching_a_source_brings_all_its_files(small_workspace):
    folder = small_workspace.source_folder("spring"); folder.mkdir(parents=True)
    (folder/"own.csv").write_text("a\n1\n")
    with publisher(lambda h: send(h, CONTENT)) as (address, _):
        (folder/"mapping.yaml").write_text(f"files:\n  own.csv: {{}}\n  mailing.csv: {{content_sha256: {SHA}, downloads: [{{address: '{address}/x'}}]}}\n")
        assert {n: p.name for n, p in fetch("spring", small_workspace).items()} == {"own.csv": "own.csv", "mailing.csv": "mailing.csv"}

@pytest.mark.parametrize("stream", [None, "closed", "file"])
def test_a_process_without_a_terminal_downloads_in_silence(stream, monkeypatch, tmp_path):
    import sys
    from marketing_mlops.sources.datasets import _terminal_bar
    class Captured: "What a notebook puts in the place of stderr: it cannot be asked whether it is a terminal."
    held = open(tmp_path/"log", "w") if stream else None
    if stream == "closed": held.close()
    monkeypatch.setattr(sys, "__stderr__", held)
    monkeypatch.setattr(sys, "stderr", Captured())
    with _terminal_bar() as progress: progress("a.csv", 1, 2)
    if stream == "file": held.close(); assert (tmp_path/"log").read_text() == ""
