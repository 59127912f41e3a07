/** `cachalot doctor`: what this machine can do, and what is wrong if something is. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';

import type { Command } from 'commander';

import { ioError } from '../files/io-error.js';
import { modelsFolder } from '../models/store/cache-folder.js';
import { installedModels } from '../models/store/installed.js';
import { writeTestModel } from '../models/test-model.js';
import type { NativeBinding } from '../native.js';
import { ExitCode } from './output.js';
import { sizeText } from './sizes.js';

export function addDoctor(program: Command): void {
  program
    .command('doctor')
    .description('check this installation: runs a tiny model on every instruction path')
    .option('--json', 'print one JSON object')
    .addHelpText('after', '\nExamples:\n  cachalot doctor\n  cachalot doctor --json')
    .action(async (flags: { json?: boolean }) => {
      const report = await examine();
      if (flags.json) process.stdout.write(`${JSON.stringify(report)}\n`);
      else
        for (const [name, value] of Object.entries(report))
          process.stdout.write(`${name.padEnd(14)}${line(value)}\n`);
      if (report.problem !== undefined) process.exitCode = ExitCode.Error;
    });
}

async function examine() {
  const models = await installedModels();
  const cuda = await examineCuda();
  const { binary, cpu, problem } = await testBinary(cuda.hasGpu);
  return {
    node: process.versions.node,
    platform: `${process.platform}-${process.arch}`,
    binary,
    cpu,
    cuda: cuda.lines,
    cores: availableParallelism(),
    memory: `${(totalmem() / 2 ** 30).toFixed(1)} GiB`,
    models: modelsFolder(),
    present: models.filter(({ isPartial }) => !isPartial).map(({ name }) => name),
    disk: sizeText(models.reduce((sum, { bytes }) => sum + bytes, 0)),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** The GPUs, or one line that says why there are none. Runs in a child process, which a driver may crash. */
async function examineCuda(): Promise<{ hasGpu: boolean; lines: string[] }> {
  try {
    const { devices, reason } = JSON.parse(await askNative('cuda("")')) as ReturnType<
      NativeBinding['cuda']
    >;
    const lines = devices.map(
      ({ name, computeCapability, totalBytes }) =>
        `${name} (compute capability ${computeCapability}, ${sizeText(totalBytes)})`,
    );
    const hasGpu = lines.length > 0;
    return { hasGpu, lines: hasGpu ? lines : [`none: ${reason}`] };
  } catch (error) {
    return { hasGpu: false, lines: [`none: ${(error as Error).message}`] };
  }
}

/** The result of a call of the addon, as JSON, from a child process. */
function askNative(call: string): Promise<string> {
  const path = JSON.stringify(join(__dirname, '..', 'native.js'));
  return inChild(['-e', `process.stdout.write(JSON.stringify(require(${path}).native().${call}))`]);
}

interface BinaryTest {
  binary: string;
  /** Instruction paths, best first. */
  cpu: string[];
  problem?: string;
}

const TOLERANCE = 1e-3;
/** Checks of a GPU, which keeps keys and values in bf16. */
const GPU_TOLERANCE = 3e-2;

/** Runs everything in child processes: a binary that crashes is one line of the report and does not end it. */
async function testBinary(hasGpu: boolean): Promise<BinaryTest> {
  const folder = temporaryFolder();
  try {
    const model = join(folder, 'test.gguf');
    await writeTestModel(model);
    return await testPaths(model, hasGpu);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function temporaryFolder(): string {
  const path = join(tmpdir(), 'cachalot-doctor-');
  try {
    return mkdtempSync(path);
  } catch (error) {
    throw ioError(error, 'make a folder', path);
  }
}

async function testPaths(model: string, hasGpu: boolean): Promise<BinaryTest> {
  let cpu: string[];
  try {
    cpu = JSON.parse(await askNative('instructions()')) as string[];
  } catch (error) {
    return { binary: 'does not load', cpu: [], problem: (error as Error).message };
  }
  const logits = new Map<string, number[]>();
  for (const path of hasGpu ? [...cpu, 'cuda'] : cpu) {
    try {
      const output = await inChild([join(__dirname, 'self-test.js'), model, path]);
      logits.set(path, JSON.parse(output) as number[]);
    } catch (error) {
      return { binary: 'loads', cpu, problem: `${path} fails: ${(error as Error).message}` };
    }
  }
  const reference = logits.get('portable')!;
  for (const [path, values] of logits) {
    const worst = Math.max(...values.map((value, i) => Math.abs(value - reference[i]!)));
    if (!(worst < (path === 'cuda' ? GPU_TOLERANCE : TOLERANCE)))
      return { binary: 'loads', cpu, problem: `${path} differs from portable by ${worst}` };
  }
  const gpu = hasGpu ? ', and the GPU' : '';
  return { binary: `works: ${cpu.length} instruction paths agree${gpu}`, cpu };
}

function inChild(args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, args, { timeout: 60_000 }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const said =
        stderr.split('\n').find((text) => /Error/.test(text)) ?? error.message.split('\n')[0]!;
      reject(new Error(error.signal ? `ended by ${error.signal}` : said));
    });
  });
}

function line(value: string | number | string[]): string {
  return Array.isArray(value) ? value.join(', ') || 'none' : String(value);
}
