"""The main job in a few lines: which units work, how many more will wake, what can be removed, where the loss goes."""

from actilaw import fit, fit_loss, prune, record, report
from actilaw.study import digits, learning_curve, train

task = digits()
model = train(task, units=4096)  # any torch model with ReLU layers will do
with record(model) as recording:
    model(task.inputs[:134])
    early = recording.census()
    model(task.inputs[134:])
census = recording.census()
pruned = prune(model, census, task.test_inputs)
curve = learning_curve(task, [5, 10, 20, 40, 80, 320, 1347], units=1024)
loss = fit_loss(curve["samples"], curve["loss"])
print(fit(census["relu"]).summary(), fit(early["relu"]).forecast(1347), pruned.summary(), loss.summary(), sep="\n\n")
report(census, "report.html", early=early, loss=loss, pruned=pruned)
