import { describeForward } from './forward-suite.js';

// A pass in float64 takes its time: one type of each kind here, all in forward.exhaustive.test.ts.
describeForward(['Q8_0', 'Q4_K', 'IQ2_XXS']);
