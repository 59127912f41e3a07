/** The forward pass in float64, one token after the other: what the whole engine is compared with. */
import type { TinyModel } from '../fixtures/tiny-model.js';
import { attend, rotate } from './attention.js';
import { WEIGHT_TYPES, dequantize } from './dequantize.js';
import { roundRows } from './linear.js';
import type { RowPrecision } from './linear.js';
import { ropeOf } from './rope.js';
import { rmsNorm } from './rms-norm.js';
import { siluMul } from './silu-mul.js';

const { floor } = Math; // looking up a global costs much under jest

const EPSILON = 1e-5;

/** Logits after every token: [tokens][V]. `precision` is that of the inputs of matrix products, all else is float64. */
export function forward(
  model: Omit<TinyModel, 'path'>,
  tokens: readonly number[],
  precision: RowPrecision = 'exact',
): Float64Array[] {
  const { heads, kvHeads, layers, width } = model.shape;
  const { headDim, window, interleaved } = model;
  const rope = ropeOf(model.rope, headDim);
  const cache = new Map<string, Float64Array>();
  const weight = (name: string) => {
    const tensor = model.tensors.get(name)!;
    if (!cache.has(name))
      cache.set(
        name,
        dequantize(
          WEIGHT_TYPES.find(({ type }) => type === tensor.type)!,
          tensor.data,
        ),
      );
    return cache.get(name)!;
  };
  const multiply = (name: string, x: ArrayLike<number>) => {
    const rounded = precision === 'exact' ? x : roundRows(Float32Array.from(x), precision);
    const y = product(weight(name), rounded);
    return model.tensors.has(`${name}.bias`) ? add(y, weight(`${name}.bias`)) : y;
  };
  const normalized = (name: string, x: Float64Array) =>
    model.tensors.has(name) ? rmsNorm(x, weight(name), EPSILON) : x;
  const head = (x: Float64Array, index: number) =>
    x.subarray(index * headDim, (index + 1) * headDim);
  const keys: Float64Array[][][] = []; // [layer][KV head][token]
  const values: Float64Array[][][] = [];

  return tokens.map((token, position) => {
    let x: Float64Array = weight('token_embd').slice(token * width, (token + 1) * width);
    for (let layer = 0; layer < layers; layer++) {
      const block = `blk.${layer}`;
      const h = rmsNorm(x, weight(`${block}.attn_norm`), EPSILON);
      const q = multiply(`${block}.attn_q`, h);
      const k = multiply(`${block}.attn_k`, h);
      const v = multiply(`${block}.attn_v`, h);
      const attended: number[] = [];
      for (let group = 0; group < kvHeads; group++) {
        ((keys[layer] ??= [])[group] ??= []).push(
          rotate(normalized(`${block}.attn_k_norm`, head(k, group)), position, rope, interleaved),
        );
        ((values[layer] ??= [])[group] ??= []).push(head(v, group));
      }
      for (let i = 0; i < heads; i++) {
        const group = floor(i / (heads / kvHeads));
        attended.push(
          ...attend(
            rotate(normalized(`${block}.attn_q_norm`, head(q, i)), position, rope, interleaved),
            keys[layer]![group]!.slice(-window),
            values[layer]![group]!.slice(-window),
          ),
        );
      }
      x = add(x, multiply(`${block}.attn_output`, attended));
      const f = rmsNorm(x, weight(`${block}.ffn_norm`), EPSILON);
      const gated = siluMul(multiply(`${block}.ffn_gate`, f), multiply(`${block}.ffn_up`, f));
      x = add(x, multiply(`${block}.ffn_down`, gated));
    }
    const output = model.tensors.has('output') ? 'output' : 'token_embd';
    return multiply(output, rmsNorm(x, weight('output_norm'), EPSILON));
  });
}

function product(matrix: Float64Array, x: ArrayLike<number>): Float64Array {
  return Float64Array.from({ length: matrix.length / x.length }, (_, row) => {
    let sum = 0;
    for (let i = 0; i < x.length; i++) sum += matrix[row * x.length + i]! * x[i]!;
    return sum;
  });
}

function add(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value + b[i]!);
}
