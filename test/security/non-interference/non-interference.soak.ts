// As non-interference.int.test.ts, with many more orders of calls and pairs of times.
import { beforeAll } from '@jest/globals';
import { startSides } from '../two-systems.js';
import { orderTests, type Sides, timeTests } from './comparisons.js';

let sides: Sides;
beforeAll(async () => {
  sides = await startSides();
});

orderTests(() => sides, 500);
timeTests(() => sides, 400);
