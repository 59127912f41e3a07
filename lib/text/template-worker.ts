/** Renders chat templates in a worker: a template is a program from a model file, and may loop for ever. */
import { Template } from '@huggingface/jinja';

import { CachalotError } from '../errors.js';
import { serve } from './lane-worker.js';
import { LIMIT_MESSAGE, limitTemplates, resetLimits } from './template-limits.js';

export interface RenderJob {
  template: string;
  variables: Record<string, unknown>;
}

const templates = new Map<string, Template>();

function render({ template, variables }: RenderJob): string {
  let parsed = templates.get(template);
  if (!parsed) {
    parsed = new Template(template);
    templates.clear(); // a session uses one template; more are not worth keeping
    templates.set(template, parsed);
  }
  resetLimits();
  return parsed.render(variables);
}

limitTemplates();
serve(
  Promise.resolve((job: RenderJob) => {
    try {
      return render(job);
    } catch (error) {
      const { message } = error as Error;
      // V8's own limit on strings is met within one step.
      const tooLarge = message === LIMIT_MESSAGE || message === 'Invalid string length';
      throw new CachalotError(
        tooLarge ? 'template_too_large' : 'template_failed',
        `the chat template failed: ${message}`,
      );
    }
  }),
);
