import { expect, it } from '@jest/globals';
import { SteppedWork, yieldToEventLoop } from './event-loop-queue.js';

/** Rounds of the event loop so far. */
function countRounds(): { readonly rounds: () => number; readonly stop: () => void } {
  let rounds = 0;
  let goesOn = true;
  const round = (): void => {
    rounds += 1;
    if (goesOn) setImmediate(round);
  };
  setImmediate(round);
  return { rounds: () => rounds, stop: () => (goesOn = false) };
}

it('gives each waiting caller its own round of the event loop, in order', async () => {
  const { rounds, stop } = countRounds();
  const seen: number[] = [];
  const order: number[] = [];
  await Promise.all(
    Array.from({ length: 5 }, async (_, index) => {
      await yieldToEventLoop();
      order.push(index);
      seen.push(rounds());
    }),
  );
  stop();
  expect(order).toEqual([0, 1, 2, 3, 4]);
  expect(new Set(seen).size).toBe(5);
});

it('gives a nested call another round', async () => {
  const { rounds, stop } = countRounds();
  await yieldToEventLoop();
  const first = rounds();
  await yieldToEventLoop();
  expect(rounds()).toBeGreaterThan(first);
  stop();
});

it('shares a round between steps until the slice has lasted long enough', async () => {
  const { rounds, stop } = countRounds();
  const long = new SteppedWork(60_000);
  for (let step = 0; step < 100; step++) await long.step();
  expect(rounds()).toBe(0);
  const short = new SteppedWork(0);
  for (let step = 0; step < 3; step++) await short.step();
  expect(rounds()).toBeGreaterThanOrEqual(2);
  stop();
});
