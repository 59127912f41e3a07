/** `cachalot models`: lists and deletes what is in the cache folder. */
import type { Command } from 'commander';

import { ALIASES } from '../models/names/aliases.js';
import { modelsFolder } from '../models/store/cache-folder.js';
import { installedModels, removeModels } from '../models/store/installed.js';
import type { InstalledModel } from '../models/store/installed.js';
import { LayoutCache } from '../models/store/layout-cache.js';
import type { StoredLayout } from '../models/store/layout-cache.js';
import { sizeText } from './sizes.js';
import { table } from './table.js';

interface JsonFlag {
  json?: boolean;
}

export function addModels(program: Command): void {
  const models = program
    .command('models')
    .description('list and remove what `pull` has fetched, and what loading has kept')
    .addHelpText(
      'after',
      '\nExamples:\n  cachalot models\n  cachalot models list --json\n  cachalot models remove stories-15m',
    );
  models
    .command('list', { isDefault: true })
    .description('what is there, and how much room it takes')
    .option(
      '--json',
      'print { folder, bytes, models: [{ name, path, bytes, isPartial }], layouts: [{ path, bytes, usedMs }] }',
    )
    .addHelpText('after', '\nExamples:\n  cachalot models\n  cachalot models list --json')
    .action(async (flags: JsonFlag) => {
      const found = await installedModels();
      const bytes = found.reduce((sum, model) => sum + model.bytes, 0);
      const layouts = await new LayoutCache().list();
      const all = { folder: modelsFolder(), bytes, models: found, layouts };
      const text = [describe(found, bytes), ...describeLayouts(layouts)].join('\n');
      process.stdout.write(flags.json ? `${JSON.stringify(all)}\n` : `${text}\n`);
    });
  models
    .command('clear-layouts')
    .description('delete the weights that earlier loads have repacked; the next load does it again')
    .option('--json', 'print { bytes }')
    .addHelpText('after', '\nExamples:\n  cachalot models clear-layouts')
    .action(async (flags: JsonFlag) => {
      const bytes = await new LayoutCache().clear();
      process.stdout.write(
        flags.json ? `${JSON.stringify({ bytes })}\n` : `${sizeText(bytes)} are free\n`,
      );
    });
  models
    .command('remove')
    .description('delete models')
    .argument('<names...>', 'as `cachalot models` lists them')
    .option('--json', 'print what was deleted')
    .addHelpText('after', '\nExamples:\n  cachalot models remove stories-15m')
    .action(async (names: string[], flags: JsonFlag) => {
      const removed = await removeModels(names);
      if (flags.json) process.stdout.write(`${JSON.stringify(removed)}\n`);
      else
        for (const { name, bytes } of removed)
          process.stdout.write(`${name} is gone, ${sizeText(bytes)} are free\n`);
    });
}

function describeLayouts(layouts: readonly StoredLayout[]): string[] {
  if (layouts.length === 0) return [];
  const bytes = layouts.reduce((sum, layout) => sum + layout.bytes, 0);
  return [
    `${sizeText(bytes)} of repacked weights make loading faster; \`cachalot models clear-layouts\` deletes them`,
  ];
}

function describe(found: readonly InstalledModel[], bytes: number): string {
  if (found.length === 0)
    return `none in ${modelsFolder()}; try \`cachalot pull ${Object.keys(ALIASES)[0]}\``;
  const rows = found.map(({ name, bytes: own, isPartial }) => [
    name,
    sizeText(own),
    isPartial ? 'unfinished' : '',
  ]);
  return `${table(['model', 'size', ''], [...rows, ['all', sizeText(bytes), '']])}\nin ${modelsFolder()}`;
}
