/** A conversation that keeps its token ids, so that a new turn computes only what is new. */
import { randomUUID } from 'node:crypto';

import { checkOptions, integerIn, isString } from './check-options.js';
import type { Context } from './context.js';
import { concatenate } from './engine-context.js';
import type { EngineContext } from './engine-context.js';
import { CachalotError, invalidArgument } from './errors.js';
import { resolveGenerateOptions } from './generate-options.js';
import type { GenerateOptions } from './generate-options.js';
import { Generation } from './generation.js';
import type { GenerationResult } from './generation.js';
import type { Message } from './text/chat-template.js';

export interface SessionOptions {
  /** What the model is told before the conversation. */
  system?: string;
  /** What stands before everything: its keys and values are shared by all who use it. */
  context?: Context;
}

/** Where a conversation stands. Never changed: turns, forks and rewinds only go from one to another. */
interface State {
  readonly messages: readonly Message[];
  readonly ids: Int32Array; // the context so far: what the cache is asked for
  readonly before: State | undefined; // the last turn
}

/** A turn: the ids up to where the answer begins, and the messages that it adds. */
interface Turn {
  prompt(state: State): Promise<Int32Array>;
  messages(result: GenerationResult): Message[];
  trimStart: boolean;
}

/**
 * A conversation with the model.
 *
 * @example
 * const session = engine.createSession({ system: 'You are terse.' });
 * for await (const piece of session.chat('Why is the sky blue?')) process.stdout.write(piece);
 * const other = session.fork();
 * await session.edit('Why is the sea blue?').result;
 */
export class Session {
  readonly #engine: EngineContext;
  readonly #context: Context | undefined;
  #state: State;
  #current: Generation | undefined;

  /** @internal Made by `engine.createSession`. */
  constructor(engine: EngineContext, options: SessionOptions) {
    const isContext = (_: string, value: unknown) => void engine.tokensOf(value as Context);
    checkOptions(options, { system: isString, context: isContext });
    const { system, context } = { ...options };
    this.#engine = engine;
    this.#context = context;
    const messages: Message[] = system === undefined ? [] : [{ role: 'system', content: system }];
    this.#state = { messages, ids: new Int32Array(0), before: undefined };
  }

  /** The conversation so far, a copy. */
  get messages(): Message[] {
    return structuredClone(this.#state.messages) as Message[];
  }

  /** The token ids of the context so far, a copy. */
  get tokens(): number[] {
    return Array.from(this.#state.ids);
  }

  /** How many turns (answers) the session holds. */
  get turns(): number {
    let n = 0;
    for (let state = this.#state.before; state; state = state.before) n++;
    return n;
  }

  /** Asks the model, which answers within the conversation. One answer at a time. */
  chat(message: string, options: GenerateOptions = {}): Generation {
    return this.ask(this.#state, message, options);
  }

  /** Continues the session's text with `text`, without a chat template, and lets the model go on. */
  complete(text: string, options: GenerateOptions = {}): Generation {
    isString('text', text);
    const special = options.specialTokens === true;
    return this.generate(this.#state, options, {
      prompt: async ({ ids }) => {
        if (ids.length === 0) {
          return this.#engine.encodePrompt(text, { ...options, context: this.#context });
        }
        return concatenate(ids, await this.#engine.encode(text, { special }));
      },
      messages: () => [],
      trimStart: false,
    });
  }

  /** Asks something else in place of the last turn. If this fails, the session stays as it was. */
  edit(message: string, options: GenerateOptions = {}): Generation {
    return this.ask(this.stateBefore(1), message, options);
  }

  /** Takes back the last turns. */
  rewind(turns = 1): void {
    integerIn(0, 2 ** 30)('turns', turns);
    this.refuseIfBusy();
    this.#state = this.stateBefore(turns);
  }

  /** A session of its own that continues from here. What both have is shared: nothing is computed again. */
  fork(): Session {
    this.refuseIfBusy();
    const fork = new Session(
      this.#engine,
      this.#context === undefined ? {} : { context: this.#context },
    );
    fork.#state = this.#state;
    return fork;
  }

  private stateBefore(turns: number): State {
    let state = this.#state;
    for (let i = 0; i < turns; i++) {
      if (!state.before)
        throw invalidArgument('turns', `at most the ${this.turns} turns of this session`, turns);
      state = state.before;
    }
    return state;
  }

  private refuseIfBusy(): void {
    if (this.#current && !this.#current.left) {
      throw new CachalotError(
        'session_busy',
        'this session is still answering; wait for it, or use another session',
      );
    }
  }

  private ask(from: State, message: string, options: GenerateOptions): Generation {
    isString('message', message);
    const user: Message = { role: 'user', content: message };
    return this.generate(from, options, {
      prompt: (state) => this.turn(state, user, options),
      messages: ({ text }) => [user, { role: 'assistant', content: text }],
      trimStart: true,
    });
  }

  private generate(from: State, options: GenerateOptions, turn: Turn): Generation {
    const resolved = resolveGenerateOptions(options);
    this.refuseIfBusy();
    const previous = this.#current;
    const follows = from === this.#state;
    let state = from;
    let ids: Int32Array = new Int32Array(0);
    const prompt = async () => {
      await previous?.result.catch(() => undefined); // one that was left may take a step to end
      if (follows) state = this.#state; // with what the one that was left has added
      return (ids = await turn.prompt(state));
    };
    const { core, tokenizer, namespace } = this.#engine;
    const { trimStart } = turn;
    const generation = new Generation({ core, tokenizer, namespace, prompt, trimStart }, resolved);
    this.#current = generation;
    const done = () => {
      if (this.#current === generation) this.#current = undefined;
    };
    generation.result.then((result) => {
      if (result.finishReason !== 'aborted' || result.text !== '') {
        const messages = [...state.messages, ...turn.messages(result)];
        this.#state = { messages, ids: concatenate(ids, result.tokens), before: state };
      }
      done();
    }, done);
    return generation;
  }

  /** The ids up to and including the beginning of the model's next answer. */
  private async turn(state: State, user: Message, options: GenerateOptions): Promise<Int32Array> {
    const { ids, messages } = state;
    const suffix = ids.length === 0 ? undefined : await this.suffix(state, user, options);
    if (suffix === undefined) {
      return this.#engine.encodePrompt([...messages, user], {
        ...options,
        context: this.#context,
      });
    }
    const added = await this.#engine.encode(suffix, { special: true });
    // The template ends an answer with the token that the model has already given.
    const repeated =
      added[0] !== undefined &&
      added[0] === ids.at(-1) &&
      this.#engine.tokenizer.stopTokens.includes(added[0]);
    return concatenate(ids, repeated ? added.subarray(1) : added);
  }

  /** The text between the last answer and the next, or nothing if the template changes what came before. */
  private async suffix(
    { messages }: State,
    user: Message,
    { specialTokens: special = false, signal }: GenerateOptions,
  ): Promise<string | undefined> {
    if (messages.at(-1)?.role !== 'assistant') return undefined;
    const before = messages.slice(0, -1);
    const mark = randomUUID();
    const marked: Message[] = [...before, { role: 'assistant', content: mark }, user];
    const [text, previous] = await Promise.all([
      this.#engine.render(marked, { special, signal }),
      this.#engine.render(before, { special, signal }),
    ]);
    const at = text.indexOf(mark);
    // Some templates put white space before an answer that the prompt for it leaves to the model.
    const same =
      at >= 0 && text.startsWith(previous) && text.slice(previous.length, at).trim() === '';
    return same ? text.slice(at + mark.length) : undefined;
  }
}
