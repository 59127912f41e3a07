// The tarball itself, as those see it who look at packages only.
const { check, problemOf, root, run } = require('../workplace.cjs');

module.exports = [
  {
    name: 'form',
    about: 'publint and "are the types wrong?" have nothing to say of the tarball',
    run({ tarball }) {
      const publint = run('npx', ['--no-install', 'publint', '--strict', tarball], { cwd: root });
      check('publint', problemOf(publint));
      const attw = run('npx', ['--no-install', 'attw', tarball], { cwd: root });
      check('types (attw)', problemOf(attw));
    },
  },
];
