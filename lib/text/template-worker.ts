/** Renders chat templates in a worker: a template is a program from a model file, and may loop for ever. */
import { parentPort } from 'node:worker_threads';

import { Template } from '@huggingface/jinja';

export interface RenderJob {
  id: number;
  template: string;
  variables: Record<string, unknown>;
}

export type RenderAnswer = { id: number; text: string } | { id: number; error: string };

const templates = new Map<string, Template>();

function render({ template, variables }: RenderJob): string {
  let parsed = templates.get(template);
  if (!parsed) {
    parsed = new Template(template);
    templates.clear(); // a session uses one template; more are not worth keeping
    templates.set(template, parsed);
  }
  return parsed.render(variables);
}

parentPort?.on('message', (job: RenderJob) => {
  let answer: RenderAnswer;
  try {
    answer = { id: job.id, text: render(job) };
  } catch (error) {
    answer = { id: job.id, error: (error as Error).message };
  }
  parentPort?.postMessage(answer);
});
