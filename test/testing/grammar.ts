/** Grammars without a model; native/addon/testing/grammar.cpp. */
export interface GrammarBinding {
  /** Of each beginning of the text, from the empty one on: 0: no text that matches begins like this; 1: some do; 2: it matches; 3: it matches, and nothing follows. */
  readRegex(pattern: string, anywhere: boolean, text: Uint8Array): Int8Array;
  /** The same, for a grammar in GBNF. */
  readGrammar(grammar: string, text: Uint8Array): Int8Array;
  /** The same of each text, for the JSON values that a schema describes. */
  readSchema(schema: string, texts: Uint8Array[]): Int8Array[];
  /** A text of random bytes and of words, each of which may come; after so many bytes what ends something is preferred. Null: it got stuck; empty: it did not end. */
  walkSchema(schema: string, words: string[], seed: number, bytes: number): Buffer | null;
  /** Microseconds: of compiling a schema, and of each mask before a token of the texts. */
  timeMasks(schema: string, bytes: Uint8Array, ends: Int32Array, texts: Uint8Array[]): Float64Array;
  /** The tokens that may follow; token i has the bytes up to `ends[i]`. Either a pattern or a schema is given; the other is empty. */
  allowedTokens(
    pattern: string,
    schema: string,
    bytes: Uint8Array,
    ends: Int32Array,
    tokens: Int32Array,
  ): number[];
}
