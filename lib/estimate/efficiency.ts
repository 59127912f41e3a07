/**
 * The share of a machine's limits that our kernels reach, for predictions. Measured on CPUs with `npm run bench:kernels` and
 * `npm run bench`; on other devices nothing is known, and what is expected equals the limit.
 */
import type { Device } from './devices.js';
import type { Op } from './ops.js';

export interface Efficiency {
  /** Of the rates, from 0 to 1. */
  reading: number;
  arithmetic: number;
  /** Starting a call and waiting for its threads. */
  callSeconds: number;
}

/** Below so many rows the products of a step are made row by row. */
const FEW_ROWS = 16;

export function efficiencyOf(op: Op, rows: number, { isMeasured }: Device): Efficiency {
  if (!isMeasured) return { reading: 1, arithmetic: 1, callSeconds: 0 };
  const callSeconds = 4e-6;
  if (op.kind === 'attention')
    return { reading: 0.6, arithmetic: rows < FEW_ROWS ? 0.5 : 0.75, callSeconds };
  if (op.kind === 'elementwise') return { reading: 1, arithmetic: 1, callSeconds: callSeconds / 2 };
  // Unpacking weights of few bits takes more time than reading them.
  const unpacking = op.arithmetic === 'int8' ? Math.min(0.9, op.bits / 6) : 0.85;
  const arithmetic = op.arithmetic === 'int8' ? 0.6 : 0.75;
  return {
    reading: unpacking,
    arithmetic: rows < FEW_ROWS ? arithmetic / 2 : arithmetic,
    callSeconds,
  };
}
