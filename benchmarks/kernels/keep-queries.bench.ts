/** Queries of one layer that are rotated and kept. A rotated number takes two products and their sum. */
import { SHAPES } from '../models/shapes.js';
import { rowPoints } from './point.js';
import type { KernelPoint } from './point.js';

const { heads, headDim } = SHAPES['smollm2-135m']!;
const OPERATIONS = 3;

export function keepQueriesPoints(): KernelPoint[] {
  return rowPoints('keep_queries', heads * headDim, OPERATIONS, (timing, path, threads, rows) =>
    timing.timeKeepQueries(path, threads, rows, heads, headDim),
  );
}
