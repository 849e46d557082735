import { expect, it } from '@jest/globals';
import { isCounted } from './is-counted.js';

const createdAt = new Date(0);
const counts = (state: 'REQUESTED' | 'PENDING' | 'RUNNING', queueId: string, seconds: number) =>
  isCounted({ state, queueId, createdAt }, 'queue_1', new Date(seconds * 1000));

it('counts pilots of the queue, and of another one only until they have waited there for long', () => {
  expect(counts('PENDING', 'queue_1', 86_400)).toBe(true);
  expect([counts('PENDING', 'queue_2', 899), counts('PENDING', 'queue_2', 900)]).toEqual([true, false]);
  expect(counts('RUNNING', 'queue_2', 86_400)).toBe(true);
});

it('counts pilots that may not have been submitted for a short time only', () => {
  expect([counts('REQUESTED', 'queue_1', 599), counts('REQUESTED', 'queue_1', 600)]).toEqual([true, false]);
});
