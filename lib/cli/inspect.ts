/** `cachalot inspect`: shows what is in a model file. */
import { types } from 'node:util';

import type { Command } from 'commander';

import { inspectModel } from '../models/inspect.js';
import type { Inspection } from '../models/inspect.js';
import type { GgufValue } from '../native.js';
import { interruptSignal, pullReporter } from './output.js';
import { sizeText } from './sizes.js';
import { table } from './table.js';

interface InspectFlags {
  tensors?: boolean;
  json?: boolean;
}

export function addInspect(program: Command): void {
  program
    .command('inspect')
    .description('what is in a model file: shape, metadata, tensors, memory per token')
    .argument(
      '<model>',
      'file, folder, alias, hf:owner/repo/file.gguf, hf:owner/repo:Q4_K_M or https://... (only the header is fetched)',
    )
    .option('--tensors', 'list all tensors')
    .option('--json', 'print everything as one JSON object')
    .addHelpText(
      'after',
      '\nExamples:\n  cachalot inspect tinyllama-1.1b-chat\n  cachalot inspect model.gguf --tensors\n' +
        '  cachalot inspect hf:owner/repo/model.gguf --json | jq \'.metadata["general.name"]\'',
    )
    .action(async (model: string, flags: InspectFlags) => {
      const { report, end } = pullReporter();
      const { signal } = interruptSignal();
      const inspection = await inspectModel(model, { signal, onProgress: report }).finally(end);
      process.stdout.write(
        flags.json
          ? `${JSON.stringify(inspection, plain)}\n`
          : `${printable(describe(inspection, flags.tensors ?? false))}\n`,
      );
    });
}

/** A file's names and texts may contain control sequences of terminals. */
function printable(text: string): string {
  return text.replace(
    /[^\P{Cc}\n]/gu,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Lists of numbers are typed arrays, which JSON would write as objects. */
function plain(_: string, value: unknown): unknown {
  return types.isFloat64Array(value) ? Array.from(value) : value;
}

function describe(inspection: Inspection, withTensors: boolean): string {
  const { metadata, tensors, types } = inspection;
  const sections = [summary(inspection)];
  sections.push(
    table(
      ['type', 'tensors', 'parameters', 'size'],
      types.map((total) => [
        total.type,
        String(total.tensors),
        total.parameters.toLocaleString('en'),
        sizeText(total.bytes),
      ]),
    ),
  );
  if (metadata)
    sections.push(
      Object.entries(metadata)
        .map(([key, value]) => `${key} = ${shortened(value)}`)
        .join('\n'),
    );
  if (withTensors)
    sections.push(
      table(
        ['tensor', 'type', 'shape', 'size'],
        tensors.map(({ name, type, shape, bytes }) => [
          name,
          type,
          shape.join(' x '),
          sizeText(bytes),
        ]),
      ),
    );
  return sections.join('\n\n');
}

function summary(inspection: Inspection): string {
  const { model, container, fileBytes, parameters, tensors, shape, problem } = inspection;
  const lines = [
    `${model}: ${container}, ${sizeText(fileBytes)}, ${(parameters / 1e6).toFixed(1)} million parameters in ${tensors.length} tensors`,
  ];
  if (shape) {
    const { bf16, f32 } = shape.kvBytesPerToken;
    lines.push(
      `${shape.architecture}: ${shape.layers} layers, width ${shape.width}, ${shape.heads} heads (${shape.kvHeads} of keys and values) of ` +
        `${shape.headDim}, feed-forward ${shape.ffnWidth}, vocabulary ${shape.vocabulary}, context ${shape.contextLength}`,
      `keys and values: ${bf16.toLocaleString('en')} bytes a token in bf16, ${f32.toLocaleString('en')} in f32; a full context ` +
        `${sizeText(bf16 * shape.contextLength)} or ${sizeText(f32 * shape.contextLength)}`,
    );
  }
  if (problem !== undefined) lines.push(`this version cannot run it: ${problem}`);
  return lines.join('\n');
}

function shortened(value: GgufValue): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}...` : value);
  if (typeof value === 'number') return String(Number(value.toPrecision(7))); // most floats are 32-bit
  if (typeof value === 'boolean') return String(value);
  const beginning = 'first' in value ? value.first : value;
  const first = [...beginning.slice(0, 4)].map((item) => JSON.stringify(item)).join(', ');
  return value.length > 4 ? `[${first}, ... ${value.length} in all]` : `[${first}]`;
}
