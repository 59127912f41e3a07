// Next.js: a route and a page that answer, built as it builds by default and as `standalone`; and without its one setting.
const { spawn } = require('node:child_process');
const { cpSync, existsSync, rmSync } = require('node:fs');
const { join } = require('node:path');

const { JOB } = require('../main-job.cjs');
const {
  check,
  folderWith,
  installed,
  nodeOf,
  problemOf,
  run,
  skip,
  versionOf,
  withNode,
  work,
} = require('../workplace.cjs');

const ROUTE = `import { Engine } from 'cachalot';
export const dynamic = 'force-dynamic';
export async function GET() {
  try {${JOB}
    return Response.json(answer);
  } catch (error) {
    return Response.json({ error: error.code + ': ' + error.message });
  }
}`;

const FILES = {
  'package.json': '{"private":true,"name":"web"}',
  'app/api/route.js': ROUTE,
  'app/layout.js': 'export default ({ children }) => <html><body>{children}</body></html>;',
  'app/page.js': 'export default () => <p>hello</p>;',
};

const config = (
  settings,
) => `module.exports = ${JSON.stringify({ turbopack: { root: '.' }, ...settings })};
module.exports.turbopack.root = __dirname;`;

const EXTERNAL = { serverExternalPackages: ['cachalot'] };
const BUNDLED = /has been bundled.*serverExternalPackages/;

/** What a server says at a path, once it is up. */
async function asked(command, { cwd, env, port }) {
  const server = spawn(command[0], command.slice(1), {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (data) => (said += data));
  try {
    for (let i = 0; i < 240; i++) {
      await new Promise((next) => setTimeout(next, 250));
      const answer = await fetch(`http://127.0.0.1:${port}/api`).catch(() => undefined);
      if (answer) return await answer.text();
      if (server.exitCode !== null) break;
    }
    return said;
  } finally {
    server.kill();
  }
}

const fine = (text) => (/"text":".+"/.test(text) ? undefined : text);

module.exports = [
  {
    name: 'next',
    about: 'Next.js: built by default and as standalone, with serverExternalPackages and without',
    async run({ tarball, model }) {
      const node = nodeOf(24);
      if (!node) return skip('next', 'it needs a newer Node');
      const folder = folderWith('next', FILES);
      if (!installed(folder, tarball, ['next', 'react', 'react-dom'])) return;
      const version = versionOf(folder, 'next');
      const env = { ...withNode(node), CACHALOT_MODEL: model, NEXT_TELEMETRY_DISABLED: '1' };
      const next = join(folder, 'node_modules/next/dist/bin/next');
      let port = 20_000 + (process.pid % 20_000);

      const builds = (name, settings, ...flags) => {
        rmSync(join(folder, '.next'), { recursive: true, force: true });
        folderWith('next', {
          ...FILES,
          'package.json': undefined,
          'next.config.js': config(settings),
        });
        const built = run(node, [next, 'build', ...flags], { cwd: folder, env });
        if (built.status !== 0) check(`${name}: builds`, problemOf(built));
        return built.status === 0;
      };
      const starts = (cwd, command) =>
        asked(command(++port), {
          cwd,
          port,
          env: { ...env, PORT: String(port), HOSTNAME: '127.0.0.1' },
        });
      const start = (to) => [node, next, 'start', '-p', String(to)];

      for (const flags of [[], ['--webpack']]) {
        const name = [version, ...flags].join(' ');
        if (builds(name, EXTERNAL, ...flags))
          check(`${name}, default build: runs`, fine(await starts(folder, start)));
        if (builds(name, {}, ...flags)) {
          const said = await starts(folder, start);
          const isClear = BUNDLED.test(said) || fine(said) === undefined;
          check(
            `${name}, without serverExternalPackages: runs, or says what to do`,
            isClear ? undefined : said,
          );
          console.log(`      ${said.slice(0, 100)}`);
        }
        if (!builds(name, { ...EXTERNAL, output: 'standalone' }, ...flags)) continue;
        const image = join(work, `standalone${flags.join('')}`);
        cpSync(join(folder, '.next/standalone'), image, {
          recursive: true,
          verbatimSymlinks: true,
        });
        const said = await starts(image, () => [node, 'server.js']);
        check(`${name}, standalone, copied elsewhere: runs`, fine(said));
        if (existsSync(join(image, 'node_modules/cachalot/native')))
          check(`${name}, standalone: has only what it needs`, 'it has native/, too');
      }
    },
  },
];
