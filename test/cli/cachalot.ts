/** The command line in a process of its own. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';

import { temporaryPath } from '../fixtures/tiny-model.js';

export const cliPath = join(__dirname, '..', '..', 'dist', 'cli', 'main.js');

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/**
 * With an empty cache folder, and as a CI service runs it (libraries take `CI` as a reason to colour
 * pipes), unless the environment says otherwise.
 */
export function cachalot(
  args: string[],
  input?: string,
  environment: Record<string, string> = {},
): Promise<Outcome> {
  return new Promise((resolve) => {
    const env = {
      ...process.env,
      CI: 'true',
      XDG_CACHE_HOME: temporaryPath('cache'),
      ...environment,
    };
    const child = execFile(
      process.execPath,
      [cliPath, ...args],
      { env },
      (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr });
      },
    );
    child.stdin?.end(input ?? '');
  });
}
