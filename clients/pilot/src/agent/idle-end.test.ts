import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { watchIdleness } from './idle-end.js';
import { Slots } from './slots.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const all = { cores: 4, memoryMiB: 100, diskMiB: 100 };
const some = { cores: 1, memoryMiB: 10, diskMiB: 10 };

it('notices a time without a job, counted from the end of the last one', () => {
  const slots = new Slots(all);
  const onIdle = jest.fn();
  watchIdleness(slots, 60, onIdle);
  jest.advanceTimersByTime(50_000);
  const [endFirst, endSecond] = [slots.book(some), slots.book(some)];
  jest.advanceTimersByTime(600_000);
  endFirst();
  jest.advanceTimersByTime(600_000);
  endSecond();
  jest.advanceTimersByTime(59_999);
  expect(onIdle).not.toHaveBeenCalled();
  jest.advanceTimersByTime(1);
  expect(onIdle).toHaveBeenCalledTimes(1);
});

it('notices nothing once it is ended', () => {
  const onIdle = jest.fn();
  watchIdleness(new Slots(all), 1, onIdle)();
  jest.advanceTimersByTime(600_000);
  expect(onIdle).not.toHaveBeenCalled();
});
