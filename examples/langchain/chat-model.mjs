// A chat model for LangChain (npm `@langchain/core`).
//
//   const model = new ChatCachalot({ engine, options: { temperature: 0.7, maxTokens: 256 } });
//   const { content } = await model.invoke('Why is the sky blue?', { stop: ['\n'], options: { seed: 1 } });
//
// All calls run together in the steps of one engine, and what their conversations share is computed once. `options` are those of
// `engine.chat` (temperature, templateOptions, priority, namespace, ...): the model's, and over them a call's. What a model cannot be
// asked for yet is an error; LangChain's own says so of `bindTools` and `withStructuredOutput`.
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage, AIMessageChunk } from '@langchain/core/messages';
import { ChatGenerationChunk } from '@langchain/core/outputs';
import { CachalotError } from 'cachalot';

import { messageOf, notYet } from './messages.mjs';

/** @typedef {import('cachalot').ChatOptions} ChatOptions */
/** @typedef {import('@langchain/core/language_models/chat_models').BaseChatModelParams} Params */
/** @typedef {import('@langchain/core/language_models/chat_models').BaseChatModelCallOptions} BaseOptions */
/** @typedef {import('@langchain/core/messages').BaseMessage} BaseMessage */
/** @typedef {import('@langchain/core/callbacks/manager').CallbackManagerForLLMRun} RunManager */

/** @extends {BaseChatModel<BaseOptions & { options?: ChatOptions }>} */
export class ChatCachalot extends BaseChatModel {
  /** @param {Params & { engine: import('cachalot').Engine, options?: ChatOptions }} fields */
  constructor({ engine, options = {}, ...fields }) {
    super(fields);
    refuse({ ...fields });
    this.engine = engine;
    this.options = options;
  }

  static lc_name() {
    return 'ChatCachalot';
  }

  _llmType() {
    return 'cachalot';
  }

  /** What LangChain's own cache of answers finds by, besides the messages and the call's options. */
  _identifyingParams() {
    return { model: this.engine.description.model, ...this.options };
  }

  /**
   * @param {BaseMessage[]} messages
   * @param {this['ParsedCallOptions']} options
   */
  async _generate(messages, options) {
    const result = await this.#ask(messages, options).result;
    const message = new AIMessage({ content: result.text, ...ending(result) });
    return { generations: [{ text: result.text, message }] };
  }

  /**
   * Who leaves the stream ends the generation.
   *
   * @override
   * @param {BaseMessage[]} messages
   * @param {this['ParsedCallOptions']} options
   * @param {RunManager} [runManager]
   */
  async *_streamResponseChunks(messages, options, runManager) {
    const generation = this.#ask(messages, options);
    for await (const text of generation) {
      const chunk = new ChatGenerationChunk({ text, message: new AIMessageChunk(text) });
      yield chunk;
      const nothing = /** @type {const} */ ([undefined, undefined, undefined, undefined]);
      await runManager?.handleLLMNewToken(text, ...nothing, { chunk });
    }
    const message = new AIMessageChunk({ content: '', ...ending(await generation.result) });
    yield new ChatGenerationChunk({ text: '', message });
  }

  /**
   * @param {BaseMessage[]} messages
   * @param {this['ParsedCallOptions']} options
   */
  #ask(messages, { stop, signal, options, ...others }) {
    refuse(others);
    const all = { ...this.options, ...(stop && { stop }), signal, ...options };
    if (all.topLogprobs) throw notYet('topLogprobs'); // messages have no place for them
    return this.engine.chat(messages.map(messageOf), all);
  }
}

const NOT_YET = ['tools', 'tool_choice', 'functions', 'function_call', 'response_format'];
const OURS = ['temperature', 'topP', 'topK', 'seed', 'maxTokens', 'templateOptions'];

/**
 * What other chat models take and this one would not heed. LangGraph and others add options of their own, which are none of ours.
 *
 * @param {Record<string, unknown>} given
 */
function refuse(given) {
  const isGiven = (/** @type {string} */ name) => given[name] !== undefined;
  const [refused, ours] = [NOT_YET, OURS].map((names) => names.find(isGiven));
  if (refused) throw notYet(refused);
  if (ours) throw new CachalotError('invalid_argument', `\`${ours}\` belongs into \`options\``);
}

/** @param {import('cachalot').GenerationResult} result */
function ending({ finishReason, usage, timings, logprob, systemMerged }) {
  const { promptTokens, cachedTokens, completionTokens } = usage;
  return {
    usage_metadata: {
      input_tokens: promptTokens,
      output_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
      input_token_details: { cache_read: cachedTokens },
    },
    response_metadata: { finish_reason: finishReason, timings, logprob, systemMerged },
  };
}
