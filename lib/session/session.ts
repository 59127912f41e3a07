/** A conversation that keeps its token ids, so that a new turn computes only the new tokens. */
import { ownMessage } from '../chat/guard-names.js';
import type { SaidMessage } from '../chat/guard-names.js';
import type { Message } from '../chat/messages.js';
import type { TemplateOptions } from '../chat/template-options.js';
import { checkOptions, integerIn, isString } from '../checks/check-options.js';
import type { EngineParts, PromptOptions } from '../engine/engine-parts.js';
import { givenContext } from '../engine/given-context.js';
import type { GivenContext } from '../engine/given-context.js';
import { CachalotError, invalidArgument } from '../errors.js';
import type { Generation } from '../generation/generation.js';
import { newGeneration } from '../generation/object-generation.js';
import type { ObjectGeneration } from '../generation/object-generation.js';
import type { GenerationResult } from '../generation/generation-result.js';
import type { ReadCompression } from '../options/compress-options.js';
import { mostTokensOf } from '../options/edit-schedule.js';
import { resolveChatOptions, resolveGenerateOptions } from '../options/generate-options.js';
import type { ChatOptions, GenerateOptions, ResolvedOptions } from '../options/generate-options.js';
import type { Infer, SchemaInput, WithSchema } from '../options/schema-option.js';
import { isFull, refuseFull, withoutOldest } from './make-room.js';
import type { Following } from './make-room.js';
import { readInput } from './read-input.js';
import type { ChatInput } from './read-input.js';
import { canRevise, revisedState } from './revise-session.js';
import { readSessionOptions, revisionChecks } from './session-options.js';
import type { SessionOptions, SessionRevision } from './session-options.js';
import { firstState, idsOf, isBegun, messagesOf } from './session-state.js';
import type { State } from './session-state.js';
import { beginChat, beginComplete, stateAfter } from './session-turn.js';
import type { Begun } from './session-turn.js';

/** A turn that was begun, the earlier turns that may not have ended yet, and a promise that settles when all of them have ended. */
interface RunningTurn {
  generation: Generation;
  previous: RunningTurn | undefined;
  settled: Promise<unknown>;
}

/** A turn: how its prompt begins, and the messages that it adds. */
interface Turn {
  kind: 'chat' | 'complete';
  begin(state: State, options: ResolvedOptions): Promise<Begun>;
  messages(result: GenerationResult): SaidMessage[];
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
  readonly #engine: EngineParts;
  #templateOptions: TemplateOptions;
  #given: GivenContext | undefined;
  #onFull: 'error' | 'shift';
  #namespace: string;
  #compress: ReadCompression | undefined;
  #state: State;
  #current: RunningTurn | undefined;

  /** @internal Made by `engine.createSession`. */
  constructor(engine: EngineParts, options: SessionOptions) {
    const { messages, given, compress, onFull, namespace, templateOptions } = readSessionOptions(
      engine,
      options,
    );
    this.#engine = engine;
    this.#templateOptions = templateOptions;
    this.#given = given;
    this.#onFull = onFull;
    this.#compress = compress;
    this.#namespace = namespace;
    this.#state = firstState(messages);
  }

  /** The conversation so far, a copy. */
  get messages(): Message[] {
    return messagesOf(this.#state).map(ownMessage);
  }

  /** The token ids of the context so far, a copy. */
  get tokens(): number[] {
    return Array.from(idsOf(this.#state));
  }

  /** How many turns (answers) the session holds. */
  get turns(): number {
    return this.#state.turns;
  }

  /** Asks the model, which answers within the conversation. A session gives one answer at a time. */
  chat<const S extends SchemaInput>(
    message: ChatInput,
    options: WithSchema<ChatOptions, S>,
  ): ObjectGeneration<Infer<S>>;
  chat(message: ChatInput, options?: ChatOptions): Generation;
  chat(message: ChatInput, options: ChatOptions = {}): Generation {
    return this.ask(this.#state, message, options);
  }

  /**
   * Continues the session's text with `text`, without a chat template, and lets the model go on. Messages that are not part
   * of the context yet, such as the system message, are added by the next `chat`.
   */
  complete<const S extends SchemaInput>(
    text: string,
    options: WithSchema<GenerateOptions, S>,
  ): ObjectGeneration<Infer<S>>;
  complete(text: string, options?: GenerateOptions): Generation;
  complete(text: string, options: GenerateOptions = {}): Generation {
    isString('text', text);
    return this.generate(this.#state, resolveGenerateOptions(options), {
      kind: 'complete',
      begin: (state, { specialTokens, ...options }) =>
        beginComplete(this.#engine, state, text, {
          ...this.placing(state, options),
          specialTokens,
        }),
      messages: () => [],
    });
  }

  /** Asks something else in place of the last turn. If this fails, the session stays as it was. */
  edit<const S extends SchemaInput>(
    message: ChatInput,
    options: WithSchema<ChatOptions, S>,
  ): ObjectGeneration<Infer<S>>;
  edit(message: ChatInput, options?: ChatOptions): Generation;
  edit(message: ChatInput, options: ChatOptions = {}): Generation {
    this.refuseIfBusy(true);
    return this.ask(this.stateBefore(1), message, options);
  }

  /** Takes back the last turns. */
  rewind(turns = 1): void {
    integerIn(0, 2 ** 30)('turns', turns);
    this.refuseIfBusy(true);
    this.#state = this.stateBefore(turns);
  }

  /** Another session that continues from here. Both share what they have in common: nothing is computed again. */
  fork(): Session {
    this.refuseIfBusy(true);
    const fork = new Session(this.#engine, {});
    fork.#templateOptions = this.#templateOptions;
    fork.#given = this.#given;
    fork.#onFull = this.#onFull;
    fork.#namespace = this.#namespace;
    fork.#compress = this.#compress;
    fork.#state = this.#state;
    return fork;
  }

  /**
   * Changes earlier messages, or the contexts before them. The next turn computes only what is new: by default all after the first
   * change; with `reuse: 'moved'` what has changed alone. A rewind to a turn before this one takes it back.
   *
   * @example
   * await session.chat('Why is the sky blue?', { maxTokens: 8 }).result;
   * const messages = session.messages;
   * messages[0].content = 'Why is the sea blue?';
   * await session.revise({ messages, reuse: 'moved' });
   * await session.chat('And now?').result;
   */
  async revise(revision: SessionRevision): Promise<void> {
    const { messages, reuse, signal, ...choice } = checkOptions(revision, revisionChecks);
    this.refuseIfBusy(true);
    const given = givenContext(choice);
    const document = this.#engine.before(given);
    if (given) this.#engine.namespaceOf(this.#namespace, given);
    const state = this.#state;
    const said = messages ?? messagesOf(state);
    const what = { messages: said, document, isMoved: reuse === 'moved' };
    const how = this.placing(state, { signal, templateOptions: undefined });
    const revised = await revisedState(this.#engine, state, what, how);
    this.refuseIfBusy(true);
    if (this.#state !== state)
      throw new CachalotError('session_busy', 'this session has gone on while it was revised');
    this.#state = revised;
  }

  private stateBefore(turns: number): State {
    const target = this.turns - turns;
    if (target < 0)
      throw invalidArgument('turns', `at most the ${this.turns} turns of this session`, turns);
    let state = this.#state;
    while (state.turns > target) state = state.before!;
    return state;
  }

  /** What a turn needs to know of where it stands. */
  private placing(
    state: State,
    {
      signal,
      templateOptions,
      compress,
    }: {
      signal: AbortSignal | undefined;
      templateOptions?: TemplateOptions | undefined;
      compress?: ReadCompression | undefined;
    },
  ): Omit<PromptOptions, 'specialTokens'> {
    const { contextLength } = this.#engine.core.native.description();
    return {
      before: !isBegun(state) ? this.#engine.before(this.#given) : undefined,
      templateOptions: { ...this.#templateOptions, ...templateOptions },
      mostTokens: mostTokensOf(compress ?? this.#compress, contextLength),
      signal,
    };
  }

  /** A turn whose reader has left may need a step to end. A new turn waits for it; a method that changes turns does not. */
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

  private ask(from: State, message: ChatInput, options: ChatOptions): Generation {
    const resolved = resolveChatOptions(options);
    const special = resolved.specialTokens ? { special: true } : {};
    const asked = readInput(message).map((one): SaidMessage => ({ ...one, ...special }));
    return this.generate(from, resolved, {
      kind: 'chat',
      begin: (state, options) =>
        beginChat(this.#engine, state, asked, this.placing(state, options)),
      messages: ({ text }) => [...asked, { role: 'assistant', content: text }],
    });
  }

  /** Begins a turn, after what there is room for. */
  private async begin(state: State, turn: Turn, options: ResolvedOptions): Promise<Following> {
    const begun = await turn.begin(state, options);
    const how = this.placing(state, options);
    const { contextLength } = this.#engine.core.native.description();
    if (how.mostTokens !== contextLength) return { state, begun };
    const shifts = this.#onFull === 'shift' && turn.kind === 'chat' && canRevise(state);
    const following =
      shifts && isFull(begun, contextLength, options.maxTokens)
        ? await withoutOldest(this.#engine, state, (one) => turn.begin(one, options), how)
        : { state, begun };
    refuseFull(following.begun, contextLength);
    return following;
  }

  private generate(from: State, resolved: ResolvedOptions, turn: Turn): Generation {
    this.refuseIfBusy(false);
    const previous = this.#current;
    const follows = from === this.#state;
    let state = from;
    let begun: Begun | undefined;
    const prompt = async () => {
      await previous?.settled;
      if (follows) state = this.#state; // includes what a turn whose reader left has added
      ({ state, begun } = await this.begin(state, turn, resolved));
      return begun;
    };
    const engine = this.#engine;
    const { core, tokenizer, tokensWith, drafting, grammars, encodeRest } = engine; // a closure over this call would keep all earlier turns alive
    const namespace = resolved.namespace ?? this.#namespace;
    if (namespace !== this.#namespace)
      throw invalidArgument('namespace', `that of the session, "${this.#namespace}"`, namespace);
    const own = { core, namespace, tokenizer, prompt };
    const source = { ...own, tokensWith, drafting, grammars, encodeRest };
    if (resolved.compress && this.#onFull === 'shift')
      throw invalidArgument('compress', "nothing in a session with `onFull: 'shift'`", 'one');
    const compress = resolved.compress ?? this.#compress;
    const generation = newGeneration({ kind: turn.kind, ...source }, { ...resolved, compress });
    const committed = generation.result.then((result) => {
      if (begun && (result.finishReason !== 'aborted' || result.text !== ''))
        this.#state = stateAfter(state, begun, generation, turn.messages(result));
    });
    // Its value must not keep the values of earlier turns alive.
    const settled = Promise.allSettled([previous?.settled, committed]).then(() => undefined);
    const current: RunningTurn = { generation, previous, settled };
    this.#current = current;
    void settled.then(() => {
      current.previous = undefined;
      if (this.#current === current) this.#current = undefined;
    });
    return generation;
  }
}
