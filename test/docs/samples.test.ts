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
  rmSync,
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

const CONVERSATION = JSON.stringify({
  kind: 'cachalot conversation',
  version: 1,
  messages: [
    { role: 'user', content: 'Hello!' },
    { role: 'assistant', content: 'Hello.' },
  ],
});

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
        new RegExp(`^ *\`\`\`${language}\\n([^]*?)^ *\`\`\``, 'gm'),
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

/** What samples take for granted: an engine, a session, a text, some questions. */
const GIVEN = `
  const { Engine, CachalotError, pull } = given;
  const engine = await Engine.load('tinyllama-1.1b-chat');
  const session = engine.createSession();
  const longText = 'A long text. '.repeat(50);
  const questions = ['Why?', 'How?'];
`;

/** A module that imports what the sample does, and runs it in a scope of its own: it may have names that are given, too. */
function moduleOf({ code }: Sample): string {
  const isImport = (line: string) => line.startsWith('import ');
  const lines = code.split('\n');
  const parts = [
    "import * as given from 'cachalot';",
    ...lines.filter(isImport),
    `await (async () => {${GIVEN}await (async () => {`,
    ...lines.filter((line) => !isImport(line)),
    '})(); await engine.dispose(); })();',
  ];
  return ts.transpileModule(parts.join('\n'), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true, // imports stay, used or not: a name that is not there is an error
    },
  }).outputText;
}

describe('samples', () => {
  let model: string;
  beforeAll(
    async () =>
      void ({ path: model } = await writeTinyModel({
        template: TEMPLATE,
        shape: { context: 4096 },
      })),
  );

  /** A folder with what samples read, a cache with both models, and `cachalot` and `npx` on the path. */
  function place(): { cwd: string; env: NodeJS.ProcessEnv } {
    const folder = temporaryPath('folder');
    const models = join(folder, 'cache', 'cachalot', 'models');
    const bin = join(folder, 'bin');
    for (const path of [models, bin]) mkdirSync(path, { recursive: true });
    for (const alias of ['tinyllama-1.1b-chat', 'stories-15m'])
      copyFileSync(model, join(models, `${alias}.gguf`));
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
    writeFileSync(join(folder, 'conversation.json'), CONVERSATION);
    const path = `${bin}:${process.env['PATH']}`;
    const env = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache'), PATH: path };
    return { cwd: folder, env };
  }

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
      const { stdout } = await promisify(execFile)(process.execPath, [path], place());
      // "console.log(...); // these words" says what is printed.
      for (const [, said] of sample.code.matchAll(/^ *console\.log\(.*\); \/\/ (.*)$/gm))
        if (/^[a-z0-9_ ]+$/.test(said!)) expect(stdout).toContain(said);
      expect(stdout).not.toContain('undefined');
    } finally {
      rmSync(path);
    }
  });

  // What fetches is tested in test/models and test/cli/inspect, and `build` by `npm run test:package`; a chat without a pipe waits.
  const isElsewhere = (line: string) => /hf:|\bbuild\b|cachalot chat +#/.test(line);
  const lines = blocks('sh').flatMap(({ name, code }) =>
    code
      .split('\n')
      .filter(
        (line) =>
          /(^|\| ?)(npx )?cachalot /.test(line) && !/npm install/.test(line) && !isElsewhere(line),
      )
      .map((line) => line.replace(/ +#.*$/, '').replace(/^npx /, ''))
      .map((line) => [name, line.replace(/bench -m stories-15m$/, '$& --runs 1')] as const),
  );
  const once = lines.filter(([, line], i) => lines.findIndex(([, same]) => same === line) === i);
  test('there are many shell lines', () => expect(lines.length).toBeGreaterThan(15));

  test.each(once)('%s: %s', async (_, line) => {
    const shell = ['-o', 'pipefail', '-c', line];
    const { stdout } = await promisify(execFile)('bash', shell, place());
    if (!/ > | -o |--output/.test(line)) expect(stdout).not.toBe('');
  });

  test('the rules for Electron are those of the example', () => {
    const { code } = blocks(' *json').find(({ name }) => name.startsWith('docs/electron'))!;
    const example = readFileSync(join(root, 'examples/electron/package.json'), 'utf8');
    const { build } = JSON.parse(example) as { build: { asarUnpack: string[] } };
    expect((JSON.parse(code) as { asarUnpack: string[] }).asarUnpack).toEqual(build.asarUnpack);
  });
});
