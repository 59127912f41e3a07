/**
 * Converts a llama2.c checkpoint (version 0), with its tokenizer.bin appended, to a GGUF file.
 *
 * The checkpoint: seven int32 (dim, hidden, layers, heads, KV heads, vocabulary - negative when the output layer is its own - and
 * context), then float32 weights, each kind for all layers. Its rotary pairs are neighbours, as in GGUF's llama.
 */
import { CachalotError } from '../../errors.js';
import { readRegular } from '../../files/regular-file.js';
import { TokenType } from '../../text/vocabulary.js';
import { writeGguf } from './gguf-writer.js';
import type { GgufTensorData } from './gguf-writer.js';

interface Header {
  dim: number;
  hidden: number;
  layers: number;
  heads: number;
  kvHeads: number;
  vocabulary: number;
  context: number;
  tied: boolean;
}

const MOST_BYTES = 2 ** 31 - 1; // of one buffer; such checkpoints are small

export async function convertLlama2c(from: string, to: string, name: string): Promise<void> {
  const bytes = await readRegular(from, MOST_BYTES);
  const header = readHeader(bytes);
  const reader = new WeightReader(bytes, 28);
  const tensors = readTensors(reader, header);
  await writeGguf(
    to,
    {
      'general.architecture': { string: 'llama' },
      'general.name': { string: name },
      'llama.context_length': { u32: header.context },
      'llama.embedding_length': { u32: header.dim },
      'llama.block_count': { u32: header.layers },
      'llama.feed_forward_length': { u32: header.hidden },
      'llama.attention.head_count': { u32: header.heads },
      'llama.attention.head_count_kv': { u32: header.kvHeads },
      'llama.attention.layer_norm_rms_epsilon': { f32: 1e-5 },
      'llama.rope.freq_base': { f32: 10000 },
      'llama.rope.dimension_count': { u32: header.dim / header.heads },
      ...readTokenizer(bytes, reader.offset, header.vocabulary),
    },
    tensors,
  );
}

function damaged(what: string): CachalotError {
  return new CachalotError('file_truncated', `the llama2.c checkpoint is damaged: ${what}`);
}

function readHeader(bytes: Buffer): Header {
  if (bytes.length < 28) throw damaged('no header');
  const [dim, hidden, layers, heads, kvHeads, vocabulary, context] = new Int32Array(
    bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 28),
  );
  const header = {
    dim: dim!,
    hidden: hidden!,
    layers: layers!,
    heads: heads!,
    kvHeads: kvHeads!,
    vocabulary: Math.abs(vocabulary!),
    context: context!,
    tied: vocabulary! > 0,
  };
  const sound = [dim, hidden, layers, heads, kvHeads, header.vocabulary, context].every(
    (n) => n! > 0 && n! <= 1 << 20,
  );
  if (!sound || dim! % heads! !== 0 || heads! % kvHeads! !== 0)
    throw damaged('its dimensions make no sense');
  return header;
}

class WeightReader {
  constructor(
    readonly bytes: Buffer,
    public offset: number,
  ) {}

  take(floats: number): Uint8Array {
    const end = this.offset + 4 * floats;
    if (end > this.bytes.length) throw damaged(`it ends after ${this.bytes.length} bytes`);
    const result = this.bytes.subarray(this.offset, end);
    this.offset = end;
    return result;
  }
}

function readTensors(reader: WeightReader, header: Header): GgufTensorData[] {
  const { dim, hidden, layers, vocabulary } = header;
  const kvDim = (dim / header.heads) * header.kvHeads;
  const tensors: GgufTensorData[] = [];
  const add = (name: string, ...shape: number[]) => {
    tensors.push({
      name: `${name}.weight`,
      shape,
      type: 0,
      data: reader.take(shape.reduce((a, b) => a * b)),
    });
  };
  const addLayers = (name: string, ...shape: number[]) => {
    for (let layer = 0; layer < layers; layer++) add(`blk.${layer}.${name}`, ...shape);
  };
  add('token_embd', dim, vocabulary);
  addLayers('attn_norm', dim);
  addLayers('attn_q', dim, dim);
  addLayers('attn_k', dim, kvDim);
  addLayers('attn_v', dim, kvDim);
  addLayers('attn_output', dim, dim);
  addLayers('ffn_norm', dim);
  addLayers('ffn_gate', dim, hidden);
  addLayers('ffn_down', hidden, dim);
  addLayers('ffn_up', dim, hidden);
  add('output_norm', dim);
  reader.take(header.context * (dim / header.heads)); // tables of rotary angles, which we compute ourselves
  if (!header.tied) add('output', dim, vocabulary);
  return tensors;
}

const FIRST_BYTE_TOKEN = 3;

/** int32 longest, then for each token: float32 score, int32 length, bytes. Spaces stand where pieces have "▁". */
function readTokenizer(bytes: Buffer, start: number, vocabulary: number) {
  const tokens: string[] = [];
  const scores: number[] = [];
  const types: number[] = [];
  let offset = start + 4;
  for (let id = 0; id < vocabulary; id++) {
    if (offset + 8 > bytes.length) throw damaged('its tokenizer is cut off');
    scores.push(bytes.readFloatLE(offset));
    const length = bytes.readInt32LE(offset + 4);
    offset += 8;
    if (length < 0 || offset + length > bytes.length) throw damaged('its tokenizer is cut off');
    const piece = bytes.toString('utf8', offset, offset + length);
    offset += length;
    const byte = id - FIRST_BYTE_TOKEN;
    if (byte >= 0 && byte < 256) {
      tokens.push(`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
      types.push(TokenType.Byte);
    } else if (id < FIRST_BYTE_TOKEN) {
      tokens.push(piece.trim());
      types.push(id === 0 ? TokenType.Unknown : TokenType.Control);
    } else {
      tokens.push(piece.replaceAll(' ', '▁'));
      types.push(TokenType.Normal);
    }
  }
  return {
    'tokenizer.ggml.model': { string: 'llama' },
    'tokenizer.ggml.tokens': { strings: tokens },
    'tokenizer.ggml.scores': { f32s: scores },
    'tokenizer.ggml.token_type': { i32s: types },
    'tokenizer.ggml.bos_token_id': { u32: 1 },
    'tokenizer.ggml.eos_token_id': { u32: 2 },
    'tokenizer.ggml.unknown_token_id': { u32: 0 },
  };
}
