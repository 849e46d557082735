// Schemathesis as five principals for five minutes; programs.e2e.ts runs one round of it.
import { beforeAll } from '@jest/globals';
import { type AttackSystem, startAttackSystem } from '../attack/attack-system.js';
import { mark, type Mark } from '../attack/invariants.js';
import { schemathesisTests } from './schemathesis-tests.js';

let system: AttackSystem;
let before: Mark;

beforeAll(async () => {
  system = await startAttackSystem();
  before = await mark(system);
});

schemathesisTests({ examples: 25, seconds: 60, seed: 2 }, () => ({ system, before }));
