// Installations are silent, on several npm and with their strictest settings.
const { check, fetched, folderWith, nodeOf, run } = require('../workplace.cjs');

/** Not a word of warning. */
function install(name, tarball, npm, ...flags) {
  const folder = folderWith(`install/${name}`, {});
  const { status, output } = npm(['install', '--no-audit', '--no-fund', ...flags, tarball], folder);
  const noise = output.split('\n').filter((line) => /warn|error/i.test(line));
  check(`installs: ${name}`, status === 0 && noise.length === 0 ? undefined : output.trim());
}

module.exports = [
  {
    name: 'install',
    about: 'npm, npm --ignore-scripts and npm 12 --strict-allow-scripts install it in silence',
    run({ tarball }) {
      const own = (args, cwd) => run('npm', args, { cwd });
      install('npm', tarball, own);
      install('npm --ignore-scripts', tarball, own, '--ignore-scripts');
      const node = nodeOf(24);
      const npm12 = node && fetched('npm@12', 'bin/npm-cli.js');
      if (!npm12) return;
      const npm = (args, cwd) => run(node, [npm12, ...args], { cwd });
      install('npm 12 --strict-allow-scripts', tarball, npm, '--strict-allow-scripts');
    },
  },
];
