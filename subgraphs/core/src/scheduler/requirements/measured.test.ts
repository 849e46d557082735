import { describe, expect, it } from '@jest/globals';
import { maxHosts, measuredView } from './measured.js';

const record = {
  revision: 7,
  queues: [
    { queue: 'fast', site: 'A', finished: 4, failed: 0, seconds: 40 },
    { queue: 'slow', site: 'A', finished: 4, failed: 4, seconds: 120 },
    { queue: 'new', site: 'B', finished: 0, failed: 1, seconds: 0 },
  ],
  hosts: [
    { queue: 'slow', host: 'node-1', finished: 1, failed: 3, seconds: 40 },
    { queue: 'fast', host: 'node-1', finished: 2, failed: 0, seconds: 20 },
  ],
};

describe('measuredView', () => {
  it('has counts, rates and relative speeds of the queue, its site and the host of that queue', () => {
    expect(measuredView(record, { queue: 'slow', site: 'A', host: 'node-1' })).toEqual({
      finished: 4n,
      failed: 4n,
      successRate: 0.5,
      // All finished attempts took 20 s on average, those of the queue 30 s, those of the host 40 s.
      speed: 20 / 30,
      siteFinished: 8n,
      siteFailed: 4n,
      siteSuccessRate: 8 / 12,
      hostFinished: 1n,
      hostFailed: 3n,
      hostSuccessRate: 0.25,
      hostSpeed: 0.5,
    });
  });

  it('leaves out the counts of a host that a full list of hosts does not have', () => {
    const one = { queue: 'slow', finished: 1, failed: 0, seconds: 1 };
    const hosts = Array.from({ length: maxHosts }, (_, at) => ({ ...one, host: `h${at}` }));
    const at = (host: string) => measuredView({ ...record, hosts }, { queue: 'slow', site: 'A', host });
    expect(at('h1')).toMatchObject({ hostFinished: 1n, hostFailed: 0n });
    expect(Object.keys(at('another')).filter((name) => name.startsWith('host'))).toEqual([]);
    expect(at('another')).toMatchObject({ finished: 4n });
  });

  it('leaves out speeds until an attempt has finished, and rates until one has ended', () => {
    expect(measuredView(record, { queue: 'new', site: 'B', host: 'node-9' })).toEqual({
      finished: 0n,
      failed: 1n,
      successRate: 0,
      siteFinished: 0n,
      siteFailed: 1n,
      siteSuccessRate: 0,
      hostFinished: 0n,
      hostFailed: 0n,
    });
    expect(Object.keys(measuredView(undefined, { queue: 'new', site: 'B', host: 'x' }))).toHaveLength(6);
  });
});
