/** The members of a JSON object as they were written: a number may have more digits than JavaScript keeps. */
import { CachalotError } from '../errors.js';
import { endOfString } from '../text/parse-json.js';

/** By key, for a text that is known to be a JSON object. Throws invalid_argument for a key that occurs twice. */
export function rawMembers(text: string): Map<string, string> {
  const members = new Map<string, string>();
  let at = text.indexOf('{') + 1;
  for (at = skipSpace(text, at); text[at] === '"'; at = skipSpace(text, at)) {
    const keyEnd = endOfString(text, at) + 1;
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1); // after the colon
    const end = endOfValue(text, start);
    if (members.has(key)) throw new CachalotError('invalid_argument', `\`${key}\` is there twice`);
    members.set(key, text.slice(start, end));
    at = skipSpace(text, end) + 1; // after the comma, or at the end
  }
  return members;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (' \t\r\n'.includes(text[at] ?? 'x')) at++;
  return at;
}

function endOfValue(text: string, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    const sign = text[at]!;
    if (sign === '"') at = endOfString(text, at);
    else if (sign === '{' || sign === '[') depth++;
    else if (depth === 0 && ',}] \t\r\n'.includes(sign)) return at;
    else if (sign === '}' || sign === ']') depth--;
    if (depth === 0 && '"}]'.includes(sign)) return at + 1;
  }
  return text.length;
}
