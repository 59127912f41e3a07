// Fuzzes what reads files and text of strangers, for a bounded time:
//   npm run fuzz -- [--seconds N] [target ...]     targets: gguf safetensors config grammar tokenizer template
// The native ones need clang++ with libFuzzer (Debian: clang libclang-rt-14-dev). Seeds are the bad files of the tests;
// what is found lies in build/fuzz/<target>/. Ends with the number of executions of each.
const { spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, readdirSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const NATIVE = ['gguf', 'safetensors', 'config', 'grammar'];
const SCRIPTED = ['tokenizer', 'template'];

const words = process.argv.slice(2);
const at = words.indexOf('--seconds');
const seconds = at < 0 ? 60 : Number(words.splice(at, 2)[1]);
const targets = words.length > 0 ? words : [...NATIVE, ...SCRIPTED];
const unknown = targets.filter((target) => ![...NATIVE, ...SCRIPTED].includes(target));
if (unknown.length > 0 || !(seconds > 0)) {
  console.error(`usage: npm run fuzz -- [--seconds N] [${[...NATIVE, ...SCRIPTED].join('|')} ...]`);
  process.exit(2);
}

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', cwd: root, ...options });
  if (error) console.error(`cannot run ${command}: ${error.message}`);
  return status ?? 1;
}

const jest = (args, environment) =>
  run(process.execPath, [join(root, 'node_modules', 'jest', 'bin', 'jest.js'), '-i', ...args], {
    env: { ...process.env, ...environment },
  });

function build(target) {
  const folders =
    target === 'grammar' ? ['base', 'grammar'] : ['base', 'backend', 'weights', 'model'];
  const sources = folders
    .flatMap((folder) =>
      readdirSync(join(root, 'native', folder), { recursive: true }).map((name) =>
        join('native', folder, name),
      ),
    )
    .filter(
      (name) => name.endsWith('.cpp') && !/decoder|thread_pool|pool_thread|_windows/.test(name),
    );
  const flags = [
    '-std=c++20',
    '-g',
    '-O1',
    '-Inative',
    '-fsanitize=fuzzer,address,undefined',
    '-fno-sanitize-recover=all',
  ];
  return run('clang++', [
    ...flags,
    ...sources,
    join('native', 'fuzz', `${target}.cpp`),
    '-o',
    join('build', 'fuzz', target, 'fuzzer'),
  ]);
}

function fuzzNative(target) {
  const folder = join('build', 'fuzz', target);
  const corpus = join(folder, 'corpus');
  mkdirSync(join(root, corpus), { recursive: true });
  if (build(target) !== 0) return 1;
  const seeds = join('build', 'fuzz', 'seeds', target);
  return run(join(root, folder, 'fuzzer'), [
    corpus,
    ...(existsSync(join(root, seeds)) ? [seeds] : []),
    `-max_total_time=${seconds}`,
    '-timeout=25', // a busy machine is not a hang,
    '-rss_limit_mb=2048',
    '-max_len=16384',
    '-print_final_stats=1',
    `-artifact_prefix=${folder}/`,
  ]);
}

const results = [];
if (targets.some((target) => NATIVE.includes(target))) {
  if (jest(['test/fuzz/seeds']) !== 0) process.exit(1);
}
for (const target of targets) {
  const status = NATIVE.includes(target)
    ? fuzzNative(target)
    : jest([`test/fuzz/${target}`, '--testTimeout=100000000'], {
        CACHALOT_FUZZ_SECONDS: String(seconds),
      });
  results.push([target, status]);
}
for (const [target, status] of results)
  console.log(`${target}: ${status === 0 ? 'nothing found' : 'FAILED'}`);
process.exit(results.every(([, status]) => status === 0) ? 0 : 1);
