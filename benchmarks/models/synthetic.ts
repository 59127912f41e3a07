/** Writes GGUF files of well-known shapes with random weights: the same file for the same shape, type and seed. */
import { writeGguf } from '#lib/models/formats/gguf-writer.js';
import type { GgufField, LazyTensorData } from '#lib/models/formats/gguf-writer.js';

import { randomWeight } from '../../test/fixtures/random-weight.js';
import { Random } from '../../test/random.js';
import { WEIGHT_TYPES } from '../../test/reference/dequantize.js';
import type { WeightType } from '../../test/reference/dequantize.js';
import { SHAPES } from './shapes.js';
import type { Shape } from './shapes.js';
import { vocabularyMetadata } from './vocabulary.js';

export interface SyntheticModel {
  shape: string;
  type: string;
  seed?: number;
  /** Longest context, if not the shape's own. */
  context?: number;
}

/** Throws when a row of the shape is not a whole number of the type's blocks. */
export function checkSynthetic({ shape: name, type: typeName, context }: SyntheticModel): {
  shape: Shape;
  type: WeightType;
} {
  const shape = SHAPES[name];
  if (!shape) throw new Error(`no shape '${name}': there are ${Object.keys(SHAPES).join(', ')}`);
  const type = WEIGHT_TYPES.find((candidate) => candidate.name === typeName);
  if (!type)
    throw new Error(
      `no type '${typeName}': there are ${WEIGHT_TYPES.map((each) => each.name).join(', ')}`,
    );
  const uneven = [shape.width, shape.ffn].find((columns) => columns % type.blockSize !== 0);
  if (uneven !== undefined)
    throw new Error(`${typeName} has blocks of ${type.blockSize}, ${name} has rows of ${uneven}`);
  return { shape: { ...shape, context: context ?? shape.context }, type };
}

export async function writeSynthetic(path: string, model: SyntheticModel): Promise<void> {
  const { shape, type } = checkSynthetic(model);
  await writeGguf(path, metadata(model.shape, shape), tensors(shape, type, model.seed ?? 1));
}

function metadata(name: string, shape: Shape): Record<string, GgufField> {
  const own: Record<string, GgufField> = {
    context_length: { u32: shape.context },
    embedding_length: { u32: shape.width },
    block_count: { u32: shape.layers },
    feed_forward_length: { u32: shape.ffn },
    'attention.head_count': { u32: shape.heads },
    'attention.head_count_kv': { u32: shape.kvHeads },
    'attention.layer_norm_rms_epsilon': { f32: shape.epsilon },
    'rope.freq_base': { f32: shape.ropeBase },
    'rope.dimension_count': { u32: shape.headDim },
  };
  return {
    'general.architecture': { string: shape.architecture },
    'general.name': { string: `synthetic ${name}` },
    ...Object.fromEntries(
      Object.entries(own).map(([key, field]) => [`${shape.architecture}.${key}`, field]),
    ),
    ...vocabularyMetadata(shape.vocabulary),
  };
}

function tensors(shape: Shape, type: WeightType, seed: number): LazyTensorData[] {
  const { width, ffn, heads, kvHeads, headDim, vocabulary } = shape;
  const all: LazyTensorData[] = [];
  const matrix = (name: string, columns: number, rows: number) => {
    const tensorSeed = seed * 65_537 + all.length;
    all.push({
      name: `${name}.weight`,
      shape: [columns, rows],
      type: type.type,
      data: {
        length: ((columns * rows) / type.blockSize) * type.blockBytes,
        // As usual for trained models: outputs of about the size of inputs.
        make: () => randomWeight(type, columns * rows, new Random(tensorSeed), columns ** -0.5),
      },
    });
  };
  const vector = (name: string, length: number, value: number) =>
    all.push({
      name,
      shape: [length],
      type: 0,
      data: {
        length: 4 * length,
        make: () => new Uint8Array(new Float32Array(length).fill(value).buffer),
      },
    });
  matrix('token_embd', width, vocabulary);
  for (let layer = 0; layer < shape.layers; layer++) {
    const block = `blk.${layer}`;
    vector(`${block}.attn_norm.weight`, width, 1);
    for (const [name, outputs] of [
      ['attn_q', heads * headDim],
      ['attn_k', kvHeads * headDim],
      ['attn_v', kvHeads * headDim],
    ] as const) {
      matrix(`${block}.${name}`, width, outputs);
      if (shape.architecture === 'qwen2') vector(`${block}.${name}.bias`, outputs, 0.1);
    }
    matrix(`${block}.attn_output`, heads * headDim, width);
    vector(`${block}.ffn_norm.weight`, width, 1);
    matrix(`${block}.ffn_gate`, width, ffn);
    matrix(`${block}.ffn_up`, width, ffn);
    matrix(`${block}.ffn_down`, ffn, width);
  }
  vector('output_norm.weight', width, 1);
  if (!shape.tied) matrix('output', width, vocabulary);
  return all;
}
