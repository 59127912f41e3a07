/** The scenarios that `npm test` leaves out. */
import { isQuick } from './bits/scenarios.js';
import { testBits } from './bits/suite.js';

testBits((scenario, place) => !isQuick(scenario, place));
