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

type Model = Omit<TinyModel, 'path'>;
type Weights = ReturnType<typeof weightsOf>;

/** Logits after every token: [tokens][V]. `precision` is that of the inputs of matrix products, all else is float64. */
export function forward(
  model: Model,
  tokens: readonly number[],
  precision: RowPrecision = 'exact',
): Float64Array[] {
  const { layers, width } = model.shape;
  const weights = weightsOf(model, precision);
  const { weight, multiply, norm } = weights;
  const attentions = Array.from({ length: layers }, (_, layer) =>
    attentionOf(model, weights, `blk.${layer}`),
  );
  const output = model.tensors.has('output') ? 'output' : 'token_embd';
  return tokens.map((token, position) => {
    let x: Float64Array = weight('token_embd').slice(token * width, (token + 1) * width);
    attentions.forEach((attention, layer) => {
      const block = `blk.${layer}`;
      const attended = attention(norm(`${block}.attn_norm`, x), position);
      x = add(x, multiply(`${block}.attn_output`, attended));
      const f = norm(`${block}.ffn_norm`, x);
      const gated = siluMul(multiply(`${block}.ffn_gate`, f), multiply(`${block}.ffn_up`, f));
      x = add(x, multiply(`${block}.ffn_down`, gated));
    });
    return multiply(output, norm('output_norm', x));
  });
}

/** Tensors by name, dequantized when they are first asked for, and what is done with them. */
function weightsOf(model: Model, precision: RowPrecision) {
  const cache = new Map<string, Float64Array>();
  const weight = (name: string) => {
    const { type, data } = model.tensors.get(name)!;
    const found =
      cache.get(name) ??
      dequantize(
        WEIGHT_TYPES.find((one) => one.type === type)!,
        data,
      );
    cache.set(name, found);
    return found;
  };
  const multiply = (name: string, x: ArrayLike<number>) => {
    const rounded = precision === 'exact' ? x : roundRows(Float32Array.from(x), precision);
    const y = product(weight(name), rounded);
    return model.tensors.has(`${name}.bias`) ? add(y, weight(`${name}.bias`)) : y;
  };
  const norm = (name: string, x: Float64Array) => rmsNorm(x, weight(name), EPSILON);
  const normIfAny = (name: string, x: Float64Array) =>
    model.tensors.has(name) ? norm(name, x) : x;
  return { weight, multiply, norm, normIfAny };
}

/** One layer's attention, which keeps the keys and values of the tokens so far: [KV head][token]. */
function attentionOf(model: Model, { multiply, normIfAny }: Weights, block: string) {
  const { headDim, window, interleaved } = model;
  const { heads, kvHeads } = model.shape;
  const rope = ropeOf(model.rope, headDim);
  const keys: Float64Array[][] = Array.from({ length: kvHeads }, () => []);
  const values: Float64Array[][] = Array.from({ length: kvHeads }, () => []);
  const head = (x: Float64Array, index: number) =>
    x.subarray(index * headDim, (index + 1) * headDim);
  return (h: Float64Array, position: number): number[] => {
    const [q, k, v] = ['q', 'k', 'v'].map((name) => multiply(`${block}.attn_${name}`, h));
    const rotated = (kind: string, x: Float64Array) =>
      rotate(normIfAny(`${block}.attn_${kind}_norm`, x), position, rope, interleaved);
    for (let group = 0; group < kvHeads; group++) {
      keys[group]!.push(rotated('k', head(k!, group)));
      values[group]!.push(head(v!, group));
    }
    return Array.from({ length: heads }, (_, i) => {
      const group = floor(i / (heads / kvHeads));
      const seen = [keys, values].map((all) => all[group]!.slice(-window));
      return [...attend(rotated('q', head(q!, i)), seen[0]!, seen[1]!)];
    }).flat();
  };
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
