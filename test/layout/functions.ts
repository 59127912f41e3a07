/** The functions of a file and how many lines each has. */
import ts from 'typescript';

export interface FoundFunction {
  name: string;
  lines: number;
}

/** Of TypeScript. What `describe` is given, and a suite that calls it, is a list of tests, each a function of its own. */
export function functionsOfTypeScript(text: string): FoundFunction[] {
  const file = ts.createSourceFile('file.ts', text, ts.ScriptTarget.Latest, true);
  const found: FoundFunction[] = [];
  const lineOf = (position: number) => file.getLineAndCharacterOfPosition(position).line;
  const visit = (node: ts.Node) => {
    if (ts.isFunctionLike(node) && 'body' in node && node.body && !isSuite(node))
      found.push({ name: nameOf(node), lines: lineOf(node.end) - lineOf(node.getStart()) + 1 });
    ts.forEachChild(node, visit);
  };
  visit(file);
  return found;
}

function isSuite(node: ts.SignatureDeclaration): boolean {
  if (node.name && /^describe[A-Z]/.test(node.name.getText())) return true;
  const { parent } = node;
  return ts.isCallExpression(parent) && /^\w*(describe|on[A-Z])/i.test(parent.expression.getText());
}

function nameOf(node: ts.SignatureDeclaration): string {
  if (node.name) return node.name.getText();
  const { parent } = node;
  if (ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent))
    return parent.name.getText();
  if (ts.isCallExpression(parent)) return parent.getText().split('\n')[0]!.slice(0, 60);
  return 'a function';
}

/** Neither code: comments and what stands in quotes. Lines stay. */
const NO_CODE = /\/\/.*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)+'/g;
/** What opens a scope that functions stand in. */
const SCOPE = /(^|\s)(namespace|class|struct|union|enum|extern)\b[^()]*$/;

/** Of C++: the outermost blocks that are no scope and no list of values. */
export function functionsOfCpp(text: string): FoundFunction[] {
  const code = text
    .replace(NO_CODE, (part) => part.replace(/[^\n]/g, ''))
    .replace(/^[ \t]*#(?:.*\\\n)*.*$/gm, (part) => part.replace(/[^\n]/g, ''));
  const found: FoundFunction[] = [];
  const open: { isScope: boolean; head: string; line: number }[] = [];
  let line = 1;
  let head = '';
  let headLine = 1;
  for (const character of code) {
    if (character === '\n') line++;
    const inScope = open.every(({ isScope }) => isScope);
    if (character === '{') {
      open.push({ isScope: SCOPE.test(head), head, line: headLine });
    } else if (character === '}') {
      const block = open.pop();
      if (block && !block.isScope && !/=\s*$/.test(block.head) && open.every((o) => o.isScope))
        found.push({ name: nameIn(block.head), lines: line - block.line + 1 });
    }
    if (/[{};]/.test(character)) {
      if (inScope || open.every(({ isScope }) => isScope)) head = '';
    } else if (head === '' && /\s/.test(character)) headLine = line;
    else {
      if (head === '') headLine = line;
      head += character;
      if (/^(public|private|protected):$/.test(head)) head = '';
    }
  }
  return found;
}

function nameIn(head: string): string {
  return /([\w~:]+|operator\S+)\s*\(/.exec(head)?.[1] ?? head.trim().slice(-40);
}
