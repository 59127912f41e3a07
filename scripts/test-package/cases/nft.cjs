// What @vercel/nft gathers of a program is all that it needs: Next.js, Vercel, Netlify and others deploy so.
const { cpSync, realpathSync } = require('node:fs');
const { dirname, join } = require('node:path');

const { MAIN_CJS, MAIN_MJS, answers } = require('../main-job.cjs');
const {
  check,
  folderWith,
  installed,
  nodeOf,
  problemOf,
  run,
  versionOf,
  work,
} = require('../workplace.cjs');

const GATHER = `require('@vercel/nft').nodeFileTrace([process.argv[2]], { base: __dirname })
  .then(({ fileList }) => console.log(JSON.stringify([...fileList])));`;

module.exports = [
  {
    name: 'nft',
    about: 'what @vercel/nft gathers for require and import, copied elsewhere, does the main job',
    run({ tarball, model }) {
      const files = { 'main.cjs': MAIN_CJS, 'main.mjs': MAIN_MJS, 'gather.cjs': GATHER };
      const folder = realpathSync(folderWith('nft', files));
      if (!installed(folder, tarball, ['@vercel/nft'])) return;
      const node = nodeOf(24) ?? process.execPath;
      for (const main of ['main.cjs', 'main.mjs']) {
        const gathered = run(node, ['gather.cjs', main], { cwd: folder });
        if (gathered.status !== 0) {
          check(`nft, ${main}: gathers`, problemOf(gathered));
          continue;
        }
        const target = join(work, 'gathered', main);
        for (const file of JSON.parse(gathered.stdout))
          cpSync(join(folder, file), join(target, file), { recursive: true });
        const name = `${versionOf(folder, '@vercel/nft')}, ${main}: what it gathers runs`;
        answers(name, [process.execPath, join(target, main)], { cwd: dirname(target), model });
      }
    },
  },
];
