/** Every task, in the order of reports. To add one, write a file like the others and put it here. */
import { lookup } from './lookup.js';
import { manyShot } from './many-shot.js';
import { needle } from './needle.js';
import { needles } from './needles.js';
import type { Task } from './task.js';
import { variables } from './variables.js';
import { words } from './words.js';

export const TASKS: readonly Task[] = [needle, needles, lookup, variables, words, manyShot];
