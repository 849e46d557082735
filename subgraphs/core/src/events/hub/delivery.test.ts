import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
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

describe('delivery of events to subscribers', () => {
  it('delivers a few events at once, and the first burst as well', () => {
    for (const size of [1, 49, 3, 200]) {
      delivery.append(some(size));
      expect(delivered).toEqual(all());
    }
  });

  it('delays the rounds after a burst, until one round has few events', () => {
    delivery.append(some(60));
    delivery.append(some(40));
    delivery.append(some(40));
    expect(delivered).toHaveLength(60);
    jest.advanceTimersByTime(25);
    expect(delivered).toEqual(all());
    delivery.append(some(1));
    expect(delivered).toHaveLength(140);
    jest.advanceTimersByTime(25);
    expect(delivered).toEqual(all());
    delivery.append(some(1));
    expect(delivered).toEqual(all());
  });

  it('delivers in portions, in order, also with events that arrive between them', () => {
    delivery.append(some(50));
    delivery.append(some(1200));
    jest.advanceTimersByTime(25);
    expect(delivered.length).toBeLessThan(1250);
    delivery.append(some(10));
    jest.runAllTimers();
    expect(delivered).toEqual(all());
  });

  it('delivers in the call that brings the events when too many wait', () => {
    delivery.append(some(50));
    delivery.append(some(5000));
    expect(delivered).toHaveLength(50);
    delivery.append(some(1));
    expect(delivered).toEqual(all());
    jest.runAllTimers();
    expect(delivered).toEqual(all());
  });

  it('delivers before its delay when the stream starts again', () => {
    delivery.append(some(50));
    delivery.append(some(7));
    delivery.flush();
    expect(delivered).toEqual(all());
    jest.runAllTimers();
    expect(delivered).toEqual(all());
  });
});
