/** What nvcc makes of the kernels. Skipped where there is none. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '..', '..');
const candidates = [process.env['CUDACXX'], 'nvcc', '/usr/local/cuda/bin/nvcc'];
const nvcc = candidates.find(
  (path) => path !== undefined && spawnSync(path, ['--version']).status === 0,
);
const library = join(root, 'build', 'Release', 'libcachalot_cuda.so');

const withNvcc = nvcc === undefined ? describe.skip : describe;

interface Kernel {
  name: string;
  architecture: string;
  registers: number;
  spilled: number;
}

function compile(file: string): Kernel[] {
  const targets = ['80', '90a'].map((sm) => `-gencode=arch=compute_${sm},code=sm_${sm}`);
  const flags = ['-std=c++20', '-fmad=false', '--expt-relaxed-constexpr', '--threads=0'];
  const strict = ['-Werror', 'all-warnings', '-Xptxas', '-v'];
  const source = join(root, 'native', 'cuda', file);
  const args = [...flags, ...strict, ...targets, `-I${join(root, 'native')}`, '-c', source];
  const { status, stderr, stdout } = spawnSync(nvcc!, [...args, '-o', '/dev/null'], {
    encoding: 'utf8',
  });
  expect([status, /error|warning/i.exec(stderr + stdout)?.[0]]).toEqual([0, undefined]);
  const pattern =
    /entry function '(\w+)' for '(\w+)'[\s\S]*?(\d+) bytes spill stores, (\d+) bytes spill loads[\s\S]*?Used (\d+) registers/g;
  return [...stderr.matchAll(pattern)].map(([, name, architecture, stores, loads, registers]) => ({
    name: name!,
    architecture: architecture!,
    registers: Number(registers),
    spilled: Number(stores) + Number(loads),
  }));
}

withNvcc('nvcc', () => {
  // The kernels that take the time of a step.
  test.each([
    ['linear/floats.cu', 12],
    ['linear/blocks.cu', 18],
    ['linear/k_quants.cu', 12],
    ['linear/wide.cu', 10],
    ['attention.cu', 8],
    ['attention_merge.cu', 2],
    ['rms_norm.cu', 2],
    ['silu_mul.cu', 2],
    ['kv_write.cu', 2],
    ['sample.cu', 2],
  ])('compiles %s without a warning or a spilled register', (file, kernels) => {
    const compiled = compile(file);
    expect(compiled.length).toBe(kernels);
    for (const kernel of compiled) expect(kernel).toMatchObject({ spilled: 0 });
    for (const { registers } of compiled) expect(registers).toBeLessThanOrEqual(255);
  });
});

const whereBuilt = existsSync(library) ? test : test.skip;
whereBuilt('the library is small, needs no CUDA libraries and exports one symbol', () => {
  expect(statSync(library).size).toBeLessThan(40 * 2 ** 20);
  const dynamic = execFileSync('readelf', ['-d', library], { encoding: 'utf8' });
  const needed = [...dynamic.matchAll(/NEEDED.*\[(.*)\]/g)].map(([, name]) => name!);
  for (const name of needed) expect(name).toMatch(/^(libstdc\+\+|libgcc_s|libc|libm|ld-linux)/);
  const symbols = execFileSync('nm', ['-D', '--defined-only', library], { encoding: 'utf8' });
  expect(
    symbols
      .trim()
      .split('\n')
      .map((line) => line.split(' ').at(-1)),
  ).toEqual(['cachalot_cuda_library']);
});
