import re,subprocess
from pathlib import Path
S=Path('src/odforecast')
R=[ # file, old, new
("forecast/file.py","is no saved forecast","is not a saved forecast"),
("forecast/file.py",", which is none of its files",", which is not one of its files"),
("forecast/file.py","is no JSON (","is not valid JSON ("),
("models/adapters/foreign.py","a past point forecast is no finite number","a past point forecast is not a finite number"),
("models/adapters/foreign.py","its quantiles are no finite numbers","its quantiles are not finite numbers"),
("models/county/model.py","follows the states, and no states' panel stands beside this one","follows the states, and this panel has no states' panel beside it"),
("scoring/metrics.py","is no metric","is not a metric"),
("scoring/metrics.py","is no plain value","is not a plain value"),
("scoring/pairs.py","has negative values, and a ratio of them means nothing","has negative values, so ratios are not defined"),
("scoring/rules.py","are no array of numbers: ","are not an array of numbers: "),
("scoring/summary.py","these are no scores of counties","these are not scores of counties"),
("scoring/truth.py","panel is no truth","panel cannot be a truth"),
("scoring/truth.py","is no whole number","is not a whole number"),
("backtesting/board.py","is no label of a model","is not a model's label"),
("backtesting/board.py","was run without a task, so nobody can say whether it was asked the same","was run without a task, so it cannot be compared"),
("backtesting/planning.py","a made-up panel is no origin","a made-up panel cannot be an origin"),
("backtesting/planning.py",", which is no model",", which is not a model"),
("backtesting/run.py",", which is no Origin",", which is not an Origin"),
("backtesting/store.py","the marker is no mapping","the marker is not a mapping"),
("backtesting/submission.py","is no origin of task ","is not an origin of task "),
("backtesting/submission.py","is no number","is not a number"),
("backtesting/task.py","is no UTF-8","is not UTF-8"),
("backtesting/task.py","is no mapping","is not a mapping"),
("backtesting/task.py","means nothing for ","has no meaning for "),
("backtesting/task.py","is no list of plain values","is not a list of plain values"),
("backtesting/task.py",", which is no month",", which is not a month"),
("hub/config.py","is no built-in model of states","is not a built-in model of states"),
("hub/making.py","is no built-in model of states","is not a built-in model of states"),
("hub/files.py","is no date","is not a date"),
("hub/files.py","is no finite number","is not a finite number"),
("hub/files.py","is no location","is not a location"),
("hub/files.py","is no text","is not text"),
("hub/files.py","is no name of a scenario","is not a scenario name"),
("hub/layout.py",", so this is no hub",", so this is not a hub"),
("hub/naming.py","is no name of a team","is not a valid team name"),
("hub/naming.py","is no label of a model","is not a valid model label"),
("hub/naming.py","is no name of a model in a hub","is not a valid model name in a hub"),
("hub/naming.py","is no name of a submission","is not a valid submission name"),
("hub/scenarios.py","is no name of a scenario","is not a scenario name"),
("hub/scenarios.py","is no scenario of the forecasts","is not a scenario of the forecasts"),
("hub/scenarios.py","is no month","is not a month"),
("hub/scores.py","one sample is no distribution","one sample is not a distribution"),
("hub/scores.py","is no number","is not a number"),
("hub/scores.py","is no day","is not a day"),
("vintage/quality.py","A fall at the end of a reported series is no fall yet","A fall at the end of a reported series is not yet a fall"),
("testing/contract.py","is no forecaster: it has no ","is not a forecaster: it has no "),
("testing/contract.py","when places stand in another order","when places are in another order"),
]
files={}
for f,a,b in R:
    p=S/f; s=files.get(p) or p.read_text()
    pieces=s.split(a)
    if len(pieces)==1: print("MISSING",f,a); continue
    files[p]=s.replace(a,b)
for p,s in files.items(): p.write_text(s)
# tests & docs
import collections
for old,new in {(a.strip(' ,('),b.strip(' ,(')) for _,a,b in R}:
    out=subprocess.run(['grep','-rlF',old,'tests','docs','--include=*.py','--include=*.md'],capture_output=True,text=True).stdout.split()
    out=[o for o in out if '_build' not in o]
    if out: print(old,'|',new,'|',out)
