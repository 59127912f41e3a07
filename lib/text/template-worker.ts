/** Renders chat templates in a worker: a template is a program from a model file, and may loop for ever. */
import { parentPort } from 'node:worker_threads';

import { Template } from '@huggingface/jinja';

import { LIMIT_MESSAGE, limitTemplates, resetLimits } from './template-limits.js';

export interface RenderJob {
  id: number;
  template: string;
  variables: Record<string, unknown>;
}

export type RenderAnswer =
  { id: number; text: string } | { id: number; error: string; tooLarge: boolean };

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
parentPort?.on('message', (job: RenderJob) => {
  let answer: RenderAnswer;
  try {
    answer = { id: job.id, text: render(job) };
  } catch (error) {
    const { message } = error as Error;
    // V8's own limit on strings is met within one step.
    const tooLarge = message === LIMIT_MESSAGE || message === 'Invalid string length';
    answer = { id: job.id, error: message, tooLarge };
  }
  parentPort?.postMessage(answer);
});
