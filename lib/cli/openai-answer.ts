/** Answers of `cachalot batch` to lines in OpenAI's format, as its services write them. */
import type { CachalotError } from '../errors.js';
import type { GeneratedToken } from '../generation/answer.js';
import type { GenerationResult } from '../generation/generation-result.js';

/** Data of the answer besides its text. */
export interface AnswerNames {
  /** Index of the request within its batch. */
  request: string;
  /** The model's name on the command line. */
  model: string;
  isChat: boolean;
  /** The text of a token. */
  textOf: (token: number) => string;
}

/** `response` and `error` of an answer line. */
export function openAiOutcome(
  results: readonly GenerationResult[],
  error: CachalotError | undefined,
  names: AnswerNames,
): object {
  const id = `batch_req_${names.request}`;
  if (error) {
    const { code, message } = error;
    return { id, response: null, error: { code, message } };
  }
  const response = { status_code: 200, request_id: names.request, body: bodyOf(results, names) };
  return { id, response, error: null };
}

function bodyOf(results: readonly GenerationResult[], names: AnswerNames): object {
  const { request, model, isChat } = names;
  const { promptTokens, cachedTokens } = results[0]!.usage;
  const completionTokens = results.reduce((sum, { usage }) => sum + usage.completionTokens, 0);
  return {
    id: `${isChat ? 'chatcmpl' : 'cmpl'}-${request}`,
    object: isChat ? 'chat.completion' : 'text_completion',
    created: Math.floor(Date.now() / 1000),
    model,
    choices: results.map((result, index) => choiceOf(result, index, names)),
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
      prompt_tokens_details: { cached_tokens: cachedTokens },
    },
  };
}

function choiceOf(result: GenerationResult, index: number, names: AnswerNames): object {
  const { text, finishReason: finish_reason, logprobs } = result;
  if (!names.isChat) {
    const shown = logprobs ? textLogprobs(logprobs, names.textOf) : null;
    return { text, index, logprobs: shown, finish_reason };
  }
  const shown = logprobs
    ? { content: logprobs.map((token) => chatLogprob(token, names.textOf)), refusal: null }
    : null;
  const message = { role: 'assistant', content: text, refusal: null };
  return { index, message, logprobs: shown, finish_reason };
}

function chatLogprob(
  { id, logprob, top = [] }: GeneratedToken,
  textOf: AnswerNames['textOf'],
): object {
  const shown = (token: number, value: number) => {
    const text = textOf(token);
    // A part of a character has no text, so its bytes are not known here.
    const bytes = text.includes('\ufffd') ? null : Array.from(Buffer.from(text));
    return { token: text, logprob: value, bytes };
  };
  const likeliest = top.map((each) => shown(each.id, each.logprob));
  return { ...shown(id, logprob), top_logprobs: likeliest };
}

function textLogprobs(tokens: readonly GeneratedToken[], textOf: AnswerNames['textOf']): object {
  let offset = 0;
  const offsets = tokens.map(({ text }) => (offset += text.length) - text.length);
  return {
    tokens: tokens.map(({ id }) => textOf(id)),
    token_logprobs: tokens.map(({ logprob }) => logprob),
    top_logprobs: tokens.map(({ top = [] }) =>
      Object.fromEntries(top.map(({ id, logprob }) => [textOf(id), logprob])),
    ),
    text_offset: offsets,
  };
}
