/**
 * Every sample in README, docs/ and the comments of the API is run: JavaScript as a module of its own, shell lines of `cachalot` by a
 * shell. Aliases of models lead to a tiny one.
 */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';

import ts from 'typescript';

import { temporaryPath, writeTinyModel } from '../fixtures/tiny-model.js';
import { cliPath } from '../cli/cachalot.js';

const root = join(__dirname, '..', '..');
const TEMPLATE =
  '{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}';

interface Sample {
  name: string;
  code: string;
}

const documents = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

function blocks(language: string): Sample[] {
  return documents.flatMap((path) =>
    [
      ...readFileSync(join(root, path), 'utf8').matchAll(
        new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'),
      ),
    ].map(([, code], i) => ({ name: `${path} ${i + 1}`, code: code! })),
  );
}

/** What stands behind "@example" in comments. */
function comments(): Sample[] {
  const files = readdirSync(join(root, 'lib'), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith('.ts'))
    .sort();
  return files.flatMap((file) => {
    const text = readFileSync(join(root, 'lib', file), 'utf8');
    return [...text.matchAll(/^ *\* @example\n([^]*?)\*\//gm)].map(([, comment], i) => ({
      name: `${relative(root, join(root, 'lib', file))} @example ${i + 1}`,
      code: comment!.replace(/^ *\* ?/gm, ''),
    }));
  });
}

/** What samples take for granted: an engine, a session, a text, some messages. */
const GIVEN = `
  import * as cachalot from 'cachalot';
  const { Engine, CachalotError, pull } = cachalot;
  const engine = await Engine.load('tinyllama-1.1b-chat');
  const session = engine.createSession();
  const longText = 'A long text. '.repeat(50);
  const questions = ['Why?', 'How?'];
`;

/** A module that runs a sample in a scope of its own: it may have names that are given, too. */
function moduleOf({ code }: Sample): string {
  const isImport = (line: string) => line.startsWith('import ');
  const body = code.split('\n').filter((line) => !isImport(line));
  const { outputText } = ts.transpileModule(
    `${GIVEN}\nawait (async () => {\n${body.join('\n')}\n})();\nawait engine.dispose();\n`,
    {
      compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
    },
  );
  return outputText;
}

describe('samples', () => {
  let cache: string;
  let folder: string;
  let bin: string;

  beforeAll(async () => {
    const { path } = await writeTinyModel({ template: TEMPLATE, shape: { context: 4096 } });
    cache = temporaryPath('cache');
    const models = join(cache, 'cachalot', 'models');
    mkdirSync(models, { recursive: true });
    for (const alias of ['tinyllama-1.1b-chat', 'stories-15m'])
      copyFileSync(path, join(models, `${alias}.gguf`));
    // What the shell finds as \`cachalot\` and \`npx\`, and the files that samples read.
    folder = temporaryPath('folder');
    bin = join(folder, 'bin');
    mkdirSync(bin, { recursive: true });
    const script = (name: string, line: string) => {
      writeFileSync(join(bin, name), `#!/bin/sh\n${line}\n`);
      chmodSync(join(bin, name), 0o755);
    };
    const run = `exec '${process.execPath}' '${cliPath}' "$@"`;
    script('cachalot', run);
    script('npx', `shift\n${run}`);
    writeFileSync(
      join(folder, 'questions.jsonl'),
      '"Why?"\n{"id":"b","prompt":"How?","maxTokens":3}\n',
    );
    writeFileSync(join(folder, 'chapter.txt'), 'Call me Ishmael.\n');
  });

  const environment = () => ({
    ...process.env,
    XDG_CACHE_HOME: cache,
    PATH: `${bin}:${process.env['PATH']}`,
  });

  const scripts = [...blocks('(?:js|ts)'), ...comments()];
  test('there are many of them', () => expect(scripts.length).toBeGreaterThan(15));

  test.each(scripts.map((sample) => [sample.name, sample] as const))('%s', async (_, sample) => {
    // Within the repository: there, "cachalot" is this package.
    const path = join(
      root,
      'build',
      `sample-${process.pid}-${Math.random().toString(36).slice(2)}.mjs`,
    );
    writeFileSync(path, moduleOf(sample));
    try {
      await promisify(execFile)(process.execPath, [path], {
        cwd: folder,
        env: environment(),
        timeout: 60_000,
      });
    } finally {
      (await import('node:fs')).rmSync(path);
    }
  });

  // What fetches, or builds, or measures for minutes is tested elsewhere.
  const isElsewhere = (line: string) =>
    /\bpull\b|hf:|models remove|\bbuild\b|cachalot chat +#/.test(line);
  const lines = blocks('sh').flatMap(({ name, code }) =>
    code
      .split('\n')
      .filter(
        (line) =>
          /(^|\| ?)(npx )?cachalot /.test(line) && !/npm install/.test(line) && !isElsewhere(line),
      )
      .map(
        (line) => [name, line.replace(/ -m stories-15m +#/, ' -m stories-15m --runs 1 #')] as const,
      ),
  );
  test('there are many shell lines', () => expect(lines.length).toBeGreaterThan(15));

  test.each(lines)('%s: %s', async (_, line) => {
    const { stdout } = await promisify(execFile)('bash', ['-o', 'pipefail', '-c', line], {
      cwd: folder,
      env: environment(),
      timeout: 60_000,
    });
    if (!/ > | -o |--output/.test(line)) expect(stdout).not.toBe('');
  });
});
