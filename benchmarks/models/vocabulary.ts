/** A byte-level BPE vocabulary of any size: the bytes, then words of two letters, of three and so on, then ChatML's marks. */
import type { GgufField } from '#lib/models/formats/gguf-writer.js';

const LETTERS = 'abcdefghijklmnopqrstuvwxyz';
const NORMAL = 1;
const CONTROL = 3;
const MARKS = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];

const TEMPLATE =
  "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}" +
  "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

/** The tokenizer part of a GGUF file's metadata. */
export function vocabularyMetadata(size: number): Record<string, GgufField> {
  const tokens = byteNames();
  const merges: string[] = [];
  // Each word is one letter more than one that is there: merges build it from the left.
  for (let stem = 0, words = [...LETTERS]; tokens.length < size - MARKS.length; stem++) {
    if (stem === words.length) throw new Error('a vocabulary cannot have so many words');
    for (const letter of LETTERS) {
      if (tokens.length === size - MARKS.length) break;
      const word = words[stem]! + letter;
      words.push(word);
      tokens.push(word);
      merges.push(`${words[stem]!} ${letter}`);
    }
  }
  const types = [...tokens.map(() => NORMAL), ...MARKS.map(() => CONTROL)];
  return {
    'tokenizer.ggml.model': { string: 'gpt2' },
    'tokenizer.ggml.pre': { string: 'llama-bpe' },
    'tokenizer.ggml.tokens': { strings: [...tokens, ...MARKS] },
    'tokenizer.ggml.token_type': { i32s: types },
    'tokenizer.ggml.merges': { strings: merges },
    'tokenizer.ggml.bos_token_id': { u32: size - 3 },
    'tokenizer.ggml.eos_token_id': { u32: size - 1 },
    'tokenizer.ggml.add_bos_token': { bool: false },
    'tokenizer.chat_template': { string: TEMPLATE },
  };
}

/** GPT-2's printable names of the 256 bytes, in the order of its vocabulary. */
function byteNames(): string[] {
  const printable = (byte: number) =>
    (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  const bytes = Array.from({ length: 256 }, (_, byte) => byte);
  return [
    ...bytes.filter(printable).map((byte) => String.fromCharCode(byte)),
    ...bytes.filter((byte) => !printable(byte)).map((_, i) => String.fromCharCode(256 + i)),
  ];
}
