/** Text to token ids, over @huggingface/tokenizers. */
import { types } from 'node:util';

import { ownOnly } from '../checks/check-options.js';
import { CachalotError } from '../errors.js';
import { endTokens, withControlTokens } from './end-tokens.js';
import { exactPipeline } from './exact-steps.js';
import { putsSpaceFirst, withoutFirstSpace } from './first-space.js';
import type { NameBreaker } from './name-breaker.js';
import { tableOf } from './token-bytes.js';
import { TokenTable } from './token-table.js';
import type { TokenTableData } from './token-table.js';
import type { TokenizerJson, Vocabulary } from './vocabulary.js';

/** The part of @huggingface/tokenizers that we use; its own types do not resolve under "nodenext". */
interface Tokenizer {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
}
const { Tokenizer } = require('@huggingface/tokenizers') as {
  Tokenizer: new (tokenizer: object, config: object) => Tokenizer;
};

export interface EncodeOptions {
  /** Whether the names of special tokens in the text mean those tokens, unless they are broken. Default false. */
  special?: boolean;
  /** Whether to begin with the model's beginning-of-text token, if it has one. Default false. */
  bos?: boolean;
  /** Whether the text continues other text: then no space is put before its first word. Default false. */
  continues?: boolean;
}

/** Holds the maps that turn text into tokens, so it lives only in workers and in tests. */
export class TextTokenizer {
  readonly table: TokenTable;
  readonly #data: TokenTableData;
  readonly #vocabulary: Vocabulary;
  readonly #breaker: NameBreaker;
  readonly #specialIds: Set<number>;
  #beginning: Tokenizer | undefined;
  #continuing: Tokenizer | undefined;

  /** `mark` breaks names in text from another thread, see NameBreaker. */
  constructor(vocabulary: Vocabulary, mark?: string) {
    const ends = endTokens(vocabulary);
    this.#vocabulary = withControlTokens(vocabulary, ends);
    this.#data = tableOf(this.#vocabulary, Int32Array.from(ends));
    this.table = new TokenTable(this.#data, mark);
    this.#specialIds = this.#data.specialIds;
    this.#breaker = this.table.names;
  }

  get stopTokens(): Int32Array {
    return this.table.stopTokens;
  }

  /** A copy of the data of `table`, for another thread. */
  tableData(): TokenTableData {
    return structuredClone(this.#data);
  }

  encode(text: string, given: EncodeOptions = {}): Int32Array {
    const options = ownOnly(given);
    const { special = false, continues = false } = options;
    const ids = special ? this.specialIds(text, continues) : this.plainIds(text, continues);
    const bos = options.bos && this.#vocabulary.addBos ? this.#vocabulary.bos : undefined;
    return Int32Array.from(bos === undefined || ids[0] === bos ? ids : [bos, ...ids]);
  }

  decode(ids: ArrayLike<number>): string {
    return this.table.decode(ids);
  }

  /** Builds in advance the maps that the first text would build. */
  warm(): void {
    this.tokenizer(false);
  }

  /** Only the text before the first special token continues the text before it. */
  private specialIds(text: string, continues: boolean): number[] {
    const at = continues ? this.#breaker.first(text) : 0;
    const head = at === 0 ? [] : this.idsOf(text.slice(0, at), true);
    return at === text.length ? head : [...head, ...this.idsOf(text.slice(at), false)];
  }

  /** Some models find a whole word in their vocabulary after the mark is removed: such a name is cut in two. */
  private plainIds(text: string, continues: boolean): number[] {
    const broken = this.#breaker.break(text);
    const ids = this.idsOf(broken, continues);
    if (!ids.some((id) => this.#specialIds.has(id))) return ids;
    const [first = '', ...rest] = this.#breaker.pieces(broken);
    return [...this.idsOf(first, continues), ...rest.flatMap((piece) => this.idsOf(piece, true))];
  }

  private idsOf(text: string, continues: boolean): number[] {
    let ids: unknown[];
    try {
      // Half a pair of surrogates is no character; as bytes it would be U+FFFD, so it is cut as that, too.
      const characters = text.replace(/\p{Surrogate}/gu, '\ufffd');
      ({ ids } = this.tokenizer(continues).encode(characters, { add_special_tokens: false }));
    } catch (error) {
      if (error instanceof CachalotError) throw error;
      throw damaged('cannot encode', error);
    }
    const isId = (id: unknown) => Number.isInteger(id) && (id as number) >= 0;
    const bad = ids.findIndex((id) => !isId(id));
    if (bad >= 0) throw damaged('has no token for a part of this text', ids[bad]);
    return ids as number[];
  }

  private tokenizer(continues: boolean): Tokenizer {
    const { tokenizerJson: json } = this.#vocabulary;
    if (!continues || !putsSpaceFirst(json)) return (this.#beginning ??= this.build(json));
    return (this.#continuing ??= this.build(withoutFirstSpace(json)));
  }

  private build(json: TokenizerJson): Tokenizer {
    const exact = exactPipeline(json);
    const pre_tokenizer = this.#breaker.preTokenizer(exact.pre_tokenizer);
    try {
      return new Tokenizer({ ...exact, pre_tokenizer }, {});
    } catch (error) {
      throw damaged('cannot be built', error);
    }
  }
}

function damaged(what: string, cause: unknown): CachalotError {
  const why = types.isNativeError(cause) ? `: ${cause.message}` : '';
  return new CachalotError('tokenizer_invalid', `the model's tokenizer ${what}${why}`, { cause });
}
