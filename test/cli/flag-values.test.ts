/** Every flag that a model or a generation takes: its value arrives, and what cannot be is refused before a model is loaded. */
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

import { Command } from 'commander';

import { addEngineOptions, loadOptions } from '../../lib/cli/engine-options.js';
import type { EngineFlags } from '../../lib/cli/engine-options.js';
import { addGenerateFlags, generateOptions } from '../../lib/cli/generate-flags.js';
import type { GenerateFlags } from '../../lib/cli/generate-flags.js';
import { temporaryPath } from '../fixtures/tiny-model.js';

function commandOf(): Command {
  const command = addGenerateFlags(addEngineOptions(new Command())).exitOverride();
  return command.configureOutput({ writeErr: () => undefined });
}

function parse(...args: string[]): EngineFlags & GenerateFlags {
  return commandOf().parse(args, { from: 'user' }).opts();
}

function fileWith(text: string): string {
  const path = temporaryPath('given');
  writeFileSync(path, text);
  return path;
}

/** By flag: a value, and what the engine is given. */
const LOADING: Record<string, [string[], object]> = {
  '--rope': [['ntk:2'], { rope: { scaling: 'ntk', factor: 2 } }],
  '--draft-model': [['stories-15m'], { draft: { model: 'stories-15m' } }],
  '--device': [['cuda:1'], { device: 'cuda:1' }],
  '--threads': [['3'], { threads: 3 }],
  '--context': [['512'], { contextLength: 512 }],
  '--kv-format': [['f32'], { kv: { format: 'f32' } }],
  '--instructions': [['portable'], { instructions: 'portable' }],
  '--shared-reads': [['never'], { sharedReads: 'never' }],
  '--max-step-ms': [['2.5'], { maxStepMs: 2.5 }],
  '--no-layout-cache': [[], { layoutCache: false }],
};

const GENERATING: Record<string, [string[], object]> = {
  '--max-tokens': [['1e3'], { maxTokens: 1000 }],
  '--stop': [['a\\n\\t\\r\\\\n'], { stop: ['a\n\t\r\\n'] }],
  '--template-options': [['{"a": [1]}'], { templateOptions: { a: [1] } }],
  '--draft': [
    ['lookup,jacobi'],
    { draft: { lookup: true, recycle: false, trigram: false, jacobi: true } },
  ],
  '--prediction': [['the same text'], { prediction: 'the same text' }],
  '--draft-context': [['256'], { draftContext: { tokens: 256 } }],
  '--draft-factor': [
    ['0.5', '--draft-context', '64'],
    { draftContext: { tokens: 64, factor: 0.5 } },
  ],
  '--regex': [['yes|no'], { regex: 'yes|no' }],
  '--schema': [[fileWith('{"const": 1}')], { schema: { const: 1 } }],
  '--grammar': [[fileWith('root ::= "a"')], { grammar: 'root ::= "a"' }],
  '--temperature': [['.5'], { temperature: 0.5 }],
  '--top-k': [['40'], { topK: 40 }],
  '--top-p': [['0.9'], { topP: 0.9 }],
  '--min-p': [['5e-2'], { minP: 0.05 }],
  '--typical-p': [['1'], { typicalP: 1 }],
  '--repetition-penalty': [['1.1'], { repetitionPenalty: 1.1 }],
  '--frequency-penalty': [['-1'], { frequencyPenalty: -1 }],
  '--presence-penalty': [['+1'], { presencePenalty: 1 }],
  '--penalty-window': [['64'], { penaltyWindow: 64 }],
  '--dry-multiplier': [['0.8'], { dry: { multiplier: 0.8 } }],
  '--seed': [['7'], { seed: 7 }],
};

describe('flags', () => {
  test.each(Object.entries(LOADING))('%s reaches the engine', async (flag, [values, options]) => {
    expect(await loadOptions(parse(flag, ...values))).toEqual(options);
    expect(await loadOptions(parse())).toEqual({});
  });

  test.each(Object.entries(GENERATING))('%s reaches what generates', (flag, [values, options]) => {
    expect(generateOptions(parse(flag, ...values))).toEqual(options);
    expect(generateOptions(parse())).toEqual({});
  });

  test('--model and --system arrive as they are; --stop counts as often as it is given', () => {
    expect(parse('-m', 'x.gguf', '--system', ' s\\n')).toMatchObject({
      model: 'x.gguf',
      system: ' s\\n',
    });
    expect(parse('--stop', 'a', '--stop', '\\\\')).toMatchObject({ stop: ['a', '\\'] });
  });

  test('there is no other one', () => {
    const tested = [
      ...Object.keys(LOADING),
      ...Object.keys(GENERATING),
      '--model',
      '--system',
      '--chat-template',
      '--compress',
    ];
    expect(
      commandOf()
        .options.map(({ long }) => long)
        .sort(),
    ).toEqual(tested.sort());
  });

  const processors = Math.max(availableParallelism(), cpus().length);
  test.each([
    ['--template-options', '{', /no JSON/],
    ['--template-options', '[1]', /an object/],
    ['--template-options', '{"messages": []}', /messages/],
    ['-t', '0', /an integer from 1/],
    [
      '-t',
      String(Math.max(16, 4 * processors) + 1),
      new RegExp(`has ${processors} logical processors`),
    ],
    ['-t', '1.5', /an integer/],
    ['-d', 'gpu', /auto, cpu, cuda or cuda:N/],
    ['-c', '0', /an integer from 1/],
    ['-m', '', /it is empty/],
    ['-n', '0', /an integer from 1 to 1073741824, received 0/],
    ['-n', '', /an integer/],
    ['-n', ' 5', /an integer/],
    ['-n', '0x10', /an integer/],
    ['-n', '1e-1', /an integer/],
    ['-n', '1e10', /an integer/],
    ['--seed', '', /an integer/],
    ['--seed', '1.5', /an integer/],
    ['--seed', '12345678901234567890', /an integer/],
    ['--temperature', 'abc', /a number from 0 to 100, received "abc"/],
    ['--temperature', '-1', /a number from 0/],
    ['--temperature', 'Infinity', /a number from 0/],
    ['--draft-context', '7', /an integer from 8/],
    ['--draft-factor', '1001', /a number from 0 to 1000/],
    ['--top-p', '2', /a number from 0 to 1, received 2/],
    ['--max-step-ms', '1e9', /a number from 0 to 60000/],
    ['--kv-format', 'f16', /Allowed choices/],
    ['--schema', fileWith('{'), /no JSON/],
    ['--schema', fileWith('[]'), /a JSON Schema/],
    ['--schema', '/not/there', /ENOENT/],
    ['--grammar', '/not/there', /ENOENT/],
    ['--stop', '', /it is empty/],
    ['--stop', '\\d', /none of \\n, \\t, \\r and \\\\/],
    ['--stop', 'a\\', /a backslash itself/],
  ])('%s %j is refused', (flag, value, message) => {
    expect(() => parse(flag, value)).toThrow(message);
  });
});
