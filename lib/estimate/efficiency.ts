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

/** Below so many rows, unpacking the weights takes a share of the arithmetic's time. */
const FEW_ROWS = 33;

export function efficiencyOf(op: Op, rows: number, { isMeasured }: Device): Efficiency {
  if (!isMeasured) return { reading: 1, arithmetic: 1, callSeconds: 0 };
  const callSeconds = 4e-6;
  const isFew = rows < FEW_ROWS;
  if (op.kind === 'attention') return { reading: 0.6, arithmetic: isFew ? 0.5 : 0.75, callSeconds };
  if (op.kind === 'elementwise') return { reading: 1, arithmetic: 1, callSeconds: callSeconds / 2 };
  if (op.arithmetic !== 'int8')
    return { reading: 0.95, arithmetic: isFew ? 0.42 : 0.62, callSeconds };
  // Unpacking weights of few bits takes more time than reading them.
  const reading = Math.min(0.9, op.bits / 4.8);
  return { reading, arithmetic: isFew ? 0.33 : 0.48, callSeconds };
}
