"""The app over what `mmops run` made: four explorers driven as the people would who use them, on a desk and on a telephone, and every word held against the library."""
import re, shutil
from types import SimpleNamespace
import pytest
from app_workspace import come, guarded, running_app, sideways
from contrast_of_words import too_pale, words_on
from lab_session import browser, has_chromium
from lookups import without_lookups
from shop_after_a_run import ANALYST, MARKETING, MODEL, OWNER, PRIVACY, grants, key_of, says, show, sit, workspace_after_a_run
from marketing_mlops.explorers.approval_desk import ApprovalDesk
from marketing_mlops.explorers.explorer_pages import open_explorer
from marketing_mlops.explorers.readout_views import view_of
from marketing_mlops.features.segment_sets import read_segments
from marketing_mlops.governance.experiment_entries import registered_experiments
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.reporting.plan_drafts import plan_rows, plan_sentences
from marketing_mlops.workspace.params import read_yaml

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]

@pytest.fixture(scope="module")
def place(first_run, tmp_path_factory):
    root = tmp_path_factory.mktemp("after_a_run")/"workspace"
    yield workspace_after_a_run(first_run, root)
    shutil.rmtree(root, ignore_errors=True)

@pytest.fixture(scope="module", params=[(1280, False, MARKETING), (390, True, OWNER)], ids=["desk-light", "phone-dark"])
def opened(request, place, tmp_path_factory):
    "The app in production as one approver starts it, with her key; production takes no unsigned yes."
    width, dark, role = request.param
    noted = tmp_path_factory.mktemp("noted")/"lookups.txt"
    production = dict(MMOPS_ENVIRONMENT="production", MMOPS_SIGNING_KEY=str(key_of(place, role)))
    with running_app(place.root, without_lookups(noted) | production) as (address, _):
        home = address.split("/?")[0]
        with browser(home, width=width, dark=dark) as watched:
            guarded(watched, home)
            come(watched.page, address)
            yield SimpleNamespace(watched=watched, page=watched.page, width=width, role=role, key=str(key_of(place, role)), noted=noted)

def squeezed(words): return re.sub(r"\s+", " ", words).strip()

# ---- segments

def settled(page, sentence): page.wait_for_function("words => document.querySelector('.mms-sentence').textContent === words && !document.querySelector('.mms .mmx-waiting, .mms.mmx-waiting')", arg=sentence, timeout=120_000)

def test_a_bound_moved_by_keys_says_what_the_library_says_and_the_segment_is_kept_under_its_name(opened, place):
    choice = "experiment/retailer_promo_uplift" if opened.width > 500 else "source/retailer"
    page, library, name = show(opened.page, "segments", ".mms-sentence", choice), open_explorer(place, "segments", choice), f"quiet_{opened.width}"
    settled(page, library.select([]))
    page.locator(".mms input[type=range][aria-label^='recency_days, at least']").focus()
    for _ in range(6): page.keyboard.press("ArrowRight")
    cuts = library.counter.dimensions["recency_days"].cuts
    settled(page, library.select([["recency_days", ">=", cuts[5]]]))
    assert sideways(page) == []
    page.fill(".mms input[id$=-name]", name); page.fill(".mms textarea", "Has not ordered for a while.")
    page.click(".mms-save")
    says(page, ".mms-done", "is saved in params.yaml as version")
    library.select(name=name, definition="Has not ordered for a while.")
    kept = read_segments(place)["found"].segment(name)
    assert kept.version == library.segment().version and kept.version in page.inner_text(".mms p.mms-done")
    declared = read_yaml(place.path("params.yaml"))["segments"]["found"]["segments"][name]
    assert declared["all_of"] == [["recency_days", ">=", cuts[5]]]
    page.locator(".mms input[type=range][aria-label^='recency_days, at least']").focus()
    page.keyboard.press("ArrowRight")
    settled(page, library.select([["recency_days", ">=", cuts[6]]]))
    page.click(".mms-save")
    page.wait_for_selector(".mms-refused", timeout=120_000)
    assert f"{name} means version {kept.version}" in page.inner_text(".mms p.mms-done")
    assert read_yaml(place.path("params.yaml"))["segments"]["found"]["segments"][name] == declared
    assert "lifecycle" in read_segments(place) and sideways(page) == []

# ---- plans

def planned(page, draft):
    wanted = [list(row.values()) for row in plan_rows(draft)]
    page.wait_for_function("wanted => JSON.stringify([...document.querySelectorAll('.mmp-table tr')].map(r => [...r.children].map(c => c.textContent))) === JSON.stringify(wanted)", arg=wanted, timeout=120_000)
    assert page.locator(".mmp-sentences p").all_inner_texts() == plan_sentences(draft)

def test_a_test_is_planned_and_its_promise_registered_once(opened, place):
    page, library, name = show(opened.page, "plan", ".mmp-mark circle"), open_explorer(place, "plan"), f"free_shipping_{opened.width}"
    planned(page, library.draft())
    field = lambda label, kind="input": page.locator(f".mmp-field:has(label:text-is('{label}')) {kind}")
    field("Hypothesis", "textarea").fill("Free shipping raises net revenue within two weeks")
    page.locator(".mmp .mmx-control:has(label:text-is('Worthwhile gain')) input[type=number]").fill("0.4")
    planned(page, library.select(hypothesis="Free shipping raises net revenue within two weeks", worthwhile=.4))
    field("Name").fill(name)
    draft = library.select(name=name)
    says(page, ".mmp .mmx-code", name)
    button = page.locator(".mmp-register")
    assert button.is_disabled() and "who registers it" in page.inner_text(".mmp-buttons:has(.mmp-register)")
    field("Registered by").fill(opened.role)
    button.dblclick()
    page.wait_for_selector(".mmp-answer[data-kept='true']", timeout=120_000)
    assert f"{name} is registered by {opened.role}." in page.inner_text(".mmp-answer")
    assert button.is_disabled() and "stands in the ledger" in page.inner_text(".mmp-buttons:has(.mmp-register)")
    entry, = (each for each in Ledger(place).entries("experiment_registered", "experiment_amended") if each.subject == name)
    assert entry.kind == "experiment_registered" and entry.actor == opened.role
    promise = registered_experiments(place)[name].promise
    assert (promise["planned_customers"], promise["worthwhile_effect"], promise["hypothesis"]) == (draft.plan.n_customers, .4, "Free shipping raises net revenue within two weeks")
    assert sideways(page) == []

def test_the_same_promise_from_another_window_registers_nothing_and_another_one_is_refused(opened, place):
    name, before = f"free_shipping_{opened.width}", len(Ledger(place).entries())
    if name not in registered_experiments(place): pytest.skip("follows the test that registers it")
    library = open_explorer(place, "plan")
    library.select(hypothesis="Free shipping raises net revenue within two weeks", worthwhile=.4, name=name)
    assert library.register(opened.role).sentence.endswith("Nothing was written.") and len(Ledger(place).entries()) == before
    page = show(opened.page, "plan", ".mmp-mark circle")
    page.locator(".mmp .mmx-control:has(label:text-is('Worthwhile gain')) input[type=number]").fill("0.5")
    planned(page, library.select(worthwhile=.5))
    page.locator(".mmp-register").click()
    page.wait_for_selector(".mmp-answer[data-kept='false']", timeout=120_000)
    assert "worthwhile effect 0.40 → 0.50" in page.inner_text(".mmp-answer") and len(Ledger(place).entries()) == before

# ---- readouts

def choose(page, label, value):
    select = page.locator(f".mmr .mmx-choice:has-text('{label}') select")
    if select.is_enabled(): select.select_option(value)
    assert select.input_value() == value

def read_as(page, words): page.wait_for_function("words => document.querySelector('.mmr-says').textContent.replace(/\\s+/g, ' ').trim() === words", arg=squeezed(words), timeout=120_000)

def test_every_view_of_the_readout_says_what_the_library_says_and_days_are_labelled(opened, place):
    page, library = show(opened.page, "readout", ".mmr-plot circle"), open_explorer(place, "readout")
    figures = library.figures
    assert page.inner_text(".mmr-decided") == figures["decision"]["sentence"] and figures["decision"]["word"] in page.inner_text(".mmr-badge")
    page.click(".mmr-view[data-view=effects]")
    for metric in figures["metrics"]:
        for arm in figures["arms"]:
            choose(page, "Metric", metric["name"]); choose(page, "Arm", arm)
            read_as(page, library.select("effects", metric=metric["name"], arm=arm))
            assert page.locator(".mmr-plot .mmr-figures").all_text_contents() == [row["short"] for row in view_of(figures, library.chosen)["rows"]]
            assert sideways(page) == []
    choose(page, "Metric", figures["goal"])
    page.click(".mmr-view[data-view=days]")
    says(page, ".mmr-picture .mmr-warning", "After the fact, not a basis for decisions")
    page.locator(".mmr input[type=range]").focus()
    page.keyboard.press("End")
    for day in figures["days"]["days"][::-1][:4]:
        read_as(page, library.select("days", metric=figures["goal"], arm=figures["arms"][0], day=day))
        page.keyboard.press("ArrowLeft")
    assert sideways(page) == []
    page.click(".mmr-view[data-view=segments]")
    names = list(dict.fromkeys(each["name"] for each in figures["slices"]))
    assert names == ["market", "trait.age_band", "trait.acquisition_channel"]
    for name in names:
        choose(page, "Groups by", name)
        read_as(page, library.select("segments", segment=name))
        assert "Exploratory" in page.inner_text(".mmr-picture .mmr-warning") and page.locator(".mmr-plot .mmr-name").count() == len(view_of(figures, library.chosen)["rows"])
        assert sideways(page) == []
    page.wait_for_function("words => document.querySelector('.mmr .mmx-code').textContent === words", arg=library.code(), timeout=120_000)
    assert "readout_explorer_of('retailer_promo_uplift', find_workspace(), ['market'" in library.code() and sideways(page) == []

# ---- approvals

def answered(page, is_kept): page.wait_for_selector(f".mma-answer[data-kept='{str(is_kept).lower()}']", timeout=120_000); return page.inner_text(".mma-answer")

def say_yes(page):
    page.click(".mma-approve"); page.wait_for_selector(".mma-confirm:not([hidden])")
    asked = page.inner_text(".mma-confirm")
    page.click("text=Yes, I answer for this")
    return asked

def test_what_waits_is_read_with_its_pages_and_answered_with_the_key_alone(opened, place):
    page, before = show(opened.page, "approvals", ".mma-pick"), grants(place)
    sit(page, opened.role)
    says(page, ".mma-asked", "waits for you")
    said = ApprovalDesk(place, opened.role, MODEL, key=opened.key).matter()
    assert page.inner_text(".mma-stands") == said["stands"] and page.inner_text(".mma-part") == said["part"]
    assert page.locator(".mma-table tr[data-gate]").evaluate_all("rows => rows.map(row => row.dataset.gate)") == [each["gate"] for each in said["gates"]]
    for name in [each["name"] for each in said["pages"] if each["is_there"]]:
        page.click(f"[data-page={name}]")
        page.wait_for_selector(f".mma-frame[title='{name}']:not([hidden])", timeout=120_000)
        heading = page.frame_locator(".mma-frame").locator("h1").first
        heading.wait_for(timeout=120_000)
        assert heading.inner_text().strip() and sideways(page) == []
        page.click("text=Close the page")
    assert {each["name"] for each in said["pages"] if each["is_there"]} == {"model_card", "data_quality", "monitoring"}
    sit(page, ANALYST)                                   # whoever asked does not answer
    says(page, ".mma-part", "cannot answer")
    assert page.locator(".mma-approve").is_disabled() and page.locator(".mma-refuse").is_disabled() and "cannot answer" in page.inner_text("[aria-label='Your answer']")
    sit(page, PRIVACY)                                   # an approver without a key
    assert "Production takes no unsigned yes of data-protection@example.com" in say_yes(page)
    assert "data-protection@example.com" in answered(page, False) and grants(place) == before
    sit(page, opened.role)
    page.get_by_label("Reason").fill("Agreed for Monday")
    assert "Identity: verified." in say_yes(page)
    assert "identity: verified" in answered(page, True)
    says(page, ".mma-yesline", "identity: verified")
    assert grants(place) == [*before, (opened.role, "verified")]
    assert Ledger(place).entries("approval_granted", subject=MODEL)[-1].payload["reason"] == "Agreed for Monday"
    assert sideways(page) == []

# ---- all of them

DRAWN = dict(table=".mmx-in[d]", features=".mmf-dots circle", uplift=".mmu-mark circle", segments=".mms-sentence", plan=".mmp-mark circle", readout=".mmr-plot circle", approvals=".mma-table")

@pytest.mark.parametrize("name", DRAWN)
def test_every_word_of_every_explorer_can_be_read(opened, name):
    page = show(opened.page, name, DRAWN[name])
    page.wait_for_function("!document.querySelector('.mmx-waiting') && document.querySelector('.mmd-content').innerText.length > 200", timeout=120_000)
    page.evaluate("document.querySelectorAll('.mmd-content details').forEach(each => { each.open = true })")
    found = words_on(page)
    assert len(found) > 20 and too_pale(found) == []

def test_nothing_left_the_machine_and_no_console_complained(opened):
    opened.watched.errors[:] = [each for each in opened.watched.errors if "sandboxed" not in each]      # report pages run no script here, and the console says so
    assert opened.watched.outgoing == [] and opened.watched.errors == []
    assert not opened.noted.exists() or opened.noted.read_text() == ""
