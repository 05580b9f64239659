"""The command line answers at once, in two lines where something is wrong, and never with a traceback."""
import shlex, subprocess, sys
from pathlib import Path
import pytest
from marketing_mlops.cli import commands
from marketing_mlops.cli.commands import COMMANDS, command_parser, find_command, main, two_lines
from marketing_mlops.workspace.errors import DataError

def mmops(*words, **options):
    "Runs the command in a process of its own."
    code = "import sys; from marketing_mlops.cli.commands import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, **options)

EXAMPLES = [(name, line) for name, command in COMMANDS.items() for line in command.examples]

def test_no_help_speaks_of_the_errors_of_python():
    for command in COMMANDS.values():
        said = command_parser(command).format_help()
        assert "Raises" not in said and "Error`" not in said, command.name

@pytest.mark.parametrize("name, line", EXAMPLES, ids=[line for _, line in EXAMPLES])
def test_every_example_in_help_can_be_typed(name, line):
    command, words = find_command(shlex.split(line)[1:])
    assert command.name == name
    command_parser(command).parse_args(words)

@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended: main([*name.split(), "--help"])
    shown = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(example in shown for example in COMMANDS[name].examples)
    assert "--traceback" in shown
    assert name == "init" or "--workspace" in shown
    for action in command_parser(COMMANDS[name])._actions:
        if action.dest not in ("pdb", "xtra"): assert action.help, f"{name}: {action.dest} is not explained"

@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"], ["data"], ["data", "--help"]], ids=" ".join)
def test_help_imports_nothing_heavy(words):
    code = "import sys; from marketing_mlops.cli.commands import main; main(sys.argv[1:]); print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert "mmops data add" in done.stdout
    for heavy in ("pandas", "numpy", "duckdb", "pyarrow", "rich", "fastcore", "dvc", "mlflow", "sklearn", "ruamel"):
        assert f"'{heavy}'" not in done.stderr, heavy

@pytest.mark.parametrize("words", [["stauts"], ["data", "ad"], ["--wrong"], ["init"], ["init", "a", "--nmae", "b"], ["report", "-p"]], ids=" ".join)
def test_a_mistyped_command_ends_in_two_lines(words, tmp_path):
    done = mmops(*words, cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 2 and "Traceback" not in done.stderr
    assert done.stdout == ""

def _raising(monkeypatch, error):
    def fail(*_): raise error
    monkeypatch.setattr(commands, "call_command", fail)

def test_ctrl_c_says_what_is_left_and_exits_with_130(monkeypatch, capsys):
    _raising(monkeypatch, KeyboardInterrupt())
    assert main(["run"]) == 130
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "last good output" in lines[1]

def test_an_unexpected_error_is_called_a_defect_of_ours(monkeypatch, capsys):
    _raising(monkeypatch, KeyError("spend\nsecond line"))
    assert main(["status"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "defect in mmops" in lines[1]

def test_a_traceback_is_shown_to_those_who_ask(monkeypatch, capsys):
    _raising(monkeypatch, DataError("orders.csv is empty.", "Export it again."))
    assert main(["status", "--traceback"]) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err

def test_control_characters_in_an_error_do_not_reach_the_terminal():
    problem, _ = two_lines(DataError("orders.csv holds \x1b[2J in column 'campaign'.", "Remove it."))
    assert "\x1b" not in problem and "\\x1b[2J" in problem

def test_an_error_of_the_system_names_the_file(tmp_path):
    with pytest.raises(OSError) as error: (tmp_path/"missing"/"x.csv").read_text()
    assert "missing/x.csv: No such file or directory." in two_lines(error.value)[0]

def test_a_reader_that_leaves_early_causes_no_complaint():
    code = "import sys; from marketing_mlops.cli.commands import main; sys.exit(main(['--help']))"
    done = subprocess.run(f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} | true", shell=True, capture_output=True, text=True)
    assert done.stderr == ""

def test_telemetry_is_switched_off_before_any_command(monkeypatch):
    for name in ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "DVC_NO_ANALYTICS"): monkeypatch.delenv(name, raising=False)
    main(["--help"])
    import os
    assert os.environ["DO_NOT_TRACK"] == os.environ["MLFLOW_DISABLE_TELEMETRY"] == os.environ["DVC_NO_ANALYTICS"] == "true"
    for name in ("DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "DVC_NO_ANALYTICS"): monkeypatch.delenv(name)

def test_a_terminal_without_unicode_gets_replacements():
    done = mmops("--help", env={"PYTHONIOENCODING": "ascii", "PATH": ""})
    assert done.returncode == 0 and done.stderr == ""

def test_a_record_of_options_is_filled_from_its_flags_and_from_no_other_name(monkeypatch):
    asked = []
    monkeypatch.setattr("marketing_mlops.cli.report.find_workspace", lambda folder: asked.append(folder))
    parsed = vars(command_parser(COMMANDS["report"]).parse_args(["readout", "-p", "a=1", "b=2", "--parameter", "c=3", "--list", "--no-open"]))
    assert (parsed["name"], parsed["given"], parsed["list_"], parsed["no_open"], parsed["parameters"]) == ("readout", ["a=1", "b=2", "c=3"], True, True, False)
    with pytest.raises(Exception, match="unrecognized arguments"): command_parser(COMMANDS["report"]).parse_args(["readout", "--given", "a=1"])
    assert main(["report", "--workspace", "/nowhere"]) == 1 and asked == ["/nowhere"]
