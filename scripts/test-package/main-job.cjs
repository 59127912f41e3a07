// The main job as users' programs do it, in the forms that bundlers and runtimes take; each prints one line of JSON.
const { check, run } = require('./workplace.cjs');

/** Both workers and the addon take part. Says what went wrong as a program does that prints its errors. */
const JOB = `
  const started = performance.now();
  const engine = await Engine.load(process.env.CACHALOT_MODEL, { layoutCache: false });
  const { text } = await engine.chat([{ role: 'user', content: 'a b c' }], { maxTokens: 8 }).result;
  await engine.dispose();
  const answer = { text, ms: Math.round(performance.now() - started) };`;

/** What ends a program that has done it, or that could not. */
const RUN = `
(async () => {${JOB}
  console.log(JSON.stringify(answer));
})().catch((error) => { console.error(error.code + ': ' + error.message); process.exit(1); });`;

const MAIN_MJS = `import { Engine } from 'cachalot';${RUN}`;
const MAIN_CJS = `const { Engine } = require('cachalot');${RUN}`;

function parse(text) {
  try {
    return JSON.parse(text.trim().split('\n').at(-1));
  } catch {
    return undefined;
  }
}

/** Runs a program that does the main job. */
function answers(name, command, { cwd, model, env = process.env }) {
  const { status, stdout, output } = run(command[0], command.slice(1), {
    cwd,
    env: { ...env, CACHALOT_MODEL: model },
  });
  const answer = parse(stdout ?? '');
  const isFine = status === 0 && answer?.text && answer.ms < 10_000;
  check(`${name}${answer?.ms ? ` (${answer.ms} ms)` : ''}`, isFine ? undefined : output);
}

/** Runs one that must fail with one line that says what to do. */
function saysWhatToDo(name, command, expected, { cwd, model, env = process.env }) {
  const { status, output } = run(command[0], command.slice(1), {
    cwd,
    env: { ...env, CACHALOT_MODEL: model },
  });
  check(name, status !== 0 && expected.test(output) ? undefined : output);
}

module.exports = { JOB, MAIN_CJS, MAIN_MJS, answers, parse, saysWhatToDo };
