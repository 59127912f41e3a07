/** The benchmark of one model on this machine: every figure with its share of the machine's limit. */
import { readFileSync, statSync } from 'node:fs';

import { Engine } from '../engine.js';
import { readModelInfo } from '../models/formats/model-info.js';
import type { ModelInfo } from '../models/formats/model-info.js';
import type { EngineDevice } from '../native.js';
import { native } from '../native.js';
import type { MachinePeaks } from '../native.js';
import type { LoadOptions } from '../options/load-options.js';
import { processorName } from '../system/processor.js';
import { decodeBound, prefillBound } from './bound.js';
import { summarize } from './statistics.js';
import type { Summary } from './statistics.js';
import { Workload } from './workload.js';

export interface BenchRow extends Summary {
  name: string;
  /** The machine's limit, if we know a bound. */
  bound?: number;
}

export interface BenchReport {
  model: string;
  date: string;
  cpu: string;
  node: string;
  device: EngineDevice;
  kvFormat: string;
  fileBytes: number;
  parameters: number;
  /** The CPU's limits; for a GPU none are known here. */
  peaks?: MachinePeaks;
  loadMs: number;
  peakRssBytes: number;
  runs: number;
  /** Tokens per second. */
  rows: BenchRow[];
}

export interface BenchOptions {
  load: LoadOptions;
  runs: number;
  signal: AbortSignal;
  onProgress: (what: string) => void;
}

interface Point {
  name: string;
  run: () => Promise<number>;
  bound?: (peaks: MachinePeaks) => number;
}

const PREFILLS = [128, 512, 2048];
const CONTEXTS = [128, 2048];
const DECODED = 48;
const SEQUENCES = 16;

/** Uses the whole machine for about a minute. `path` is a file or a folder. */
export async function benchModel(
  path: string,
  { load, runs, signal, onProgress }: BenchOptions,
): Promise<BenchReport> {
  onProgress('loading');
  const start = performance.now();
  // What is measured is steps: guesses would come into it only by accident.
  const engine = await Engine.load(path, { ...load, draft: load.draft ?? false, signal });
  const loadMs = performance.now() - start;
  const { device, kvFormat } = engine.description;
  const { measured, info } = await measureAll(engine, path, runs, signal, onProgress).finally(() =>
    engine.dispose(),
  );
  const peakRssBytes = peakRss(); // taken before the machine is measured, which needs memory of its own
  onProgress('what this machine can do');
  const peaks =
    device.kind === 'cuda'
      ? undefined
      : await native().measurePeaks(
          load.instructions ?? 'auto',
          load.threads ?? 0,
          statSync(path).isFile() ? path : '',
        );
  return {
    model: path,
    date: new Date().toISOString().slice(0, 10),
    cpu: processorName(),
    node: process.version,
    device,
    kvFormat,
    fileBytes: info.fileBytes,
    parameters: info.parameters,
    ...(peaks ? { peaks } : {}),
    loadMs,
    peakRssBytes,
    runs,
    rows: measured.map(({ point: { name, bound }, values }) => ({
      name,
      ...summarize(values),
      ...(bound && peaks ? { bound: bound(peaks) } : {}),
    })),
  };
}

async function measureAll(
  engine: Engine,
  path: string,
  runs: number,
  signal: AbortSignal,
  onProgress: (what: string) => void,
) {
  const info = await readModelInfo(path);
  const measured: { point: Point; values: number[] }[] = [];
  for (const point of pointsOf(engine, info, signal)) {
    const values: number[] = [];
    await point.run(); // warm-up
    for (let i = 0; i < runs; i++) {
      onProgress(`${point.name}, run ${i + 1} of ${runs}`);
      values.push(await point.run());
    }
    measured.push({ point, values });
  }
  return { measured, info };
}

/** The points that fit into the model's context. */
function pointsOf(engine: Engine, info: ModelInfo, signal: AbortSignal): Point[] {
  const workload = new Workload(engine);
  const { contextLength } = engine.description;
  const kvFormat = engine.description.kvFormat === 'f32' ? 'f32' : 'bf16';
  const longest = Math.min(2048, contextLength - DECODED - 1);
  const prefills = PREFILLS.filter((tokens) => tokens < contextLength);
  // A model whose context is 2048 cannot decode after 2048 tokens, so it decodes after as many as leave room.
  const contexts = [...new Set(CONTEXTS.map((tokens) => Math.min(tokens, longest)))].filter(
    (tokens) => tokens > 0,
  );
  return [
    ...prefills.map((tokens) => ({
      name: `prefill ${tokens}`,
      run: () => workload.prefill(tokens, signal),
      bound: (peaks: MachinePeaks) => prefillBound(info, peaks, tokens),
    })),
    ...contexts.map((context) => ({
      name: `decode at ${context}`,
      run: () => workload.decode(context, DECODED, signal),
      bound: (peaks: MachinePeaks) => decodeBound(info, peaks, context, kvFormat),
    })),
    {
      name: `decode, ${SEQUENCES} sequences`,
      run: () => workload.batch(SEQUENCES, DECODED, signal),
    },
  ];
}

/** Of this process, bytes. */
function peakRss(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const line = /VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'));
  return line ? Number(line[1]) * 1024 : process.memoryUsage.rss();
}
