import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Delivery } from './delivery.js';
import { toJobEvent, type StreamedJobEvent } from '../feed/job-event.js';

let delivered: string[];
let delivery: Delivery;
let count: number;

beforeEach(() => {
  jest.useFakeTimers();
  delivered = [];
  count = 0;
  delivery = new Delivery(({ token }) => void delivered.push(token));
});

afterEach(() => {
  jest.useRealTimers();
});

function some(size: number): StreamedJobEvent[] {
  return Array.from({ length: size }, () => toJobEvent(String((count += 1)), 'job_1', {}));
}

/** All that were made so far, in order. */
function all(): string[] {
  return Array.from({ length: count }, (_, at) => String(at + 1));
}

describe('events on their way to subscribers', () => {
  test('go out at once where they are few, and so does the first crowd', () => {
    for (const size of [1, 49, 3, 200]) {
      delivery.put(some(size));
      expect(delivered).toEqual(all());
    }
  });

  test('wait for each other after a crowd, until one round brings few', () => {
    delivery.put(some(60));
    delivery.put(some(40));
    delivery.put(some(40));
    expect(delivered).toHaveLength(60);
    jest.advanceTimersByTime(25);
    expect(delivered).toEqual(all());
    delivery.put(some(1));
    expect(delivered).toHaveLength(140);
    jest.advanceTimersByTime(25);
    expect(delivered).toEqual(all());
    delivery.put(some(1));
    expect(delivered).toEqual(all());
  });

  test('go out in portions, in order, also with what comes between them', () => {
    delivery.put(some(50));
    delivery.put(some(1200));
    jest.advanceTimersByTime(25);
    expect(delivered.length).toBeLessThan(1250);
    delivery.put(some(10));
    jest.runAllTimers();
    expect(delivered).toEqual(all());
  });

  test('do not pile up without end: too many go out in the call that brings them', () => {
    delivery.put(some(50));
    delivery.put(some(5000));
    expect(delivered).toHaveLength(50);
    delivery.put(some(1));
    expect(delivered).toEqual(all());
    jest.runAllTimers();
    expect(delivered).toEqual(all());
  });

  test('go out before their time where the stream begins anew', () => {
    delivery.put(some(50));
    delivery.put(some(7));
    delivery.flush();
    expect(delivered).toEqual(all());
    jest.runAllTimers();
    expect(delivered).toEqual(all());
  });
});
