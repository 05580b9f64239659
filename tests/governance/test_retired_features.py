"""A retired feature: on record, refused for new models, and no reason for anything live to stop."""
import shutil
import pandas as pd
import pytest
from governed_workspace import approved, at, contents, make_workspace, put_live, small_bundle
from marketing_mlops.governance.approvals import ApprovalError
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.live_checks import check_champions
from marketing_mlops.governance.live_pointers import live
from marketing_mlops.governance.retired_features import RETIRED, RetirementError, champions_reading, check_not_retired, reinstate_feature, retire_feature, retired_features
from marketing_mlops.registry.bundles import read_bundle, score_rows
from marketing_mlops.workspace.errors import MmopsError, ParameterError

def retire(shop, name="recency_days", day="03-05", reason="The feed ends"): return retire_feature(shop, name, "marketing@example.com", reason=reason, clock=at(day))

def test_a_champion_scores_the_same_after_its_feature_was_retired(shop):
    put_live(shop, approved(shop, small_bundle(shop, "first")))
    rows = pd.DataFrame({"recency_days": [5., 60., 120.]})
    def scores(): return score_rows(read_bundle(live(shop, "churn").bundle_folder(shop)), rows)
    before = scores()
    assert retire(shop).live == ("churn",)
    check_champions(shop, ["churn"])
    pd.testing.assert_frame_equal(scores(), before)

def test_a_champion_that_does_not_read_it_is_not_named(shop):
    put_live(shop, approved(shop, small_bundle(shop, "first")))
    assert champions_reading(shop, "clicks_90d") == {} and retire(shop, "clicks_90d").live == ()

def test_the_refusal_names_file_reason_day_and_remedy_in_two_lines(shop):
    retire(shop)
    with pytest.raises(ParameterError) as refused: check_not_retired("churn", dict(features=["recency_days"]), retired_features(shop), "data/replays/params.yaml")
    assert str(refused.value).count("\n") == 1
    assert all(word in refused.value.problem for word in ("data/replays/params.yaml: models.churn.features", "2026-03-05", "The feed ends"))
    assert "mmops features unretire recency_days" in refused.value.remedy

def test_a_colleague_who_pulls_the_log_is_refused_without_a_database(shop, tmp_path):
    retire(shop)
    there = make_workspace(tmp_path/"clone", writer="office")
    shutil.copytree(shop.root/"data"/"ledger", there.root/"data"/"ledger")
    assert list(retired_features(there)) == ["recency_days"]
    assert not (there.state/"ledger.db").exists()

@pytest.mark.parametrize("name,reason,error", [("recency_day", "A slip", ParameterError), ("recency_days", "", ApprovalError), ("recency_days", "x"*3_000, ApprovalError)])
def test_what_is_refused_leaves_everything_as_it_was(shop, name, reason, error):
    before = contents(shop)
    with pytest.raises(error): retire(shop, name, reason=reason)
    assert contents(shop) == before and retired_features(shop) == {}

def test_retired_reinstated_and_retired_again_is_retired_with_the_last_reason(shop):
    retire(shop)
    reinstate_feature(shop, "recency_days", "marketing@example.com", reason="It stays", clock=at("03-06"))
    assert retired_features(shop) == {}
    assert retire(shop, day="03-07", reason="Now it ends").sentence == "recency_days was retired on 2026-03-07 by marketing@example.com: Now it ends."
    assert len(Ledger(shop).entries(RETIRED)) == 2

def test_the_declaration_that_was_retired_is_on_record(shop):
    from marketing_mlops.features.catalogue import feature
    assert retire(shop).version == feature("recency_days").version

def test_a_name_with_markup_is_no_feature_and_no_entry(shop):
    with pytest.raises(MmopsError): retire(shop, "<script>alert(1)</script>")
    assert Ledger(shop).is_empty

def test_a_second_reason_is_refused_and_not_lost(shop):
    first = retire(shop)
    assert retire(shop, day="03-09") == first
    with pytest.raises(RetirementError, match="retired on 2026-03-05 .*The feed ends. A second reason would be lost") as refused: retire(shop, day="03-09", reason="It is wrong")
    assert "mmops features unretire recency_days" in str(refused.value)
