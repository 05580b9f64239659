"""The frozen page of a segment: counts of enough customers that add up to what the library counts, and nothing else."""
import json, re
import numpy as np
import pytest
from segment_people_example import HOSTILE, customers, people_of
from lab_session import browser, has_chromium
from marketing_mlops.explorers.frozen_segments import INSIDE, freeze_segment, segment_codes, frozen_sentences
from marketing_mlops.explorers.frozen_tables import told_counts
from marketing_mlops.explorers.segment_builder import SegmentBuilder
from marketing_mlops.workspace.errors import ParameterError

DRAFT = [["recency_days", ">", 61], ["orders_365d", ">=", 2]]

@pytest.fixture(scope="module")
def builder():
    made = SegmentBuilder(people_of(), purpose="email")
    made.select(DRAFT, name="quiet", definition="Silent and loyal.")
    return made

def bins_of(cells, chart, label): return [cells.dimensions[chart].first.index(label)]

def figures(page): return json.loads(page.split('id="figures">')[1].split("</script>")[0])

def test_unasked_it_charts_the_segment_the_consent_the_set_and_what_differs(builder):
    charts = list(builder.freeze().dimensions)
    assert charts[:3] == [INSIDE, "agreed to email", "segment of stage"] and {"recency_days", "orders_365d"} == set(charts[3:])

@pytest.mark.parametrize("minimum", [10, 40])
def test_three_selections_count_the_customers_of_told_combinations(builder, minimum):
    cells, df, codes = builder.freeze(minimum=minimum), customers(), segment_codes(builder.view())
    assert cells.counts.min() >= minimum and (cells.hidden == 0 or cells.hidden >= minimum)
    awake, asked = df.recency_days <= 90, {INSIDE: bins_of(cells, INSIDE, "inside"), "agreed to email": bins_of(cells, "agreed to email", "agreed"), "segment of stage": bins_of(cells, "segment of stage", "asleep")}
    selected, charts = told_counts(cells, asked)
    truth = builder.view().inside & df["agreed.email"] & (df.recency_days > 90)
    assert 0 < selected <= truth.sum() and selected == charts["recency_days"].sum()
    everything = freeze_segment(builder.view(), list(asked), 1)
    assert told_counts(everything, {name: bins_of(everything, name, cells.dimensions[name].first[bins[0]]) for name, bins in asked.items()})[0] == truth.sum()
    assert np.bincount(codes.arrays["segment of stage"])[codes.dimensions["segment of stage"].first.index("awake")] == awake.sum()

def test_the_file_holds_counts_and_words_and_no_customer(builder, tmp_path):
    page = builder.write_page(tmp_path/"quiet.html").read_text()
    assert "secret-" not in page and "https://" not in page and set(figures(page)["cells"]) == {"names", "widths", "bins", "counts"} and min(figures(page)["cells"]["counts"]) >= 10
    notes = " ".join(figures(page)["spec"]["notes"])
    assert "recency_days > 61" in notes and "mail changed" in notes and f"{builder.view().n:,}" not in notes

def test_what_a_few_did_is_not_told_in_sentences():
    made = SegmentBuilder(people_of())
    made.select([["recency_days", ">", float(customers().recency_days.nlargest(4).iloc[-1])]])
    assert 0 < made.view().n < 10 and "not measured inside" in " ".join(frozen_sentences(made.view())) and "too few" not in " ".join(frozen_sentences(made.view()))
    cells = made.freeze(["recency_days", "orders_365d", INSIDE])
    assert set(cells.bins[INSIDE]) == set(bins_of(cells, INSIDE, "outside"))

def test_names_with_markup_stay_text_in_the_frozen_page(builder, tmp_path):
    page = builder.write_page(tmp_path/"page.html", [HOSTILE, "trait.channel", INSIDE]).read_text()
    assert "<img" not in page and "<b>" not in page and HOSTILE in figures(page)["spec"]["dimensions"][0]["name"]

def test_a_set_of_which_a_segment_cannot_be_told_is_no_chart(builder):
    made = SegmentBuilder(people_of(customers().drop(columns="recency_days")))
    assert not [name for name in segment_codes(made.view()).dimensions if name.startswith("segment of")] and INSIDE not in segment_codes(made.view()).dimensions

def test_a_chart_there_is_not_and_people_too_few_are_refused_in_words(builder, tmp_path):
    with pytest.raises(ParameterError, match="no chart of 'recency_day'. Did you mean 'recency_days'"): builder.freeze(["recency_day"])
    with pytest.raises(ParameterError, match="nothing of this table may be told"): SegmentBuilder(people_of(customers(9))).write_page(tmp_path/"page.html")
    assert not (tmp_path/"page.html").exists()

@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")
@pytest.mark.parametrize("width, dark", [(1280, False), (390, True)])
def test_with_the_network_off_three_linked_selections_count_what_the_library_counts(builder, tmp_path, width, dark):
    file, cells = builder.write_page(tmp_path/"quiet.html"), builder.freeze()
    with browser(file.as_uri(), width=width, dark=dark) as watched:
        page = watched.page
        page.context.set_offline(True)
        page.goto(file.as_uri())
        page.wait_for_selector(".mmx-in[d]")
        asked = {INSIDE: "inside", "agreed to email": "agreed", "segment of stage": "asleep"}
        for chart, label in asked.items():
            page.click(f"[data-column='{chart}'] .mmx-row[title='{label}']")
            page.wait_for_timeout(250)
        plot = page.locator("[data-column=orders_365d] .mmx-plot")
        plot.scroll_into_view_if_needed()
        box = plot.bounding_box()
        page.mouse.move(box["x"] + .02*box["width"], box["y"] + 50); page.mouse.down()
        page.mouse.move(box["x"] + .5*box["width"], box["y"] + 50, steps=5); page.mouse.up()
        page.wait_for_timeout(250)
        low, _, high = (int(handle.get_attribute("aria-valuenow")) for handle in page.locator("[data-column=orders_365d] .mmx-handle").all())
        filters = {chart: bins_of(cells, chart, label) for chart, label in asked.items()} | {"orders_365d": list(range(low, high + 1))}
        assert int(re.search(r"[\d,]+", page.inner_text(".mmx-selected"))[0].replace(",", "")) == told_counts(cells, filters)[0] > 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width and watched.outgoing == [] and watched.errors == []
