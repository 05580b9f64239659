"""What other people typed is shown, and never runs, loads or restyles anything."""
import json, re
import pandas as pd
import pytest
from marketing_mlops.contracts.verdict import Reason, Verdict
from marketing_mlops.reporting.blocks import decision_block, facts_block, page_heading, table_block, verdict_block
from marketing_mlops.reporting.charts import render_chart
from marketing_mlops.reporting.markup import MATH_TAGS, math_html, safe_html
from marketing_mlops.reporting.pages import render_page
from marketing_mlops.reporting.plots import plot_bars
from marketing_mlops.reporting.reports import ReportEntry, entry_html

ATTACKS = {
    "script": '<script>document.title="pwned"</script>',
    "closing script": '</script><script>document.title="pwned"</script>',
    "image": '<img src=x onerror="document.title=\'pwned\'">',
    "vector": '<svg onload="document.title=\'pwned\'"><script>document.title="pwned"</script></svg>',
    "link": '<a href="javascript:document.title=\'pwned\'">terms</a>',
    "hidden link": '<a href="java\tscript:document.title=1">terms</a>',
    "style": '<style>body{display:none}</style><p style="position:fixed;top:0">x</p>',
    "frame": '<iframe srcdoc="<script>parent.document.title=1</script>"></iframe>',
    "form": '<form action="https://example.com"><input name=card><button>pay</button></form>',
    "base": '<base href="https://example.com/"><meta http-equiv="refresh" content="0;url=https://example.com">',
    "math": r'<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></mglyph></table></mtext></math>',
    "comment": '<!--><img src=x onerror=alert(1)>-->',
    "attribute": '" onmouseover="document.title=1" x="',
    "markdown": '[terms](javascript:alert(1)) ![p](https://example.com/p.png) <https://example.com>',
    "formula": r'$\text{<script>document.title="pwned"</script>}$ and $\href{javascript:alert(1)}{x}$ and $\style{position:fixed}{x}$',
    "template": '{{< include /etc/passwd >}} ${7*7} {{7*7}}',
    "emoji": "🍂 <b>autumn</b> &amp; ﷽",
}
ALLOWED = set("html head meta title style body header main footer h1 h2 h3 h4 h5 p ul ol li dl dt dd div span strong em b i code pre details summary a abbr dfn "
              "table caption thead tbody tr th td figure picture source img br hr blockquote s".split()) | MATH_TAGS

def check(page, tools):
    parts = tools.Parts(page)
    assert set(parts.elements) <= ALLOWED, set(parts.elements) - ALLOWED
    assert parts.elements.count("style") == 1 and parts.elements.count("meta") == 5
    for tag, name, value in parts.attributes:
        if (tag, name) == ("span", "id") and re.fullmatch(r"said-\d+", value): continue   # what a word of the glossary is described by
        assert not name.startswith("on") and name not in ("style", "id", "srcdoc", "action", "formaction"), (tag, name)
        if name in ("src", "srcset"): assert value.startswith("data:image/"), value[:60]
        if name == "href": assert re.match(r"(https?:|mailto:|[\w./-]+$)", value), value
    return parts

def everything(text):
    "A notebook that shows `text` in every way a notebook has."
    chart = plot_bars(pd.DataFrame({"name": [text], "n": [3.]}), label="name", value="n", unit="count", title=text)
    verdict = Verdict(text, "review", [Reason("x", text, next_step=text, severity="review")])
    blocks = [page_heading(text, text, [text], owner=text), decision_block("hold", text, {text: text}), facts_block({text: text}),
              table_block(pd.DataFrame({text: [text]}), hints={text: text}, caption=text), verdict_block(verdict, text, (text, "data_quality.html"))]
    outputs = [dict(output_type="display_data", data=b._repr_mimebundle_()) for b in blocks]
    styler = pd.DataFrame({text: [text]}).style.set_caption(text).set_table_styles([dict(selector="td", props="position:fixed")])
    outputs += [dict(output_type="display_data", data=d) for d in (
        {"text/html": text}, {"text/html": pd.DataFrame({text: [text]})._repr_html_()}, {"text/html": styler._repr_html_()},
        {"text/markdown": text}, {"text/plain": text}, {"text/latex": f"${text}$"}, {"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{text}</svg>", "text/plain": text},
        render_chart(chart.to_dict()), {"application/javascript": text, "text/plain": text}, {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": text})]
    outputs += [dict(output_type="stream", name="stdout", text=text), dict(output_type="error", ename="ValueError", evalue=text, traceback=[text])]
    cells = [dict(cell_type="markdown", source=f"# {text}\n\n{text}\n\n## {text}\n\n| {text} |\n|---|\n| {text} |"), dict(cell_type="code", source=f"x = {text!r}", outputs=outputs, metadata={}),
             dict(cell_type="code", source=f"name = {text!r}", outputs=[], metadata=dict(tags=["injected-parameters"]))]
    return dict(cells=cells)

@pytest.mark.parametrize("attack", ATTACKS)
def test_a_name_is_text_wherever_a_page_shows_it(attack, tools):
    parts = check(render_page(everything(ATTACKS[attack])), tools)
    if attack != "emoji": return
    assert ATTACKS[attack] in "".join(parts.text)

@pytest.mark.parametrize("attack", ATTACKS)
def test_a_live_page_adds_one_script_and_data_that_cannot_end_it(attack):
    page = render_page(everything(ATTACKS[attack]), live=True)
    data = re.findall(r'<script type="application/json">(.*?)</script>', page, re.S)
    assert len(data) == 1
    title = json.loads(data[0])["title"]     # a long one is a list of lines
    assert "".join("".join(title).split()) == "".join(ATTACKS[attack].split())
    assert page.count("<script") == 2 and page.count("</script>") == 2

def test_the_list_of_reports_shows_names_as_text(tools):
    for attack in ATTACKS.values():
        shown = entry_html(ReportEntry(attack, attack, attack, "report/x.html", "ship", attack, attack, (attack,)))
        parts = tools.Parts(shown)
        assert set(parts.elements) <= {"div", "p", "strong", "a"} and not [n for _, n, _ in parts.attributes if n not in ("class", "href")]

def test_a_page_says_that_nothing_may_run_or_load():
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', render_page(everything("x")))[1]
    assert policy.startswith("default-src 'none'") and "script-src" not in policy and "unsafe" not in policy and "http" not in policy

def test_formulas_keep_their_meaning_and_lose_their_markup():
    assert "<mfrac>" in math_html(r"\frac{a}{b}") and "<script" not in math_html(r"\text{</mtext><script>x</script>}")
    assert math_html(r"\frac{") == r"<code>\frac{</code>"

def test_a_random_table_id_of_pandas_does_not_reach_the_page():
    first, second = (safe_html(pd.DataFrame({"a": [1]}).style._repr_html_()) for _ in range(2))
    assert first == second

def test_nan_and_missing_figures_never_read_as_numbers():
    shown = str(table_block(pd.DataFrame({"rate": [.1, None, float("nan")]}), formats={"rate": lambda v: f"{v:.0%}"}))
    assert shown.count("not measured") == 2 and "nan" not in shown
