// Packs the package and tries it as users do: installed into empty folders, on several runtimes, under test runners, in bundles and
// frameworks. Needs the npm registry; what it cannot get is said and left out. Ends with "N passed, N failed".
//   npm run test:package [-- CASE ...] [--keep] [--help]
const { existsSync, readdirSync } = require('node:fs');
const { join } = require('node:path');

const { check, finish, root, run, work } = require('./workplace.cjs');

/** Each file of cases/ has cases: { name, about, run({ tarball, model }) }. */
const cases = readdirSync(join(__dirname, 'cases'))
  .sort()
  .flatMap((file) => require(join(__dirname, 'cases', file)));

const HELP = `Usage: npm run test:package [-- CASE ...] [--keep]

Packs the package, and tries it as users do. Without names, all cases:
${cases.map(({ name, about }) => `  ${name.padEnd(12)} ${about}`).join('\n')}

  --keep       leave the folder there, and say where it is`;

function pack() {
  const { status, output } = run('npm', ['pack', '--pack-destination', work], { cwd: root });
  if (status !== 0) throw new Error(output);
  return join(
    work,
    readdirSync(work).find((name) => name.endsWith('.tgz')),
  );
}

async function testModel() {
  const { writeTestModel } = require('../../dist/models/test-model.js');
  const path = join(work, 'test.gguf');
  await writeTestModel(path, '{% for m in messages %}{{ m.content }}{% endfor %}');
  return path;
}

async function main(names) {
  const unknown = names.filter((name) => !cases.some((one) => one.name === name));
  if (unknown.length > 0) throw new Error(`there is no case ${unknown.join(', ')}; see --help`);
  const tarball = pack();
  const model = await testModel();
  for (const { name, run: runCase } of cases) {
    if (names.length > 0 && !names.includes(name)) continue;
    try {
      await runCase({ tarball, model });
    } catch (error) {
      check(name, error.stack);
    }
  }
}

const args = process.argv.slice(2);
if (args.includes('--help')) console.log(HELP);
else if (!existsSync(join(root, 'node_modules'))) throw new Error('run `npm install` first');
else
  main(args.filter((arg) => !arg.startsWith('--')))
    .catch((error) => check('package', error.stack))
    .finally(() => finish(args.includes('--keep')));
