"""The campaign: crashes and faults at every boundary, judged by the ledger and by kubectl.

    make chaos RUNS=200 SEED=7 JOBS=4        python -m tests.chaos --help
    make chaos ONE=7:123                     the same run again

A run is drawn from its seed (`plan.Plan`) and takes place on a stage (`stage.Stage`: a namespace,
an operator as a process with the chart's rights, a simulated Together, and a proxy before both, all
of one job; jobs share a control plane). `perform.perform` plays it: the scenario's beginning in
peace, then its act under fire, until one of its goals is reached and nothing goes wrong any more;
then the resource is deleted in peace, and the judge reads the books.

What there is to extend:

- `scenario.Scenario`: `prepare(run)`, `act(run)`, `goals(run)`. Add an instance to
  `scenarios.SCENARIOS`.
- `faults.Fault`: `fits(scenario)`, `arm(run)`, `goals(run, goals)`. Add an instance to `FAULTS`.
  What Together does wrong is armed at the simulator (`run.together`), what Kubernetes does wrong is
  a `proxy.Meddler` in `run.stage.proxy.meddlers`, or a signal to a part of the control plane. A
  fault that lasts is ended by `run.after(seconds, end)` or `run.once(when, end)`: the run is not
  calm, and nothing is held against it, before the last of these has happened. `run.calm` is when it
  became so.
- `boundary.Crash`: a request's label, the how many-th, and the point at which the operator is
  killed. `proxy.Exchange.label` is that label. `boundaries.BOUNDARIES` lists those of a scenario.
- `run.Run`: what happens by the clock happens in `run.tend`, which `run.until` calls; never sleep.
- `goal.Goal`: what kubectl shows and what lives at Together, at once.
- `verdict.Verdict`: one list of words for each thing that can be wrong; empty lists are a pass.
"""
