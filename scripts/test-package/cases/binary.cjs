// The binary of an installation: found, missing, built, and without anything around it.
const { cpSync, existsSync, rmSync } = require('node:fs');
const { join } = require('node:path');

const { MAIN_CJS, answers, saysWhatToDo } = require('../main-job.cjs');
const {
  LONG,
  check,
  folderWith,
  installed,
  problemOf,
  root,
  run,
  skip,
  work,
} = require('../workplace.cjs');

module.exports = [
  {
    name: 'binary',
    about: 'doctor; an installation without a binary says what to do, and `cachalot build` does it',
    run({ tarball, model }) {
      const folder = folderWith('binary', { 'main.cjs': MAIN_CJS });
      if (!installed(folder, tarball, [])) return;
      const cli = join(folder, 'node_modules/cachalot/dist/cli/main.js');
      const doctor = run(process.execPath, [cli, 'doctor']);
      check('cachalot doctor', problemOf(doctor));
      if (existsSync(join(root, 'build', 'Release', 'libcachalot_cuda.so')))
        check(
          'the CUDA library is found beside the addon',
          /no CUDA library/.test(doctor.output) ? doctor.output : undefined,
        );
      rmSync(join(folder, 'node_modules/cachalot/prebuilds'), { recursive: true });
      const main = [process.execPath, join(folder, 'main.cjs')];
      const expected = /no_binary: there is no cachalot binary for .*npx cachalot build/;
      saysWhatToDo('without a binary, the error says what to do', main, expected, {
        cwd: folder,
        model,
      });
      if (run('cmake', ['--version']).status !== 0) return skip('cachalot build', 'no cmake here');
      const build = run(process.execPath, [cli, 'build'], { timeout: LONG });
      check('cachalot build', problemOf(build));
      answers('what it built', main, { cwd: folder, model });
    },
  },
  {
    name: 'bare',
    about:
      'copied elsewhere, with no npm, no PATH, no home and nothing to write to, it does the main job',
    run({ tarball, model }) {
      const stage = folderWith('stage', { 'main.cjs': MAIN_CJS });
      if (!installed(stage, tarball, [])) return;
      const image = join(work, 'image');
      cpSync(stage, image, { recursive: true });
      rmSync(stage, { recursive: true });
      run('chmod', ['-R', 'a-w', image]);
      answers('without npm, PATH and home', [process.execPath, join(image, 'main.cjs')], {
        cwd: '/',
        model,
        env: { HOME: '/nonexistent' },
      });
      run('chmod', ['-R', 'u+w', image]);
    },
  },
];
