/** What answers have to match, compiled once for each text that says it: native/grammar/. */
import { Memo } from '../workers/memo.js';
import { native } from '../native.js';
import type { NativeGrammar, NativeVocabulary } from '../native.js';
import type { TokenTable } from '../text/token-table.js';

/** Each may take 24 MiB, and somewhat more while long answers run. */
const MAX_KNOWN = 16;

export class Grammars {
  readonly #tokenizer: TokenTable;
  readonly #size: () => number;
  readonly #known = new Memo<NativeGrammar>(MAX_KNOWN);
  #vocabulary: Promise<NativeVocabulary> | undefined;

  /** `size`: how many logits a row of the model has. */
  constructor(tokenizer: TokenTable, size: () => number) {
    this.#tokenizer = tokenizer;
    this.#size = size;
  }

  /** Throws invalid_argument that says where a pattern is wrong, or what of it is not supported. */
  regex(pattern: string, gap: string): Promise<NativeGrammar> {
    return this.#known.get(JSON.stringify(['regex', pattern, gap]), async () =>
      native().compileRegex(await this.vocabulary(), pattern, gap),
    );
  }

  /** `grammar`: GBNF. Throws invalid_argument that says what of it is wrong, and in which line. */
  grammar(grammar: string, gap: string): Promise<NativeGrammar> {
    return this.#known.get(JSON.stringify(['grammar', grammar, gap]), async () =>
      native().compileGrammar(await this.vocabulary(), grammar, gap),
    );
  }

  /** `schema`: JSON. Throws invalid_argument that says what of it is wrong or not supported, and where. */
  schema(schema: string): Promise<NativeGrammar> {
    return this.#known.get(JSON.stringify(['schema', schema]), async () =>
      native().compileSchema(await this.vocabulary(), schema),
    );
  }

  private vocabulary(): Promise<NativeVocabulary> {
    if (this.#vocabulary) return this.#vocabulary;
    const { bytes, ends } = this.#tokenizer.ordinary(this.#size());
    return (this.#vocabulary = native().makeVocabulary(bytes, ends));
  }
}
