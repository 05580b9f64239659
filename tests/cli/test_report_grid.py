"""What a terminal shows of a grid can be said of any name."""
from marketing_mlops.cli.report_grid import grid_progress
from marketing_mlops.reporting.grid_outcomes import GridItem, GridOutcome

def test_progress_on_a_terminal_is_harmless_with_any_name(capsys):
    with grid_progress("Making [red]weekly", at_terminal=True) as tell:
        for status in ("running", "done"): tell(GridOutcome(GridItem(1, dict(market="[bold]\x1b[2J")), status, 1.), 1)
    assert "\x1b[2J" not in capsys.readouterr().err
