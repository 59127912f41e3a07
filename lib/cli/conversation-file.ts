/** Conversations as files: what `/save` and `/load` of `cachalot chat` write and read. */
import { writeFile } from 'node:fs/promises';

import { CachalotError } from '../errors.js';
import { parseJson } from '../text/parse-json.js';
import { checkMessages } from '../text/chat-template.js';
import type { Message } from '../text/chat-template.js';
import { readText } from './read-text.js';

const KIND = 'cachalot conversation';
const VERSION = 1;

export async function saveConversation(
  path: string,
  model: string,
  messages: readonly Message[],
): Promise<void> {
  const file = { kind: KIND, version: VERSION, model, messages };
  await writeFile(path, `${JSON.stringify(file, undefined, 2)}\n`).catch((error: unknown) => {
    throw new CachalotError('io', `cannot write '${path}': ${(error as Error).message}`, {
      cause: error,
    });
  });
}

/** Throws io or invalid_argument, which says what is wrong with the file. */
export async function loadConversation(path: string): Promise<Message[]> {
  const text = await readText(path);
  const file = parseJson(text, `'${path}'`, 'invalid_argument') as {
    kind?: unknown;
    version?: unknown;
    messages?: unknown;
  } | null;
  if (file?.kind !== KIND)
    throw new CachalotError('invalid_argument', `'${path}' is no conversation that /save wrote`);
  if (file.version !== VERSION)
    throw new CachalotError(
      'invalid_argument',
      `'${path}' has version ${JSON.stringify(file.version)}; this cachalot reads version ${VERSION}`,
    );
  return isEmpty(file.messages) ? [] : checkMessages(file.messages);
}

/** Nothing has been said yet. */
function isEmpty(messages: unknown): boolean {
  return Array.isArray(messages) && messages.length === 0;
}
