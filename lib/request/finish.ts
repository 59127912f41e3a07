/** How a request ends. */
import { CachalotError } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import type { NativeFinish } from '../native.js';

/** Why a generation ended: the model stopped (or a stop string came), a limit was reached, or its reader left. */
export type FinishReason = 'stop' | 'length' | 'aborted';

/** Turns the engine's failure of a request into an error. `deadlineMs` is the user's value; the engine counts from when the prompt had become tokens. */
export function finishError(
  { errorCode = 'internal', errorMessage = 'unknown' }: NativeFinish,
  deadlineMs = 0,
): CachalotError {
  const message =
    errorCode === 'deadline_exceeded'
      ? `this request was not done within its deadline of ${deadlineMs} ms`
      : errorMessage;
  return new CachalotError(errorCode as ErrorCode, message);
}
