/** The forward pass in float64, one token after the other: what the whole engine is compared with. */
import type { TinyModel } from '../fixtures/tiny-model.js';
import { rotate, scoresOf, weightedSum, weights } from './attention.js';
import { blendedWeights } from './blends.js';
import type { ReferenceReading } from './blends.js';
import { EVERYTHING, keysRead } from './kept-keys.js';
import type { KeptKey, ReferenceWindow } from './kept-keys.js';
import { WEIGHT_TYPES, dequantize } from './dequantize.js';
import type { SignalRow } from './kv-signal.js';
import { roundRows } from './linear.js';
import type { RowPrecision } from './linear.js';
import { ropeOf } from './rope.js';
import { rmsNorm } from './rms-norm.js';
import { siluMul } from './silu-mul.js';

export type { KeptKey, ReferenceWindow } from './kept-keys.js';

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
  return new Reader(model, precision, noKeys(model), 0).read(tokens);
}

/** Parts of other texts before a text, as native/engine/request.h has them. */
export interface ReferencePreamble {
  parts: {
    tokens: readonly number[];
    first: number;
    shift: number;
    under?: ReferencePreamble;
    reading?: ReferenceReading;
  }[];
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
  const { frequencies } = ropeOf(model.rope, model.headDim);
  const kept = noKeys(model);
  for (const { tokens, first, shift, under, reading } of preamble?.parts ?? []) {
    const reader = readerAfter(model, under);
    const before = reader.kept[0]!.length;
    reader.read(tokens);
    const moved = ({ position, key, ...rest }: KeptKey) => ({
      position: position + shift,
      key: rotate(key, shift, { frequencies, magnitude: 1 }, model.interleaved),
      ...rest,
      reading,
    });
    kept.forEach((keys, head) => {
      for (const key of reader.kept[head]!.slice(before + first)) keys.push(moved(key));
    });
  }
  return new Reader(model, 'exact', kept, preamble?.position ?? 0);
}

/** One KV head of a layer, as an edit sees it. */
export interface EditedHead {
  layer: number;
  keys: readonly KeptKey[];
  /** The rotated queries of the rows since the last edit. */
  rows: readonly SignalRow[];
  /** The layer's; 0: none. */
  window: number;
}

/** What becomes of the keys when so many first tokens have been read: for each head, and each key that is left, the numbers of those that are one then. */
export interface ReferenceEdit {
  index: number;
  edit: (heads: readonly EditedHead[]) => number[][][];
  /** Whether a key weighs as much as those that it stands for (the default). */
  counts?: boolean;
}

/** The same for a text whose context is edited on the way. Heads are counted over all layers. */
export function forwardEdited(
  model: Model,
  tokens: readonly number[],
  edits: readonly ReferenceEdit[],
  window: ReferenceWindow = EVERYTHING,
): Float64Array[] {
  const reader = new Reader(model, 'exact', noKeys(model), 0, window);
  return tokens.flatMap((token, i) => {
    for (const edit of edits) if (edit.index === i) reader.edit(edit);
    return reader.read([token]);
  });
}

/** The heads of a model that has read a text: the keys and queries of its tokens. */
export function headsAfter(model: Model, tokens: readonly number[]): EditedHead[] {
  const reader = new Reader(model, 'exact', noKeys(model), 0);
  reader.read(tokens);
  return reader.heads();
}

const noKeys = ({ shape: { layers, kvHeads } }: Model): KeptKey[][] =>
  Array.from({ length: layers * kvHeads }, () => []);

/** The mean of some keys, which counts for all of them (or for one) where the first one stood. */
function merged(keys: readonly KeptKey[], counts: boolean): KeptKey {
  if (keys.length === 1) return keys[0]!;
  const each = keys.map(({ weight }) => 2 ** weight);
  const n = each.reduce((a, b) => a + b, 0);
  const shares = each.map((count) => count / n);
  const mean = (of: readonly Float64Array[]) => weightedSum(shares, of, of[0]!.length);
  return {
    position: keys[0]!.position,
    key: mean(keys.map(({ key }) => key)),
    value: mean(keys.map(({ value }) => value)),
    weight: counts ? Math.log2(n) : 0,
  };
}

/** Reads one token after the other, and keeps the keys and values of all before. */
class Reader {
  private readonly weights: Weights;
  private readonly attentions;
  private readonly rows: SignalRow[][]; // of each head

  constructor(
    private readonly model: Model,
    precision: RowPrecision,
    readonly kept: KeptKey[][],
    private position: number,
    own: ReferenceWindow = EVERYTHING,
  ) {
    this.weights = weightsOf(model, precision);
    const { layers, kvHeads } = model.shape;
    this.rows = kept.map(() => []);
    this.attentions = Array.from({ length: layers }, (_, layer) =>
      attentionOf(
        model,
        this.weights,
        layer,
        kept.slice(layer * kvHeads, (layer + 1) * kvHeads),
        this.rows.slice(layer * kvHeads, (layer + 1) * kvHeads),
        own,
      ),
    );
  }

  edit({ edit, counts = true }: ReferenceEdit): void {
    const left = edit(this.heads());
    this.kept.forEach((keys, head) => {
      const groups = left[head]!.map((numbers) => numbers.map((i) => keys[i]!));
      keys.splice(0, keys.length, ...groups.map((group) => merged(group, counts)));
    });
    for (const rows of this.rows) rows.length = 0;
  }

  heads(): EditedHead[] {
    const { shape, window } = this.model;
    return this.kept.map((keys, head) => ({
      layer: floor(head / shape.kvHeads),
      keys,
      rows: this.rows[head]!,
      window,
    }));
  }

  read(tokens: readonly number[]): Float64Array[] {
    const { weight, multiply, norm } = this.weights;
    const { width } = this.model.shape;
    const output = this.model.tensors.has('output') ? 'output' : 'token_embd';
    return tokens.map((token) => {
      const position = this.position++;
      let x: Float64Array = weight('token_embd').slice(token * width, (token + 1) * width);
      this.attentions.forEach((attention, layer) => {
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

/** One layer's attention: of the token at a position, which it appends, over all that it may read. */
function attentionOf(
  model: Model,
  { multiply, normIfAny }: Weights,
  layer: number,
  kept: readonly KeptKey[][], // of each KV head
  rows: readonly SignalRow[][],
  own: ReferenceWindow,
) {
  const { headDim, window, interleaved } = model;
  const { heads, kvHeads } = model.shape;
  const rope = ropeOf(model.rope, headDim);
  const block = `blk.${layer}`;
  const headsOf = (x: Float64Array, n: number) =>
    Array.from({ length: n }, (_, i) => x.subarray(i * headDim, (i + 1) * headDim));
  return (h: Float64Array, position: number): number[] => {
    const [q, k, v] = ['q', 'k', 'v'].map((name) => multiply(`${block}.attn_${name}`, h));
    const normed = (kind: string, x: Float64Array) => normIfAny(`${block}.attn_${kind}_norm`, x);
    const values = headsOf(v!, kvHeads);
    headsOf(k!, kvHeads).forEach((unrotated, group) => {
      const key = rotate(normed('k', unrotated), position, rope, interleaved);
      kept[group]!.push({ position, key, value: values[group]!, weight: 0 });
    });
    const read = kept.map((keys) => keysRead(keys, position, own, window, { rope, interleaved }));
    const queries = headsOf(q!, heads).map((query) =>
      rotate(normed('q', query), position, rope, interleaved),
    );
    const group = heads / kvHeads;
    rows.forEach((own, i) =>
      own.push({ queries: queries.slice(i * group, (i + 1) * group), index: position }),
    );
    return queries.flatMap((rotated, i) => {
      const keys = read[floor(i / group)]!;
      const vectors = keys.map(({ key }) => key);
      const counts = keys.map(({ weight }) => weight);
      const readings = keys.map(({ reading }) => reading);
      const each = readings.some((reading) => reading !== undefined)
        ? blendedWeights(scoresOf(rotated, vectors, counts), readings)
        : weights(rotated, vectors, counts);
      return [
        ...weightedSum(
          each,
          keys.map(({ value }) => value),
          headDim,
        ),
      ];
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
