import { expect, it } from '@jest/globals';
import { learn, perCycleAt } from './feedback.js';
import { noMemory } from './loop.types.js';

const nothing = { ends: [], arrived: 0, refusedSubmits: 0 } as const;

it('halves the pilots of a cycle after failures, refusals and pilots without work, and doubles them again', () => {
  let memory = noMemory;
  for (const outcomes of [
    { ...nothing, ends: ['FAILED'] as const },
    { ...nothing, ends: ['UNUSED', 'UNUSED', 'WORKED'] as const },
    { ...nothing, refusedSubmits: 1 },
  ])
    memory = learn(memory, outcomes);
  expect(perCycleAt(40, memory.level)).toBe(5);
  memory = learn(memory, nothing);
  expect(memory.level).toBe(3);
  memory = learn(memory, { ...nothing, arrived: 2 });
  expect(perCycleAt(40, memory.level)).toBe(10);
  memory = learn(memory, { ...nothing, ends: ['WORKED', 'UNUSED'] });
  expect(perCycleAt(40, memory.level)).toBe(20);
});

it('tries single pilots, with pauses, after many failures', () => {
  let memory = noMemory;
  for (let cycle = 0; cycle < 20; cycle += 1) memory = learn(memory, { ...nothing, refusedSubmits: 1 });
  expect(memory).toMatchObject({ level: 10, skip: 10 });
  expect(perCycleAt(1000, memory.level)).toBe(1);
  for (let cycle = 0; cycle < 10; cycle += 1) memory = learn(memory, nothing);
  expect(memory.skip).toBe(0);
});
