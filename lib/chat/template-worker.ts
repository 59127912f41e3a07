/** Renders chat templates in a worker: a template is a program from a model file, and may loop forever. */
import { CachalotError } from '../errors.js';
import { RaisedError, TooLargeError, TooLongError } from '../jinja/errors.js';
import { Template } from '../jinja/template.js';
import { serve } from '../workers/lane-worker.js';

export interface RenderJob {
  template: string;
  variables: Record<string, unknown>;
}

const templates = new Map<string, Template>();

function render({ template, variables }: RenderJob): string {
  let parsed = templates.get(template);
  if (!parsed) {
    parsed = new Template(template);
    templates.clear(); // a session uses one template; caching more is not worth it
    templates.set(template, parsed);
  }
  return parsed.render(variables);
}

function failure(error: Error): CachalotError {
  const { message } = error;
  if (error instanceof TooLargeError)
    return new CachalotError('template_too_large', `the chat template ${message}`);
  if (error instanceof TooLongError)
    return new CachalotError('template_timeout', `the chat template ${message}`);
  if (error instanceof RaisedError)
    return new CachalotError('template_failed', `the chat template refuses this: ${message}`);
  return new CachalotError('template_failed', `the chat template failed: ${message}`);
}

serve(
  Promise.resolve((job: RenderJob) => {
    try {
      return render(job);
    } catch (error) {
      throw failure(error as Error);
    }
  }),
);
