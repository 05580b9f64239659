"""Synthetic runs of reports: manifests and pages as the runner leaves them, without running anything."""
import json, zlib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from marketing_mlops.jobs.runs import Run
from marketing_mlops.workspace.places import find_workspace

REPORTS, MARKETS, CHANNELS = ("weekly_performance", "campaign_readout", "data_quality", "monitoring", "model_card"), ("DE", "UK", "US"), ("email", "search", "social")
WORDS = ("as_usual", "ship", "pass", "review", "hold", "unusual")
BEGAN = datetime(2026, 1, 5, 6, tzinfo=timezone.utc)

def gallery_workspace(root: Path, reports=REPORTS):
    "An empty workspace with the notebooks of these reports."
    root.mkdir(parents=True, exist_ok=True)
    (root/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n[markets]\n" + "".join(f"{name} = UTC\n" for name in MARKETS))
    (root/"nbs"/"reports").mkdir(parents=True, exist_ok=True)
    for name in reports: (root/"nbs"/"reports"/f"{name}.ipynb").write_text('{"cells": []}')
    return find_workspace(root)

def page_text(title: str, rows: dict, labels=("replay",), facts=None) -> str:
    "A page as `render_page` writes it, with one table."
    from html import escape
    facts = facts or {"Owner": "finance@example.com", "Data end": "2026-01-04"}
    body = "".join(f'<tr><td data-label="Channel">{escape(name)}</td><td class="number" data-label="Spend">{escape(str(value))}</td></tr>' for name, value in rows.items())
    head = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
    return (f'<!doctype html>\n<html lang="en"><head><title>{escape(title)}</title></head>\n<body><header><h1>{escape(title)}</h1><ul class="labels">{"".join(f"<li>{escape(each)}</li>" for each in labels)}</ul>'
            f'<dl>{head}</dl></header><main><h2>Channels</h2><div class="scroll"><table class="cards"><thead><tr><th scope="col">Channel</th><th scope="col">Spend</th></tr></thead><tbody>{body}</tbody></table></div></main></body></html>\n')

def add_run(workspace, report: str, key: str, began: datetime, *, page: str | None = None, **more) -> Run:
    "One run; what is not given is what most runs have."
    run_id = f"{began:%Y%m%dT%H%M%S%fZ}-{zlib.crc32(f'{report}/{key}'.encode()) % 65536:04x}"
    folder = workspace.path("data", "runs", report, key, run_id)
    folder.mkdir(parents=True)
    content = dict(job=report, key=key, run_id=run_id, status="done", parameters=dict(source=key, workspace=None), engine="warm", started_at=began.isoformat(), notebook=f"nbs/reports/{report}.ipynb",
                   notebook_sha256="a"*64, version="0.1.0", ended_at=(began + timedelta(seconds=4)).isoformat(), duration_s=4., results={}, semantic_hash="", inputs={}) | more
    (folder/"run.json").write_text(json.dumps(content))
    if page is not None: (folder/"page.html").write_text(page)
    return Run(folder=folder, **content)

def add_many(workspace, n: int) -> list[Run]:
    "`n` runs of five reports in three markets, an hour apart; each fiftieth has failed."
    found = []
    for i in range(n):
        report, market, channel = REPORTS[i % 5], MARKETS[i//5 % 3], CHANNELS[i//15 % 3]
        failed = i % 50 == 49
        results = {} if failed else dict(verdict=WORDS[i % 6], owner=f"{('finance', 'marketing', 'data')[i % 3]}@example.com", labels=["replay"], sentence=f"Net revenue of week {i} in {market} was {40_000 + 7*i:,} EUR, {i % 9 - 4} % on last year.",
                       figures={name: dict(value=40_000. + 7*i + j, low=39_000. + j, high=52_000. + i, last_year=41_000.) for j, name in enumerate(("net_revenue", "ctr", "cac", "roas", "average_order_value", "conversion"))})
        error = dict(problem=f"The week of campaign {i} is not in the data.", remedy="Name a week before.") if failed else None
        page = None if failed else page_text(f"{report.replace('_', ' ').capitalize()}: shop {i % 40}, week {i}", {f"{name} {j}": f"{1_000 + i*(j % 3 == 0) + j:,} EUR" for j in range(12) for name in CHANNELS[:1]})
        found.append(add_run(workspace, report, f"shop_{i % 40}", BEGAN + timedelta(hours=i), page=page, status="failed" if failed else "done", results=results, error=error,
                             parameters=dict(source=f"shop_{i % 40}", market=market, channel=channel, workspace=None), inputs={"data/validate/shop/orders.parquet": f"{i:064x}"}))
    return found
