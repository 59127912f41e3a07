/** `cachalot chat`: a conversation at the terminal. Also takes its lines from a pipe. */
import { Option } from 'commander';
import type { Command } from 'commander';

import type { Engine } from '../engine.js';
import { describeDevice } from '../engine/describe-device.js';
import { CachalotError } from '../errors.js';
import type { Generation } from '../generation/generation.js';
import type { GenerationResult } from '../generation/generation-result.js';
import type { Session } from '../session/session.js';
import { PipeInput, TerminalInput } from './chat-input.js';
import type { ChatInput } from './chat-input.js';
import type { Said } from './chat-lines.js';
import { loadConversation, saveConversation } from './conversation-file.js';
import { addEngineOptions, loadEngine } from './engine-options.js';
import type { EngineFlags } from './engine-options.js';
import { addGenerateFlags, generateOptions, systemOf, warnOfIdle } from './generate-flags.js';
import type { GenerateFlags } from './generate-flags.js';
import { colorsFor, ExitCode, interruptSignal, reportError } from './output.js';
import { pickModel } from './pick-model.js';
import { sizeText } from './sizes.js';
import { describeSpeed } from './speed.js';

interface ChatFlags extends EngineFlags, GenerateFlags {
  load?: string;
  onFull?: 'error' | 'shift';
}

const HELP = `/save FILE  write the conversation      /load FILE  go on with one
/stats      speed and cache of the engine /undo       take the last turn back
/new        begin again                   /exit       leave (also Ctrl-D)
"""         begins and ends a message of several lines; several pasted lines are one message, too.
Ctrl-C stops an answer, or drops what is typed; twice, it leaves.`;

/** The commands, and whether they need a file name. */
const NEEDS_FILE: Record<string, boolean> = {
  save: true,
  load: true,
  stats: false,
  undo: false,
  new: false,
  help: false,
  exit: false,
  quit: false,
};

export function addChat(program: Command): void {
  const command = program.command('chat').description('talk with a model');
  addGenerateFlags(addEngineOptions(command))
    .option('--load <file>', 'go on with a conversation that /save wrote')
    .addOption(
      new Option(
        '--on-full <what>',
        'when the context is full: end with an error, or leave out the oldest turns (--compress window:N has no end)',
      ).choices(['error', 'shift']),
    )
    .addHelpText(
      'after',
      `\nWithout -m, a terminal asks which model, if there are others than the default in the cache.\n\nIn a conversation:\n${HELP.replace(/^/gm, '  ')}\n\nExamples:\n  cachalot chat --system "You are terse."\n` +
        '  printf "Hello!\\nAnd again, please.\\n" | cachalot chat',
    )
    .action(async (given: ChatFlags) => {
      const isAsked = isTerminal() && command.getOptionValueSource('model') === 'default';
      const flags = isAsked ? { ...given, model: await pickModel() } : given;
      const starting = interruptSignal();
      const { engine } = await loadEngine(flags, starting.signal);
      starting.release();
      if (!engine.canChat)
        throw new CachalotError(
          'template_missing',
          'this model has no chat template; use `cachalot run`',
        );
      const { debug = false } = program.opts<{ debug?: boolean }>();
      warnOfIdle(flags);
      await new Chat(engine, flags, debug).talk();
    });
}

/** Whether a person is at the terminal. */
function isTerminal(): boolean {
  return Boolean(process.stdin.isTTY && process.stdout.isTTY);
}

class Chat {
  readonly #engine: Engine;
  readonly #flags: ChatFlags;
  readonly #debug: boolean;
  readonly #isTerminal = isTerminal();
  readonly #colors = colorsFor(process.stderr);
  #input!: ChatInput; // set by `talk`
  #session: Session;
  #last: GenerationResult | undefined;
  #answering: Generation | undefined;
  #interrupted = false; // whether Ctrl-C has been pressed once already
  #isLeaving = false;

  constructor(engine: Engine, flags: ChatFlags, debug: boolean) {
    this.#engine = engine;
    this.#flags = flags;
    this.#debug = debug;
    this.#session = this.begin();
  }

  async talk(): Promise<void> {
    if (this.#flags.load !== undefined) await this.load(this.#flags.load);
    this.#input = this.listen();
    if (this.#isTerminal) this.say(`${describeDevice(this.#engine.description.device)}; /help`);
    this.#input.prompt();
    for await (const said of this.#input) {
      if (this.#isLeaving || !(await this.take(said))) break;
      this.#input.prompt();
    }
    this.#input.close();
  }

  /** Starts reading. */
  private listen(): ChatInput {
    const interrupt = () => this.interrupt();
    process.once('SIGTERM', () => this.leave(ExitCode.Terminated));
    if (this.#isTerminal) {
      const colors = colorsFor(process.stdout);
      const prompts = { first: colors.cyan('> '), more: colors.cyan('... ') };
      return new TerminalInput(prompts, interrupt);
    }
    process.on('SIGINT', interrupt);
    return new PipeInput();
  }

  /** False if it was the last one. */
  private async take({ text, isCommand }: Said): Promise<boolean> {
    if (this.#isTerminal) this.#interrupted = false;
    if (isCommand && (text === '/exit' || text === '/quit')) return false;
    try {
      await (isCommand ? this.obey(text) : this.answer(text));
    } catch (error) {
      const code = reportError(error, this.#debug);
      if (this.#isTerminal) return true;
      process.exitCode = code; // so that a script notices
      return false;
    }
    return !this.#isLeaving;
  }

  private begin(): Session {
    const system = systemOf(this.#flags);
    const { onFull } = this.#flags;
    return this.#engine.createSession({ onFull, ...(system === undefined ? {} : { system }) });
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

  /** The first Ctrl-C stops the answer or drops typed text, if there is any; the second in a row ends the chat. */
  private interrupt(): void {
    if (this.#interrupted) return this.leave(ExitCode.Interrupted);
    if (this.#answering) {
      this.#interrupted = true;
      return this.#answering.stop(); // the text so far stays
    }
    if (!this.#input.clear()) {
      this.#interrupted = true;
      this.say('\nCtrl-C again to leave');
    } else process.stdout.write('\n');
    this.#input.prompt();
  }

  private leave(code: ExitCode): void {
    this.#isLeaving = true;
    process.exitCode = code;
    this.#answering?.stop();
    this.#input.close();
  }

  private async obey(command: string): Promise<void> {
    const [, name = '', rest = ''] = /^\/(\S*)\s*(.*)$/.exec(command)!;
    const needsFile = Object.hasOwn(NEEDS_FILE, name) ? NEEDS_FILE[name] : undefined;
    const wrong = (what: string) => new CachalotError('invalid_argument', what);
    if (needsFile === undefined) throw wrong(`there is no /${name}; try /help`);
    if (needsFile && rest === '') throw wrong(`/${name} needs a file name`);
    if (!needsFile && rest !== '') throw wrong(`/${name} stands alone, without '${rest}'`);
    switch (name) {
      case 'help':
        return this.say(HELP);
      case 'save':
        await saveConversation(rest, this.#flags.model, this.#session.messages);
        return this.say(`saved to ${rest}`);
      case 'load':
        return this.load(rest);
      case 'stats':
        return this.stats();
      case 'undo':
        this.#session.rewind(Math.min(1, this.#session.turns));
        return this.say(`${this.#session.turns} turns`);
      case 'new':
        this.#session = this.begin();
        return;
    }
  }

  private async load(path: string): Promise<void> {
    const messages = await loadConversation(path);
    const system = systemOf(this.#flags);
    const isTold = messages.some(({ role }) => role === 'system') || system === undefined;
    this.#session = this.#engine.createSession({
      messages,
      onFull: this.#flags.onFull,
      ...(isTold ? {} : { system }),
    });
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
