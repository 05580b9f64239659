"""An environment of its own is made with what the lock says and nothing of ours, and says in two lines why it could not be."""
import os, stat, sys
import pytest
from marketing_mlops.jobs import clean_environments
from marketing_mlops.jobs.clean_environments import CleanEnvironmentError, TriedOut, clean_environment, install_package, megabytes, prune, tried_out, uv_program
from marketing_mlops.registry.bare_scorer import MOST_DIFFERENCE
from marketing_mlops.registry.bundle_files import BundleError

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in for uv is a script of this platform")

@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    "Function that puts a script in the place of uv; it notes its words in a file."
    def put(body):
        program = tmp_path/"stand-in"
        program.write_text(f'#!/bin/sh\necho "$@" >> "{tmp_path}/words"\n{body}\n')
        program.chmod(program.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setattr(clean_environments, "uv_program", lambda: str(program))
        return tmp_path/"words"
    return put

def test_without_uv_the_way_to_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path/"python")); monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CleanEnvironmentError, match="no uv here") as error: uv_program()
    assert "pip install uv" in error.value.remedy

def test_the_uv_beside_this_python_goes_before_any_other(tmp_path, monkeypatch):
    for folder in ("mine", "theirs"):
        (tmp_path/folder).mkdir(); (tmp_path/folder/"uv").write_text("#!/bin/sh\n"); (tmp_path/folder/"uv").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path/"mine"/"python")); monkeypatch.setenv("PATH", str(tmp_path/"theirs"))
    assert uv_program() == str(tmp_path/"mine"/"uv")
    (tmp_path/"mine"/"uv").unlink()
    assert uv_program() == str(tmp_path/"theirs"/"uv")

def test_an_environment_is_installed_by_digest_and_brings_nothing_the_lock_does_not_name(tmp_path, stand_in):
    words = stand_in("true")
    python = clean_environment(tmp_path/"lock 🌷.txt", tmp_path/"env")
    made, installed = words.read_text().splitlines()
    assert made.startswith("venv ") and {"--no-deps", "--require-hashes"} <= set(installed.split()) and "lock 🌷.txt" in installed and python == tmp_path/"env"/"bin"/"python"

def test_our_own_package_is_installed_without_what_it_needs(tmp_path, stand_in):
    words = stand_in("true")
    install_package(tmp_path, tmp_path/"python")
    assert {"--no-deps", "--no-build-isolation", "--editable"} <= set(words.read_text().split())

def test_our_variables_do_not_reach_it(tmp_path, stand_in, monkeypatch):
    for name in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME"): monkeypatch.setenv(name, "leaked")
    stand_in(f'env > "{tmp_path}/environment"')
    clean_environment(tmp_path/"lock", tmp_path/"env")
    assert "leaked" not in (tmp_path/"environment").read_text()

@pytest.mark.parametrize("said, remedy", [("Because numpy==9 has no wheels with a matching Python ABI tag", "make lock"), ("In `--require-hashes` mode, all requirements must be pinned: HASHES are missing", "make lock"), ("error sending request", "package index"), ("", "package index"),
                                          ("<b>🌷</b>\nmore\n\n lines", "package index")])
def test_what_uv_said_is_told_in_one_line_with_a_remedy(tmp_path, stand_in, said, remedy):
    (tmp_path/"said").write_text(said)
    stand_in(f'cat "{tmp_path}/said" >&2; exit 2')
    with pytest.raises(CleanEnvironmentError) as error: clean_environment(tmp_path/"lock", tmp_path/"env")
    assert remedy in error.value.remedy and "\n" not in error.value.problem and error.value.problem.startswith("Making an environment failed") and len(error.value.problem) < 600

def test_a_flood_of_words_is_cut_and_bytes_that_are_no_text_stop_nothing(tmp_path, stand_in):
    stand_in("printf '\\377\\376%05000d' 7 >&2; exit 1")
    with pytest.raises(CleanEnvironmentError) as error: clean_environment(tmp_path/"lock", tmp_path/"env")
    assert len(error.value.fields["said"]) <= 500

def test_one_that_does_not_end_is_ended(tmp_path, stand_in):
    stand_in("exec sleep 60")
    with pytest.raises(CleanEnvironmentError, match="did not end within 0.2 seconds"): clean_environment(tmp_path/"lock", tmp_path/"env", deadline_s=.2)

def test_what_no_scorer_needs_goes_and_all_else_stays(tmp_path):
    kept = ["numpy/core.py", "numpy/linalg/lapack.so", "onnxruntime/capi/state.so", "🌷/tests/keep.py"]
    gone = ["numpy/tests/test_a.py", "numpy/linalg/tests/test_b.py", "numpy/f2py/x.py", "onnxruntime/tools/x.py", "numpy/core.pyi", "deep/er/x.pyi", "bin/numpy-config"]
    for name in kept + gone: (tmp_path/name).parent.mkdir(parents=True, exist_ok=True); (tmp_path/name).write_text("x")
    prune(tmp_path)
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
    prune(tmp_path)

def test_a_link_weighs_nothing_and_neither_does_a_folder_that_is_not_there(tmp_path):
    (tmp_path/"there").mkdir()
    (tmp_path/"there"/"a").write_bytes(b"x"*1_500_000)
    (tmp_path/"there"/"b").symlink_to(tmp_path/"there"/"a")
    assert megabytes(tmp_path/"there") == 1.5 and megabytes(tmp_path/"nowhere") == 0

@pytest.mark.parametrize("off, agrees", [(0., True), (MOST_DIFFERENCE, True), (MOST_DIFFERENCE*1.01, False), (float("nan"), False)])
def test_scores_agree_only_within_what_is_allowed(off, agrees): assert TriedOut("ab"*32, 3, off, 1., 1.).agrees is agrees

@pytest.fixture
def portable(tmp_path, monkeypatch):
    "A folder that passes for a portable bundle, whose scorer does what a test writes."
    place = tmp_path/"portable"
    place.mkdir()
    for name, text in (("requirements.txt", ""), ("examples.json", "[1, 2, 3]"), ("score.py", "")): (place/name).write_text(text)
    monkeypatch.setattr(clean_environments, "check_portable", lambda folder: dict(bundle="ab"*32))
    return place

def with_python(tmp_path): return f'[ "$1" = venv ] && mkdir -p "{tmp_path}/environment/bin" "{tmp_path}/environment/lib/site-packages" && ln -sf "{sys.executable}" "{tmp_path}/environment/bin/python"; true'

def test_the_scorer_runs_alone_in_its_folder_without_our_variables(tmp_path, portable, stand_in, monkeypatch):
    stand_in(with_python(tmp_path))
    for name in ("PYTHONPATH", "MMOPS_WORKSPACE", "SECRET"): monkeypatch.setenv(name, "leaked")
    (portable/"score.py").write_text("import json, os, sys; assert 'leaked' not in str(os.environ) and os.path.samefile(os.getcwd(), os.path.dirname(os.path.abspath(__file__))) and sys.flags.isolated\n"
                                     "assert sys.argv[1:] == ['bundle', '--check', 'examples.json']\nprint(json.dumps(dict(largest_difference=0.25)))")
    told = []
    found = tried_out(portable, tmp_path, told.append)
    assert (found.core_hash, found.n_examples, found.largest_difference, found.agrees) == ("ab"*32, 3, .25, False) and len(told) == 2 and found.megabytes > 0

@pytest.mark.parametrize("code, says", [("raise SystemExit('no numpy 🌷')", "no numpy"), ("print('nonsense')", "it said nothing"), ("print('[]')", "it said nothing"), ("print('{}')", "it said nothing"), ("print('{\"largest_difference\": null}')", "it said nothing"), ("import sys; sys.stderr.write('x'*5000)", "xxx")])
def test_a_scorer_that_fails_is_told_in_its_own_words_and_never_as_a_score(tmp_path, portable, stand_in, code, says):
    stand_in(with_python(tmp_path))
    (portable/"score.py").write_text(code)
    with pytest.raises(CleanEnvironmentError, match="failed in an environment of its own") as error: tried_out(portable, tmp_path)
    assert says in error.value.problem and len(error.value.problem) < 500

def test_a_changed_portable_bundle_is_refused_before_anything_is_made(tmp_path, stand_in):
    words = stand_in("true")
    (tmp_path/"portable").mkdir()
    with pytest.raises(BundleError): tried_out(tmp_path/"portable", tmp_path)
    assert not words.exists()
