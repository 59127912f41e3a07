/** A conversation that keeps its token ids, so that a new turn computes only what is new. */
import { randomUUID } from 'node:crypto';

import { checkOptions, isString } from './check-options.js';
import { CachalotError } from './errors.js';
import type { EngineContext } from './engine.js';
import { resolveGenerateOptions } from './generate-options.js';
import type { GenerateOptions } from './generate-options.js';
import { Generation } from './generation.js';
import type { GenerationResult } from './generation.js';
import type { Message } from './text/chat-template.js';

export interface SessionOptions {
  /** What the model is told before the conversation. */
  system?: string;
}

/**
 * A conversation with the model.
 *
 * @example
 * const session = engine.createSession({ system: 'You are terse.' });
 * for await (const piece of session.chat('Why is the sky blue?')) process.stdout.write(piece);
 */
export class Session {
  readonly #engine: EngineContext;
  #messages: Message[];
  #ids: number[] = []; // the context so far: what the cache is asked for
  #current: Generation | undefined;

  /** @internal Made by `engine.createSession`. */
  constructor(engine: EngineContext, options: SessionOptions) {
    checkOptions(options, { system: isString });
    this.#engine = engine;
    this.#messages =
      options.system === undefined ? [] : [{ role: 'system', content: options.system }];
  }

  /** The conversation so far, a copy. */
  get messages(): Message[] {
    return this.#messages.map((message) => ({ ...message }));
  }

  /** The token ids of the context so far, a copy. */
  get tokens(): number[] {
    return [...this.#ids];
  }

  /** Asks the model, which answers within the conversation. One answer at a time. */
  chat(message: string, options: GenerateOptions = {}): Generation {
    isString('message', message);
    const user: Message = { role: 'user', content: message };
    let prompt: Int32Array | undefined;
    return this.generate(options, {
      prompt: async () => (prompt = await this.turn(user, options.signal)),
      trimStart: true,
      accept: (result) => {
        this.#messages.push(user, { role: 'assistant', content: result.text });
        this.#ids = [...prompt!, ...result.tokens];
      },
    });
  }

  /** Continues the session's text with `text`, without a chat template, and lets the model go on. */
  complete(text: string, options: GenerateOptions = {}): Generation {
    isString('text', text);
    let prompt: Int32Array | undefined;
    return this.generate(options, {
      prompt: () => {
        const added = this.#engine.tokenizer.encode(text, { bos: this.#ids.length === 0 });
        return (prompt = Int32Array.from([...this.#ids, ...added]));
      },
      accept: (result) => void (this.#ids = [...prompt!, ...result.tokens]),
    });
  }

  private generate(
    options: GenerateOptions,
    turn: {
      prompt: () => Promise<Int32Array> | Int32Array;
      trimStart?: boolean;
      accept: (result: GenerationResult) => void;
    },
  ): Generation {
    const resolved = resolveGenerateOptions(options);
    const previous = this.#current;
    if (previous && !previous.left) {
      throw new CachalotError(
        'session_busy',
        'this session is still answering; wait for it, or use another session',
      );
    }
    const { core, tokenizer, namespace } = this.#engine;
    const prompt = async () => {
      await previous?.result.catch(() => undefined); // one that was left may take a step to end
      return turn.prompt();
    };
    const trimStart = turn.trimStart ?? false;
    const generation = new Generation({ core, tokenizer, namespace, prompt, trimStart }, resolved);
    this.#current = generation;
    const done = () => {
      if (this.#current === generation) this.#current = undefined;
    };
    generation.result.then((result) => {
      if (result.finishReason !== 'aborted' || result.text !== '') turn.accept(result);
      done();
    }, done);
    return generation;
  }

  /** The ids up to and including the beginning of the model's next answer. */
  private async turn(user: Message, signal?: AbortSignal): Promise<Int32Array> {
    const { tokenizer } = this.#engine;
    const suffix = this.#ids.length === 0 ? undefined : await this.suffix(user, signal);
    if (suffix === undefined) {
      const text = await this.#engine.render([...this.#messages, user], signal);
      return tokenizer.encode(text, { special: true, bos: true });
    }
    const added = tokenizer.encode(suffix, { special: true });
    // The template ends an answer with the token that the model has already given.
    const repeated =
      added[0] !== undefined &&
      added[0] === this.#ids.at(-1) &&
      tokenizer.stopTokens.includes(added[0]);
    return Int32Array.from([...this.#ids, ...(repeated ? added.subarray(1) : added)]);
  }

  /** The text between the last answer and the next, or nothing if the template changes what came before. */
  private async suffix(user: Message, signal?: AbortSignal): Promise<string | undefined> {
    const answer = this.#messages.at(-1);
    if (answer?.role !== 'assistant') return undefined;
    const before = this.#messages.slice(0, -1);
    const mark = randomUUID();
    const marked: Message[] = [...before, { role: 'assistant', content: mark }, user];
    const [text, previous] = await Promise.all([
      this.#engine.render(marked, signal),
      this.#engine.render(before, signal),
    ]);
    const at = text.indexOf(mark);
    // Some templates put white space before an answer that the prompt for it leaves to the model.
    const same =
      at >= 0 && text.startsWith(previous) && text.slice(previous.length, at).trim() === '';
    return same ? text.slice(at + mark.length) : undefined;
  }
}
