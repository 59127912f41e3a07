// Builds everything native with sanitizers into build/, and runs the tests under them.
//   npm run build:sanitize && npm run test:sanitize [-- address,undefined | thread] [jest arguments]
// `npm run build` afterwards makes the ordinary build again.
const { execFileSync, spawnSync } = require('node:child_process');
const { join } = require('node:path');

const [action, kind = 'address,undefined', ...rest] = process.argv.slice(2);
const run = (command, args, environment) => {
  const { status } = spawnSync(command, args, {
    stdio: 'inherit',
    env: { ...process.env, ...environment },
  });
  if (status !== 0) process.exit(status ?? 1);
};

if (action === 'build') {
  run(process.execPath, [
    require.resolve('cmake-js/bin/cmake-js'),
    'rebuild',
    `--CDCACHALOT_SANITIZE=${kind}`,
  ]);
} else {
  // By itself, where the leak sanitizer sees everything; then the addon, inside node.
  if (rest.length === 0) {
    run(join(__dirname, '..', 'build', 'test', 'cachalot_tests'), ['--seconds', '20'], {
      ASAN_OPTIONS: 'detect_leaks=1',
      TSAN_OPTIONS: 'exitcode=66',
      UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    });
  }
  const library = kind.includes('thread') ? 'libtsan.so' : 'libasan.so';
  const preload = execFileSync('gcc', [`-print-file-name=${library}`], { encoding: 'utf8' }).trim();
  run(
    process.execPath,
    [join(__dirname, '..', 'node_modules', 'jest', 'bin', 'jest.js'), '-i', ...rest],
    {
      LD_PRELOAD: preload,
      ASAN_OPTIONS: 'detect_leaks=0', // the leak sanitizer sees nothing under node
      TSAN_OPTIONS: 'ignore_noninstrumented_modules=1:exitcode=66',
      UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1',
    },
  );
}
