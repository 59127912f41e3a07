/** Chooses the model of a chat if there are several and none is given. */
import { createInterface } from 'node:readline';

import { CachalotError } from '../errors.js';
import { ALIASES, DEFAULT_MODEL } from '../models/names/aliases.js';
import { installedModels } from '../models/store/installed.js';
import { sizeText } from './sizes.js';

interface Choice {
  name: string;
  note: string;
}

/** Asks on the terminal; does not ask if the default model is the only choice. Throws aborted for Ctrl-C. */
export async function pickModel(): Promise<string> {
  const choices = await choicesOf();
  if (choices.length === 1) return DEFAULT_MODEL;
  const width = Math.max(...choices.map(({ name }) => name.length));
  choices.forEach(({ name, note }, i) =>
    process.stdout.write(`${String(i + 1).padStart(3)}  ${name.padEnd(width)}  ${note}\n`),
  );
  return ask(choices, `Which model? (1 to ${choices.length}; Enter takes 1) `);
}

/** The default first, whether it is installed or not; then the installed ones. */
async function choicesOf(): Promise<Choice[]> {
  const there = (await installedModels()).filter(({ isPartial }) => !isPartial);
  const choices = there.map(({ name, bytes }) => ({ name, note: sizeText(bytes) }));
  const known = choices.find(({ name }) => name === DEFAULT_MODEL);
  const first = known ?? {
    name: DEFAULT_MODEL,
    note: `${sizeText(ALIASES[DEFAULT_MODEL]!.bytes)}, to be fetched`,
  };
  return [first, ...choices.filter((choice) => choice !== known)];
}

function ask(choices: readonly Choice[], question: string): Promise<string> {
  const { stdin: input, stdout: output } = process;
  const readline = createInterface({ input, output, prompt: question });
  return new Promise<string>((resolve, reject) => {
    readline.on('line', (line) => {
      const text = line.trim();
      const choice =
        choices[text === '' ? 0 : Number(text) - 1] ?? choices.find(({ name }) => name === text);
      if (!choice) return readline.prompt();
      resolve(choice.name);
      readline.close();
    });
    readline.once('SIGINT', () => readline.close());
    readline.once('close', () => reject(new CachalotError('aborted', 'interrupted'))); // for Ctrl-D, too
    readline.prompt();
  });
}
