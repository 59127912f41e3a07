/** Vocabularies of strangers: from GGUF metadata and from tokenizer.json. They work or are refused, and never hang. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { types as kinds } from 'node:util';

import { CachalotError } from '../../lib/errors.js';
import type { GgufInfo } from '../../lib/native.js';
import { readVocabulary } from '../../lib/text/gguf-tokenizer.js';
import { readHubVocabulary } from '../../lib/text/hub-tokenizer.js';
import { TextTokenizer } from '../../lib/text/tokenizer.js';
import type { Vocabulary } from '../../lib/text/vocabulary.js';
import { tinyVocabulary } from '../fixtures/tiny-model.js';
import { Random } from '../random.js';
import { FUZZ_TIMEOUT_MS, fuzz, mutate } from './mutate.js';

const TEXTS = ['', ' the and\n', 'é日本 </s> <0x41>', 'a'.repeat(200), '\ud800\u0000'];

/** A vocabulary that was accepted encodes and decodes, in whole ids; one that hangs does not end in the test's time. */
function use(vocabulary: Vocabulary): void {
  const tokenizer = new TextTokenizer(vocabulary);
  for (const text of TEXTS) {
    const ids = tokenizer.encode(text, { special: text.includes('<'), bos: true });
    tokenizer.decode(ids);
    for (const id of ids) expect(Number.isInteger(id) && id >= 0).toBe(true);
  }
}

async function accepts(read: () => Promise<Vocabulary> | Vocabulary): Promise<void> {
  try {
    use(await read());
  } catch (error) {
    if (!(error instanceof CachalotError)) throw error;
    expect(error.code).toMatch(/^tokenizer_/);
  }
}

const { tokens, types, scores } = tinyVocabulary();
const byteLevel = ['a', 'b', 'Ġ', 'ab', 'Ġa', '<|end|>'];
const seeds: GgufInfo['metadata'][] = [
  {
    'tokenizer.ggml.model': 'llama',
    'tokenizer.ggml.tokens': tokens.slice(250),
    'tokenizer.ggml.scores': Float64Array.from(scores.slice(250)),
    'tokenizer.ggml.token_type': Float64Array.from(types.slice(250)),
    'tokenizer.ggml.bos_token_id': 1,
    'tokenizer.ggml.eos_token_id': 2,
    'tokenizer.ggml.add_space_prefix': true,
    'tokenizer.chat_template': '{{ messages }}',
  },
  {
    'tokenizer.ggml.model': 'gpt2',
    'tokenizer.ggml.pre': 'llama-bpe',
    'tokenizer.ggml.tokens': byteLevel,
    'tokenizer.ggml.merges': ['a b', 'Ġ a'],
    'tokenizer.ggml.token_type': Float64Array.of(1, 1, 1, 1, 1, 3),
    'tokenizer.ggml.eot_token_id': 5,
    'tokenizer.ggml.add_bos_token': false,
  },
];

/** What the addon can hand over: numbers, truth values, strings, lists of strings, Float64Arrays. */
function isGgufValue(value: unknown): boolean {
  return (
    ['number', 'boolean', 'string'].includes(typeof value) ||
    kinds.isFloat64Array(value) ||
    (Array.isArray(value) && value.every((item) => typeof item === 'string'))
  );
}

test(
  'metadata of GGUF files',
  () =>
    fuzz(
      'tokenizer of a GGUF file',
      (seed) => new Random(seed),
      async (random) => {
        const mutated = mutate(seeds[random.below(seeds.length)], random) as object;
        if (typeof mutated !== 'object' || mutated === null) return;
        const metadata = Object.fromEntries(
          Object.entries(mutated).filter(([, value]) => isGgufValue(value)),
        ) as GgufInfo['metadata'];
        await accepts(() => readVocabulary({ metadata, tensors: [] }));
      },
    ),
  FUZZ_TIMEOUT_MS,
);

test(
  'tokenizer.json and its companions',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'cachalot-fuzz-'));
    const json = seeds.map((metadata) => readVocabulary({ metadata, tensors: [] }));
    const config = {
      bos_token: '<s>',
      eos_token: { content: '</s>' },
      add_bos_token: true,
      chat_template: [{ name: 'default', template: '{{ messages }}' }],
    };
    try {
      await fuzz(
        'tokenizer.json',
        (seed) => new Random(seed),
        async (random) => {
          const { tokenizerJson } = json[random.below(json.length)]!;
          const write = (name: string, value: unknown) =>
            writeFileSync(join(folder, name), JSON.stringify(value) ?? 'null');
          write('tokenizer.json', mutate(tokenizerJson, random));
          write('tokenizer_config.json', mutate(config, random));
          write('generation_config.json', mutate({ eos_token_id: [1, 2] }, random));
          await accepts(() => readHubVocabulary(folder));
        },
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  FUZZ_TIMEOUT_MS,
);
