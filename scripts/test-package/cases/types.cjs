// The types, as programs of several kinds compile against them: every check on, none of a library's errors overlooked.
const { join } = require('node:path');

const { check, folderWith, installed, problemOf, run, versionOf } = require('../workplace.cjs');

/** What users do with the types; `undefined` for what is not set, and messages that nobody may change. */
const USE = `
import { CachalotError, Engine, pull } from 'cachalot';
import type { GenerateOptions, JsonValue, LoadOptions, Message, PullOptions, SamplingOptions, SessionOptions } from 'cachalot';

const said = [
  { role: 'system', content: 'a' },
  { role: 'user', content: [{ type: 'text', text: 'b' }] },
] as const;
const frozen: readonly Message[] = said;

export async function main(options: {
  load?: LoadOptions | undefined;
  signal?: AbortSignal | undefined;
  temperature?: number | undefined;
  system?: string | undefined;
}) {
  const { signal, temperature, system } = options;
  const engine = await Engine.load('model', options.load ?? { threads: undefined, signal });
  const sampling: SamplingOptions = { temperature, topP: undefined };
  const generate: GenerateOptions = { ...sampling, signal, maxTokens: undefined, stop: ['a'] as const };
  const session = engine.createSession({ system, messages: frozen } satisfies SessionOptions);
  for await (const piece of session.chat('a', generate)) piece.trim();
  const usage: { [key: string]: JsonValue | undefined } = (await engine.chat(said, generate).result).usage;
  JSON.stringify(usage);
  engine.chat(frozen, { signal });
  await engine.cache.add(said, { signal });
  engine.createBatch([{ prompt: said, temperature }, 'a'] as const, { signal });
  await pull('model', { signal } satisfies PullOptions);
  await engine[Symbol.asyncDispose]();
}

export function codeOf(error: unknown): string {
  return error instanceof CachalotError ? error.code : 'none';
}
`;

/** Compiler options beyond the strictest; each with and without Node's types, for both kinds of modules. */
const KINDS = {
  'nodenext, with Node’s types': { module: 'nodenext', lib: ['es2022'], types: ['node'] },
  'nodenext, nothing but ES2022': { module: 'nodenext', lib: ['es2022'], types: [] },
  'nodenext, the DOM': { module: 'nodenext', lib: ['es2022', 'dom'], types: [] },
  'nodenext, newest library': { module: 'nodenext', lib: ['esnext', 'dom'], types: ['node'] },
  'bundler, the DOM': {
    module: 'esnext',
    moduleResolution: 'bundler',
    lib: ['es2022', 'dom'],
    types: [],
  },
};

const STRICTEST = {
  noEmit: true,
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noPropertyAccessFromIndexSignature: true,
  skipLibCheck: false,
  target: 'es2022',
};

module.exports = [
  {
    name: 'types',
    about:
      'types hold under exactOptionalPropertyTypes, with readonly messages, without Node’s types',
    run({ tarball }) {
      const files = { 'use.mts': USE, 'use.cts': USE };
      Object.entries(KINDS).forEach(([, options], i) => {
        const compilerOptions = { ...STRICTEST, ...options };
        files[`tsconfig.${i}.json`] = JSON.stringify({
          compilerOptions,
          files: ['use.mts', 'use.cts'],
        });
      });
      const folder = folderWith('types', files);
      if (!installed(folder, tarball, ['typescript@~6.0.3', '@types/node@20'])) return;
      const tsc = join(folder, 'node_modules/typescript/bin/tsc');
      Object.keys(KINDS).forEach((kind, i) => {
        const args = [tsc, '-p', `tsconfig.${i}.json`];
        const name = `${versionOf(folder, 'typescript')}, ${kind}`;
        check(name, problemOf(run(process.execPath, args, { cwd: folder })));
      });
    },
  },
];
