import sys
sys.argv=['x']
exec(open('.shrink.py').read().split("write='--write'")[0])
PK="forecast models scoring backtesting hub panel sources vintage geography monthly testing evidence".split()
rows=[]
for pk in PK:
    for p in sorted((root/pk).rglob('*.py')):
        tree=ast.parse(p.read_text())
        def visit(node,qual):
            for ch in ast.iter_child_nodes(node):
                if isinstance(ch,(ast.ClassDef,ast.FunctionDef,ast.AsyncFunctionDef)):
                    q=f"{qual}.{ch.name}" if qual else ch.name
                    e=ch.body[0]
                    if isinstance(e,ast.Expr) and isinstance(e.value,ast.Constant) and isinstance(e.value.value,str):
                        k=e.end_lineno-e.lineno+1
                        if k>1: rows.append((k,(str(p),q) in public,'>>>' in e.value.value,str(p.relative_to(root)),q))
                    visit(ch,q)
                else: visit(ch,qual)
        visit(tree,'')
import collections
print('public',sum(r[0] for r in rows if r[1]),len([r for r in rows if r[1]]),'private with doctest',sum(r[0] for r in rows if not r[1] and r[2]),len([r for r in rows if not r[1] and r[2]]),'other',sum(r[0] for r in rows if not r[1] and not r[2]))
for r in sorted(rows,reverse=True):
    if not r[1] and r[2]: print(r)
