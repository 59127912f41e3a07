/**
 * GGUF files from before May 2024 do not say how their tokenizer cuts text (tokenizer.ggml.pre). Models that are fine-tuned from
 * others add tokens, but keep the merges, so the number of merges identifies the family.
 */

interface Guess {
  /** A name in PRE_TOKENIZERS. */
  name: string;
  /** The warning for the user. */
  warning: string;
}

const BY_MERGES: ReadonlyMap<number, [name: string, family: string]> = new Map([
  [280_147, ['llama-bpe', 'Llama 3']],
  [151_387, ['qwen2', 'Qwen 1.5 to 3']],
  [247_587, ['qwen35', 'Qwen 3.5']],
  [269_443, ['tekken', 'Mistral Nemo']],
  [31_757, ['deepseek-coder', 'DeepSeek Coder']],
  [99_757, ['deepseek-llm', 'DeepSeek LLM']],
  [127_741, ['deepseek-v3', 'DeepSeek V3']],
  [48_900, ['smollm', 'SmolLM']],
  [48_891, ['refact', 'StarCoder and Granite Code']],
  [253_333, ['command-r', 'Command R']],
  [154_737, ['seed-coder', 'Seed Coder']],
  [50_000, ['gpt-2', 'GPT-2']],
]);

export function guessPreTokenizer(tokens: number, merges: number): Guess {
  const [name, family] = BY_MERGES.get(merges) ?? ['default', undefined];
  const why = family === undefined ? 'no family that we know has' : `${family} has`;
  return {
    name,
    warning:
      `the file does not say how its tokenizer cuts text (tokenizer.ggml.pre): '${name}' is taken, as ${why} ${merges} merges; ` +
      `it has ${tokens} tokens. If that is wrong, so are the ids of texts: use a newer file of the model, or give its tokenizer.json as \`tokenizer\``,
  };
}
