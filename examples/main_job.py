"""The main job in a few lines: which units work, how many more will wake, what can be removed,
where the loss goes.
"""

from actilaw import backtest, fit, fit_loss, prune, record, report
from actilaw.study.networks import digits, learning_curve, train

task = digits()
model = train(task, units=4096)  # any torch model with ReLU layers will do
with record(model) as recording:
    model(task.inputs)
census = recording.census()
fitted = fit(census["relu"])
tested = backtest(census["relu"], parts=[0.1])[["method", "expected", "lower", "upper", "missed"]]
pruned = prune(model, census, task.test_inputs)
curve = learning_curve(task, [5, 10, 20, 40, 80, 320, 1347], units=1024)
loss = fit_loss(curve["samples"], curve["loss"])
print(fitted, fitted.forecast([13_470, 134_700]), tested, pruned.summary(), loss, sep="\n\n")
report(census, "report.html", loss=loss, pruned=pruned)
