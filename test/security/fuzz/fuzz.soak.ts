// As fuzz.e2e.ts, with many more inputs.
import { fuzzTests } from './fuzz-tests.js';

fuzzTests({ seed: 20_260_102, calls: 300 });
