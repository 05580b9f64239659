"""How large the image of a portable bundle is, and whether its bundle scores in it, without Docker.

What the Dockerfile of a portable bundle says is done by hand: Debian's smallest system of that release with its own Python
(debootstrap), less what the slim image leaves out (lists and archives of packages, documentation, translations), then the libraries
of the bundle's requirements.txt, pruned as the Dockerfile prunes them, the bundle, its examples and the bare scorer. The size counts
the bytes of all files. Then Debian's Python scores the stored examples inside (chroot). Needs root, debootstrap, uv and the demo.

    python benchmarks/image_size.py [--model retailer_churn_90d]
"""
import argparse, json, os, shutil, subprocess, sys, tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT/"benchmarks"/"results"/"image_size.json"
RELEASES = {(3, 11): "bookworm", (3, 13): "trixie"}
NOT_IN_SLIM = ("var/cache/apt", "var/lib/apt/lists", "var/log", "usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "usr/share/groff", "usr/share/lintian", "usr/share/linda")

def say(command, **more):
    "Runs a command to its end, or stops with its last words."
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **more)
    if done.returncode: sys.exit(f"{Path(str(command[0])).name} failed: {(done.stderr or done.stdout).strip()[-400:]}")
    return done.stdout

def mirror():
    "Where this machine takes Debian's packages from; it is recorded nowhere."
    for file in (*Path("/etc/apt").glob("sources.list.d/debian.sources"), Path("/etc/apt/sources.list")):
        if not file.is_file(): continue
        for word in file.read_text().split():
            if word.startswith(("http://", "https://")) and word.rstrip("/").endswith("/debian"): return word
    sys.exit("apt's own sources name no mirror of Debian on this machine: add one to /etc/apt/sources.list.")

def debian(root):
    "The smallest system with its own Python, without what the slim image leaves out."
    say(["debootstrap", "--variant=minbase", "--include=python3", RELEASES[sys.version_info[:2]], root, mirror()])
    for name in NOT_IN_SLIM: shutil.rmtree(root/name, ignore_errors=True)

def measured(model):
    from marketing_mlops.jobs.clean_environments import clean_environment, megabytes, prune
    from marketing_mlops.registry.bundles import read_bundle
    from marketing_mlops.registry.portable_bundles import write_portable
    from marketing_mlops.workspace.places import find_workspace
    bundle = read_bundle(find_workspace(ROOT).output("bundle", model))
    with tempfile.TemporaryDirectory() as folder:
        place, root = Path(folder), Path(folder)/"root"
        write_portable(place/"portable", bundle, (ROOT/"requirements.lock").read_text())
        clean_environment(place/"portable"/"requirements.txt", place/"environment")
        libraries = next((place/"environment").glob("**/site-packages"))
        prune(libraries)
        debian(root)
        system = megabytes(root)
        shutil.copytree(libraries, root/"libraries", symlinks=True)
        shutil.copytree(place/"portable"/"bundle", root/"scorer"/"bundle")
        for name in ("score.py", "examples.json"): shutil.copy2(place/"portable"/name, root/"scorer")
        inside = ["/usr/bin/env", "-i", "PYTHONPATH=/libraries", "PYTHONDONTWRITEBYTECODE=1", "python3", "/scorer/score.py", "/scorer/bundle", "--check", "/scorer/examples.json"]
        found = json.loads(say(["chroot", root, *inside]))
        n = len(json.loads((root/"scorer"/"examples.json").read_text()))
        return dict(system_mb=round(system, 1), libraries_mb=round(megabytes(root/"libraries"), 1), scorer_mb=round(megabytes(root/"scorer"), 2), image_mb=round(megabytes(root), 1),
                    n_examples=n, largest_difference=found["largest_difference"], core_hash=found["core_hash"])

def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="retailer_churn_90d")
    options = parser.parse_args()
    if os.geteuid() or not shutil.which("debootstrap"): sys.exit("This needs root and Debian's debootstrap: `apt-get install debootstrap`.")
    found = measured(options.model)
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    RESULT.write_text(json.dumps(dict(command=f"python benchmarks/image_size.py --model {options.model}", model=options.model, release=RELEASES[sys.version_info[:2]], **found, commit=commit), indent=1) + "\n")
    print(json.dumps(found, indent=1))
    return int(found["image_mb"] > 250 or found["largest_difference"] > 1e-6)

if __name__ == "__main__": sys.exit(main())
