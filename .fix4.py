import ast,re
from pathlib import Path
PK="forecast models scoring backtesting hub panel sources vintage geography monthly testing evidence errors.py months.py seeds.py publication.py io.py names.py say.py".split()
SKIP="longer more less better worse different earlier later farther further use such one need matter part".split()
PAT=re.compile(r"(?<![Tt]here )(?<!There\n)\b(is|are) no (?!(?:%s)\b)(\w+)"%"|".join(SKIP))
def sub(m):
    if m[1]=='are': return f"are not {m[2]}"
    a='an' if m[2][0].lower() in 'aeioAEIO' and m[2] not in('one',) else 'a'
    if m[2] in('text','valid','JSON','UTF'): return f"is not {m[2]}"
    return f"is not {a} {m[2]}"
for pk in PK:
    r=Path('src/odforecast',pk)
    for p in (sorted(r.rglob('*.py')) if r.is_dir() else [r]):
        src=p.read_text(); lines=src.split('\n'); ch=False
        for n in ast.walk(ast.parse(src)):
            if isinstance(n,(ast.Module,ast.ClassDef,ast.FunctionDef,ast.AsyncFunctionDef)) and n.body and isinstance(n.body[0],ast.Expr) and isinstance(n.body[0].value,ast.Constant) and isinstance(n.body[0].value.value,str):
                e=n.body[0]
                for i in range(e.lineno-1,e.end_lineno):
                    if '>>>' in lines[i] or "there is no" in lines[i].lower() and PAT.sub('',lines[i])==lines[i]: continue
                    # previous line ends with there
                    if lines[i].strip().startswith(('is no','are no')) and lines[i-1].rstrip().endswith('there'): continue
                    new=PAT.sub(sub,lines[i])
                    if new!=lines[i]:
                        print(p.relative_to('src/odforecast'),':',new.strip()); lines[i]=new; ch=True
        if ch: p.write_text('\n'.join(lines))
