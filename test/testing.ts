/** The second addon, which has native parts one by one (native/addon/testing/), and where its ops run. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { native } from '../lib/native.js';
import type { EmulatorBinding } from './testing/emulator.js';
import type { AttentionBinding } from './testing/attention.js';
import type { GrammarBinding } from './testing/grammar.js';
import type { OpsBinding } from './testing/ops.js';
import type { PlanBinding } from './testing/plan.js';
import type { StepTurnsBinding } from './testing/step-turns.js';
import type { SystemBinding } from './testing/system.js';
import type { TimingBinding } from './testing/timing.js';
import type { KvCacheBinding } from './testing/kv-cache.js';

export type * from './testing/attention.js';
export type * from './testing/ops.js';
export type * from './testing/plan.js';
export type * from './testing/timing.js';

/** All that it exports; test/layout/exports.test.ts compares. */
export interface TestingBinding
  extends
    AttentionBinding,
    EmulatorBinding,
    GrammarBinding,
    OpsBinding,
    PlanBinding,
    StepTurnsBinding,
    SystemBinding,
    TimingBinding,
    KvCacheBinding {}

export const testing = require(
  join(__dirname, '..', 'build', 'test', 'cachalot_testing.node'),
) as TestingBinding;

/** The instruction paths of this machine. */
export const paths = native().instructions();

/** Where the emulator runs. A library that is missing there fails the suites that need it; elsewhere it is none. */
const isEmulatorsPlatform = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

function built(name: string, command: string): string | undefined {
  const path = join(__dirname, '..', 'build', 'test', name);
  if (!isEmulatorsPlatform) return undefined;
  if (!existsSync(path)) throw new Error(`${path} is missing: \`${command}\` makes it`);
  return path;
}

/** CUDA's kernels on the emulator. See native/cuda/emu/. */
export const emulatedLibrary = built('libcachalot_cuda_emulated.so', 'npm run build:tests');

/** The same with its checker, which the sanitizers leave no room for. */
export function checkedLibrary(): string | undefined {
  const isSanitized = process.env['LD_PRELOAD'] !== undefined;
  return isSanitized ? undefined : built('libcachalot_cuda_checked.so', 'npm run build:all');
}

/** The emulated GPU as a path of the testing addon. */
export const emulated = emulatedLibrary === undefined ? [] : [`cuda:${emulatedLibrary}`];

/** Every kernel suite runs on each. */
export const devices = [
  ...paths.map((path) => ({ name: path, path, isCuda: false })),
  ...emulated.map((path) => ({ name: 'emulated cuda', path, isCuda: true })),
];
