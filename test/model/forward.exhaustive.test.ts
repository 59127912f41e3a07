import { WEIGHT_TYPES } from '../reference/dequantize.js';
import { describeForward } from './forward-suite.js';

describeForward(WEIGHT_TYPES.filter(({ blockSize }) => blockSize > 1).map(({ name }) => name));
