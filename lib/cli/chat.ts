/** `cachalot chat`: a conversation at the terminal. Also takes its lines from a pipe. */
import { createInterface } from 'node:readline/promises';
import type { Interface } from 'node:readline/promises';

import type { Command } from 'commander';
import colors from 'picocolors';

import type { Engine } from '../engine.js';
import { CachalotError } from '../errors.js';
import type { Generation, GenerationResult } from '../generation.js';
import type { Session } from '../session.js';
import { loadConversation, saveConversation } from './conversation-file.js';
import { addEngineOptions, loadEngine } from './engine-options.js';
import type { EngineFlags } from './engine-options.js';
import { integer, interruptSignal, reportError } from './output.js';
import { addSamplingFlags, samplingOptions } from './sampling-flags.js';
import type { SamplingFlags } from './sampling-flags.js';
import { describeSpeed } from './speed.js';

interface ChatFlags extends EngineFlags, SamplingFlags {
  maxTokens?: number;
  system?: string;
  load?: string;
}

const HELP = `/save FILE  write the conversation      /load FILE  go on with one
/stats      speed and cache of the engine /undo       take the last turn back
/new        begin again                   /exit       leave (also Ctrl-D)
Ctrl-C stops an answer; twice, it leaves.`;

export function addChat(program: Command): void {
  const command = program.command('chat').description('talk with a model');
  addSamplingFlags(addEngineOptions(command))
    .option('-n, --max-tokens <n>', 'most tokens of an answer', integer(1))
    .option('--system <text>', 'what the model is told first')
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
        await new Chat(engine, flags).talk();
      } finally {
        await engine.dispose();
      }
    });
}

class Chat {
  readonly #engine: Engine;
  readonly #flags: ChatFlags;
  #input!: Interface; // there from `listen` on
  #session: Session;
  #last: GenerationResult | undefined;
  #answering: Generation | undefined;
  #interrupted = false; // by a Ctrl-C after which nothing was said

  constructor(engine: Engine, flags: ChatFlags) {
    this.#engine = engine;
    this.#flags = flags;
    this.#session = this.begin();
  }

  /** Begins to read: what comes before somebody iterates would be lost. */
  private listen(): void {
    const terminal = process.stdin.isTTY && process.stdout.isTTY;
    this.#input = createInterface({
      input: process.stdin,
      ...(terminal ? { output: process.stdout, terminal } : {}),
      prompt: terminal ? colors.cyan('> ') : '',
    });
    const interrupt = () => this.interrupt();
    if (terminal) this.#input.on('SIGINT', interrupt);
    else process.on('SIGINT', interrupt);
  }

  async talk(): Promise<void> {
    if (this.#flags.load !== undefined) await this.load(this.#flags.load);
    this.listen();
    if (this.#input.terminal)
      process.stderr.write(`${colors.dim(`${this.#engine.description.device}; /help`)}\n`);
    this.#input.prompt();
    for await (const line of this.#input) {
      this.#interrupted = false;
      const text = line.trim();
      if (text === '/exit' || text === '/quit') break;
      try {
        if (text.startsWith('/')) await this.obey(text);
        else if (text !== '') await this.answer(text);
      } catch (error) {
        const code = reportError(error, false);
        if (!this.#input.terminal) {
          process.exitCode = code; // a script should hear of it
          break;
        }
      }
      this.#input.prompt();
    }
    this.#input.close();
  }

  private begin(): Session {
    const { system } = this.#flags;
    return this.#engine.createSession(system === undefined ? {} : { system });
  }

  private async answer(text: string): Promise<void> {
    const generation = this.#session.chat(text, {
      ...(this.#flags.maxTokens === undefined ? {} : { maxTokens: this.#flags.maxTokens }),
      ...samplingOptions(this.#flags),
    });
    this.#answering = generation;
    try {
      for await (const piece of generation) process.stdout.write(piece);
      this.#last = await generation.result;
    } finally {
      this.#answering = undefined;
      process.stdout.write('\n');
    }
  }

  /** Stops the answer; without one, the second in a row leaves. */
  private interrupt(): void {
    if (this.#answering && !this.#answering.left) return this.#answering.stop(); // what has been said stays
    if (this.#interrupted || this.#answering || !this.#input.terminal) {
      process.exitCode = 130;
      this.#input.close();
      return;
    }
    this.#interrupted = true;
    process.stderr.write(`\n${colors.dim('Ctrl-C again to leave')}\n`);
    this.#input.prompt();
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
    this.#session = this.#engine.createSession({ messages });
    this.say(`${messages.length} messages`);
  }

  private stats(): void {
    const { promptTokens, cachedTokens, generatedTokens, kvBytesInUse, kvBytes } =
      this.#engine.stats();
    const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
    if (this.#last) this.say(describeSpeed(this.#last));
    this.say(
      `all: prompts ${promptTokens} tokens (${cachedTokens} cached), answers ${generatedTokens}; ` +
        `keys and values ${megabytes(kvBytesInUse)} of ${megabytes(kvBytes)}; conversation ${this.#session.tokens.length} of ` +
        `${this.#engine.description.contextLength} tokens`,
    );
  }

  private say(text: string): void {
    process.stderr.write(`${colors.dim(text)}\n`);
  }
}
