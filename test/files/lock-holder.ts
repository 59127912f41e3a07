/** Processes that take a lock, for the tests of locks. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';

const dist = (name: string) =>
  JSON.stringify(join(__dirname, '..', '..', 'dist', 'files', `${name}.js`));

export interface Holder {
  child: ChildProcess;
  /** The next line that it prints. */
  next: () => Promise<string>;
  /** Whatever it still prints is read; resolves to how it ended. */
  ended: Promise<number | NodeJS.Signals | null>;
}

/** Runs `body`, the body of an async function; `say` prints a line. */
export function startProcess(body: string, prefix: string[] = []): Holder {
  const script = `
    const { FileLock } = require(${dist('lock')});
    const { newRecord } = require(${dist('lock-file')});
    const say = (line) => process.stdout.write(line + '\\n');
    (async () => { ${body} })().catch((error) => { say('error: ' + error.code + ' ' + error.message); process.exit(1); });
  `;
  const [command, ...args] = [...prefix, process.execPath, '-e', script];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    child,
    next: async () => {
      const { value, done } = (await lines.next()) as { value: string; done?: boolean };
      if (done) throw new Error('the process has ended');
      return value;
    },
    ended: new Promise((end) => child.once('exit', (code, signal) => end(signal ?? code))),
  };
}
