/** The public API. Users import nothing else. */
export type * from './ambient-types.js';
export { Engine } from './engine.js';
export type { CompleteOptions } from './engine.js';
export type { LoadOptions } from './options/load-options.js';
export type { RopeOptions } from './options/rope-options.js';
export { Session } from './session/session.js';
export type { ChatInput } from './session/read-input.js';
export type { SessionOptions, SessionRevision } from './session/session-options.js';
export { Batch } from './batch/batch.js';
export type {
  BatchItem,
  BatchOptions,
  BatchRequest,
  BatchResult,
  BatchStats,
} from './batch/batch.js';
export { Cache } from './engine/cache.js';
export type { AddOptions, ContextInput, KeepOptions, ReviseOptions } from './engine/cache.js';
export { Context } from './engine/context.js';
export type { Combine, ContextChoice } from './engine/given-context.js';
export type {
  LogitsOptions,
  Score,
  ScoreInput,
  ScoreItem,
  ScoreOptions,
  ScoreUsage,
} from './engine/scores.js';
export type { Utilization } from './engine/utilization.js';
export type { TokenLogprob } from './engine/engine-core.js';
export { Generation } from './generation/generation.js';
export { ObjectGeneration } from './generation/object-generation.js';
export type { ObjectResult } from './generation/object-generation.js';
export type { GeneratedToken } from './generation/answer.js';
export type {
  DraftUsage,
  GenerationResult,
  Timings,
  Usage,
} from './generation/generation-result.js';
export type { FinishReason } from './request/finish.js';
export type { ChatOptions, GenerateOptions } from './options/generate-options.js';
export type {
  ChelseaCompression,
  CompressKvCompression,
  Compression,
  H2oCompression,
  KeyNormCompression,
  KvUsage,
  RandomCompression,
  RecentCompression,
  ScissorhandsCompression,
  SnapCompression,
  WindowCompression,
} from './options/compress-options.js';
export type {
  Infer,
  JsonSchema,
  SchemaInput,
  StandardOutcome,
  StandardSchema,
  WithSchema,
} from './options/schema-option.js';
export type { InferJson } from './options/infer-json.js';
export type { DraftContext, DraftContextUsage } from './options/draft-context.js';
export type {
  Draft,
  DraftOptions,
  LoadedDraft,
  LoadedDraftOptions,
} from './options/draft-options.js';
export type { Budgeted } from './options/compress-budget.js';
export type { HeadProfile, RazorCompression } from './options/head-profile.js';
export type { DryOptions, SamplingOptions } from './options/sampling-options.js';
export type { Message, TextPart, ToolCall } from './chat/messages.js';
export type { JsonValue } from './chat/json-value.js';
export type { TemplateOptions } from './chat/template-options.js';
export type {
  EngineDescription,
  EngineDevice,
  EngineStats,
  SharedGroup,
  EditExplanation,
  StepExplanation,
} from './native.js';
export type { Attention, AttentionOptions } from './engine/attention.js';
export { describeSharing } from './engine/describe-sharing.js';
export { describeDevice } from './engine/describe-device.js';
export type { RequestEvent, RequestKind } from './request/request-events.js';
export { CachalotError } from './errors.js';
export type { ErrorCode } from './errors.js';
export { pull } from './models/pull.js';
export type { PullOptions, PullProgress, PulledModel } from './models/pull.js';
export { retrievalHeads } from './relevance/retrieval-heads.js';
export type { AttentionSource, HeadOptions } from './relevance/retrieval-heads.js';
export { rank } from './relevance/rank.js';
export type { RankedPassage } from './relevance/rank.js';
export { splitText } from './relevance/split-text.js';
export type { SplitOptions } from './relevance/split-text.js';
export { compressPrompt } from './relevance/compress-prompt.js';
export type { CompressPromptOptions, CompressedPrompt } from './relevance/compress-prompt.js';
export { attribute } from './relevance/attribute.js';
export type { AttributeOptions, Contribution } from './relevance/attribute.js';
export type { MeasuringScorer, RelevanceOptions, Scorer } from './relevance/scorer.js';
