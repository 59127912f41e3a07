/** A conversation that keeps its token ids, so that a new turn computes only what is new. */
import { randomUUID } from 'node:crypto';

import { checkOptions, integerIn, isString } from './check-options.js';
import type { Context } from './context.js';
import { concatenate } from './engine-context.js';
import type { EngineContext, SaidMessage } from './engine-context.js';
import { CachalotError, invalidArgument } from './errors.js';
import { resolveGenerateOptions } from './generate-options.js';
import type { GenerateOptions, ResolvedOptions } from './generate-options.js';
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
  readonly messages: readonly SaidMessage[];
  readonly nSaid: number; // messages that are part of `ids`
  readonly isChat: boolean; // `ids` are what the template makes of the messages, and nothing else
  readonly ids: Int32Array; // the context so far: what the cache is asked for
  readonly before: State | undefined; // the last turn
}

/** A turn: the ids up to where the answer begins, and the messages that it adds. */
interface Turn {
  prompt(state: State, options: ResolvedOptions): Promise<Int32Array>;
  messages(result: GenerationResult): SaidMessage[];
  isChat: boolean;
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
  #context: Context | undefined;
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
    const ids = new Int32Array(0);
    this.#state = { messages, nSaid: 0, isChat: true, ids, before: undefined };
  }

  /** The conversation so far, a copy. */
  get messages(): Message[] {
    return this.#state.messages.map(({ role, content }) => structuredClone({ role, content }));
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

  /**
   * Continues the session's text with `text`, without a chat template, and lets the model go on. Messages that have not
   * been said yet, as the system's, are said by the next `chat`.
   */
  complete(text: string, options: GenerateOptions = {}): Generation {
    isString('text', text);
    return this.generate(this.#state, options, {
      prompt: async ({ ids }, { specialTokens: special, signal }) => {
        if (ids.length === 0) {
          const context = this.#context;
          return this.#engine.encodePrompt(text, { context, specialTokens: special, signal });
        }
        return concatenate(
          ids,
          await this.#engine.encode(text, { special, continues: true }, signal),
        );
      },
      messages: () => [],
      isChat: false,
    });
  }

  /** Asks something else in place of the last turn. If this fails, the session stays as it was. */
  edit(message: string, options: GenerateOptions = {}): Generation {
    this.refuseIfBusy(true);
    return this.ask(this.stateBefore(1), message, options);
  }

  /** Takes back the last turns. */
  rewind(turns = 1): void {
    integerIn(0, 2 ** 30)('turns', turns);
    this.refuseIfBusy(true);
    this.#state = this.stateBefore(turns);
  }

  /** A session of its own that continues from here. What both have is shared: nothing is computed again. */
  fork(): Session {
    this.refuseIfBusy(true);
    const fork = new Session(this.#engine, {});
    fork.#context = this.#context;
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

  /** A turn whose reader has left may take a step to end: another turn waits for it, what changes turns does not. */
  private refuseIfBusy(evenIfLeft: boolean): void {
    if (this.#current && (evenIfLeft || !this.#current.left)) {
      throw new CachalotError(
        'session_busy',
        'this session is still answering; wait for it, or use another session',
      );
    }
  }

  private ask(from: State, message: string, options: GenerateOptions): Generation {
    isString('message', message);
    const special = { ...options }.specialTokens === true;
    const user: SaidMessage = { role: 'user', content: message, ...(special ? { special } : {}) };
    return this.generate(from, options, {
      prompt: (state, { signal }) => this.turn(state, user, signal),
      messages: ({ text }) => [user, { role: 'assistant', content: text }],
      isChat: true,
    });
  }

  private generate(from: State, options: GenerateOptions, turn: Turn): Generation {
    const resolved = resolveGenerateOptions(options);
    this.refuseIfBusy(false);
    const previous = this.#current;
    const follows = from === this.#state;
    let state = from;
    let ids: Int32Array = new Int32Array(0);
    const prompt = async () => {
      await previous?.result.catch(() => undefined);
      if (follows) state = this.#state; // with what a turn that was left has added
      return (ids = await turn.prompt(state, resolved));
    };
    const { core, tokenizer, namespace } = this.#engine;
    const trimStart = turn.isChat;
    const generation = new Generation({ core, tokenizer, namespace, prompt, trimStart }, resolved);
    this.#current = generation;
    const done = () => {
      if (this.#current === generation) this.#current = undefined;
    };
    generation.result.then((result) => {
      if (result.finishReason !== 'aborted' || result.text !== '') {
        const messages = [...state.messages, ...turn.messages(result)];
        this.#state = {
          messages,
          nSaid: turn.isChat ? messages.length : state.nSaid,
          isChat: state.isChat && turn.isChat,
          ids: concatenate(ids, result.tokens),
          before: state,
        };
      }
      done();
    }, done);
    return generation;
  }

  /** The ids up to and including the beginning of the model's next answer. */
  private async turn(state: State, user: SaidMessage, signal?: AbortSignal): Promise<Int32Array> {
    const { ids, messages, nSaid, isChat } = state;
    const engine = this.#engine;
    if (ids.length > 0 && !isChat) {
      // Text that no message tells of stays; what has not been said goes after it.
      const text = await engine.render([...messages.slice(nSaid), user], signal);
      const added = await engine.encode(text, { special: true, continues: true }, signal);
      return concatenate(ids, engine.withoutBos(added));
    }
    const suffix = ids.length === 0 ? undefined : await this.suffix(state, user, signal);
    if (suffix === undefined) {
      const context = this.#context;
      return engine.encodePrompt([...messages, user], { context, signal });
    }
    return concatenate(
      ids,
      await engine.encode(suffix, { special: true, continues: true }, signal),
    );
  }

  /** The text between the last answer and the next, or nothing if the template changes what came before. */
  private async suffix(
    { messages, ids }: State,
    user: SaidMessage,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    if (messages.at(-1)?.role !== 'assistant') return undefined;
    const before = messages.slice(0, -1);
    const mark = randomUUID();
    const marked: SaidMessage[] = [...before, { role: 'assistant', content: mark }, user];
    const [text, previous] = await Promise.all([
      this.#engine.render(marked, signal),
      this.#engine.render(before, signal),
    ]);
    const at = text.indexOf(mark);
    // Some templates put white space before an answer that the prompt for it leaves to the model.
    const same =
      at >= 0 && text.startsWith(previous) && text.slice(previous.length, at).trim() === '';
    return same ? this.withoutRepeatedEnd(text.slice(at + mark.length), ids.at(-1)) : undefined;
  }

  /** The template ends an answer with the token that the model has already given, perhaps after a space. */
  private withoutRepeatedEnd(suffix: string, last: number | undefined): string {
    const { tokenizer } = this.#engine;
    if (last === undefined || !tokenizer.stopTokens.includes(last)) return suffix;
    const name = tokenizer.name(last);
    const rest = suffix.trimStart();
    return name !== '' && rest.startsWith(name) ? rest.slice(name.length) : suffix;
  }
}
