/** Turns conversations into the text that a model was trained on, by its chat template. */
import { randomInt } from 'node:crypto';

import { isBlank, ownOnly } from '../checks/check-options.js';
import { CachalotError, fromNative } from '../errors.js';
import type { TokenizerThread } from '../text/tokenizer-thread.js';
import { totalLength } from '../text/total-length.js';
import { Memo } from '../workers/memo.js';
import { TemplateRenderer } from './chat-template.js';
import { findGap } from './gap.js';
import type { Gap } from './gap.js';
import { countNames, guardNames } from './guard-names.js';
import type { SaidMessage, TemplateInput } from './guard-names.js';
import { checkLength } from './messages.js';
import { withOneBeginning, withoutSystem } from './template-message.js';
import type { TemplateMessage } from './template-message.js';
import type { TemplateOptions } from './template-options.js';

export interface RenderOptions {
  templateOptions?: TemplateOptions | undefined;
  signal?: AbortSignal | undefined;
}

export interface Rendered {
  text: string;
  /** The contents as the template saw them. Those of the last messages stand at the end, in the order of the messages. */
  contents: string[];
  systemMerged: boolean;
}

/** Where the text ends: with the template's words before an answer, after the last message, or with the content of that message. */
type Ending = 'before answer' | 'after last' | 'within last';

/** How many sets of variables are remembered, with the template's behavior under each. */
const MAX_KNOWN = 16;

/** Marks where the content of the last message ends; its characters never occur in text, see name-breaker.ts. */
const END = Array.from({ length: 8 }, () => String.fromCharCode(0xfdd0 + randomInt(32))).join('');

const PROBE = 'cachalot-probe';

export class Conversations {
  readonly #renderer = new TemplateRenderer();
  readonly #thread: TokenizerThread;
  readonly #template: string | undefined;
  readonly #isGiven: boolean;
  readonly #hasSystem = new Memo<boolean>(MAX_KNOWN);
  readonly #gaps = new Memo<Gap>(MAX_KNOWN);

  /** `template`: used instead of the model's own. */
  constructor(thread: TokenizerThread, template?: string) {
    this.#thread = thread;
    this.#isGiven = template !== undefined && !isBlank(template);
    const known = this.#isGiven ? template : thread.chatTemplate;
    this.#template = known === undefined || isBlank(known) ? undefined : known;
  }

  /** Whether there is a chat template. */
  get areKnown(): boolean {
    return this.#template !== undefined;
  }

  /**
   * The text up to where the model's answer begins. If a conversation ends with an answer, the model continues it, and the
   * text ends with that answer's text.
   */
  async prompt(messages: readonly SaidMessage[], options: RenderOptions = {}): Promise<Rendered> {
    const last = messages.at(-1);
    if (last?.role !== 'assistant') return this.render(messages, options, 'before answer');
    if (ownOnly(last).tool_calls !== undefined)
      throw new CachalotError(
        'invalid_argument',
        'the last message calls tools: what they answered (role `tool`) must follow it',
      );
    const whole = await this.render(messages, options, 'within last');
    const end = whole.text.lastIndexOf(END);
    if (end >= 0) return { ...whole, text: whole.text.slice(0, end) };
    // The template changes the answer when it shows it: continue from the words before an answer instead.
    const before = await this.render(messages.slice(0, -1), options, 'before answer');
    return { ...whole, text: before.text + whole.contents.at(-1)!.replace(END, '') };
  }

  /** The text of a whole conversation. If the last message is not an answer, it ends where an answer begins. */
  whole(messages: readonly SaidMessage[], options: RenderOptions = {}): Promise<Rendered> {
    const isAnswered = messages.at(-1)?.role === 'assistant';
    return this.render(messages, options, isAnswered ? 'after last' : 'before answer');
  }

  /** White space that the template writes before an answer and that the prompt for an answer leaves to the model. */
  gap({ templateOptions }: RenderOptions = {}): Promise<Gap> {
    const key = JSON.stringify(templateOptions ?? {});
    const render = (messages: readonly SaidMessage[]) => this.prompt(messages, { templateOptions });
    return this.#gaps.get(key, () => findGap(render, this.#thread));
  }

  dispose(): Promise<void> {
    return this.#renderer.dispose();
  }

  private async render(
    given: readonly SaidMessage[],
    { templateOptions = {}, signal }: RenderOptions,
    ending: Ending,
  ): Promise<Rendered> {
    checkLength(given);
    const { broken, strict, isSame } = await guardNames(
      this.#thread,
      given,
      templateOptions,
      signal,
    );
    const begins = this.begun(broken.messages)[0]?.role;
    const isTold = begins === 'system' || begins === 'developer';
    const mergesSystem = isTold && !(await this.hasSystem(broken.variables));
    const rendered = await this.renderInput(broken, mergesSystem, ending, signal);
    if (isSame) return rendered;
    // A template may cut and join users' text. If every place is marked where a name could begin, no name can result from
    // that. If this rendering has as many names, all of them are the template's own.
    const other = await this.renderInput(strict, mergesSystem, ending, signal);
    const [found, own] = await countNames(this.#thread, [rendered.text, other.text], signal);
    return found === own ? rendered : other;
  }

  /** Some templates refuse a system message, others ignore it. */
  private hasSystem(variables: TemplateInput['variables']): Promise<boolean> {
    const messages = [
      { role: 'system', content: PROBE },
      { role: 'user', content: 'x' },
    ];
    const probe = () =>
      this.renderInput({ messages, variables }, false, 'before answer').then(
        ({ text }) => text.includes(PROBE),
        (error: unknown) => {
          if (fromNative(error).code !== 'template_failed') throw error;
          return false;
        },
      );
    return this.#hasSystem.get(JSON.stringify(variables), probe);
  }

  private async renderInput(
    { messages, variables }: TemplateInput,
    mergesSystem: boolean,
    ending: Ending,
    signal?: AbortSignal,
  ): Promise<Rendered> {
    const template = this.template;
    const begun = this.begun(messages);
    const seen = mergesSystem ? withoutSystem(begun) : begun;
    if (ending === 'within last') {
      const last = seen.pop()!;
      // DeepSeek's templates, and Mistral's, need `prefix`.
      seen.push({ ...last, content: (last.content ?? '') + END, prefix: true });
    }
    const contents = seen.map(({ content }) => content ?? '');
    const { table } = this.#thread;
    const rendering = this.#renderer.render(
      template,
      {
        ...variables,
        messages: seen,
        tools: null,
        documents: null,
        add_generation_prompt: ending === 'before answer',
        ...(ending === 'within last' ? { continue_final_message: true } : {}),
        bos_token: table.name(table.bos),
        eos_token: table.name(table.eos),
      },
      signal,
      totalLength(contents),
    );
    const text = await rendering.catch((error: unknown) => {
      throw this.#isGiven ? blamingOption(fromNative(error)) : error;
    });
    return { text, contents, systemMerged: mergesSystem };
  }

  private begun(messages: TemplateMessage[]): TemplateMessage[] {
    return withOneBeginning(messages, /\bdeveloper\b/.test(this.template));
  }

  private get template(): string {
    if (this.#template !== undefined) return this.#template;
    throw new CachalotError(
      'template_missing',
      'this model has no chat template; use `complete` instead of `chat`, or load it with `chatTemplate`',
    );
  }
}

/** If the failing template is not the model's own, the error says so. */
function blamingOption(error: CachalotError): CachalotError {
  if (!error.code.startsWith('template_')) return error;
  const message = `${error.message} (it was given as \`chatTemplate\`)`;
  return new CachalotError(error.code, message, { cause: error });
}
