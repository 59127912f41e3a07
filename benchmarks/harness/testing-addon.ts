/** The addon of the tests, which has the clocks, the simulation and engines that take turns. */
import { join } from 'node:path';

import type { TestingBinding } from '../../test/testing.js';

/** A path that is no import, so that it is found from build/, too. */
export const testing = require(
  join(process.cwd(), 'build', 'test', 'cachalot_testing.node'),
) as TestingBinding;
