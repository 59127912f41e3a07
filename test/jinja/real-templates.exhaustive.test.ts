/**
 * Renders against Python's jinja2, in the environment that transformers gives it: of real templates and of thousands of little
 * ones. Ours is the same, or it is refused; nothing is different in silence, and nothing renders that Python refuses.
 */
import { RaisedError, TemplateError, TooLargeError } from '../../lib/jinja/errors.js';
import { Template } from '../../lib/jinja/template.js';
import { CONVERSATIONS } from '../fixtures/conversations.js';
import { hasJudge, judge } from '../fixtures/jinja2-judge.js';
import type { RenderJob, Verdict } from '../fixtures/jinja2-judge.js';
import { realTemplates } from '../fixtures/real-templates.js';
import { SNIPPET_VARIABLES, everySnippet } from '../fixtures/snippets.js';
import { CASES, VARIABLES } from '../fixtures/template-cases.js';
import { Random } from '../random.js';

const NOW = 1_800_000_000;
const templates = realTemplates();

function render({ template, variables }: RenderJob): Verdict {
  try {
    return { text: new Template(template).render(variables, new Date(NOW * 1000)) };
  } catch (error) {
    const kinds = [TemplateError, RaisedError, TooLargeError];
    if (!kinds.some((kind) => error instanceof kind)) throw error;
    return { error: (error as Error).message };
  }
}

interface Difference {
  template: string;
  ours: Verdict;
  python: Verdict;
}

function compare(jobs: RenderJob[]) {
  const verdicts = judge(jobs.map((job) => ({ ...job, now: NOW })));
  const differences: Difference[] = [];
  let [equal, refused] = [0, 0];
  jobs.forEach((job, i) => {
    const [ours, python] = [render(job), verdicts[i]!];
    if ('text' in ours && 'text' in python && ours.text === python.text) equal++;
    else if ('error' in ours) refused += Number('text' in python && !/ at 0x/.test(python.text));
    else differences.push({ template: job.template, ours, python });
  });
  return { differences, equal, refused };
}

const suite = hasJudge ? describe : describe.skip;
const title = "templates against Python's jinja2";

suite(hasJudge ? title : `${title} (skipped: there is no python3 with jinja2)`, () => {
  const named = templates.map(({ name, text }) => ({ name, text }));
  const real =
    templates.length > 0 ? test.each(named) : test.skip.each([{ name: 'none', text: '' }]);

  // `npm run pull:tokenizers` fetches some of them.
  real('$name with ten conversations: the same text, or an error where it has one', ({ text }) => {
    const jobs = CONVERSATIONS.map(({ variables }) => ({ template: text, variables }));
    const { differences, refused } = compare(jobs);
    expect(differences).toEqual([]);
    expect(refused).toBe(0);
  });

  test('the texts beside our own little templates', () => {
    const all = Object.values(CASES).flat();
    const verdicts = judge(all.map(([template]) => ({ template, variables: VARIABLES })));
    expect(verdicts).toEqual(all.map(([, text]) => ({ text })));
  });

  test.each(Object.entries(everySnippet(new Random(1))))(
    '%s: the same text, or an error',
    (_, snippets) => {
      const { differences, equal, refused } = compare(
        snippets.map((template) => ({ template, variables: SNIPPET_VARIABLES })),
      );
      expect(differences).toEqual([]);
      // What we lack is a few things of many that nobody uses; jinja2 itself refuses most of what does not fit.
      expect(refused).toBeLessThan(equal / 8);
    },
  );
});
