/** Chat templates: messages to the text a model was trained on, with a limit on time, memory and length. */
import { join } from 'node:path';

import { CachalotError } from '../errors.js';
import '../jinja/template.js'; // the worker's: whoever gathers a program's files finds it by this
import type { RenderJob } from './template-worker.js';
import { WorkerLanes } from '../workers/worker-lanes.js';

/** Real templates take a few milliseconds, and up to some hundreds where 1,000 messages each look at all that follow. */
const DEADLINE_MS = 2000;
/** Never reached, see lib/jinja/budget.ts: a heap that is full can end the process, and not just the worker. */
const HEAP_MB = 4096;

/** Renders in workers; a long conversation holds up no short one. */
export class TemplateRenderer {
  readonly #lanes = new WorkerLanes<RenderJob, string>({
    script: join(__dirname, '..', '..', 'dist', 'chat', 'template-worker.js'),
    worker: { resourceLimits: { maxOldGenerationSizeMb: HEAP_MB, maxYoungGenerationSizeMb: 16 } },
    deadlineMs: DEADLINE_MS,
    overdue,
    died,
  });

  /** Renders; throws template_failed, template_timeout or template_too_large. `size` is of the text among `variables`. */
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
