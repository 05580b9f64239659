"""Each mistake in settings.ini is answered in two lines that name the file, the key and the remedy."""
import os
from pathlib import Path
import pytest
from marketing_mlops.workspace.errors import SettingsError
from marketing_mlops.workspace.settings import read_settings, settings_keys

GOOD = """[DEFAULT]
default_models = spring_mail, win_back
reporting_currency = EUR
approvers = marketing@example.com
[markets]
DE = Europe/Berlin, monday, 1, DE
[development]
[production]
feature_engine = pyspark
"""

@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    for name in ("MMOPS_ENVIRONMENT", "MMOPS_DATASETS"): monkeypatch.delenv(name, raising=False)

@pytest.fixture
def settings_file(tmp_path):
    def write(text=GOOD, encoding="utf-8"):
        (tmp_path/"settings.ini").write_bytes(text.encode(encoding))
        return tmp_path/"settings.ini"
    return write

MISTAKES = [
    ("approvers =", "aprovers =", "aprovers", "Did you mean 'approvers'?"),
    ("approvers = marketing@example.com", "approvers = the boss", "approvers", "no mail address"),
    ("Europe/Berlin", "Europe/Berln", "DE", "Did you mean 'Europe/Berlin'?"),
    ("Europe/Berlin", "../../etc/passwd", "DE", "unknown time zone"),
    ("Europe/Berlin", "", "DE", "unknown time zone"),
    ("monday, 1", "moonday, 1", "DE", "Did you mean 'monday'?"),
    ("monday, 1", "monday, 13", "DE", "1 to 12"),
    ("monday, 1", "monday, ²", "DE", "1 to 12"),
    ("1, DE", "1, DE, more", "DE", "5 values"),
    ("= EUR", "= eur", "reporting_currency", "three capital letters"),
    ("= pyspark", "= pysprak", None, None),
    ("[DEFAULT]\n", "", None, "line 1"),
    ("= EUR", "EUR", None, "line 3"),
    ("approvers = marketing@example.com", "reporting_currency = USD", None, "line 4"),
    ("[production]", "[development]", None, "line 8"),
    ("[production]", "[development]\nledger_url = postgresql://me:secret@db.example.com/x\n[production]", "x", None),
]

@pytest.mark.parametrize("old, new, key, says", [each for each in MISTAKES if each[3]])
def test_a_mistake_is_two_lines_that_name_file_and_key(settings_file, old, new, key, says):
    file = settings_file(GOOD.replace(old, new, 1))
    with pytest.raises(SettingsError) as e: read_settings(file)
    assert says in str(e.value) and str(file) in e.value.problem and str(e.value).count("\n") == 1
    assert e.value.fields["key"] == key

def test_an_unknown_environment_is_answered_with_those_there_are(settings_file):
    with pytest.raises(SettingsError, match="Did you mean 'production'") as e: read_settings(settings_file(), "prodution")
    assert "development, production" in e.value.problem

def test_a_mistake_in_another_environment_is_found_too(settings_file):
    with pytest.raises(SettingsError, match="Did you mean 'feature_engine'"): read_settings(settings_file(GOOD.replace("feature_engine", "feature_engin")))

def test_a_missing_file_says_how_to_get_one(tmp_path):
    with pytest.raises(SettingsError, match="mmops init"): read_settings(tmp_path/"settings.ini")

def test_a_file_in_another_encoding_is_named(settings_file):
    with pytest.raises(SettingsError, match="not UTF-8"): read_settings(settings_file(GOOD.replace("win_back", "rück"), "latin-1"))

@pytest.mark.parametrize("change", [lambda text: "\ufeff" + text, lambda text: text.replace("\n", "\r\n"), lambda text: "# comment\n\n" + text, lambda text: text.replace(" = ", "=")])
def test_the_same_settings_in_another_dress_are_the_same(settings_file, change):
    assert read_settings(settings_file(change(GOOD))) == read_settings(settings_file(GOOD))

def test_the_variable_chooses_the_environment_and_the_argument_wins(settings_file, monkeypatch):
    monkeypatch.setenv("MMOPS_ENVIRONMENT", "production")
    assert read_settings(settings_file()).feature_engine == "pyspark"
    assert read_settings(settings_file(), "development").feature_engine == "duckdb"

def test_a_file_without_sections_for_environments_has_development(settings_file):
    assert read_settings(settings_file("[DEFAULT]\nreporting_currency = USD\n")).environment == "development"
    assert read_settings(settings_file("")).reporting_currency == "EUR"

def test_defaults_are_no_markets(settings_file): assert set(read_settings(settings_file()).markets) == {"DE"}

def test_the_mirror_is_relative_to_the_workspace_and_the_variable_wins(settings_file, monkeypatch, tmp_path):
    file = settings_file(GOOD.replace("[markets]", "dataset_mirror = mirror\n[markets]"))
    assert read_settings(file).dataset_mirror == (tmp_path/"mirror").resolve()
    monkeypatch.setenv("MMOPS_DATASETS", "../shared")
    assert read_settings(file).dataset_mirror == (tmp_path/"../shared").resolve()
    assert read_settings(settings_file()).dataset_mirror == (tmp_path/"../shared").resolve()

def test_a_password_comes_from_the_environment_and_from_nowhere_else(settings_file, monkeypatch):
    address = "ledger_url = postgresql://mmops:{}@db.example.com/ledger\n[markets]"
    with pytest.raises(SettingsError, match="holds a password") as e: read_settings(settings_file(GOOD.replace("[markets]", address.format("hunter2"))))
    assert "hunter2" not in str(e.value)
    file = settings_file(GOOD.replace("[markets]", address.format("${DB_PASSWORD}")))
    monkeypatch.delenv("DB_PASSWORD", raising=False)
    with pytest.raises(SettingsError, match="DB_PASSWORD"): read_settings(file)
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    assert read_settings(file).ledger_url == "postgresql://mmops:hunter2@db.example.com/ledger"
    assert "hunter2" not in repr(read_settings(file))

def test_an_address_is_an_engine_and_a_misspelt_engine_is_none(settings_file):
    assert read_settings(settings_file(GOOD.replace("pyspark", "snowflake://account/db")), "production").feature_engine.startswith("snowflake")
    with pytest.raises(SettingsError, match="Did you mean 'pyspark'"): read_settings(settings_file(GOOD.replace("pyspark", "pysprak")), "production")

def test_every_declared_key_is_allowed_in_the_file(settings_file):
    read_settings(settings_file("[DEFAULT]\n" + "".join(f"{key} = \n" for key in settings_keys())))

def test_the_settings_of_this_repository_are_read(repository):
    found = read_settings(repository)
    assert found.default_models and all(name in found.markets for name in ("DE", "UK", "US"))
