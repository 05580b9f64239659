"""The style sheets of explorers and reports: colours of one palette, readable by day and by night (WCAG 2.2, criteria 1.4.3 and 1.4.11)."""
import re
from pathlib import Path
import pytest
import marketing_mlops
from marketing_mlops.reporting.colours import PALETTE, contrast_ratio

PACKAGE = Path(marketing_mlops.__file__).parent
EXPLORERS, REPORTS = sorted((PACKAGE/"explorers").glob("*.css")), [PACKAGE/"reporting"/name for name in ("page.css", "site.css")]
NIGHT_IN_LAB, NIGHT = 'body[data-jp-theme-light="false"]', "prefers-color-scheme: dark"
LAB = dict(light="#ffffff", dark="#111111")        # --jp-layout-color1 of JupyterLab's two themes
COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}\b|rgba?\([^)]*\)")
# What is no word and no mark, and why its contrast may be low:
QUIET = {"mmx-line": "lines between rows and around cards; spaces part them too", "mmx-surface": "what is written on", "mmx-raised": "what is written on",
         "mmx-ghost": "fill of bars that have an edge", "mmx-brush": "lies behind bars; its handles are marks", "mmu-band": "the interval is said, and drawn as a whisker, at the chosen depth",
         "mmf-band": "the interval is said for the bin under the hand", "mmf-held": "fill of days that have an edge"}

LABELS = {"mmu-best", "mmr-line", "mmp-pays", "mmx-bar"}    # words beside a line, in its colour; wherever they stand, the paper is drawn around them

def rules_of(sheet, within=()):
    "Every rule: what encloses it, its selector, its declarations."
    text, at = re.sub(r"/\*.*?\*/", "", sheet, flags=re.S), 0
    while (start := text.find("{", at)) >= 0:
        depth, end = 1, start + 1
        while depth: depth, end = depth + {"{": 1, "}": -1}.get(text[end], 0), end + 1
        head, body = " ".join(text[at:start].split()), text[start+1:end-1]
        if "{" in body: yield from rules_of(body, (*within, head))
        else: yield within, head, {name.strip(): value.strip() for name, _, value in (each.partition(":") for each in body.split(";")) if value}
        at = end

ALL = {path.name: list(rules_of(path.read_text(encoding="utf-8"))) for path in (*EXPLORERS, *REPORTS)}
OURS = [rule for path in EXPLORERS for rule in ALL[path.name]]

def declared(when):
    "The custom properties of explorers: by day, by JupyterLab's night, or by the night of the reader's system."
    def is_then(within, selector): return {"lab": selector.startswith(NIGHT_IN_LAB), "night": any(NIGHT in each for each in within)}.get(when, not within and not selector.startswith(NIGHT_IN_LAB))
    found = {}
    for within, selector, said in OURS:
        if is_then(within, selector): found |= {name[2:]: re.sub(r"var\(--jp-[\w-]+, (.*)\)", r"\1", value) for name, value in said.items() if name.startswith("--")}
    return found

DAY, IN_LAB, BY_NIGHT = declared("day"), declared("lab"), declared("night")

def as_hex(colour, behind="#ffffff"):
    "A colour as #rrggbb, laid over another where it lets light through."
    if colour.startswith("#"): return colour
    red, green, blue, *alpha = (float(x) for x in re.findall(r"[\d.]+", colour))
    share, under = (alpha or [1.])[0], [int(behind[i:i+2], 16) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(share*top + (1-share)*low):02x}" for top, low in zip((red, green, blue), under))

def grounds(half):
    "Whatever an explorer writes or draws on: JupyterLab's paper, its own, and either under a brush."
    own, plain = DAY if half == "light" else IN_LAB, [LAB[half], *(getattr(PALETTE[name], half) for name in ("page", "surface", "raised"))]
    return [*plain, as_hex(own["mmx-brush"], getattr(PALETTE["surface"], half))]

def used_in(*properties, with_words=None):
    "Custom properties of explorers that stand in these declarations; with_words: only of rules that set (or do not set) type."
    found = set()
    for within, selector, said in OURS:
        has_words = any(name in ("font", "font-size", "font-weight") for name in said) or "text" in selector
        if with_words is not None and has_words != with_words: continue
        found |= {match for name, value in said.items() if name in properties for match in re.findall(r"var\(--(mm[\w-]+)", value)}
    return found

WORDS = used_in("color") | used_in("fill", with_words=True)
MARKS = used_in("stroke", "border", "border-color", "border-left", "border-left-color", "border-block", "border-bottom", "outline", "background", "box-shadow") | used_in("fill", with_words=False)

def test_every_colour_of_an_explorer_is_one_of_the_palette():
    halves = {half: {getattr(shade, half) for shade in PALETTE.values()} for half in ("light", "dark")}
    for properties, half in ((DAY, "light"), (IN_LAB, "dark"), (BY_NIGHT, "dark")):
        strange = {name: value for name, value in properties.items() for each in COLOUR.findall(value) if as_hex(re.sub(r", *\.\d+\)", ")", each)) not in halves[half]}
        assert not strange, (half, strange)
    plain = {(selector, each) for _, selector, said in OURS for name, value in said.items() if not name.startswith("--") for each in COLOUR.findall(value)}
    assert {each for _, each in plain} <= halves["light"], plain

def test_a_night_in_jupyterlab_is_as_dark_as_one_of_the_system():
    assert IN_LAB == BY_NIGHT
    assert {*DAY} - {*IN_LAB} == set()

@pytest.mark.parametrize("half", ["light", "dark"])
def test_words_of_explorers_can_be_read_on_all_they_stand_on(half):
    properties = DAY if half == "light" else IN_LAB
    found = {(name, ground): contrast_ratio(properties[name], ground) for name in WORDS - {"mmx-surface"} for ground in (grounds(half) if name not in LABELS - used_in("color") else (LAB[half], getattr(PALETTE["surface"], half)))}
    assert len(WORDS) > 10 and min(found.values()) >= 4.5, {where: round(ratio, 2) for where, ratio in found.items() if ratio < 4.5}

def test_words_beside_a_line_have_the_paper_around_them():
    around = " ".join(selector for _, selector, said in OURS if said.get("stroke") == "var(--mmx-surface)" and said.get("paint-order") == "stroke")
    assert all(each in around for each in (".mmu-label", ".mmp-label", ".mmr-linewords"))

def test_words_on_a_coloured_ground_can_be_read_on_it():
    pairs = [(said["color"], said["background"]) for _, _, said in OURS if said.get("color", "").startswith(("var(--mmx-surface", "#")) and "background" in said]
    assert len(pairs) >= 4
    def shown(value, properties): return value if value.startswith("#") else properties[value[6:-1]]
    for properties in (DAY, IN_LAB):
        for ink, ground in pairs: assert contrast_ratio(shown(ink, properties), shown(ground, properties)) >= 4.5, (ink, ground)

@pytest.mark.parametrize("half", ["light", "dark"])
def test_bars_lines_and_edges_that_say_something_can_be_seen(half):
    properties = DAY if half == "light" else IN_LAB
    found = {(name, ground): contrast_ratio(properties[name], ground) for name in MARKS - {*QUIET} for ground in grounds(half)[:-1]}
    assert len(MARKS - {*QUIET}) > 8 and min(found.values()) >= 3, {where: round(ratio, 2) for where, ratio in found.items() if ratio < 3}

def test_what_is_quiet_is_used_and_has_an_edge_where_it_needs_one():
    assert {*QUIET} <= MARKS
    edged = {selector: said for _, selector, said in OURS if re.search(r"ghost|held", " ".join(said.values())) and "--" not in "".join(said)}
    tracks = {".mmx-meter", ".mmf-track"}              # the rest of a whole, beside its figure
    assert edged.keys() > tracks and all({"stroke", "border", "border-block"} & {*said} for selector, said in edged.items() if selector not in tracks), edged

def test_fields_have_an_edge_that_can_be_seen():
    fields = [(selector, said["border"]) for _, selector, said in OURS if "border" in said and re.search(r"(number|select|find|input|textarea|-text|search)\b(?!:)", selector) and "var" in said["border"]]
    assert len(fields) >= 6 and all("--mmx-edge" in border for _, border in fields), fields

@pytest.mark.parametrize("sheet", [path.name for path in REPORTS])
def test_words_of_reports_can_be_read_on_all_they_stand_on(sheet):
    names = {name for _, _, said in ALL[sheet] if "color" in said for name in re.findall(r"var\(--([\w-]+)", said["color"])}
    assert len(names) >= 5 and names <= {name.replace("_", "-") for name in PALETTE}
    for half in ("light", "dark"):
        for name in names:
            for ground in ("page", "surface", "raised"): assert contrast_ratio(getattr(PALETTE[name.replace("-", "_")], half), getattr(PALETTE[ground], half)) >= 4.5, (name, ground, half)

def test_a_sheet_that_goes_pale_is_found():
    "The tests above read what a browser reads: a paler word, a paler bar and a colour of one's own are told."
    rules = list(rules_of(".x { --mmx-muted: #9aa4b1; } @media (prefers-color-scheme: dark) { body:not(.y) .x { --mmx-muted: #333333; } }"))
    assert [(within, said) for within, _, said in rules] == [((), {"--mmx-muted": "#9aa4b1"}), (("@media (prefers-color-scheme: dark)",), {"--mmx-muted": "#333333"})]
    assert contrast_ratio("#9aa4b1", PALETTE["surface"].light) < 3 and as_hex("rgba(0, 0, 0, .5)") == "#808080"
