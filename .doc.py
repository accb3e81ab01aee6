import ast,collections
from pathlib import Path
tot=collections.Counter(); priv=collections.Counter(); n=collections.Counter()
for p in sorted(Path('src/odforecast').rglob('*.py')):
    top=p.relative_to('src/odforecast').parts[0]
    for node in ast.walk(ast.parse(p.read_text())):
        if isinstance(node,(ast.Module,ast.ClassDef,ast.FunctionDef,ast.AsyncFunctionDef)):
            b=node.body
            if b and isinstance(b[0],ast.Expr) and isinstance(b[0].value,ast.Constant) and isinstance(b[0].value.value,str):
                k=b[0].end_lineno-b[0].lineno+1
                kind='M' if isinstance(node,ast.Module) else 'C' if isinstance(node,ast.ClassDef) else 'F'
                name=getattr(node,'name','')
                tot[top]+=k; n[top,kind]+=k
                if kind!='M' and name.startswith('_') : priv[top]+=k
for t,k in tot.most_common(): print(f"{t:14} {k:6} private {priv[t]:5} module {n[t,'M']:5} class {n[t,'C']:5} func {n[t,'F']:6}")
print(sum(tot.values()))
