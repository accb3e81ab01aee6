import ast,re,sys
from pathlib import Path
PAT=re.compile(r"\bwhat came\b|\bonce final\b|(?<![Tt]here )(?<!if there )\b(?:is|are|was|were) no (?!longer\b|more\b|less\b|better\b|worse\b|different\b|earlier\b|later\b|farther\b|further\b|use\b)\w+(?: \w+)?|\bnot to be had\b|\bin all alike\b|\bmiddle value|\bcomes? all the same\b|\bpeople who decide\b|\bstands? last\b|\bheld what\b|\bthat is none\b|\bis none\b|\bare none\b|\bcan be had\b|\bto be had\b|\blies? further ahead\b|\bWho (?:has|built|is)\b|\bmeans nothing\b|\bsays? of\b|\bsaid of\b|\bnothing of\b|\bstands? (?:in|on|there|below|above|beside|here)\b|\bof which one\b|\bis told\b|\bnobody\b|\bwho does not\b")
PK=sys.argv[1].split()
kind=sys.argv[2]
for pk in PK:
    r=Path('src/odforecast',pk)
    for p in (sorted(r.rglob('*.py')) if r.is_dir() else [r]):
        tree=ast.parse(p.read_text()); docs=set()
        for n in ast.walk(tree):
            if isinstance(n,(ast.Module,ast.ClassDef,ast.FunctionDef,ast.AsyncFunctionDef)) and n.body and isinstance(n.body[0],ast.Expr) and isinstance(n.body[0].value,ast.Constant): docs.add(n.body[0].value)
        for n in ast.walk(tree):
            if isinstance(n,ast.Constant) and isinstance(n.value,str) and ((n in docs)==(kind=='doc')):
                for m in PAT.finditer(n.value):
                    print(f"{p.relative_to('src/odforecast')}:{n.lineno} [{m[0]}] {re.sub(chr(10),' ',n.value[max(0,m.start()-70):m.end()+50])}")
