/** Text to token ids and back, over @huggingface/tokenizers. */
import { ownOnly } from '../check-options.js';
import { CachalotError } from '../errors.js';
import { Detokenizer } from './detokenizer.js';
import { NameBreaker } from './name-breaker.js';
import { checkNames } from './name-limits.js';
import { usesKnownPatterns } from './pre-tokenizers.js';
import { growthBy } from './tokenizer-pipeline.js';
import { TokenType } from './vocabulary.js';
import type { TokenizerJson, Vocabulary } from './vocabulary.js';
import { endTokens, withControlTokens } from './end-tokens.js';
import { putsSpaceFirst, withoutFirstSpace } from './first-space.js';

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
  /** Whether the text goes on from what stands before it: no space is then put before its first word. Default false. */
  continues?: boolean;
}

/** Twice what the longest names of known families have, and more. */
const USUAL_NAME = 128;

export class TextTokenizer {
  readonly bos: number | undefined;
  readonly eos: number | undefined;
  readonly stopTokens: Int32Array;
  readonly #vocabulary: Vocabulary;
  readonly #breaker: NameBreaker;
  readonly #specialIds: Set<number>;
  readonly #longestName: number;
  #beginning: Tokenizer | undefined;
  #continuing: Tokenizer | undefined;
  readonly #bytes: (Uint8Array | undefined)[] = [];
  readonly #with = new Map<string, Int32Array>();
  #longest: number | undefined;

  /** `mark` is what breaks names in text from another thread, see NameBreaker. */
  constructor(vocabulary: Vocabulary, mark?: string) {
    const ends = endTokens(vocabulary);
    this.#vocabulary = withControlTokens(vocabulary, ends);
    this.bos = vocabulary.bos;
    this.eos = vocabulary.eos;
    this.stopTokens = Int32Array.from(ends);
    const { added_tokens = [], normalizer } = this.#vocabulary.tokenizerJson;
    this.#longestName = checkNames(added_tokens);
    const special = added_tokens.filter((token) => token.special);
    this.#specialIds = new Set(special.map((token) => token.id));
    const names = special.map((token) => token.content);
    this.#breaker = new NameBreaker(names, normalizer, mark);
  }

  get size(): number {
    return this.#vocabulary.tokens.length;
  }

  /** Characters of the longest token: no text has fewer tokens than its length divided by this. */
  get longestToken(): number {
    return (this.#longest ??= this.#vocabulary.tokens.reduce(
      (n, token) => Math.max(n, token.length),
      1,
    ));
  }

  /** The text of a special token, or '' if there is none: what chat templates call bos_token and eos_token. */
  name(id: number | undefined): string {
    return id === undefined ? '' : (this.#vocabulary.tokens[id] ?? '');
  }

  encode(text: string, given: EncodeOptions = {}): Int32Array {
    const options = ownOnly(given);
    const { special = false, continues = false } = options;
    const ids = special ? this.specialIds(text, continues) : this.plainIds(text, continues);
    const bos = options.bos && this.#vocabulary.addBos ? this.bos : undefined;
    return Int32Array.from(bos === undefined || ids[0] === bos ? ids : [bos, ...ids]);
  }

  /**
   * Whether its patterns are those of a family that we know: others may take for ever on some texts. And whether its names are of
   * a usual length: the library looks for each of them at every place of a text, which it may have lengthened.
   */
  get isTrusted(): boolean {
    const { tokenizerJson } = this.#vocabulary;
    const walk = this.#longestName * growthBy(tokenizerJson.normalizer);
    return walk <= USUAL_NAME && usesKnownPatterns(tokenizerJson);
  }

  /** Tells text that holds names of special tokens, or could, from text that does not. */
  get names(): NameBreaker {
    return this.#breaker;
  }

  isSpecial(id: number): boolean {
    return this.#specialIds.has(id);
  }

  /** The bytes that a token adds to the text; none for special tokens. */
  bytes(id: number): Uint8Array {
    if (id >= this.size) return new Uint8Array(0); // and nothing is kept of it
    return (this.#bytes[id] ??= this.computeBytes(id));
  }

  /** The tokens in whose text one of `texts` is, ascending. */
  tokensWith(texts: readonly string[]): Int32Array {
    const key = JSON.stringify(texts);
    let found = this.#with.get(key);
    if (!found) {
      const decoder = new TextDecoder();
      const ids = Array.from(this.#vocabulary.tokens.keys()).filter((id) => {
        const text = decoder.decode(this.bytes(id));
        return texts.some((part) => text.includes(part));
      });
      found = Int32Array.from(ids);
      if (this.#with.size >= 16) this.#with.clear();
      this.#with.set(key, found);
    }
    return found;
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

  /** Only the text before the first special token goes on from what stands before. */
  private specialIds(text: string, continues: boolean): number[] {
    const at = continues ? this.#breaker.first(text) : 0;
    const head = at === 0 ? [] : this.idsOf(text.slice(0, at), true);
    return at === text.length ? head : [...head, ...this.idsOf(text.slice(at), false)];
  }

  /** Some models find a whole word in their vocabulary once it has no mark: such a name is cut in two. */
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
      ({ ids } = this.tokenizer(continues).encode(text, { add_special_tokens: false }));
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
    const pre_tokenizer = this.#breaker.preTokenizer(json.pre_tokenizer);
    try {
      return new Tokenizer({ ...json, pre_tokenizer }, {});
    } catch (error) {
      throw damaged('cannot be built', error);
    }
  }

  private computeBytes(id: number): Uint8Array {
    const { tokens, types, encoding } = this.#vocabulary;
    const token = tokens[id];
    const type = types[id];
    if (token === undefined || type === TokenType.Control || type === TokenType.Unknown)
      return new Uint8Array(0);
    if (type === TokenType.UserDefined && encoding === 'byte-level')
      return new TextEncoder().encode(token);
    return encoding === 'sentencepiece' ? sentencePieceBytes(token) : byteLevelBytes(token);
  }
}

function damaged(what: string, cause: unknown): CachalotError {
  const why = cause instanceof Error ? `: ${cause.message}` : '';
  return new CachalotError('tokenizer_invalid', `the model's tokenizer ${what}${why}`, { cause });
}

function sentencePieceBytes(token: string): Uint8Array {
  const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token);
  if (byte) return Uint8Array.of(parseInt(byte[1]!, 16));
  return new TextEncoder().encode(token.replaceAll('▁', ' '));
}

function byteLevelBytes(token: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) bytes.push(...new TextEncoder().encode(character));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** GPT-2's alphabet: printable bytes stand for themselves, the others for characters from U+0100 on, in order. */
const BYTE_OF_CHARACTER = new Map<string, number>();
{
  let next = 256;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    BYTE_OF_CHARACTER.set(String.fromCodePoint(printable ? byte : next++), byte);
  }
}
