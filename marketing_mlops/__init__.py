"""A notebook-first workspace that carries a marketing model through its whole life on one laptop

Modules:

- `marketing_mlops.cli.additions`: `mmops data add FILE --as orders`: a file of your own, tried out first, written when you agree
- `marketing_mlops.cli.checks`: `mmops data check SOURCE`: what the pipeline would say about the files as they are now, without running it
- `marketing_mlops.cli.commands`: `mmops`: one command is one library call, and an error is two lines
- `marketing_mlops.cli.data`: `mmops data list` and `mmops data fetch`: which sources there are, and getting their files
- `marketing_mlops.cli.init`: `mmops init FOLDER`: a workspace of your own, with the same pipeline and nothing of the clone
- `marketing_mlops.cli.jobs`: `mmops jobs`: the notebooks a scheduler runs, what they take, and how their last runs ended
- `marketing_mlops.cli.readout_lines`: A readout in a terminal: the decision first, then what each arm did, then each arm against the control
- `marketing_mlops.cli.report`: `mmops report NAME -p key=value`: one report page, with parameters of your choice
- `marketing_mlops.cli.run`: `mmops run`: build what changed, read out the experiments, say where the pages are
- `marketing_mlops.cli.status`: `mmops status`: what is fresh, what is stale, what was decided, what waits for somebody
- `marketing_mlops.cli.template`: The files a new workspace starts from: this repository's own, never a second copy
- `marketing_mlops.cli.terminal`: What a command may do to a terminal: print a table, ask once, show progress, open a page
- `marketing_mlops.contracts.metrics`: Every figure the house shows, computed in one place: for a period, split by day or market, or per customer
- `marketing_mlops.contracts.scopes`: Which rows a question is about: tables, period, market and the calendar on its wall
- `marketing_mlops.explorers.binning`: Few, readable bins for any column, so that ten million rows become ten million bytes
- `marketing_mlops.explorers.build_progress`: How far the coding of a long table is, where the analyst looks: a bar in the notebook, a line in the terminal
- `marketing_mlops.explorers.snapshots`: The charts of an explorer as one picture and one table, for pages that are saved
- `marketing_mlops.jobs.staleness`: Which stages would run, and what changed since they last did
- `marketing_mlops.measurement.arm_tables`: What the customers of each arm did, with intervals.
- `marketing_mlops.measurement.contrasts`: Every treated arm against the control, every metric in its role, all intervals holding together.
- `marketing_mlops.measurement.differences`: What a treatment changed: two groups compared, with an interval and a test.
- `marketing_mlops.measurement.effect_verdicts`: Is the gain worth its money, and was anything harmed on the way?
- `marketing_mlops.measurement.experiment_decisions`: From verdicts to one action: ship an arm, hold, or stop, with a sentence and what would change it.
- `marketing_mlops.measurement.experiments`: What was promised before the data came in: arms, goal, worthwhile effect, plan.
- `marketing_mlops.measurement.figures_in_words`: "+0.49 to +1.05 USD": how figures stand in a sentence.
- `marketing_mlops.measurement.intervals`: A rate or a mean with the range of values the data leave open.
- `marketing_mlops.measurement.lifts`: How many per cent more than without the treatment, with an interval that knows the control is uncertain too.
- `marketing_mlops.measurement.multiplicity`: Four arms and five metrics give twenty chances to be lucky; this page takes the luck out.
- `marketing_mlops.measurement.ratios`: Revenue per order, clicks per impression: when the denominator is not the customer who was assigned.
- `marketing_mlops.measurement.reading_plans`: Is it time to read the result?
- `marketing_mlops.measurement.readout_sentences`: Conclusions computed from the figures, so that no sentence can disagree with its table.
- `marketing_mlops.measurement.readouts`: An experiment and its customers in, a decision with its reasons out.
- `marketing_mlops.measurement.resampling`: A second opinion on money, made from the data themselves instead of a formula.
- `marketing_mlops.measurement.sample_ratio`: Did the arms receive the customers they were meant to? If not, nothing below the line can be trusted.
- `marketing_mlops.measurement.sample_sizes`: How many customers it takes before the interval settles the question.
- `marketing_mlops.measurement.unit_frames`: One row per customer: the arm, and what the customer did. The only data a readout needs.
- `marketing_mlops.reporting.blocks`: The parts a report is put together from: heading, decision, facts, table.
- `marketing_mlops.reporting.campaigns`: From a model's entry in `params.yaml` and its accepted tables to a readout.
- `marketing_mlops.reporting.charts`: The house style of every chart, and how a chart becomes a picture that needs no network.
- `marketing_mlops.reporting.colours`: One palette for charts, reports and the documentation, by day and by night.
- `marketing_mlops.reporting.interactive`: Charts that answer to the mouse, in a page that still loads nothing.
- `marketing_mlops.reporting.markup`: Turns what a notebook shows into HTML that can be mailed to anybody: nothing in it runs, loads or restyles.
- `marketing_mlops.reporting.numbers`: How counts, rates, money and doubt are written, the same way on every page.
- `marketing_mlops.reporting.pages`: Renders an executed notebook as one HTML file that anybody can open, mail and keep.
- `marketing_mlops.reporting.plots`: The four charts that reports need: intervals, bars, a histogram and a line over time.
- `marketing_mlops.reporting.provenance`: Where the numbers of a report come from: publisher, licence, files, and the clock they are judged by.
- `marketing_mlops.reporting.quality_blocks`: A source's data quality as somebody reads it who has to decide whether to use the data.
- `marketing_mlops.reporting.readme`: Writes README.md from the first page of the documentation, so that the two cannot tell different stories.
- `marketing_mlops.reporting.readout_blocks`: A campaign's readout as a reviewer reads it: the decision first, then what it rests on.
- `marketing_mlops.reporting.reports`: Runs a report notebook and writes its page and results; lists every report of a workspace.
- `marketing_mlops.reporting.site`: Builds the documentation: one page per notebook, a reference by box, a glossary, and a search that works offline.
- `marketing_mlops.reporting.site_pages`: Turns one notebook into one page of the documentation, with a reference entry for every exported name.
- `marketing_mlops.workspace.places`: Where a workspace is, where everything in it lives, and how a file is replaced without ever being half there"""

__version__ = "0.1.0"
