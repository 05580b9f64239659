"""A lock says what to install, in whatever shape it comes; what it does not say is named, and never guessed."""
from importlib import metadata
from pathlib import Path
import pytest
from marketing_mlops.registry.locked_libraries import LockError, library_changes, lock_part, needed_by, pinned_versions, read_lock, versions_hash
from marketing_mlops.registry.recipes import RECIPE_LIBRARIES, library_hash

LOCK = (Path(__file__).resolve().parents[2]/"requirements.lock").read_text()
HERE = {name: metadata.version(name) for name in RECIPE_LIBRARIES}

def lock_of(versions): return "".join(f"{name}=={version} \\\n    --hash=sha256:{'ab'*32}\n    # via us\n" for name, version in versions.items())

def test_the_lock_of_this_repository_pins_every_library_that_makes_a_bundle(): assert set(RECIPE_LIBRARIES) <= set(pinned_versions(LOCK))

def test_each_entry_keeps_all_its_lines_and_no_other():
    one, two = read_lock(lock_of(dict(numpy="2.4.6", scipy="1.17.1")))
    assert (one.name, one.version, len(one.lines), one.lines[0], two.name) == ("numpy", "2.4.6", 3, "numpy==2.4.6 \\", "scipy")

@pytest.mark.parametrize("text, found", [
    ("", {}), ("\n\n", {}), ("# numpy==1.0\n", {}), ("-e .\n", {}), ("--no-binary :all:\n", {}), ("numpy>=1\n", {}), ("numpy\n", {}), ("git+ssh://there\n", {}), ("🎁==1\n", {}), ("<b>numpy</b>==1\n", {}), ("\0numpy==1\n", {}),
    ("numpy==1.0\r\n    --hash=sha256:aa\r\nscipy==2\r\n", {"numpy": "1.0", "scipy": "2"}), ("Scikit_Learn==1.9.1\n", {"scikit-learn": "1.9.1"}), ("zope.interface==7\n", {"zope-interface": "7"}), ("uvicorn[standard]==0.40\n", {"uvicorn": "0.40"}),
    ("a==1 ; python_full_version >= '3'\n", {"a": "1"}), ("a==1 ; python_full_version < '3'\n", {}), ("a==1 ; sys_platform == 'nowhere' \\\n    --hash=sha256:aa\n", {}), ("a==1 ; nonsense >>\n", {}), ("a==1 ; 🎁\n", {}), ("a==1 ; extra == 'x'\n", {}),
    ("a==1 ; python_full_version < '3'\na==2 ; python_full_version >= '3'\n", {"a": "2"})])
def test_what_a_lock_pins_here(text, found): assert pinned_versions(text) == found

def test_a_lock_of_what_is_installed_here_has_the_digest_of_here(): assert versions_hash(pinned_versions(lock_of(HERE))) == library_hash()

def test_made_with_what_is_here_nothing_changed_whatever_the_lock_says():
    for text in ("", "nonsense", lock_of(HERE | dict(numpy="0.1"))): assert library_changes(library_hash(), text) == []

def test_a_changed_library_is_named_with_both_versions():
    then = HERE | dict(numpy="0.1")
    assert library_changes(versions_hash(then), lock_of(then)) == [f"numpy is 0.1 in the lock of its revision, {HERE['numpy']} here"]

def test_a_lock_that_is_not_what_made_it_is_said_beside_what_changed():
    said = library_changes("0"*64, lock_of(HERE | dict(numpy="0.1")))
    assert len(said) == 2 and said[0].startswith("numpy is 0.1") and "not what it was made with either" in said[1]

@pytest.mark.parametrize("text", ["", "nonsense\n", "<b>\n", "numpy>=1\n"])
def test_without_a_lock_that_pins_anything_nobody_guesses(text): assert "no requirements.lock that says which" in library_changes("0"*64, text)[0]

def test_a_lock_for_elsewhere_names_what_it_does_not_pin_here():
    text = lock_of({name: version for name, version in HERE.items() if name not in ("numpy", "scipy")}) + "numpy==1 ; sys_platform == 'nowhere'\nscipy==1 ; nonsense >>\n"
    assert "it pins no numpy, scipy here" in library_changes("0"*64, text)[0]

def test_a_library_brings_what_it_needs_and_not_its_extras():
    found = needed_by("pandas")
    assert {"pandas", "numpy", "python-dateutil", "six"} <= set(found) and found == sorted(found) and "pytest" not in found and needed_by("PANDAS") == found

def test_a_part_of_a_lock_is_a_lock_with_the_same_digests():
    part = lock_part(LOCK, needed_by("numpy"))
    assert pinned_versions(part) == {"numpy": pinned_versions(LOCK)["numpy"]} and part.count("--hash=sha256:") > 1 and part.endswith("\n") and part in LOCK + "\n"

def test_whatever_is_not_pinned_is_named_and_nothing_is_left_out_silently():
    with pytest.raises(LockError) as error: lock_part("numpy==1\nscipy==1 ; sys_platform == 'nowhere'\n", ["numpy", "scipy", "🎁"])
    assert error.value.fields["missing"] == ["scipy", "🎁"] and "make lock" in error.value.remedy
