/** A generation whose answer is JSON that fits a schema. */
import type { ResolvedOptions } from '../options/generate-options.js';
import { Generation } from './generation.js';
import type { GenerationResult } from './generation-result.js';
import type { GenerationSource } from './generation-source.js';
import { partialValue } from './object-value.js';

/** The value of an answer, if it is whole; else what there is of it. */
export type ObjectResult<T> = Omit<GenerationResult, 'finishReason' | 'object' | 'partialObject'> &
  (
    | { finishReason: 'stop'; object: T; partialObject?: undefined }
    | {
        finishReason: 'length' | 'aborted';
        object?: undefined;
        /** The beginning of the value; undefined if nothing of it has come. */
        partialObject: unknown;
      }
  );

/**
 * @example
 * const schema = { type: 'object', properties: { city: { type: 'string', maxLength: 20 } }, required: ['city'], additionalProperties: false } as const;
 * const generation = engine.complete('The Eiffel tower, as JSON: ', { schema });
 * for await (const part of generation.partialObjects()) console.log(part);
 * const { object, finishReason } = await generation.result;
 */
export class ObjectGeneration<T> extends Generation {
  declare readonly result: Promise<ObjectResult<T>>;

  /** The value as it grows: whenever text has come, what the answer says so far. */
  async *partialObjects(): AsyncGenerator<unknown, void, void> {
    let text = '';
    let last: string | undefined;
    for await (const piece of this) {
      text += piece;
      const value = partialValue(text);
      const json = JSON.stringify(value);
      if (value === undefined || json === last) continue;
      last = json;
      yield value;
    }
  }
}

export const newGeneration = (source: GenerationSource, options: ResolvedOptions): Generation =>
  options.schema ? new ObjectGeneration(source, options) : new Generation(source, options);
