/**
 * Tokenizers' patterns are Oniguruma's, and @huggingface/tokenizers translates them to JavaScript's. Two differences are mended here:
 * "(?i:'s)" also finds "'ſ", as the long s counts as an s and the Kelvin sign as a k, but the library knows only the 26 letters; and
 * the match of a group must not become a piece.
 */

/** Letters outside ASCII that equal an ASCII letter when case is ignored. */
const ALSO: Record<string, string> = { s: 'ſ', k: '\u212a' };

const ATOM = /\\[pPxu]\{[^}]*\}|\\[^]|\(\?i:|\(\?|[^]/y;

export function fromOniguruma(pattern: string): string {
  const refersToGroups = /\\[1-9k]/.test(pattern);
  const folds = [false]; // of the enclosing groups
  let out = '';
  for (let at = 0; at < pattern.length;) {
    const atom = pattern[at] === '[' ? setAt(pattern, at) : atomAt(pattern, at);
    const fold = folds.at(-1)!;
    if (atom === '(' || atom === '(?' || atom === '(?i:') folds.push(fold || atom === '(?i:');
    else if (atom === ')' && folds.length > 1) folds.pop();
    if (atom === '(' && !refersToGroups) out += '(?:';
    else out += fold ? folded(atom) : atom;
    at += atom.length;
  }
  return out;
}

function atomAt(pattern: string, at: number): string {
  ATOM.lastIndex = at;
  return ATOM.exec(pattern)![0];
}

/** The set that begins there, with the sets inside it. */
function setAt(pattern: string, from: number): string {
  let depth = 0;
  for (let at = from; at < pattern.length; at++) {
    const isFirst = at === from + 1 || (at === from + 2 && pattern[from + 1] === '^');
    if (pattern[at] === '\\') at++;
    else if (pattern[at] === '[') depth++;
    else if (pattern[at] === ']' && !isFirst && --depth === 0) return pattern.slice(from, at + 1);
  }
  return pattern.slice(from);
}

/** Sets that contain more than letters are left to the library. */
function folded(atom: string): string {
  const isSet = /^\[[a-z]+\]$/i.test(atom);
  if (!isSet && atom.length > 1) return atom;
  const others = Object.entries(ALSO).filter(([letter]) => atom.toLowerCase().includes(letter));
  if (others.length === 0) return atom;
  return `[${isSet ? atom.slice(1, -1) : atom}${others.map(([, other]) => other).join('')}]`;
}
