from pathlib import Path
S=Path('src/odforecast')
def rep(f,pairs):
    p=Path(f); s=p.read_text()
    for a,b in pairs:
        if a not in s: print('MISSING',f,a[:60]); continue
        s=s.replace(a,b)
    p.write_text(s)
rep(S/'forecast/text.py',[
('''"""One line on the months that lie further ahead than any that was ever scored."""''','''"""One line on months beyond those ever scored; empty if the forecast has none."""'''),
('''    last = to_month(forecast.last_month) + VALIDATED * ONE_MONTH
    said = (
        f"months after {last} lie further ahead than forecasts were checked: {VALIDATED} months "
        "after the last published one; their intervals follow from the model alone"
    )
''','''    last = to_month(forecast.last_month) + VALIDATED * ONE_MONTH
    said = (
        f"forecasts beyond {month_name(last)} (more than {VALIDATED} months ahead) have not been "
        "tested against real outcomes"
    )
'''),
('''f"{known}; once final, the count will be about {rounded(ends[1], step)} "''','''f"{known}; the final count will be about {rounded(ends[1], step)} "'''),
])
rep(S/'forecast/tables.py',[("12-month-ending deaths a year before each month of a forecast, once final.","Final 12-month-ending deaths a year before each month of a forecast."),("Counts once final; see","Estimates of final counts; see")])
rep(S/'forecast/trend.py',[("Deaths of the 12 months a year before, once final; broadcast with ``change``.","Final deaths of the 12 months a year before; broadcast with ``change``.")])
rep(S/'hub/scores.py',[('"what came is no step from 0 to 1"','"the observed values are not a step from 0 to 1"'),
('''f"{came} came, which is none of its categories"''','''f"{came} was observed, which is not one of its categories"'''),
('''f"output type {quoted(self.kind)} is none that can be scored"''','''f"output type {quoted(self.kind)} cannot be scored"'''),
("its chances fall with the threshold","its probabilities fall with the threshold"),("a chance lies outside 0 to 1","a probability is outside 0 to 1")])
rep(S/'hub/outcomes.py',[('f"{kind} of a hub holds what came there"','f"{kind} of a hub has the observed value there"')])
rep(S/'hub/templates/tasks.json',[("The count of the 12 months up to target_end_date, as once final.","The final count of the 12 months up to target_end_date."),("The count of the month that ends on target_end_date, as once final.","The final count of the month that ends on target_end_date.")])
rep(S/'evidence/placebo.py',[('''so a low rank is no "
        "evidence for its event; a middling or high one says that nothing visible followed."''','''so a low rank is not "
        "evidence for its event; a middling or high rank says that nothing visible followed."''')])
rep('tests/test_text.py',[("; once final, the count will be about 2,8","; the final count will be about 2,8")])
rep('tests/report/test_brief.py',[("lie further ahead than forecasts were checked","have not been tested against real outcomes")])
rep('tests/cli/test_cli_answers.py',[('"further ahead than forecasts were checked" in w','"not been tested against real outcomes" in w'),('far.count("further ahead than forecasts were checked: 12 months") == 1','far.count("more than 12 months ahead") == 1'),('"further ahead" not in run','"months ahead)" not in run')])
rep('tests/cli/test_cli_outputs.py',[("further ahead than forecasts were checked","not been tested against real outcomes")])
