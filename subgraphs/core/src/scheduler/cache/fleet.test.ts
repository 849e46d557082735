import { expect, it } from '@jest/globals';
import { aQueue, aWorker } from '../../../test/support/scheduler.fixture.js';
import { Fleet } from './fleet.js';

it('lists the live workers of a host of a queue', () => {
  const fleet = new Fleet();
  fleet.setQueues([aQueue({}), aQueue({ id: 'queue_2', name: 'other' })]);
  const add = (id: string, host: string, queueId = 'queue_1'): void =>
    void fleet.set(aWorker({ id, host, queueId }));
  const listed = (queue: string, host: string): readonly string[] =>
    [...fleet.workersOf({ queue, host })].map(({ facts }) => facts.id).sort();
  add('a', 'h1');
  add('b', 'h1');
  add('c', 'h2');
  add('d', 'h1', 'queue_2');
  expect(listed('main', 'h1')).toEqual(['a', 'b']);
  expect(listed('other', 'h1')).toEqual(['d']);
  // A worker may register again on another host.
  add('a', 'h2');
  expect([listed('main', 'h1'), listed('main', 'h2')]).toEqual([['b'], ['a', 'c']]);
  fleet.remove('b');
  expect(listed('main', 'h1')).toEqual([]);
});
