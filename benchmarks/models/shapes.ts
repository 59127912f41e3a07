/** Shapes of well-known models, for files of random weights. */
export interface Shape {
  architecture: 'llama' | 'qwen2';
  layers: number;
  width: number;
  ffn: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  vocabulary: number;
  context: number;
  ropeBase: number;
  epsilon: number;
  /** The output layer is the embedding. */
  tied: boolean;
}

export const SHAPES: Record<string, Shape> = {
  'smollm2-135m': {
    architecture: 'llama',
    layers: 30,
    width: 576,
    ffn: 1536,
    heads: 9,
    kvHeads: 3,
    headDim: 64,
    vocabulary: 49152,
    context: 8192,
    ropeBase: 100_000,
    epsilon: 1e-5,
    tied: true,
  },
  'qwen2.5-0.5b': {
    architecture: 'qwen2',
    layers: 24,
    width: 896,
    ffn: 4864,
    heads: 14,
    kvHeads: 2,
    headDim: 64,
    vocabulary: 151_936,
    context: 32_768,
    ropeBase: 1_000_000,
    epsilon: 1e-6,
    tied: true,
  },
  'llama-3.2-1b': {
    architecture: 'llama',
    layers: 16,
    width: 2048,
    ffn: 8192,
    heads: 32,
    kvHeads: 8,
    headDim: 64,
    vocabulary: 128_256,
    context: 131_072,
    ropeBase: 500_000,
    epsilon: 1e-5,
    tied: true,
  },
  'llama-3.1-8b': {
    architecture: 'llama',
    layers: 32,
    width: 4096,
    ffn: 14_336,
    heads: 32,
    kvHeads: 8,
    headDim: 128,
    vocabulary: 128_256,
    context: 131_072,
    ropeBase: 500_000,
    epsilon: 1e-5,
    tied: false,
  },
};
