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
  return new Reader(model, precision, [], 0).read(tokens);
}

/** Parts of other texts before a text, as native/engine/request.h has them. */
export interface ReferencePreamble {
  parts: { tokens: readonly number[]; first: number; shift: number; under?: ReferencePreamble }[];
  position: number;
}

/** The same for a text after parts of others: their keys and values are those of their own texts, moved to other positions. */
export function forwardAfter(
  model: Model,
  preamble: ReferencePreamble,
  tokens: readonly number[],
): Float64Array[] {
  return readerAfter(model, preamble).read(tokens);
}

function readerAfter(model: Model, preamble?: ReferencePreamble): Reader {
  const kept = (preamble?.parts ?? []).flatMap(({ tokens, first, shift, under }) => {
    const reader = readerAfter(model, under);
    const before = reader.kept.length;
    reader.read(tokens);
    return reader.kept
      .slice(before + first)
      .map((token) => ({ ...token, position: token.position + shift }));
  });
  return new Reader(model, 'exact', kept, preamble?.position ?? 0);
}

/** The keys, not yet rotated, and values of one token: [layer][KV head]. */
interface KeptToken {
  position: number;
  keys: Float64Array[][];
  values: Float64Array[][];
}

/** Reads one token after the other, and keeps the keys and values of all before. */
class Reader {
  private readonly weights: Weights;
  private readonly attentions;

  constructor(
    private readonly model: Model,
    precision: RowPrecision,
    readonly kept: KeptToken[],
    private position: number,
  ) {
    this.weights = weightsOf(model, precision);
    this.attentions = Array.from({ length: model.shape.layers }, (_, layer) =>
      attentionOf(model, this.weights, layer, kept),
    );
  }

  read(tokens: readonly number[]): Float64Array[] {
    const { weight, multiply, norm } = this.weights;
    const { width } = this.model.shape;
    const output = this.model.tensors.has('output') ? 'output' : 'token_embd';
    return tokens.map((token) => {
      const own: KeptToken = { position: this.position++, keys: [], values: [] };
      this.kept.push(own);
      let x: Float64Array = weight('token_embd').slice(token * width, (token + 1) * width);
      this.attentions.forEach((attention, layer) => {
        const block = `blk.${layer}`;
        const attended = attention(norm(`${block}.attn_norm`, x), own);
        x = add(x, multiply(`${block}.attn_output`, attended));
        const f = norm(`${block}.ffn_norm`, x);
        const gated = siluMul(multiply(`${block}.ffn_gate`, f), multiply(`${block}.ffn_up`, f));
        x = add(x, multiply(`${block}.ffn_down`, gated));
      });
      return multiply(output, norm('output_norm', x));
    });
  }
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

/** One layer's attention: of token `own`, the last one of `kept`, over all that it may read. */
function attentionOf(
  model: Model,
  { multiply, normIfAny }: Weights,
  layer: number,
  kept: KeptToken[],
) {
  const { headDim, window, interleaved } = model;
  const { heads, kvHeads } = model.shape;
  const rope = ropeOf(model.rope, headDim);
  const block = `blk.${layer}`;
  const headsOf = (x: Float64Array, n: number) =>
    Array.from({ length: n }, (_, i) => x.subarray(i * headDim, (i + 1) * headDim));
  // Keys rotated at their positions, made when they are first read: [KV head][token].
  const rotated: Float64Array[][] = Array.from({ length: kvHeads }, () => []);
  return (h: Float64Array, own: KeptToken): number[] => {
    const [q, k, v] = ['q', 'k', 'v'].map((name) => multiply(`${block}.attn_${name}`, h));
    const normed = (kind: string, x: Float64Array) => normIfAny(`${block}.attn_${kind}_norm`, x);
    own.keys.push(headsOf(k!, kvHeads).map((key) => normed('k', key)));
    own.values.push(headsOf(v!, kvHeads));
    rotated.forEach((keys, group) => {
      for (let i = keys.length; i < kept.length; i++) {
        const { keys: all, position } = kept[i]!;
        keys.push(rotate(all[layer]![group]!, position, rope, interleaved));
      }
    });
    const isRead = kept.map(({ position }) => window === 0 || position > own.position - window);
    return headsOf(q!, heads).flatMap((query, i) => {
      const group = floor(i / (heads / kvHeads));
      const keys = rotated[group]!.filter((_, token) => isRead[token]);
      const values = kept.flatMap((token, at) =>
        isRead[at] ? [token.values[layer]![group]!] : [],
      );
      return [...attend(rotate(normed('q', query), own.position, rope, interleaved), keys, values)];
    });
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
