import { describe, expect, it } from '@jest/globals';
import { CoreRefused, CoreUnavailable, type CoreProtocol } from '../protocol/core-protocol.js';
import { Contact } from './contact.js';

const { signal } = new AbortController();
const noHeartbeat = async (): Promise<void> => Promise.resolve();
const contactWithCore = (): Contact => new Contact({} as CoreProtocol);

describe('Contact', () => {
  it('makes calls only while it is open, for the worker of that time', async () => {
    const contact = contactWithCore();
    const workers: string[] = [];
    const call = contact.call(async ({ workerId }) => Promise.resolve(workers.push(workerId)), signal);
    await contact.whenOpen(20);
    expect(workers).toEqual([]);
    contact.open('worker_1', noHeartbeat);
    await call;
    expect(workers).toEqual(['worker_1']);
  });

  it('repeats a call that was on its way when contact was lost, whatever its answer', async () => {
    const contact = contactWithCore();
    contact.open('worker_1', noHeartbeat);
    let refuse: (error: Error) => void = () => undefined;
    const tries: string[] = [];
    const call = contact.call(async ({ workerId }) => {
      tries.push(workerId);
      if (tries.length > 1) return 'accepted';
      return new Promise<string>((_, reject) => (refuse = reject));
    }, signal);
    await Promise.resolve();
    contact.close('core is silent');
    refuse(new CoreRefused('FENCE_STALE', 'the old fence'));
    contact.open('worker_1', noHeartbeat);
    expect(await call).toBe('accepted');
    expect(tries).toEqual(['worker_1', 'worker_1']);
  });

  it('repeats a call that was not answered, and returns other refusals', async () => {
    const contact = contactWithCore();
    contact.open('worker_1', noHeartbeat);
    let tries = 0;
    const call = contact.call(async () => {
      tries += 1;
      return Promise.reject(tries === 1 ? new CoreUnavailable('away') : new CoreRefused('FORBIDDEN', 'no'));
    }, signal);
    await expect(call).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(tries).toBe(2);
  });

  it('waits for another worker when core has given up this one', async () => {
    const contact = contactWithCore();
    let heartbeats = 0;
    contact.open('worker_1', async () => {
      heartbeats += 1;
      return Promise.resolve();
    });
    const call = contact.call(
      async ({ workerId }) =>
        workerId === 'worker_1'
          ? Promise.reject(new CoreRefused('WORKER_LOST', 'lost'))
          : Promise.resolve(workerId),
      signal,
    );
    await contact.wait(call, 20);
    expect([heartbeats, contact.isOpen]).toEqual([1, false]);
    contact.open('worker_2', noHeartbeat);
    expect(await call).toBe('worker_2');
  });

  it('ends a waiting call with its signal', async () => {
    const ending = new AbortController();
    const call = contactWithCore().call(async () => Promise.resolve(1), ending.signal);
    ending.abort(new Error('dropped'));
    await expect(call).rejects.toThrow('dropped');
  });
});
