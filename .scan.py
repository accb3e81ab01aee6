import ast,re,sys,collections
from pathlib import Path
P=[r"\bwhat came\b", r"\bonce final\b", r"\bis no (?!longer|more|better|worse|different|such)\w+", r"\bare no (?!longer|more|better|worse|different)\w+", r"\bnot to be had\b", r"\bin all alike\b", r"\d %(?!\w)", r"\bmiddle value", r"\bcome[s]? all the same\b", r"\bas if standing\b", r"\bpeople who decide\b", r"\bnever believed\b", r"\bstand[s]? last\b", r"\bof it all together\b|\ball of it together\b", r"\bheld what\b", r"\bis said (?:of|to)\b", r"\bhas to be had\b|\bcan be had\b|\bto be had\b", r"\blies? further ahead\b", r"\bWho (?:has|had|built|is)\b", r"\bstands? (?:in|on|there|below|above|beside|here|for)\b", r"\bof which one\b", r"\bthat is none\b|\bis none\b"]
root=Path('.')
def pieces():
    for p in sorted(root.glob('src/odforecast/**/*')):
        if p.suffix=='.py':
            for n in ast.walk(ast.parse(p.read_text())):
                if isinstance(n,ast.Constant) and isinstance(n.value,str): yield p,n.lineno,n.value
        elif p.suffix in('.html','.md','.j2','.yml','.toml','.yaml','.txt'):
            for i,l in enumerate(p.read_text().splitlines(),1): yield p,i,l
tot=collections.defaultdict(collections.Counter); ex=collections.defaultdict(list)
for p,l,t in pieces():
    for pat in P:
        for m in re.finditer(pat,t):
            top=p.relative_to('src/odforecast').parts[0]
            tot[pat][top]+=1; ex[pat].append((str(p.relative_to('src/odforecast')),l,re.sub(r'\s+',' ',t[max(0,m.start()-40):m.end()+30])))
for pat in P:
    print('##',pat,sum(tot[pat].values()),dict(tot[pat]))
    for e in ex[pat][:6]: print('   ',e)
