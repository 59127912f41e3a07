/** `cachalot chat`: a conversation at the terminal. Also takes its lines from a pipe. */
import { createInterface } from 'node:readline/promises';
import type { Interface } from 'node:readline/promises';

import type { Command } from 'commander';

import { describeDevice } from '../engine-description.js';
import type { Engine } from '../engine.js';
import { CachalotError } from '../errors.js';
import type { Generation } from '../generation.js';
import type { GenerationResult } from '../generation-result.js';
import type { Session } from '../session.js';
import { loadConversation, saveConversation } from './conversation-file.js';
import { addEngineOptions, loadEngine } from './engine-options.js';
import type { EngineFlags } from './engine-options.js';
import { addGenerateFlags, generateOptions } from './generate-flags.js';
import type { GenerateFlags } from './generate-flags.js';
import { colorsFor, ExitCode, interruptSignal, reportError } from './output.js';
import { sizeText } from './sizes.js';
import { describeSpeed } from './speed.js';

interface ChatFlags extends EngineFlags, GenerateFlags {
  load?: string;
}

const HELP = `/save FILE  write the conversation      /load FILE  go on with one
/stats      speed and cache of the engine /undo       take the last turn back
/new        begin again                   /exit       leave (also Ctrl-D)
Ctrl-C stops an answer; twice, it leaves.`;

export function addChat(program: Command): void {
  const command = program.command('chat').description('talk with a model');
  addGenerateFlags(addEngineOptions(command))
    .option('--load <file>', 'go on with a conversation that /save wrote')
    .addHelpText(
      'after',
      `\nIn a conversation:\n${HELP.replace(/^/gm, '  ')}\n\nExamples:\n  cachalot chat --system "You are terse."\n` +
        '  printf "Hello!\\nAnd again, please.\\n" | cachalot chat',
    )
    .action(async (flags: ChatFlags) => {
      const starting = interruptSignal();
      const { engine } = await loadEngine(flags, starting.signal);
      starting.release();
      try {
        if (!engine.canChat)
          throw new CachalotError(
            'template_missing',
            'this model has no chat template; use `cachalot run`',
          );
        const { debug = false } = program.opts<{ debug?: boolean }>();
        await new Chat(engine, flags, debug).talk();
      } finally {
        await engine.dispose();
      }
    });
}

class Chat {
  readonly #engine: Engine;
  readonly #flags: ChatFlags;
  readonly #debug: boolean;
  readonly #isTerminal = Boolean(process.stdin.isTTY && process.stdout.isTTY);
  readonly #colors = colorsFor(process.stderr);
  #input!: Interface; // there from `listen` on
  #session: Session;
  #last: GenerationResult | undefined;
  #answering: Generation | undefined;
  #interrupted = false; // once already
  #isOpen = true;
  #isLeaving = false;

  constructor(engine: Engine, flags: ChatFlags, debug: boolean) {
    this.#engine = engine;
    this.#flags = flags;
    this.#debug = debug;
    this.#session = this.begin();
  }

  async talk(): Promise<void> {
    if (this.#flags.load !== undefined) await this.load(this.#flags.load);
    this.listen();
    if (this.#isTerminal) this.say(`${describeDevice(this.#engine.description.device)}; /help`);
    this.prompt();
    for await (const line of this.#input) {
      if (this.#isLeaving || !(await this.take(line.trim()))) break;
      this.prompt();
    }
    this.#input.close();
  }

  /** Begins to read: what comes before somebody iterates would be lost. */
  private listen(): void {
    const colors = colorsFor(process.stdout);
    this.#input = createInterface({
      input: process.stdin,
      ...(this.#isTerminal ? { output: process.stdout, terminal: true } : {}),
      prompt: this.#isTerminal ? colors.cyan('> ') : '',
    });
    this.#input.once('close', () => (this.#isOpen = false));
    const interrupt = () => this.interrupt();
    if (this.#isTerminal) this.#input.on('SIGINT', interrupt);
    else process.on('SIGINT', interrupt);
    process.once('SIGTERM', () => this.leave());
  }

  private prompt(): void {
    if (this.#isTerminal && this.#isOpen) this.#input.prompt();
  }

  /** False when it was the last line. */
  private async take(text: string): Promise<boolean> {
    if (this.#isTerminal) this.#interrupted = false;
    if (text === '/exit' || text === '/quit') return false;
    try {
      if (text.startsWith('/')) await this.obey(text);
      else if (text !== '') await this.answer(text);
    } catch (error) {
      const code = reportError(error, this.#debug);
      if (this.#isTerminal) return true;
      process.exitCode = code; // a script should hear of it
      return false;
    }
    return !this.#isLeaving;
  }

  private begin(): Session {
    const { system } = this.#flags;
    return this.#engine.createSession(system === undefined ? {} : { system });
  }

  private async answer(text: string): Promise<void> {
    const generation = this.#session.chat(text, generateOptions(this.#flags));
    this.#answering = generation;
    try {
      for await (const piece of generation) process.stdout.write(piece);
      this.#last = await generation.result;
    } finally {
      this.#answering = undefined;
      process.stdout.write('\n');
    }
  }

  /** The first stops the answer, if there is one; the second in a row leaves. */
  private interrupt(): void {
    if (this.#interrupted) return this.leave();
    this.#interrupted = true;
    if (this.#answering) return this.#answering.stop(); // what has been said stays
    this.say('\nCtrl-C again to leave');
    this.prompt();
  }

  private leave(): void {
    this.#isLeaving = true;
    process.exitCode = ExitCode.Interrupted;
    this.#answering?.stop();
    this.#input.close();
  }

  private async obey(command: string): Promise<void> {
    const [, name, rest = ''] = /^\/(\S*)\s*(.*)$/.exec(command)!;
    const file = () => {
      if (rest === '') throw new CachalotError('invalid_argument', `/${name} needs a file name`);
      return rest;
    };
    switch (name) {
      case 'help':
        return this.say(HELP);
      case 'save':
        await saveConversation(file(), this.#flags.model, this.#session.messages);
        return this.say(`saved to ${rest}`);
      case 'load':
        return this.load(file());
      case 'stats':
        return this.stats();
      case 'undo':
        this.#session.rewind(Math.min(1, this.#session.turns));
        return this.say(`${this.#session.turns} turns`);
      case 'new':
        this.#session = this.begin();
        return;
      default:
        throw new CachalotError('invalid_argument', `there is no /${name}; try /help`);
    }
  }

  private async load(path: string): Promise<void> {
    const messages = await loadConversation(path);
    const { system } = this.#flags;
    const isTold = messages.some(({ role }) => role === 'system') || system === undefined;
    this.#session = this.#engine.createSession({ messages, ...(isTold ? {} : { system }) });
    this.say(`${messages.length} messages`);
  }

  private stats(): void {
    const { promptTokens, cachedTokens, generatedTokens, kvBytesInUse, kvBytes } =
      this.#engine.stats();
    if (this.#last) this.say(describeSpeed(this.#last));
    this.say(
      `all: prompts ${promptTokens} tokens (${cachedTokens} cached), answers ${generatedTokens}; ` +
        `keys and values ${sizeText(kvBytesInUse)} of ${sizeText(kvBytes)}; conversation ${this.#session.tokens.length} of ` +
        `${this.#engine.description.contextLength} tokens`,
    );
  }

  private say(text: string): void {
    process.stderr.write(`${this.#colors.dim(text)}\n`);
  }
}
