/** Whole jobs: from the prefix to the last token of all sequences. */
import { Engine } from '#lib/engine.js';

import { CellsScenario, GENERATED, loadOptions } from './cells.js';
import type { Cell } from './cells.js';

export class JobsScenario extends CellsScenario {
  constructor(model: string, context: number, cells: readonly Cell[]) {
    super(`${model}, jobs`, model, context, cells);
  }

  protected override load(): Promise<Engine> {
    return Engine.load(this.model, loadOptions(this.context));
  }

  protected override async measureCell(
    cell: Cell,
    ids: readonly number[],
    prefixMs: number,
  ): Promise<void> {
    const start = performance.now();
    await this.generateAll(ids, cell.sequences, GENERATED);
    Object.assign(cell, { prefixMs, restMs: performance.now() - start });
  }
}
