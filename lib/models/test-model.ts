/** A tiny model to test an installation with; it is made on the spot, so nothing is fetched. */
import { writeGguf } from './formats/gguf-writer.js';
import type { GgufField, GgufTensorData } from './formats/gguf-writer.js';

const WIDTH = 64;
const FFN = 96;
const TOKENS = ['<unk>', '<s>', '</s>', ...'abcdefghijklmnopqrstuvwxyz'];

/** Numbers that look random and are the same on every machine. */
function tensor(name: string, shape: number[], seed: number): GgufTensorData {
  const count = shape.reduce((product, size) => product * size, 1);
  const isNorm = shape.length === 1;
  const values = Float32Array.from({ length: count }, (_, i) =>
    isNorm ? 1 : Math.sin(12.9898 * (i + 1) + 78.233 * seed) / Math.sqrt(shape[0]!),
  );
  return { name: `${name}.weight`, shape, type: 0, data: new Uint8Array(values.buffer) };
}

/** A model of a few thousand parameters, whose text is meaningless. */
export async function writeTestModel(path: string, chatTemplate?: string): Promise<void> {
  const metadata: Record<string, GgufField> = {
    'general.architecture': { string: 'llama' },
    'llama.context_length': { u32: 64 },
    'llama.embedding_length': { u32: WIDTH },
    'llama.block_count': { u32: 1 },
    'llama.feed_forward_length': { u32: FFN },
    'llama.attention.head_count': { u32: 2 },
    'llama.attention.head_count_kv': { u32: 1 },
    'llama.attention.layer_norm_rms_epsilon': { f32: 1e-5 },
    'llama.rope.dimension_count': { u32: WIDTH / 2 },
    'tokenizer.ggml.model': { string: 'llama' },
    'tokenizer.ggml.tokens': { strings: TOKENS },
    'tokenizer.ggml.scores': { f32s: TOKENS.map(() => 0) },
    ...(chatTemplate === undefined ? {} : { 'tokenizer.chat_template': { string: chatTemplate } }),
    'tokenizer.ggml.token_type': { i32s: TOKENS.map((_, id) => (id < 3 ? 3 : 1)) },
  };
  const shapes: [string, number[]][] = [
    ['token_embd', [WIDTH, TOKENS.length]],
    ['output_norm', [WIDTH]],
    ['blk.0.attn_norm', [WIDTH]],
    ['blk.0.attn_q', [WIDTH, WIDTH]],
    ['blk.0.attn_k', [WIDTH, WIDTH / 2]],
    ['blk.0.attn_v', [WIDTH, WIDTH / 2]],
    ['blk.0.attn_output', [WIDTH, WIDTH]],
    ['blk.0.ffn_norm', [WIDTH]],
    ['blk.0.ffn_gate', [WIDTH, FFN]],
    ['blk.0.ffn_up', [WIDTH, FFN]],
    ['blk.0.ffn_down', [FFN, WIDTH]],
  ];
  await writeGguf(
    path,
    metadata,
    shapes.map(([name, shape], seed) => tensor(name, shape, seed)),
  );
}
