/** Conversations as files, for `/save` and `/load` of `cachalot chat`. */
import { checkMessages } from '../chat/messages.js';
import type { Message } from '../chat/messages.js';
import { CachalotError } from '../errors.js';
import { TEXT_BYTES, readRegular } from '../files/regular-file.js';
import { writeWhole } from '../files/write-whole.js';
import { parseJson } from '../text/parse-json.js';
import { decodeText } from './text-bytes.js';

const KIND = 'cachalot conversation';
const VERSION = 1;

/** An existing file of that name stays until the new one is complete. Throws io. */
export async function saveConversation(
  path: string,
  model: string,
  messages: readonly Message[],
): Promise<void> {
  const file = { kind: KIND, version: VERSION, model, messages };
  await writeWhole(path, `${JSON.stringify(file, undefined, 2)}\n`);
}

/** Throws io or invalid_argument, which says what is wrong with the file. */
export async function loadConversation(path: string): Promise<Message[]> {
  const text = decodeText(await readRegular(path, TEXT_BYTES), `'${path}'`);
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

/** The conversation is still empty. */
function isEmpty(messages: unknown): boolean {
  return Array.isArray(messages) && messages.length === 0;
}
