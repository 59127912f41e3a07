/** Flags of every command that generates. */
import type { Command } from 'commander';

import type { TemplateOptions } from '../chat/template-options.js';
import type { Engine } from '../engine.js';
import { CachalotError } from '../errors.js';
import { generateChecks } from '../options/generate-options.js';
import type { ChatOptions } from '../options/generate-options.js';
import type { Compression } from '../options/compress-options.js';
import { draftContextChecks } from '../options/draft-context.js';
import type { Draft } from '../options/draft-options.js';
import type { JsonSchema } from '../options/schema-option.js';
import { COMPRESS_HELP, compression } from './compress-flag.js';
import { DRAFT_HELP, draftFlag } from './draft-flag.js';
import { notEmpty, numberBy, stopText, templateOptions } from './flag-values.js';
import { GRAMMAR_HELP, SCHEMA_HELP, grammarFile, schemaFile } from './schema-flag.js';
import { addSamplingFlags, flagOf, samplingOptions } from './sampling-flags.js';
import type { SamplingFlags } from './sampling-flags.js';

export interface GenerateFlags extends SamplingFlags {
  maxTokens?: number;
  system?: string;
  stop?: string[];
  raw?: boolean;
  compress?: Compression;
  draft?: Draft;
  prediction?: string;
  draftContext?: number;
  draftFactor?: number;
  regex?: string;
  grammar?: string;
  schema?: JsonSchema;
  chatTemplate?: string;
  templateOptions?: TemplateOptions;
}

export function addGenerateFlags(command: Command): Command {
  return addSamplingFlags(command)
    .option('-n, --max-tokens <n>', 'most tokens of an answer', numberBy(generateChecks.maxTokens))
    .option('--system <text>', 'what the model is told first')
    .option(
      '--stop <text>',
      'text that ends an answer, with \\n, \\t, \\r and \\\\; may be given several times',
      stopText,
    )
    .option('--compress <policy>', COMPRESS_HELP, compression)
    .option('--draft <what>', DRAFT_HELP, draftFlag)
    .option(
      '--prediction <text>',
      'text that will perhaps be generated: as far as it is right, it comes faster',
      notEmpty,
    )
    .option(
      '--draft-context <tokens>',
      'the draft model reads so many tokens of each prompt, and the answer follows it: faster, and another answer',
      numberBy(draftContextChecks.tokens),
    )
    .option(
      '--draft-factor <n>',
      'how far: 0 is the model’s own answer; default 10',
      numberBy(draftContextChecks.factor),
    )
    .option('--regex <pattern>', 'a regular expression that each answer is as a whole', notEmpty)
    .option('--grammar <file>', GRAMMAR_HELP, grammarFile)
    .option('--schema <file>', SCHEMA_HELP, schemaFile)
    .option('--chat-template <file>', "a chat template in place of the model's own", notEmpty)
    .option(
      '--template-options <json>',
      'variables of the chat template, as {"enable_thinking": false}',
      templateOptions,
    );
}

export function generateOptions(flags: GenerateFlags): ChatOptions {
  const { maxTokens, stop, compress, draft, prediction } = flags;
  const { regex, grammar, schema, templateOptions } = flags;
  const draftContext = draftContextOf(flags);
  // Only conversations take templateOptions: a model without a template refuses even the name.
  return {
    maxTokens,
    stop,
    ...(compress && { compress }),
    ...(draft !== undefined && { draft }),
    ...(prediction !== undefined && { prediction }),
    ...(draftContext && { draftContext }),
    ...(regex !== undefined && { regex }),
    ...(grammar !== undefined && { grammar }),
    ...(schema !== undefined && { schema }),
    ...(templateOptions && { templateOptions }),
    ...samplingOptions(flags),
  };
}

function draftContextOf({ draftContext: tokens, draftFactor: factor }: GenerateFlags) {
  if (tokens === undefined && factor !== undefined)
    throw new CachalotError('invalid_argument', '--draft-factor needs --draft-context');
  return tokens === undefined ? undefined : { tokens, ...(factor !== undefined && { factor }) };
}

/** The system message, if one is given; a blank one counts as absent. */
export function systemOf({ system }: GenerateFlags): string | undefined {
  return system !== undefined && /\S/.test(system) ? system : undefined;
}

/** Of the flags that only a chat template can use, one that is given. */
function templateFlag(flags: GenerateFlags): string | undefined {
  if (systemOf(flags) !== undefined) return '--system';
  if (flags.templateOptions !== undefined) return '--template-options';
  return flags.chatTemplate === undefined ? undefined : '--chat-template';
}

const noPlace = (flag: string) =>
  new CachalotError(
    'invalid_argument',
    `${flag} needs a model with a chat template, without --raw`,
  );

/** Throws invalid_argument for flags that exclude each other, before a model is loaded. */
export function refuseWithRaw(flags: GenerateFlags): void {
  const flag = templateFlag(flags);
  if (flags.raw && flag !== undefined) throw noPlace(flag);
}

/** Whether prompts are messages for the model's chat template, rather than text to continue. Throws invalid_argument. */
export function isChat(engine: Engine, flags: GenerateFlags): boolean {
  const chat = engine.canChat && !flags.raw;
  const flag = templateFlag(flags);
  if (!chat && flag !== undefined) throw noPlace(flag);
  return chat;
}

/** Flags that say how to draw have no effect if nothing is drawn. */
const DRAWING = ['topK', 'topP', 'minP', 'typicalP'] as const;

export function warnOfIdle(flags: GenerateFlags): void {
  if ((flags.temperature ?? 0) > 0) return;
  const idle = DRAWING.filter((name) => flags[name] !== undefined).map((name) => flagOf(name));
  if (idle.length > 0)
    process.stderr.write(
      `${idle.join(', ')}: without effect, as the likeliest token is always taken; give --temperature\n`,
    );
}
