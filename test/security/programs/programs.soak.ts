// Schemathesis as five principals for five minutes; programs.e2e.ts runs one round of it.
import { beforeAll } from '@jest/globals';
import { type MarkedSystem, startMarkedSystem } from '../attack/marked-system.js';
import { schemathesisTests } from './schemathesis-tests.js';

let tested: MarkedSystem;

beforeAll(async () => {
  tested = await startMarkedSystem();
});

schemathesisTests({ examples: 25, seconds: 60, seed: 2 }, () => tested);
