/** A conversation that keeps its token ids, so that a new turn computes only what is new. */
import { randomUUID } from 'node:crypto';

import { checkOptions, integerIn, isName, isString, readList } from './check-options.js';
import { isContext } from './context.js';
import type { Context } from './context.js';
import { concatenate } from './engine-context.js';
import type { EngineContext, SaidMessage } from './engine-context.js';
import { CachalotError, invalidArgument } from './errors.js';
import { resolveGenerateOptions } from './generate-options.js';
import type { GenerateOptions, ResolvedOptions } from './generate-options.js';
import { Generation } from './generation.js';
import type { GenerationResult } from './generation.js';
import { firstState, idsOf, messagesOf, nextState } from './session-state.js';
import type { State } from './session-state.js';
import { checkMessages } from './text/messages.js';
import type { Message } from './text/messages.js';

export interface SessionOptions {
  /** What the model is told before the conversation. */
  system?: string | undefined;
  /** A conversation so far, to go on from, as `session.messages` gave it; with a system message of its own, if any. */
  messages?: readonly Message[] | undefined;
  /** What stands before everything: its keys and values are shared by all who use it. */
  context?: Context | undefined;
  /** Part of what the cache finds by. Default: the context's, or the engine's. */
  namespace?: string | undefined;
}

/** A turn that was begun, those before it that may not have ended yet, and when all of them have. */
interface RunningTurn {
  generation: Generation;
  previous: RunningTurn | undefined;
  settled: Promise<unknown>;
}

/** A turn: the ids up to where the answer begins, and the messages that it adds. */
interface Turn {
  prompt(state: State, options: ResolvedOptions): Promise<{ ids: Int32Array; from: number }>;
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
  #namespace: string;
  #state: State;
  #current: RunningTurn | undefined;

  /** @internal Made by `engine.createSession`. */
  constructor(engine: EngineContext, options: SessionOptions) {
    const isConversation = (name: string, value: unknown) => {
      const items = readList(name, value, 'an array of messages', (item) => item);
      return items.length === 0 ? [] : checkMessages(items); // nothing said is fine
    };
    const {
      system,
      messages: earlier = [],
      context,
      namespace,
    } = checkOptions(options, {
      system: isString,
      messages: isConversation,
      context: isContext,
      namespace: isName,
    });
    if (context !== undefined) engine.tokensOf(context);
    this.#engine = engine;
    this.#context = context;
    this.#namespace = engine.namespaceOf(namespace, context);
    const messages = [
      ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
      ...earlier,
    ];
    if (messages.filter(({ role }) => role === 'system').length > 1)
      throw new CachalotError('invalid_argument', 'a conversation has one system message at most');
    this.#state = firstState(messages);
  }

  /** The conversation so far, a copy. */
  get messages(): Message[] {
    return messagesOf(this.#state).map(({ role, content }) => structuredClone({ role, content }));
  }

  /** The token ids of the context so far, a copy. */
  get tokens(): number[] {
    return Array.from(idsOf(this.#state));
  }

  /** How many turns (answers) the session holds. */
  get turns(): number {
    return this.#state.turns;
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
    return this.generate(this.#state, resolveGenerateOptions(options), {
      prompt: async (state, { specialTokens: special, signal }) => {
        const engine = this.#engine;
        const [ids, from] = [idsOf(state), state.from];
        const all =
          ids.length === 0
            ? await engine.encodePrompt(text, {
                context: this.#context,
                specialTokens: special,
                signal,
              })
            : concatenate(ids, await engine.encode(text, { special, continues: true }, signal));
        return { ids: all, from };
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
    fork.#namespace = this.#namespace;
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
    for (let turn = this.#current; turn; turn = turn.previous) {
      const { ended, left } = turn.generation;
      if (ended || (left && !evenIfLeft)) continue;
      throw new CachalotError(
        'session_busy',
        'this session is still answering; wait for it, or use another session',
      );
    }
  }

  private ask(from: State, message: string, options: GenerateOptions): Generation {
    isString('message', message);
    const resolved = resolveGenerateOptions(options);
    const special = resolved.specialTokens;
    const user: SaidMessage = { role: 'user', content: message, ...(special ? { special } : {}) };
    return this.generate(from, resolved, {
      prompt: (state, { signal }) => this.turn(state, user, signal),
      messages: ({ text }) => [user, { role: 'assistant', content: text }],
      isChat: true,
    });
  }

  private generate(from: State, resolved: ResolvedOptions, turn: Turn): Generation {
    this.refuseIfBusy(false);
    const previous = this.#current;
    const follows = from === this.#state;
    let state = from;
    let begun: { ids: Int32Array; from: number } = { ids: new Int32Array(0), from: 0 };
    const prompt = async () => {
      await previous?.settled;
      if (follows) state = this.#state; // with what a turn that was left has added
      begun = await turn.prompt(state, resolved);
      return begun.ids;
    };
    const { core, tokenizer, tokensWith } = this.#engine;
    const namespace = resolved.namespace ?? this.#namespace;
    if (namespace !== this.#namespace)
      throw invalidArgument('namespace', `that of the session, "${this.#namespace}"`, namespace);
    const trimStart = turn.isChat;
    const text = { tokenizer, tokensWith, prompt, trimStart };
    const generation = new Generation({ core, namespace, ...text }, resolved);
    const committed = generation.result.then((result) => {
      if (result.finishReason !== 'aborted' || result.text !== '') {
        const added = turn.messages(result);
        this.#state = nextState(state, {
          added,
          nSaid: turn.isChat ? messagesOf(state).length + added.length : state.nSaid,
          from: begun.from,
          isChat: turn.isChat,
          ids: concatenate(begun.ids, result.tokens),
        });
      }
    });
    // Its value must not hold those of all turns before.
    const settled = Promise.allSettled([previous?.settled, committed]).then(() => undefined);
    const current: RunningTurn = { generation, previous, settled };
    this.#current = current;
    void settled.then(() => {
      current.previous = undefined;
      if (this.#current === current) this.#current = undefined;
    });
    return generation;
  }

  /** The ids up to and including the beginning of the model's next answer. */
  private async turn(state: State, user: SaidMessage, signal?: AbortSignal) {
    const { nSaid, from, isChat } = state;
    const [ids, messages] = [idsOf(state), messagesOf(state)];
    if (ids.length > 0) {
      const said = messages.slice(from);
      const added = isChat ? await this.suffix(said, ids.at(-1)!, user, signal) : undefined;
      if (added !== undefined) return { ids: concatenate(ids, added), from };
      // Text that no message tells of stays; what has not been said goes after it.
      if (!isChat || from > 0) {
        const text = await this.#engine.render([...messages.slice(nSaid), user], signal);
        const rest = this.#engine.withoutBos(await this.encodeAfter(ids.at(-1)!, text, signal));
        return { ids: concatenate(ids, rest), from: nSaid };
      }
    }
    const options = { context: this.#context, specialTokens: false, signal };
    return { ids: await this.#engine.encodePrompt([...messages, user], options), from: 0 };
  }

  /** Text of the template that goes on from token `last`: it begins with a space only after a special token. */
  private encodeAfter(last: number, text: string, signal?: AbortSignal): Promise<Int32Array> {
    const continues = !this.#engine.tokenizer.isSpecial(last);
    return this.#engine.encode(text, { special: true, continues }, signal);
  }

  /** The ids between the last answer and the next, or nothing if the template changes what came before. */
  private async suffix(
    messages: readonly SaidMessage[],
    last: number,
    user: SaidMessage,
    signal?: AbortSignal,
  ): Promise<Int32Array | undefined> {
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
    if (!same) return undefined;
    // The template ends an answer with the token that the model has already given, perhaps after a space.
    const suffix = text.slice(at + mark.length);
    const { tokenizer } = this.#engine;
    const name = tokenizer.name(last);
    const rest = suffix.trimStart();
    const isRepeated = tokenizer.stopTokens.includes(last) && name !== '' && rest.startsWith(name);
    if (!isRepeated) return this.encodeAfter(last, suffix, signal);
    return (await this.#engine.encode(rest, { special: true }, signal)).subarray(1);
  }
}
