// The Electron example, as somebody installs it who has copied it: its dependency is the published version, here the tarball.
const { cpSync, readFileSync } = require('node:fs');
const { join } = require('node:path');

const { check, folderWith, problemOf, root, run, work } = require('../workplace.cjs');

module.exports = [
  {
    name: 'electron',
    about:
      'the Electron example installs from the version it names, and its engine process answers',
    run({ tarball, model }) {
      const example = join(root, 'examples', 'electron');
      const folder = folderWith('electron', {});
      cpSync(example, folder, { recursive: true });
      const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
      const range = manifest.dependencies.cachalot;
      const names =
        range === `^${own.version}` ? undefined : `${range} does not name ${own.version}`;
      check('electron: the example names this version of the package', names);
      // As if the registry had it: what is there already satisfies the range, or the second install fails.
      const install = ['install', '--no-audit', '--no-fund', '--silent', '--omit=dev'];
      const first = run('npm', [...install, '--no-save', tarball], { cwd: folder });
      const then = first.status === 0 ? run('npm', install, { cwd: folder }) : first;
      check('electron: the example installs', problemOf(then));
      const script = `
        const said = [];
        require(${JSON.stringify(join(folder, 'engine-host.js'))}).serveEngine({
          onMessage: (listener) => {
            listener({ type: 'load', model: ${JSON.stringify(model)} })
              .then(() => listener({ type: 'chat', id: 1, text: 'a b c' }))
              .then(() => listener({ type: 'dispose' }));
          },
          send: (message) => said.push(message.type),
          exit: () => console.log(['ready', 'piece', 'end'].every((type) => said.includes(type)), said.join(' ')),
        });`;
      const answered = run(process.execPath, ['-e', script], { cwd: work });
      const isFine = answered.status === 0 && /^true/.test(answered.output);
      check(
        'electron: its engine process loads, answers and ends',
        isFine ? undefined : answered.output,
      );
    },
  },
];
