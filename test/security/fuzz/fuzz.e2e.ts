import { fuzzTests } from './fuzz-tests.js';

fuzzTests({ seed: 20_260_101, calls: 16 });
