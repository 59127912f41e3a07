/** The engine: a loaded model, its cache and its loop. */
import { Batch } from './batch.js';
import type { BatchItem, BatchOptions } from './batch.js';
import { checkOptions, isBoolean, isIntegerList, isSignal, isString } from './check-options.js';
import { EngineCore } from './engine-core.js';
import { CachalotError, abortError, fromNative } from './errors.js';
import { evaluate } from './evaluate.js';
import { resolveGenerateOptions } from './generate-options.js';
import type { GenerateOptions } from './generate-options.js';
import { Generation } from './generation.js';
import { resolveModel } from './models/pull.js';
import type { LoadOptions } from './load-options.js';
import { resolveLoadOptions } from './load-options.js';
import { native } from './native.js';
import type { EngineStats, GgufInfo, NativeDescription } from './native.js';
import { Session } from './session.js';
import type { SessionOptions } from './session.js';
import { TemplateRenderer, checkMessages } from './text/chat-template.js';
import type { Message } from './text/chat-template.js';
import { loadVocabulary } from './text/load-vocabulary.js';
import { TextTokenizer } from './text/tokenizer.js';
import type { EncodeOptions } from './text/tokenizer.js';

export type EngineDescription = NativeDescription & { model: string };

/** What sessions and batches need of their engine. @internal */
export interface EngineContext {
  readonly core: EngineCore;
  readonly tokenizer: TextTokenizer;
  readonly namespace: string;
  render(messages: Message[], signal?: AbortSignal): Promise<string>;
  encodePrompt(prompt: string | Message[], signal?: AbortSignal): Promise<Int32Array>;
}

/**
 * A loaded model. Everything that generates runs together in its steps.
 *
 * @example
 * await using engine = await Engine.load('tinyllama-1.1b-chat');
 * const session = engine.createSession();
 * for await (const piece of session.chat('Why is the sky blue?')) process.stdout.write(piece);
 */
export class Engine implements AsyncDisposable {
  readonly #core: EngineCore;
  readonly #tokenizer: TextTokenizer;
  readonly #templates = new TemplateRenderer();
  readonly #template: string | undefined;
  readonly #model: string;
  readonly #context: EngineContext;

  private constructor(
    core: EngineCore,
    tokenizer: TextTokenizer,
    template: string | undefined,
    model: string,
    namespace: string,
  ) {
    this.#core = core;
    this.#tokenizer = tokenizer;
    this.#template = template;
    this.#model = model;
    this.#context = {
      core,
      tokenizer,
      namespace,
      render: (messages, signal) => this.render(messages, signal),
      encodePrompt: async (prompt, signal) =>
        typeof prompt === 'string'
          ? this.encode(prompt, { bos: true })
          : this.encode(await this.render(prompt, signal), { special: true, bos: true }),
    };
  }

  /**
   * Loads a model: a path to a GGUF file, an alias ("tinyllama-1.1b-chat", "stories-15m"), "hf:owner/repo/file" or
   * "npm:name@version/path". Aliases and remote sources are downloaded once.
   */
  static async load(model: string, options: LoadOptions = {}): Promise<Engine> {
    isString('model', model);
    const nativeOptions = resolveLoadOptions(options);
    const { onProgress, signal } = options;
    const path = await resolveModel(model, { onProgress, signal });
    const vocabulary = await loadVocabulary(path, options.tokenizer);
    if (signal?.aborted) throw abortError(signal);
    const core = await EngineCore.load(path, nativeOptions);
    const tokenizer = new TextTokenizer(vocabulary);
    const { vocabulary: size } = core.native.description();
    if (tokenizer.size !== size) {
      await core.dispose();
      throw new CachalotError(
        'tokenizer_invalid',
        `the tokenizer has ${tokenizer.size} tokens, the model ${size}`,
      );
    }
    return new Engine(core, tokenizer, vocabulary.chatTemplate, path, options.namespace ?? '');
  }

  /** What is running, where and how. */
  get description(): EngineDescription {
    return { ...this.#core.native.description(), model: this.#model };
  }

  /** Whether the model has a chat template, so that `chat` works. */
  get canChat(): boolean {
    return this.#template !== undefined;
  }

  /** A conversation of its own. */
  createSession(options: SessionOptions = {}): Session {
    return new Session(this.#context, options);
  }

  /** Many prompts at once. */
  createBatch(prompts: readonly BatchItem[], options: BatchOptions = {}): Batch {
    return new Batch(this.#context, prompts, options);
  }

  /** Continues a text. */
  complete(text: string, options: GenerateOptions = {}): Generation {
    isString('text', text);
    return this.generate(text, options);
  }

  /** Continues a sequence of token ids. */
  completeTokens(tokens: readonly number[], options: GenerateOptions = {}): Generation {
    isIntegerList('tokens', tokens);
    const { core, tokenizer, namespace } = this.#context;
    const prompt = () => Int32Array.from(tokens);
    return new Generation({ core, tokenizer, namespace, prompt }, resolveGenerateOptions(options));
  }

  /** Answers a conversation that is given whole. */
  chat(messages: Message[], options: GenerateOptions = {}): Generation {
    checkMessages(messages);
    return this.generate(messages, options);
  }

  private generate(prompt: string | Message[], options: GenerateOptions): Generation {
    const context = this.#context;
    const { core, tokenizer, namespace } = context;
    return new Generation(
      {
        core,
        tokenizer,
        namespace,
        prompt: () => context.encodePrompt(prompt, options.signal),
        trimStart: Array.isArray(prompt),
      },
      resolveGenerateOptions(options),
    );
  }

  /** Log-probability of each token after the first, given those before it; text begins with the model's first token. */
  async score(
    input: string | readonly number[],
    options: { signal?: AbortSignal } = {},
  ): Promise<{ tokens: number[]; logprobs: number[]; perplexity: number }> {
    checkOptions(options, { signal: isSignal });
    const tokens = this.tokensOf(input);
    const { values } = await evaluate(
      this.#context,
      'score',
      tokens,
      new Int32Array(0),
      options.signal,
    );
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return {
      tokens: Array.from(tokens),
      logprobs: Array.from(values),
      perplexity: Math.exp(-mean),
    };
  }

  /** The logits after some tokens of the input (default: after the last), one Float32Array of the vocabulary's size each. */
  async logits(
    input: string | readonly number[],
    options: { rows?: readonly number[]; signal?: AbortSignal } = {},
  ): Promise<Float32Array[]> {
    const tokens = this.tokensOf(input);
    checkOptions(options, { rows: isIntegerList, signal: isSignal });
    const rows = Int32Array.from(options.rows ?? [tokens.length - 1]);
    const { values } = await evaluate(this.#context, 'logits', tokens, rows, options.signal);
    const width = values.length / rows.length;
    return Array.from(rows, (_, i) => values.subarray(i * width, (i + 1) * width));
  }

  /** The ids of a text. Names of special tokens in it are plain text unless `special` is set. */
  tokenize(text: string, options: { special?: boolean; bos?: boolean } = {}): number[] {
    isString('text', text);
    checkOptions(options, { special: isBoolean, bos: isBoolean });
    return Array.from(this.#tokenizer.encode(text, options));
  }

  /** The text of some ids. */
  detokenize(tokens: readonly number[]): string {
    isIntegerList('tokens', tokens);
    return this.#tokenizer.decode(tokens);
  }

  /** Counters and what is held now. */
  stats(): EngineStats {
    return this.#core.native.stats();
  }

  /** Forgets all cached keys and values that nothing uses. */
  clearCache(): void {
    this.#core.native.clearCache();
  }

  /** Not supported yet. */
  embed(): never {
    throw new CachalotError('not_supported', '`embed` is not supported yet');
  }

  /** Ends the engine and frees its memory. What is running fails with code "disposed". */
  async dispose(): Promise<void> {
    await Promise.all([this.#core.dispose(), this.#templates.dispose()]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose();
  }

  private tokensOf(input: string | readonly number[]): Int32Array {
    if (typeof input === 'string') return this.encode(input, { bos: true });
    isIntegerList('input', input);
    return Int32Array.from(input);
  }

  /** Refuses a text that cannot fit, however it is cut, before it is cut. */
  private encode(text: string, options: EncodeOptions): Int32Array {
    const { contextLength } = this.#core.native.description();
    if (text.length > contextLength * this.#tokenizer.longestToken) {
      throw new CachalotError(
        'context_overflow',
        `the prompt has ${text.length} characters, more than a context of ${contextLength} tokens can hold`,
      );
    }
    return this.#tokenizer.encode(text, options);
  }

  private async render(messages: Message[], signal?: AbortSignal): Promise<string> {
    checkMessages(messages);
    if (this.#template === undefined) {
      throw new CachalotError(
        'template_missing',
        'this model has no chat template; use `complete` instead of `chat`',
      );
    }
    const last = messages.at(-1);
    return this.#templates.render(
      this.#template,
      {
        messages,
        add_generation_prompt: last?.role !== 'assistant',
        bos_token: this.#tokenizer.name(this.#tokenizer.bos),
        eos_token: this.#tokenizer.name(this.#tokenizer.eos),
      },
      signal,
    );
  }
}
