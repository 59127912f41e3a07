// A language model for the AI SDK (npm `ai`), as its specification V3 has it: `ai` 6 asks for that, and 7 takes it, too.
//
//   const { text } = await generateText({ model: cachalot(engine), prompt: 'Why is the sky blue?' });
//
// All calls run together in the steps of one engine, and what their conversations share is computed once. `providerOptions.cachalot`
// of a call are options of `engine.chat` (templateOptions, priority, namespace, ...), those of a message are fields of it (name).
import { basename } from 'node:path';

import { UnsupportedFunctionalityError } from '@ai-sdk/provider';

import { messagesOf } from './messages.mjs';

/** @typedef {import('@ai-sdk/provider').LanguageModelV3CallOptions} CallOptions */
/** @typedef {import('@ai-sdk/provider').SharedV3Warning} Warning */
/** @typedef {import('@ai-sdk/provider').LanguageModelV3StreamPart} StreamPart */

/**
 * @param {import('cachalot').Engine} engine
 * @returns {import('@ai-sdk/provider').LanguageModelV3}
 */
export function cachalot(engine) {
  return {
    specificationVersion: 'v3',
    provider: 'cachalot',
    modelId: basename(engine.description.model),
    supportedUrls: { '*/*': [/.*/] }, // so that no file is downloaded only to be refused
    async doGenerate(options) {
      const { generation, warnings } = ask(engine, options);
      const result = await generation.result;
      const { text, systemMerged } = result;
      const details = 'the template has no place for them: their text begins the first question';
      return {
        content: text === '' ? [] : [{ type: 'text', text }],
        ...ending(result),
        warnings: systemMerged
          ? [...warnings, { type: 'compatibility', feature: 'system messages', details }]
          : warnings,
      };
    },
    async doStream(options) {
      const asked = ask(engine, options);
      const source = parts(asked, options.abortSignal);
      return {
        stream: new ReadableStream({
          async pull(controller) {
            const { done, value } = await source.next();
            if (done) controller.close();
            else controller.enqueue(value);
          },
          cancel: () => asked.generation.stop(),
        }),
      };
    },
  };
}

/**
 * Asks the engine, or refuses what it cannot do yet. Of settings that it does not know there are warnings, as the SDK has it.
 *
 * @param {import('cachalot').Engine} engine
 * @param {CallOptions} options
 */
function ask(engine, options) {
  const { prompt, abortSignal, maxOutputTokens, stopSequences, providerOptions, ...rest } = options;
  const { tools, toolChoice, responseFormat, includeRawChunks, ...settings } = rest;
  const { temperature, topP, topK, seed, presencePenalty, frequencyPenalty, ...others } = settings;
  const own = providerOptions?.cachalot;
  const asked = {
    tools: tools?.length || ['required', 'tool'].includes(toolChoice?.type ?? ''),
    topLogprobs: own?.topLogprobs, // results have no place for them
    includeRawChunks, // there is nothing rawer than the text
  };
  for (const [functionality, isAsked] of Object.entries(asked))
    if (isAsked) throw new UnsupportedFunctionalityError({ functionality });
  const schema =
    responseFormat?.type === 'json' ? (responseFormat.schema ?? { type: 'object' }) : undefined;
  const generation = engine.chat(prompt.flatMap(messagesOf), {
    maxTokens: maxOutputTokens,
    stop: stopSequences,
    signal: abortSignal,
    ...{ temperature, topP, topK, seed, presencePenalty, frequencyPenalty },
    ...own,
    ...(schema && { schema, stop: undefined }), // its own end is the only one
  });
  /** @type {Warning[]} */
  const warnings = Object.entries(others)
    .filter(([name, value]) => name !== 'headers' && value !== undefined) // those are HTTP's
    .map(([feature]) => ({ type: 'unsupported', feature }));
  return { generation, warnings };
}

/**
 * @param {ReturnType<typeof ask>} asked
 * @param {AbortSignal | undefined} signal
 * @returns {AsyncGenerator<StreamPart, void, void>}
 */
async function* parts({ generation, warnings }, signal) {
  const id = 'answer';
  yield { type: 'stream-start', warnings };
  try {
    let isOpen = false;
    for await (const delta of generation) {
      if (!isOpen) yield { type: 'text-start', id };
      isOpen = true;
      yield { type: 'text-delta', id, delta };
    }
    if (isOpen) yield { type: 'text-end', id };
    yield { type: 'finish', ...ending(await generation.result) };
  } catch (error) {
    if (signal?.aborted) throw error;
    yield { type: 'error', error };
  }
}

/** @param {import('cachalot').GenerationResult} result */
function ending({ finishReason: raw, usage, timings, logprob, systemMerged }) {
  const { promptTokens: total, cachedTokens: cacheRead, completionTokens } = usage;
  return {
    finishReason: { unified: raw === 'aborted' ? /** @type {const} */ ('other') : raw, raw },
    usage: {
      inputTokens: { total, noCache: total - cacheRead, cacheRead, cacheWrite: undefined },
      outputTokens: { total: completionTokens, text: completionTokens, reasoning: undefined },
      raw: { ...usage },
    },
    providerMetadata: {
      cachalot: { timings: { ...timings }, logprob, systemMerged: systemMerged === true },
    },
  };
}
