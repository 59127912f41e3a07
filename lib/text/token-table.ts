/**
 * What the JavaScript thread knows of a vocabulary: the bytes of each token and the few special ones. Text becomes tokens in
 * workers, which hold the maps that this needs. They make the table and transfer its buffers.
 */
import { Detokenizer } from './detokenizer.js';
import { NameBreaker } from './name-breaker.js';
import type { Step } from './vocabulary.js';

/** Passes between threads. */
export interface TokenTableData {
  /** The bytes of all tokens one after the other: token `id` ends before `ends[id]`. Special tokens have none. */
  bytes: Uint8Array<ArrayBuffer>;
  ends: Uint32Array<ArrayBuffer>;
  /** Names of special tokens, and of those that begin and end texts. */
  names: Map<number, string>;
  specialIds: Set<number>;
  /** Names that text must not contain by accident. */
  specialNames: string[];
  normalizer: Step | null | undefined;
  bos: number | undefined;
  eos: number | undefined;
  stopTokens: Int32Array;
  longestToken: number;
  isTrusted: boolean;
}

export class TokenTable {
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly stopTokens: Int32Array;
  /** Characters of the longest token: no text has fewer tokens than its length divided by this. */
  readonly longestToken: number;
  /** Whether its patterns are those of a known family, and its names of a usual length. Other patterns may take forever on some texts. */
  readonly isTrusted: boolean;
  /** Tells text that contains names of special tokens, or could, from text that does not. */
  readonly names: NameBreaker;
  readonly #data: TokenTableData;
  readonly #all: Buffer;
  #specialByName: Map<string, number> | undefined;

  /** `mark` is what breaks names in text from another thread, see NameBreaker. */
  constructor(data: TokenTableData, mark?: string) {
    this.#data = data;
    this.#all = Buffer.from(data.bytes.buffer, data.bytes.byteOffset, data.bytes.length);
    this.bos = data.bos;
    this.eos = data.eos;
    this.stopTokens = data.stopTokens;
    this.longestToken = data.longestToken;
    this.isTrusted = data.isTrusted;
    this.names = new NameBreaker(data.specialNames, data.normalizer, mark);
  }

  get size(): number {
    return this.#data.ends.length;
  }

  /** The text of a token that is special or ends answers, '' for others. Chat templates get it as bos_token and eos_token. */
  name(id: number | undefined): string {
    return id === undefined ? '' : (this.#data.names.get(id) ?? '');
  }

  isSpecial(id: number): boolean {
    return this.#data.specialIds.has(id);
  }

  /** The special token with this name; as text it would be empty. */
  specialId(name: string): number | undefined {
    if (!this.#specialByName) {
      const special = [...this.#data.names].filter(([id]) => this.isSpecial(id));
      this.#specialByName = new Map(special.map(([id, text]) => [text, id]));
    }
    return this.#specialByName.get(name);
  }

  /** The bytes that a token adds to the text; none for special tokens. */
  bytes(id: number): Uint8Array {
    const { bytes, ends } = this.#data;
    return bytes.subarray(this.startOf(id), ends[id] ?? bytes.length);
  }

  /** The bytes of the first n tokens one after the other, and where each ends. Special tokens have none, nor have those that a model has logits for and the tokenizer does not know. */
  ordinary(n: number): { bytes: Uint8Array; ends: Int32Array } {
    const { bytes, ends } = this.#data;
    const last = ends.at(-1) ?? 0;
    return { bytes, ends: Int32Array.from({ length: n }, (_, id) => ends[id] ?? last) };
  }

  detokenizer(): Detokenizer {
    return new Detokenizer((id) => this.bytes(id));
  }

  decode(ids: ArrayLike<number>): string {
    const detokenizer = this.detokenizer();
    let text = '';
    for (const id of Array.from(ids)) text += detokenizer.push(id);
    return text + detokenizer.end();
  }

  /** The tokens whose text contains one of `texts`, ascending. Takes milliseconds for each text. */
  tokensWith(texts: readonly string[]): Int32Array {
    const found = new Set<number>();
    for (const text of texts)
      for (const id of this.tokensWithBytes(Buffer.from(text))) found.add(id);
    return Int32Array.from(found).sort();
  }

  private *tokensWithBytes(part: Buffer): Generator<number> {
    const { ends } = this.#data;
    let id = 0;
    for (let at = this.#all.indexOf(part); at >= 0;) {
      while (ends[id]! <= at) id++;
      const isInside = at + part.length <= ends[id]!;
      if (isInside) yield id;
      at = this.#all.indexOf(part, isInside ? ends[id] : at + 1);
    }
  }

  private startOf(id: number): number {
    return id === 0 ? 0 : (this.#data.ends[id - 1] ?? this.#data.bytes.length);
  }
}
