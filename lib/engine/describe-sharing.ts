/** Puts into words what sequences shared in the last steps. */
import { reading } from '../checks/check-options.js';
import type { SharedGroup, StepExplanation } from '../native.js';

/** A few lines for people: the last step that shared keys and values, and the ranges that it shared. */
export function describeSharing(steps: readonly StepExplanation[]): string {
  return reading('steps', () => describeSteps(steps));
}

function describeSteps(steps: readonly StepExplanation[]): string {
  const last = steps.at(-1);
  if (!last) return 'no step has shared anything yet';
  const notRead = last.groups.reduce((sum, { bytesNotRead }) => sum + bytesNotRead, 0);
  return [
    `step ${last.step}: ${last.sequences} sequences, ${last.rows} rows (${last.decoding} decoding${last.drafted > 0 ? `, ${last.drafted} guessed` : ''}), ` +
      `${last.stepMs.toFixed(1)} ms, of which ${last.hostUs.toFixed(0)} us scheduling and planning; ` +
      `${(notRead / 1e6).toFixed(1)} MB of keys and values not read`,
    ...last.groups.map(describeGroup),
  ].join('\n');
}

function describeGroup(group: SharedGroup): string {
  const { depth, sequences, rows, firstToken, tokens, grouped, groupedUs, separateUs } = group;
  const why =
    separateUs === 0
      ? 'as `sharedReads` says'
      : `${groupedUs.toFixed(0)} us per layer together, ${separateUs.toFixed(0)} us apart`;
  return (
    `${'  '.repeat(depth + 1)}tokens ${firstToken} to ${firstToken + tokens}: ${sequences} sequences, ${rows} rows, ` +
    `read ${grouped ? 'together' : 'apart'} (${why})`
  );
}
