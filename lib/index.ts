/** The public API. Nothing else is meant to be imported. */
export type * from './ambient-types.js';
export { Engine } from './engine.js';
export type { CompleteOptions } from './engine.js';
export type { LoadOptions } from './load-options.js';
export { Session } from './session.js';
export type { SessionOptions } from './session.js';
export { Batch } from './batch.js';
export type { BatchItem, BatchOptions, BatchRequest, BatchResult, BatchStats } from './batch.js';
export { Cache } from './cache.js';
export type { AddOptions } from './cache.js';
export { Context } from './context.js';
export type { TokenLogprob } from './engine-core.js';
export { Generation } from './generation.js';
export type {
  FinishReason,
  GeneratedToken,
  GenerationResult,
  Timings,
  Usage,
} from './generation.js';
export type { GenerateOptions } from './generate-options.js';
export type { DryOptions, SamplingOptions } from './sampling-options.js';
export type { Message, TextPart } from './text/messages.js';
export type { EngineDescription, EngineStats, SharedGroup, StepExplanation } from './native.js';
export { describeSharing } from './explain.js';
export { CachalotError } from './errors.js';
export type { ErrorCode } from './errors.js';
export { pull } from './models/pull.js';
export type { PullOptions, PullProgress, PulledModel } from './models/pull.js';
