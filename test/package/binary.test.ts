/**
 * What the addon asks of its host and gives to it, read from the binary itself: proof that it runs in any N-API host (Node,
 * Electron, Bun, Deno), and on which systems.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { writeTinyModel } from '../fixtures/tiny-model.js';

const root = join(__dirname, '..', '..');
const addon = join(root, 'build', 'Release', 'cachalot.node');
const lines = (command: string, ...args: string[]) =>
  execFileSync(command, args, { encoding: 'utf8' }).trim().split('\n');

const isSanitized = lines('nm', '-D', '--undefined-only', addon).some((line) =>
  /__asan_|__tsan_/.test(line),
);
const ordinary = process.platform === 'linux' && !isSanitized ? test : test.skip;

/** A symbol and the version that it asks for. */
const imported = lines('nm', '-D', '--undefined-only', addon).map((line) => {
  const [name, version = ''] = line.trim().split(/\s+/).at(-1)!.split('@');
  return { name: name!, version };
});

describe('the addon', () => {
  ordinary(
    'asks its host for N-API and nothing else: no V8, libuv, OpenSSL or Node internals',
    () => {
      const ofHost = imported.filter(
        ({ name, version }) =>
          version === '' && !/^(_ITM_|__gmon_start__|__cxa_finalize)/.test(name),
      );
      expect(ofHost.length).toBeGreaterThan(20);
      expect(ofHost.filter(({ name }) => !/^(napi|node_api)_[a-z_0-9]+$/.test(name))).toEqual([]);
    },
  );

  ordinary('makes no external array buffers, which Electron forbids', () => {
    const names = imported.map(({ name }) => name);
    expect(names).toContain('napi_create_arraybuffer');
    expect(names).not.toContain('napi_create_external_arraybuffer');
    expect(names).not.toContain('napi_create_external_buffer');
  });

  ordinary(
    'runs with glibc 2.34 and the libstdc++ of GCC 11: RHEL 9, Debian 12, Ubuntu 22.04',
    () => {
      const atMost: Record<string, number[]> = {
        GLIBC: [2, 34],
        GLIBCXX: [3, 4, 29],
        CXXABI: [1, 3, 13],
        GCC: [11],
      };
      const isLater = (version: string) => {
        const [family, numbers] = version.split('_') as [string, string];
        const limit = atMost[family] ?? [];
        const parts = numbers.split('.').map(Number);
        const differs = parts.findIndex((part, i) => part !== (limit[i] ?? 0));
        return differs >= 0 && parts[differs]! > (limit[differs] ?? 0);
      };
      const versions = [...new Set(imported.map(({ version }) => version))].filter(Boolean);
      expect(versions.length).toBeGreaterThan(3);
      expect(versions.filter(isLater)).toEqual([]);
      const needed = lines('readelf', '-d', addon).flatMap(
        (line) => /NEEDED.*\[(.*)\]/.exec(line)?.[1] ?? [],
      );
      const allowed = [
        'libstdc++.so.6',
        'libm.so.6',
        'libgcc_s.so.1',
        'libc.so.6',
        'libpthread.so.0',
      ];
      expect(needed.filter((name) => !allowed.includes(name))).toEqual([]);
    },
  );

  ordinary(
    'gives its host the two functions of N-API, and shares nothing else with the process',
    () => {
      const exported = lines('nm', '-D', '--defined-only', addon).map((line) =>
        line.split(' ').at(-1),
      );
      expect(exported.sort()).toEqual([
        'napi_register_module_v1',
        'node_api_module_get_api_version_v1',
      ]);
    },
  );

  // Chromium's allocator, which takes the place of malloc in Electron, ends the process for 2 GiB at once.
  ordinary('never asks malloc for much, however large the cache', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cachalot-malloc-'));
    const library = join(folder, 'largest.so');
    writeFileSync(join(folder, 'largest.c'), LARGEST);
    execFileSync('gcc', [
      '-shared',
      '-fPIC',
      '-O1',
      '-o',
      library,
      join(folder, 'largest.c'),
      '-ldl',
    ]);
    const { path } = await writeTinyModel({ shape: { context: 16384 } });
    const script = `const { Engine } = require('./dist/index.js');
      (async () => { const e = await Engine.load(${JSON.stringify(path)}, { kv: { bytes: 3 * 2 ** 30 }, stepTokens: 4096 });
        if (e.stats().kvBytes < 2.9 * 2 ** 30) throw new Error('the cache is small');
        await e.logits(Array.from({ length: 3000 }, (_, i) => 3 + (i % 300)), { rows: Array.from({ length: 3000 }, (_, i) => i) });
        await e.completeTokens(Array.from({ length: 5000 }, (_, i) => 3 + (i % 300)), { maxTokens: 5 }).result; await e.dispose(); })()`;
    const output = execFileSync(process.execPath, ['-e', script], {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, LD_PRELOAD: library },
    });
    const largest = Number(/largest malloc: (\d+)/.exec(output)?.[1]);
    expect(largest).toBeGreaterThan(1000); // it was really listening
    expect(largest).toBeLessThan(2 ** 28);
  });
});

const LARGEST = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdatomic.h>
#include <stddef.h>
static _Atomic size_t largest;
static void see(size_t size) {
  size_t now = atomic_load(&largest);
  while (size > now && !atomic_compare_exchange_weak(&largest, &now, size)) {}
}
void *malloc(size_t size) {
  static void *(*real)(size_t);
  if (!real) real = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
  see(size);
  return real(size);
}
void *realloc(void *old, size_t size) {
  static void *(*real)(void *, size_t);
  if (!real) real = (void *(*)(void *, size_t))dlsym(RTLD_NEXT, "realloc");
  see(size);
  return real(old, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
  static void *(*real)(size_t, size_t);
  if (!real) real = (void *(*)(size_t, size_t))dlsym(RTLD_NEXT, "aligned_alloc");
  see(size);
  return real(alignment, size);
}
__attribute__((destructor)) static void tell(void) { printf("largest malloc: %zu\\n", largest); fflush(stdout); }
`;
