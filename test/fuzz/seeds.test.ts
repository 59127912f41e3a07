/** Writes the seeds of the native fuzzers: a sound file of each kind, and every bad one of the tests. */
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { badGguf } from '../fixtures/bad-gguf.js';
import { badSafetensors } from '../fixtures/bad-safetensors.js';
import { build, soundParts } from '../fixtures/gguf-bytes.js';
import { safetensors, writeHubModel } from '../fixtures/hub-model.js';
import { tinyMetadata, tinyVocabulary } from '../fixtures/tiny-model.js';
import { ggufHeader } from '../../lib/models/formats/gguf-writer.js';

const root = join(__dirname, '..', '..', 'build', 'fuzz', 'seeds');

function write(target: string, seeds: Uint8Array[]): void {
  const folder = join(root, target);
  mkdirSync(folder, { recursive: true });
  seeds.forEach((seed, i) => writeFileSync(join(folder, String(i).padStart(3, '0')), seed));
  expect(readdirSync(folder).length).toBeGreaterThanOrEqual(seeds.length);
}

test('gguf', () => {
  const shape = { width: 8, ffn: 8, heads: 2, kvHeads: 1, layers: 1, context: 64 };
  const { tokens, types, scores } = tinyVocabulary();
  const few = { tokens: tokens.slice(0, 4), types: types.slice(0, 4), scores: scores.slice(0, 4) };
  const tensor = {
    name: 'token_embd.weight',
    shape: [8, 4],
    type: 0,
    data: new Uint8Array(128),
  };
  const whole = (['llama', 'qwen2', 'qwen3'] as const).map((architecture) => {
    const scaling = { type: 'yarn' as const, factor: 2, original: 32 };
    const header = ggufHeader(tinyMetadata(shape, few, { architecture, scaling }), [tensor]);
    const padding = Buffer.alloc((32 - (header.length % 32)) % 32);
    return Buffer.concat([header, padding, tensor.data]);
  });
  write('gguf', [build(soundParts()), ...whole, ...badGguf.map(([, , bytes]) => bytes)]);
});

test('safetensors', () => {
  const sound = safetensors([
    { name: 'a', dtype: 'BF16', shape: [2, 2], data: new Uint8Array(8) },
    { name: 'b', dtype: 'F32', shape: [], data: new Uint8Array(4) },
  ]);
  const index = Buffer.from('{"metadata":{},"weight_map":{"a":"x.safetensors","b":"../y"}}');
  write('safetensors', [sound, index, ...badSafetensors.map(([, , bytes]) => bytes)]);
});

test('config', () => {
  const configs = (['llama', 'mistral', 'qwen2', 'qwen3'] as const).flatMap((architecture) =>
    (['linear', 'llama3', 'yarn'] as const).map((type) => {
      const { path } = writeHubModel({
        architecture,
        window: 8,
        scaling: { type, factor: 2, original: 32 },
        shape: { width: 8, heads: 2, kvHeads: 1, layers: 1, ffn: 8 },
      });
      return readFileSync(join(path, 'config.json'));
    }),
  );
  write('config', configs);
});

test('grammar', () => {
  const sources = [
    ['a', '(a|b)*c{1,3}[^x]|\\u00e9.?', 'abc'],
    ['a', '[0-9]{4}-(0[1-9]|1[0-2])', '2024-12'],
    [
      'b',
      '{"type":"object","properties":{"a":{"type":"string","maxLength":3},"b":{"enum":[1,12,null]}},"required":["a"],"additionalProperties":{"type":"integer","minimum":-5,"exclusiveMaximum":7.5}}',
      '{"a": "x\\n", "c": -5}',
    ],
    [
      'b',
      '{"oneOf":[{"required":["a"]},{"required":["b"]}],"patternProperties":{"^x":false},"maxProperties":2}',
      '{"a":1}',
    ],
    [
      'b',
      '{"$ref":"#/$defs/t","$defs":{"t":{"type":"array","items":{"$ref":"#/$defs/t"},"contains":{"maxItems":0}}}}',
      '[[],[[]]]',
    ],
    [
      'b',
      '{"anyOf":[{"format":"date-time"},{"multipleOf":0.25},{"not":{"type":["string","number"]}}]}',
      '1.25',
    ],
    [
      'b',
      '{"if":{"properties":{"a":{"const":1}}},"then":{"minProperties":2},"else":{"propertyNames":{"pattern":"^.{2}$"}}}',
      '{"a":1}',
    ],
    ['c', 'root ::= "a" root "b" | [^c-e] | x{0,2}\nx ::= ("y" | "\\x41")+ # end', 'ayb'],
  ];
  write(
    'grammar',
    sources.map(([kind, source, text]) =>
      Buffer.from(`${String.fromCharCode(96 + 'abc'.indexOf(kind!))}${source}\0${text}`),
    ),
  );
});
