import { describeSample } from './sample-suite.js';

describeSample(1000);
