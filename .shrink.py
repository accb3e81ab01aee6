"""Collapse docstrings of names that are not public. usage: .shrink.py packages... [--write]"""
import ast,sys,re,inspect,textwrap
sys.path[:0]=['tests','docs/_ext','docs']
from pathlib import Path
import test_examples as te
root=Path('src/odforecast').resolve()
public=set()
import odforecast
def loc(obj):
    o=obj
    if isinstance(o,property): o=o.fget
    if hasattr(o,'func') and not inspect.isfunction(o): o=getattr(o,'func')
    o=inspect.unwrap(o) if callable(o) else o
    o=getattr(o,'__func__',o)
    try:
        f=inspect.getsourcefile(o); 
        if inspect.ismodule(o): return (f,0)
        _,l=inspect.getsourcelines(o); return (f,l)
    except Exception: return None
for full,value in te.public():
    v=value
    if not (inspect.ismodule(v) or inspect.isclass(v) or inspect.isroutine(v)): continue
    if inspect.ismodule(v): public.add((v.__file__,'<module>')); continue
    if not getattr(v,'__module__','').startswith('odforecast'): continue
    w=inspect.unwrap(v)
    f=inspect.getsourcefile(w); public.add((f,w.__qualname__))
    if inspect.isclass(v):
        for base in v.__mro__:
            if base.__module__.startswith('odforecast'):
                bf=inspect.getsourcefile(base)
                public.add((bf,base.__qualname__))
                for name in vars(base):
                    if not name.startswith('_') or name in('__call__','__init__'): public.add((bf,f"{base.__qualname__}.{name}"))
write='--write' in sys.argv
pk=[a for a in sys.argv[1:] if not a.startswith('--')]
saved=0
def shorten(doc,indent):
    d=inspect.cleandoc(doc)
    para=d.split('\n\n')[0]
    if re.search(r'\n-{3,}',para): return None
    text=' '.join(para.split())
    if len(text)+indent+6<=100: return [text]
    # first sentence
    m=re.match(r'(.{20,}?[.!?])(?: [A-Z:`])',text)
    cand=m[1] if m else text
    if len(cand)+indent+6<=100: return [cand]
    m2=re.match(r'(.{25,}?)[;:] ',text)
    if m2 and len(m2[1])+indent+7<=100 and not re.search(r'\b(as|is|are|where|for)$',m2[1]): return [m2[1]+'.']
    return textwrap.wrap(cand,100-indent-3) if len(cand)<len(text) or '\n\n' in d or len(d.splitlines())>len(textwrap.wrap(text,100-indent-3)) else None
for name in pk:
    files=sorted((root/name).rglob('*.py')) if (root/name).is_dir() else [root/name]
    for p in files:
        src=p.read_text(); lines=src.splitlines(); tree=ast.parse(src)
        jobs=[]
        def visit(node,qual):
            for ch in ast.iter_child_nodes(node):
                if isinstance(ch,(ast.ClassDef,ast.FunctionDef,ast.AsyncFunctionDef)):
                    q=f"{qual}.{ch.name}" if qual else ch.name
                    jobs.append((ch,q)); visit(ch,(q+'.<locals>') if not isinstance(ch,ast.ClassDef) else q)
                else: visit(ch,qual)
        jobs.append((tree,'<module>')); visit(tree,'')
        for node,q in sorted(jobs,key=lambda j:-(getattr(j[0],'lineno',0))):
            b=node.body
            if not(b and isinstance(b[0],ast.Expr) and isinstance(b[0].value,ast.Constant) and isinstance(b[0].value.value,str)): continue
            e=b[0]; k=e.end_lineno-e.lineno+1
            if k==1: continue
            if (str(p),q) in public: continue
            doc=e.value.value
            if '>>>' in doc: continue
            indent=e.col_offset
            out=shorten(doc,indent)
            if out is None: continue
            pre=lines[e.lineno-1][:indent]
            raw='r' if lines[e.lineno-1][indent:indent+1]=='r' else ''
            if len(out)==1: new=[f'{pre}{raw}"""{out[0]}"""']
            else:
                new=[f'{pre}{raw}"""{out[0]}']+[pre+x for x in out[1:]]+[pre+'"""']
                if len(new[-2])+3<=100: new[-2]+='"""'; new.pop()
            if len(new)>=k: continue
            saved+=k-len(new)
            lines[e.lineno-1:e.end_lineno]=new
        if write: p.write_text('\n'.join(lines)+'\n')
print('saved',saved)
