"""Archives from elsewhere: every trap is refused with nothing written, and an honest one comes out as it went in."""
import stat, struct, zipfile
import pytest
from marketing_mlops.registry import bundle_archives
from marketing_mlops.registry.bundle_archives import ArchiveError, pack_folder, unpack_folder

pytestmark = pytest.mark.edges

def zipped(file, *members):
    "A zip of (name, content, attributes)."
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content, attributes in members:
            entry = zipfile.ZipInfo(name)
            entry.external_attr, entry.compress_type = attributes, zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return file

def refused(file, tmp_path):
    "Why an archive is refused; nothing of it may be anywhere."
    before = {path for path in tmp_path.rglob("*")}
    with pytest.raises(ArchiveError) as why: unpack_folder(file, tmp_path/"deep"/"there")
    assert {path for path in tmp_path.rglob("*")} - before <= {tmp_path/"deep"}
    return why.value.problem

@pytest.mark.parametrize("name", ["../out.txt", "a/../../out.txt", "/etc/out.txt", "C:/out.txt", "a\\..\\..\\out.txt", "a\nb", "x"*500, "y"*300])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path, name):
    assert "is not unpacked" in refused(zipped(tmp_path/"trap.zip", ("fine.json", b"{}", 0), (name, b"x", 0)), tmp_path)

@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path, kind):
    assert "link" in (said := refused(zipped(tmp_path/"trap.zip", ("scorer", b"/etc/passwd", (kind | 0o777) << 16)), tmp_path)) or "ordinary" in said

def test_a_bomb_is_refused_by_what_it_says(tmp_path):
    assert "would unpack to" in refused(zipped(tmp_path/"bomb.zip", ("zeros", bytes(5_000_000), 0)), tmp_path)

def test_many_small_bombs_are_refused_together(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle_archives, "MOST_BYTES", 1_000_000)
    assert "2,000,000 bytes" in refused(zipped(tmp_path/"bomb.zip", *((f"{i}.bin", bytes(200_000), 0) for i in range(10))), tmp_path)

def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle_archives, "MOST_FILES", 10)
    assert "holds 11 files" in refused(zipped(tmp_path/"many.zip", *((f"{i}.json", b"", 0) for i in range(11))), tmp_path)

def test_a_size_that_is_a_lie_ends_the_reading(tmp_path):
    "Both headers say 10 bytes, and 400,000 would come."
    file = zipped(tmp_path/"liar.zip", ("scores.bin", bytes(range(250))*1600, 0))
    content = bytearray(file.read_bytes())
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + at, 10)
    file.write_bytes(content)
    assert "is not unpacked" in refused(file, tmp_path)

@pytest.mark.parametrize("names", [("a.json", "A.json"), ("a.json", "a.json"), ("a", "a/b.json")])
def test_two_members_of_one_place_are_refused(tmp_path, names):
    with pytest.warns(UserWarning) if names[0] == names[1] else pytest.MonkeyPatch.context():
        file = zipped(tmp_path/"twice.zip", *((name, b"x", 0) for name in names))
    assert "twice" in (said := refused(file, tmp_path)) or "a file and a folder" in said

@pytest.mark.parametrize("damage", [lambda content: content[:-30], lambda content: b"no zip at all", lambda content: b"", lambda content: content.replace(b"\x78", b"\x79")[:60] + b"\xff"*20 + content[80:]])
def test_a_damaged_file_is_said_to_be_damaged(tmp_path, damage):
    file = zipped(tmp_path/"half.zip", ("a.json", bytes(range(200))*5, 0))
    file.write_bytes(damage(file.read_bytes()))
    assert "is not unpacked" in refused(file, tmp_path)

def test_what_was_there_stays_when_an_archive_is_refused(tmp_path):
    (tmp_path/"kept").mkdir()
    (tmp_path/"kept"/"a.json").write_text("old")
    with pytest.raises(ArchiveError): unpack_folder(zipped(tmp_path/"trap.zip", ("a.json", b"new", 0), ("../b", b"x", 0)), tmp_path/"kept")
    assert (tmp_path/"kept"/"a.json").read_text() == "old"

def test_names_of_any_language_come_out_as_they_went_in(tmp_path):
    (tmp_path/"from"/"скидка 🎁").mkdir(parents=True)
    (tmp_path/"from"/"скидка 🎁"/"<b>.json").write_text("{}")
    unpack_folder(pack_folder(tmp_path/"from", tmp_path/"one.zip"), tmp_path/"to")
    assert (tmp_path/"to"/"скидка 🎁"/"<b>.json").read_text() == "{}"

def test_a_link_is_not_packed(tmp_path):
    (tmp_path/"from").mkdir()
    (tmp_path/"from"/"secret").symlink_to("/etc/hostname")
    with pytest.raises(ArchiveError, match="is a link"): pack_folder(tmp_path/"from", tmp_path/"one.zip")
    assert not list(tmp_path.glob("*.zip")) and not list(tmp_path.glob(".*"))
