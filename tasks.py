#!/usr/bin/env python3
"""Everything `make` does, for machines with and without make. Needs Python 3.11 or newer and git.

    python3 tasks.py run                 the demo: simulated retailer, data quality, campaign readout
    python3 tasks.py run hillstrom_email another model of params.yaml or data/replays/params.yaml
    python3 tasks.py lab                 JupyterLab, opened on a page of tutorials, explorers and reports
    python3 tasks.py test                pages and tests, side by side
    python3 tasks.py test-edges          what takes long by the clock: whole pipelines, Spark, an installation from nothing
    python3 tasks.py test-slow           full simulations, soaks and the explorers in JupyterLab (a few minutes to an hour)
    python3 tasks.py docs                the documentation site, in _docs/
    python3 tasks.py bench               the benchmarks, recorded in benchmarks/results/
    python3 tasks.py lock                resolve the locks again (for maintainers)
"""
import hashlib, os, shutil, subprocess, sys, tempfile, time
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT/".venv"
BIN = VENV/("Scripts" if os.name == "nt" else "bin")
LOCKS = {"core": "requirements.lock", "dev": "requirements-dev.lock", "spark": "requirements-spark.lock"}
SIZES = {"core": "270 packages, 1.6 GB on disk", "dev": "300 packages, 1.7 GB on disk", "spark": "310 packages, 2.3 GB on disk"}
OFFLINE = {"DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "DVC_NO_ANALYTICS": "1"}

def stop(problem, remedy):
    "Ends with two lines: what is wrong, what to do."
    print(f"{problem}\n{remedy}", file=sys.stderr)
    raise SystemExit(1)

def say(text): print(f"== {text}", flush=True)

def start(*command, said=None, **environment):
    "A command in the project folder; what it says goes to the file `said`, where there is one."
    env = {**os.environ, **OFFLINE, **environment, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
    env.pop("PYTHONHOME", None)
    return subprocess.Popen([str(c) for c in command], cwd=ROOT, env=env, stdout=said, stderr=said and subprocess.STDOUT)

def code_of(process):
    "Waits for the end of a command; 130 after Ctrl-C, which the command has been told as well."
    try: return abs(process.wait())
    except KeyboardInterrupt: process.wait(); return 130

def call(*command, **environment):
    "Runs a command and ends with its exit code if that is not 0."
    if code := code_of(start(*command, **environment)): raise SystemExit(code)

def fingerprint(group):
    "What an installation depends on: the lock, the interpreter and where the environment stands."
    parts = [(ROOT/LOCKS[group]).read_bytes(), (ROOT/"pyproject.toml").read_bytes(), sys.version.encode(), str(VENV).encode()]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()

def is_installed(group):
    "A larger group serves a smaller one."
    wider = list(LOCKS)[list(LOCKS).index(group):]
    return any((VENV/f".installed-{g}").is_file() and (VENV/f".installed-{g}").read_text() == fingerprint(g) for g in wider)

def make_environment():
    if (BIN/("python.exe" if os.name == "nt" else "python")).exists() and (BIN/"uv").exists(): return
    say("making .venv (downloads the installer uv, 20 MB)")
    if subprocess.run([sys.executable, "-m", "venv", str(VENV)]).returncode:
        stop(f"Python {sys.version.split()[0]} could not make a virtual environment in .venv.",
             "Install its venv module (on Debian and Ubuntu: apt-get install python3-venv) and run the same command again.")
    call(BIN/"python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "uv>=0.13")

def install(group="core"):
    "Installs a group from its hashed lock, unless exactly that is there already."
    if sys.version_info < (3, 11):
        stop(f"This is Python {sys.version.split()[0]}; marketing_mlops needs 3.11 or newer.",
             "Install a newer Python and run the same command with it, for example: python3.12 tasks.py run")
    if not is_installed(group):
        started = time.monotonic()
        make_environment()
        say(f"installing {LOCKS[group]} ({SIZES[group]}; only packages whose hash is in the lock)")
        for stamp in VENV.glob(".installed-*"): stamp.unlink()
        call(BIN/"uv", "pip", "sync", "--quiet", "--require-hashes", "--compile-bytecode", "--python", BIN/"python", LOCKS[group])
        call(BIN/"uv", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--python", BIN/"python", "-e", ".")
        (VENV/f".installed-{group}").write_text(fingerprint(group))
        say(f"installed in {time.monotonic()-started:.0f} s")
    configure_git()
    configure_lab()

MERGE = "if [ -x .venv/bin/nbdev-merge ]; then .venv/bin/nbdev-merge %O %A %B %P; else git merge-file %A %O %B; fi"
DIFF = 'f() { if [ -x .venv/bin/nbdev-diff-driver ]; then .venv/bin/nbdev-diff-driver "$@"; else diff -u "$2" "$5"; fi; true; }; f'

def configure_git():
    "Readable diffs and merges of notebooks in this clone alone; your own git settings stay as they are."
    if not (ROOT/".git").exists() or not shutil.which("git"): return
    for key, value in (("merge.jupyternotebook.driver", MERGE), ("diff.jupyternotebook.command", DIFF)):
        subprocess.run(["git", "config", key, value], cwd=ROOT, check=False)

LAB = """# written by tasks.py: no news, no update check, notebooks cleaned when saved
from nbdev.clean import clean_jupyter
c.ContentsManager.pre_save_hook = clean_jupyter
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
"""

QUIET = '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}\n'

def lab_files():
    "What JupyterLab reads beside its own: its settings, and our part of it, which an editable install leaves out."
    import tomllib                                             # not in the Pythons that are told to be too old
    yield from (("etc/jupyter/jupyter_server_config.py", LAB), ("share/jupyter/lab/settings/overrides.json", QUIET))
    ours = tomllib.loads((ROOT/"pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    yield from ((f"{place}/{Path(name).name}", (ROOT/name).read_text()) for place, names in ours.items() for name in names)

def configure_lab():
    "JupyterLab's settings in this environment alone: nothing in the user's home is read or written."
    for place, text in lab_files():
        path = VENV/place
        if path.is_file() and path.read_text() == text: continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

def run(*models):
    install()
    call(BIN/"mmops", "run", *models)

def lab(*options):
    install()
    say("JupyterLab: stop it with Ctrl-C")
    call(BIN/"jupyter", "lab", f"--ServerApp.root_dir={ROOT}", "--LabApp.default_url=/lab/tree/nbs/tutorials/00_start_here.ipynb", *options)

def compile_modules():
    "Once: where PYTHONDONTWRITEBYTECODE is set, every process that a page or a test starts would compile our modules again."
    call(BIN/"python", "-m", "compileall", "-q", "marketing_mlops")

PAGES = "tests/house/run_pages.py"

def pytest_of(which):
    "The tests of a choice of marks, file by file, so that what a file sets up is set up once."
    n = str(min(8, 2*(os.cpu_count() or 1)))         # half of the time a test waits for a process it has started
    return [BIN/"python", "-m", "pytest", "-n", n, "--dist", "loadfile", "--no-loadscope-reorder", "-m", which]

def pages_and_tests(pages, tests):
    "Both side by side, one thread each: two that each take all cores wait for one another. What the pages said comes last."
    compile_modules()
    say("tests, and beside them every page in a process of its own")
    with tempfile.TemporaryFile() as said:
        beside = start(BIN/"python", PAGES, *pages, said=said, OMP_NUM_THREADS="1")
        codes = [code_of(start(*tests, OMP_NUM_THREADS="1")), code_of(beside)]
        say("pages")
        said.seek(0)
        print(said.read().decode(errors="replace"), end="", flush=True)
    if code := max(codes): raise SystemExit(code)

def test(*options):
    install("dev")
    pages_and_tests([], [*pytest_of("not slow and not edges"), *options])

def test_edges(*options):
    install("spark" if shutil.which("java") else "dev")   # without Java the tests on Spark are skipped, and say so
    pages_and_tests(["--edges"], [*pytest_of("edges and not slow"), *options])

def test_slow(*options):
    install("dev")
    call(BIN/"python", "-m", "pytest", "-m", "slow", "--timeout", "7200", *options)

def docs(*options):
    install("dev")
    call(BIN/"python", "-m", "marketing_mlops.reporting.site", *options)

def bench(*names):
    install("dev")
    found = [p for p in sorted((ROOT/"benchmarks").glob("*.py")) if not names or p.stem in names]
    if not found: stop(f"No benchmark named {', '.join(names)}.", f"There are: {', '.join(p.stem for p in sorted((ROOT/'benchmarks').glob('*.py')))}")
    for path in found:
        say(path.name)
        call(BIN/"python", path, OMP_NUM_THREADS="2")

def lock():
    "Resolves the widest group first; the others are its subsets."
    make_environment()
    common = ["--universal", "--python-version", "3.11", "--fork-strategy", "fewest", "--generate-hashes",
              "--no-emit-index-url", "--no-annotate", "--no-header", "--quiet"]
    groups = {"dev": ["notebooks", "serve", "docs", "dev"], "core": ["notebooks"], "spark": ["notebooks", "serve", "docs", "dev", "spark"]}
    for name, names in groups.items():
        say(LOCKS[name])
        narrower = [] if name == "dev" else ["-c", LOCKS["dev"]]
        call(BIN/"uv", "pip", "compile", "pyproject.toml", *[x for g in names for x in ("--group", g)], *narrower, *common, "-o", LOCKS[name])

TASKS = {"run": run, "lab": lab, "test": test, "test-edges": test_edges, "test-slow": test_slow, "docs": docs, "bench": bench, "lock": lock}

def main(arguments):
    if not arguments or arguments[0] in ("-h", "--help", "help"): print(__doc__); return
    name, *rest = arguments
    if name not in TASKS: stop(f"There is no task {name!r}.", f"The tasks are: {', '.join(TASKS)}. `python3 tasks.py --help` explains them.")
    TASKS[name](*rest)

if __name__ == "__main__": main(sys.argv[1:])
