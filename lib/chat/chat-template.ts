/** Chat templates: turn messages into the text that a model was trained on, with limits on time, memory and length. */
import { join } from 'node:path';

import { CachalotError } from '../errors.js';
import '../jinja/template.js'; // the import is for the worker: tools that gather a program's files find the file by it
import type { RenderJob } from './template-worker.js';
import { WorkerLanes } from '../workers/worker-lanes.js';

/** Real templates take a few milliseconds, or up to a few hundred if each of 1,000 messages looks at all later ones. */
const DEADLINE_MS = 2000;
/** Never reached, see lib/jinja/budget.ts: a full heap can end the process, not only the worker. */
const HEAP_MB = 4096;

/** Renders in workers; a long conversation does not hold up a short one. */
export class TemplateRenderer {
  readonly #lanes = new WorkerLanes<RenderJob, string>({
    script: join(__dirname, '..', '..', 'dist', 'chat', 'template-worker.js'),
    worker: { resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 16 } },
    deadlineMs: DEADLINE_MS,
    overdue,
    died,
  });

  /** Renders; throws template_failed, template_timeout or template_too_large. `size` is the length of the text among `variables`. */
  render(
    template: string,
    variables: Record<string, unknown>,
    signal?: AbortSignal,
    size = 0,
  ): Promise<string> {
    return this.#lanes.run({ template, variables }, size, signal);
  }

  dispose(): Promise<void> {
    return this.#lanes.dispose();
  }
}

function overdue(): CachalotError {
  return new CachalotError(
    'template_timeout',
    `the chat template did not finish within ${DEADLINE_MS} ms; it is probably broken or hostile`,
  );
}

function died(error: NodeJS.ErrnoException): CachalotError {
  return error.code === 'ERR_WORKER_OUT_OF_MEMORY'
    ? new CachalotError('template_too_large', 'the chat template needs too much memory')
    : new CachalotError('template_failed', `the chat template's worker failed: ${error.message}`, {
        cause: error,
      });
}
