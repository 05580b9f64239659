"""Mappings edited by hand."""
import pytest
from marketing_mlops.sources.mappings import mapping_from, read_mapping
from marketing_mlops.workspace.errors import MappingError

def content(**changes):
    return {"zone": "UTC", "files": {"o.csv": {}}, "tables": {"orders": {"file": "o.csv", "columns": {"a": "order_id", "b": {"to": "occurred_at"}},
            "derived": {"known_at": {"rule": "copy", "column": "occurred_at"}}}}} | changes

def test_every_shipped_mapping_is_valid(repository):
    for path in (repository/"data"/"sources").glob("*/mapping.yaml"): assert read_mapping(path.parent).name == path.parent.name

def test_every_shipped_public_mapping_names_publisher_licence_and_checksums(repository):
    for path in (repository/"data"/"sources").glob("*/mapping.yaml"):
        mapping = read_mapping(path.parent)
        if not mapping.public: continue
        assert mapping.publisher.licence and mapping.as_of
        assert all(f.sha256 and f.content_sha256 for f in mapping.files.values())
        for file in mapping.files.values(): assert file.downloads or (file.mirror and "no address to download" in mapping.note)

@pytest.mark.parametrize("change, says", [
    ({"tables": {"order": {"file": "o.csv"}}}, "Did you mean 'orders'?"),
    ({"tables": {"orders": "o.csv"}}, "where keys are expected"),
    ({"tables": {"orders": {"columns": {}}}}, "tables.orders.file is missing"),
    ({"tables": {"orders": {"file": "p.csv"}}}, "not under files"),
    ({"files": {"o.csv": {"format": {"delimeter": ";"}}}}, "Did you mean 'delimiter'?"),
    ({"zone": "Berlin"}, "no IANA time zone"), ({"identity": "public"}, "not marked `public: true`"), ({"identity": "none"}, "allowed are public and keyed"),
    ({"public": True}, "publisher is missing"), ({"name": "other"}, "folder is"), ({"kind": "sql"}, "allowed are file and simulated"), ({"zones": "UTC"}, "Did you mean 'zone'?")])
def test_every_slip_names_file_and_key(change, says):
    with pytest.raises(MappingError) as e: mapping_from(content(**change), "data/sources/shop/mapping.yaml", "shop")
    assert says in str(e.value) and "data/sources/shop/mapping.yaml" in str(e.value) and len(str(e.value).splitlines()) == 2
    assert e.value.fields["key"] is not None

def test_numbers_that_mean_missing_are_text(): assert mapping_from(content(tables={"traits": {"file": "o.csv", "columns": {
    "p": {"to": "number", "missing": [999], "known": "before_contact"}, "c": "customer_id", "b": {"to": "occurred_at"}},
    "derived": {"known_at": {"rule": "copy", "column": "occurred_at"}}}}), "m", "shop").tables["traits"].columns["p"].missing == ("999",)

def test_the_length_of_a_call_is_known_only_during_it(repository):
    traits = read_mapping(repository/"data"/"sources"/"bank-marketing").tables["traits"]
    assert traits.columns["duration"].known == "during" and traits.columns["age"].known == "before_contact"

def test_outcomes_of_the_mail_are_known_after_it(repository):
    mapping = read_mapping(repository/"data"/"sources"/"hillstrom")
    assert {mapping.tables["outcomes"].known(c) for c in ("visit", "conversion", "spend")} == {"after_outcome"}
