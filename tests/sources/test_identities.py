"""Pseudonyms, keys, and nothing personal in a message."""
import os, threading
from types import SimpleNamespace
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from marketing_mlops.sources.identities import DEMONSTRATION_KEY, identity_key, pseudonym, redacted
from marketing_mlops.workspace.errors import WorkspaceError

KEY = b"sixteen bytes or more"

def test_a_pseudonym_is_the_published_keyed_hash():
    import hashlib, hmac
    assert pseudonym(pd.Series(["4711"]), KEY)[0] == hmac.new(KEY, b"customer\x004711", hashlib.sha256).hexdigest()[:20]

@given(st.lists(st.text(min_size=1), min_size=1, max_size=20))
def test_equal_people_get_equal_pseudonyms_and_different_ones_different(values):
    values = pd.Series(values, dtype="str")
    from marketing_mlops.sources.identities import normal_identity
    normal, hashed = normal_identity(values), pseudonym(values, KEY)
    assert normal.nunique() == hashed.nunique() and (normal.isna() == hashed.isna()).all()

def test_processes_that_start_together_agree_on_one_key(tmp_path, monkeypatch):
    monkeypatch.delenv("MMOPS_ID_KEY", raising=False)
    found, workspace = [], SimpleNamespace(state=tmp_path/"state")
    threads = [threading.Thread(target=lambda: found.append(identity_key(SimpleNamespace(identity="keyed"), workspace))) for _ in range(12)]
    [t.start() for t in threads]; [t.join() for t in threads]
    assert len(set(found)) == 1 and [p.name for p in (tmp_path/"state").iterdir()] == ["id_key"]
    assert (tmp_path/"state"/"id_key").stat().st_mode & 0o077 == 0

def test_the_environment_wins_and_a_weak_key_is_refused_without_being_shown(tmp_path, monkeypatch):
    monkeypatch.setenv("MMOPS_ID_KEY", "hunter2")
    with pytest.raises(WorkspaceError) as e: identity_key(SimpleNamespace(identity="keyed"), SimpleNamespace(state=tmp_path))
    assert "hunter2" not in str(e.value) and not list(tmp_path.iterdir())

def test_only_published_data_use_the_published_key(tmp_path):
    assert identity_key(SimpleNamespace(identity="public"), SimpleNamespace(state=tmp_path)) == DEMONSTRATION_KEY

@pytest.mark.parametrize("text", ["ada@example.com", "x ada.l+news@mail.example.co.uk y", "call +49 (30) 123-4567", "0049301234567", "030/1234567", "0151 2345 6789"])
def test_addresses_and_numbers_are_not_shown(text):
    shown = redacted(text)
    assert "<" in shown and "ada" not in shown and "4567" not in shown

@pytest.mark.parametrize("text", ["31.12.2026 23:59", "2026-12-31T10:00:00+01:00", "1.234,56", "12345678", "A-0815", "07/01/2026 00:30"])
def test_dates_amounts_and_order_numbers_stay_readable(text): assert redacted(text) == text
