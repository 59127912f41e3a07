import { WEIGHT_TYPES } from '../reference/dequantize.js';
import { describeLinear } from './linear-suite.js';

describeLinear(WEIGHT_TYPES.map(({ name }) => name));
