/**
 * Patterns of tokenizers are Oniguruma's. There "(?i:'s)" finds "'ſ", too: the long s is an s, and the Kelvin sign a k. The
 * library knows the 26 letters only. Here it is told the others; groups become ones that keep nothing, which is faster and
 * does not leak into what the pieces are.
 */

/** Letters outside ASCII that are the same as one of ASCII. */
const ALSO: Record<string, string> = { s: 'ſ', k: '\u212a' };

export function withCaseFolding(pattern: string): string {
  const counts = !/\\[1-9k]/.test(pattern); // what is referred to keeps its group
  const folds = [false]; // of the groups around
  let out = '';
  for (let at = 0; at < pattern.length;) {
    const rest = pattern.slice(at);
    const atom = /^(?:\\[pPxu]\{[^}]*\}|\\[^]|\(\?i:|\(\?|[^])/.exec(rest)![0];
    const fold = folds.at(-1)!;
    if (atom === '[') {
      const set = setAt(rest);
      out += fold ? foldedSet(set) : set;
      at += set.length;
      continue;
    }
    if (atom === '(' || atom === '(?' || atom === '(?i:') folds.push(fold || atom === '(?i:');
    if (atom === ')' && folds.length > 1) folds.pop();
    if (atom === '(' && counts) out += '(?:';
    else out += fold ? foldedLetter(atom) : atom;
    at += atom.length;
  }
  return out;
}

function foldedLetter(atom: string): string {
  const other = ALSO[atom.toLowerCase()];
  return other !== undefined && atom.length === 1 ? `[${atom}${other}]` : atom;
}

/** A set that only lists letters; others are left to the library. */
function foldedSet(set: string): string {
  if (!/^\[[a-z]+\]$/i.test(set)) return set;
  const others = Object.entries(ALSO).filter(([letter]) => set.toLowerCase().includes(letter));
  return `${set.slice(0, -1)}${others.map(([, other]) => other).join('')}]`;
}

/** The set with which `text` begins, with the sets in it. */
function setAt(text: string): string {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '[') depth++;
    else if (text[at] === ']' && !/^\[\^?$/.test(text.slice(0, at)) && --depth === 0)
      return text.slice(0, at + 1);
  }
  return text;
}
