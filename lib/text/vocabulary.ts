/** The vocabulary of a model: its tokens, their types, and how text becomes tokens. */

/** The type of a token, in GGUF's numbers (tokenizer.ggml.token_type). */
export enum TokenType {
  Normal = 1,
  Unknown = 2,
  Control = 3,
  UserDefined = 4,
  Unused = 5,
  Byte = 6,
}

export interface Vocabulary {
  tokens: string[];
  types: TokenType[];
  bos: number | undefined;
  eos: number | undefined;
  /** Ids that end an answer, besides `eos`. */
  stops: number[];
  addBos: boolean;
  /** How token strings stand for bytes: pieces with "▁" and <0xNN>, or characters of GPT-2's byte alphabet. */
  encoding: 'sentencepiece' | 'byte-level';
  /** In the format of Hugging Face's tokenizer.json. */
  tokenizerJson: TokenizerJson;
  chatTemplate: string | undefined;
  /** Guesses that were made because the file does not say, in words for the user. */
  warnings?: string[];
}

export interface AddedToken {
  id: number;
  content: string;
  special?: boolean;
  single_word?: boolean;
  lstrip?: boolean;
  rstrip?: boolean;
  normalized?: boolean;
}

/** A step of a pipeline, possibly made of others. */
export interface Step {
  type?: string;
  normalizers?: Step[];
  pretokenizers?: Step[];
  decoders?: Step[];
  single?: unknown;
  processors?: Step[];
  [key: string]: unknown;
}

export interface TokenizerJson {
  added_tokens?: AddedToken[];
  normalizer?: Step | null;
  pre_tokenizer?: Step | null;
  post_processor?: Step | null;
  decoder?: Step | null;
  model?: { type?: string; vocab?: Record<string, number>; byte_fallback?: boolean };
}
