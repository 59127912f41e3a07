/** What a session is created with, and what a revision changes of it. */
import { checkMessages } from '../chat/messages.js';
import type { Message } from '../chat/messages.js';
import { isTemplateOptions } from '../chat/template-options.js';
import type { TemplateOptions } from '../chat/template-options.js';
import {
  checkOptions,
  isBlank,
  isName,
  isSignal,
  isString,
  oneOf,
  readList,
} from '../checks/check-options.js';
import type { Check } from '../checks/check-options.js';
import type { EngineParts } from '../engine/engine-parts.js';
import { contextChecks, givenContext } from '../engine/given-context.js';
import type { ContextChoice, GivenContext } from '../engine/given-context.js';
import { CachalotError, invalidArgument } from '../errors.js';
import { isCompression } from '../options/compress-options.js';
import type { Compression, ReadCompression } from '../options/compress-options.js';

export interface SessionOptions extends ContextChoice {
  /** The system message before the conversation. */
  system?: string | undefined;
  /** An earlier conversation to continue, as `session.messages` gave it; it may begin with a system message of its own. */
  messages?: readonly Message[] | undefined;
  /** Variables of the chat template, such as `enable_thinking`. A turn may override them. */
  templateOptions?: TemplateOptions | undefined;
  /** Keeps fewer keys and values than the conversation has, from the end of each prompt on; see docs/compression.md. A turn may have its own. */
  compress?: Compression | undefined;
  /**
   * What happens when the conversation no longer fits into the context. "error" (default): `chat` fails with code "context_overflow". "shift": the oldest turns are left
   * out; system messages stay, and what is left is not computed again.
   */
  onFull?: 'error' | 'shift' | undefined;
  /** Part of the key of the cache. Default: the context's, or the engine's. */
  namespace?: string | undefined;
}

export interface SessionRevision extends ContextChoice {
  /** All messages of the conversation, as `session.messages` gave them, with changes. Default: as they are. */
  messages?: readonly Message[] | undefined;
  /** What is used again of keys and values: "prefix" (default, exact), or "moved": all that is equal, wherever it stands now; see `engine.cache.revise`. */
  reuse?: 'prefix' | 'moved' | undefined;
  signal?: AbortSignal | undefined;
}

const isConversation: Check<readonly Message[]> = (name, value) => {
  const items = readList(name, value, 'an array of messages', (item) => item);
  return items.length === 0 ? [] : checkMessages(items); // an empty list is allowed
};

export const revisionChecks = {
  messages: isConversation,
  ...contextChecks,
  reuse: oneOf('prefix', 'moved'),
  signal: isSignal,
};

/** The options, read once and checked. */
export interface ReadSession {
  messages: readonly Message[];
  templateOptions: TemplateOptions;
  given: GivenContext | undefined;
  compress: ReadCompression | undefined;
  onFull: 'error' | 'shift';
  namespace: string;
}

export function readSessionOptions(engine: EngineParts, options: SessionOptions): ReadSession {
  const {
    system,
    messages: earlier = [],
    templateOptions = {},
    onFull = 'error',
    ...read
  } = checkOptions(options, {
    system: isString,
    messages: isConversation,
    templateOptions: isTemplateOptions,
    ...contextChecks,
    compress: isCompression,
    onFull: oneOf('error', 'shift'),
    namespace: isName,
  });
  const given = givenContext(read);
  engine.before(given); // it can be used
  const compress = read.compress as ReadCompression | undefined; // as its check returned it
  if (compress && onFull === 'shift')
    throw invalidArgument('onFull', '"error" for a session with `compress`', onFull);
  const namespace = engine.namespaceOf(read.namespace, given);
  const messages = withSystem(system, earlier);
  return { messages, templateOptions, given, compress, onFull, namespace };
}

function withSystem(system: string | undefined, earlier: readonly Message[]): Message[] {
  if (system === undefined || isBlank(system)) return [...earlier];
  if (earlier.some(({ role }) => role === 'system'))
    throw new CachalotError(
      'invalid_argument',
      'a conversation has one system message at most: `system`, or one among `messages`',
    );
  return [{ role: 'system', content: system }, ...earlier];
}
