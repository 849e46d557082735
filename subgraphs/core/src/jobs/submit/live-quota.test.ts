import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '@rhizome/log';
import type { LiveUsage } from '../model/job.types.js';
import { LiveQuota, payloadBytes } from './live-quota.js';

const limits = {
  liveJobsPerOwner: 10,
  liveBytesPerOwner: 1000,
  liveJobsPerExperiment: 15,
  liveBytesPerExperiment: 5000,
};

/** A quota over a store of usages that a test sets. */
function quotaWith(stored: Record<string, LiveUsage> | Error = {}) {
  const state = { nowMs: 1_000_000, stored, reads: 0 };
  const quota = new LiveQuota({
    limits,
    read: async () => {
      state.reads++;
      if (state.stored instanceof Error) throw state.stored;
      return new Map(Object.entries(state.stored));
    },
    clock: { now: () => new Date(state.nowMs), monotonicMs: () => state.nowMs },
    log: silentLogger(),
  });
  const charge = async (
    owner: string,
    jobs: number,
    bytes = 0,
    linked: readonly string[] = [],
  ): Promise<unknown> =>
    quota.charge('alpha', owner, { jobs, bytes }, linked).then(
      () => 'accepted',
      (error: { details: { field: unknown } }) => error.details.field,
    );
  return { state, charge };
}

describe('LiveQuota', () => {
  it('names the limit that a submit would exceed', async () => {
    const { charge } = quotaWith({ bob: { jobs: 6, bytes: 0 } });
    expect(await charge('alice', 11)).toBe('quotas.liveJobsPerOwner');
    expect(await charge('alice', 1, 1001)).toBe('quotas.liveBytesPerOwner');
    expect(await charge('alice', 10)).toBe('quotas.liveJobsPerExperiment');
    expect(await charge('alice', 9)).toBe('accepted');
  });

  it('counts the jobs of all identities of a person for the limits of the owner', async () => {
    const { charge } = quotaWith({ alice: { jobs: 6, bytes: 0 } });
    expect(await charge('alice-2', 5, 0, ['alice'])).toBe('quotas.liveJobsPerOwner');
    expect(await charge('alice-2', 4, 0, ['alice'])).toBe('accepted');
    expect(await charge('alice', 1, 0, ['alice-2'])).toBe('quotas.liveJobsPerOwner');
    expect(await charge('alice-2', 1)).toBe('accepted');
  });

  it('adds what is submitted to what the store had, without another look', async () => {
    const { charge, state } = quotaWith();
    for (let at = 0; at < 10; at++) expect(await charge('alice', 1)).toBe('accepted');
    expect(await charge('alice', 1)).toBe('quotas.liveJobsPerOwner');
    expect(state.reads).toBe(1);
  });

  it('reads the store again before it refuses: jobs end', async () => {
    const { charge, state } = quotaWith();
    await charge('alice', 10);
    state.nowMs += 3000;
    expect(await charge('alice', 10)).toBe('accepted');
    expect(state.reads).toBe(2);
  });

  it('reads the store again after a minute: other processes accept jobs, too', async () => {
    const { charge, state } = quotaWith();
    await charge('alice', 1);
    state.stored = { alice: { jobs: 10, bytes: 0 } };
    state.nowMs += 61_000;
    expect(await charge('alice', 1)).toBe('quotas.liveJobsPerOwner');
  });

  it('reads once for concurrent submits', async () => {
    const { charge, state } = quotaWith();
    const answers = await Promise.all(Array.from({ length: 12 }, () => charge('alice', 1)));
    expect(answers.filter((answer) => answer === 'accepted')).toHaveLength(10);
    expect(state.reads).toBe(1);
  });

  it('accepts jobs while the store cannot count, up to what this process has accepted', async () => {
    const { charge } = quotaWith(new Error('operation exceeded time limit'));
    expect(await charge('alice', 10)).toBe('accepted');
    expect(await charge('alice', 1)).toBe('quotas.liveJobsPerOwner');
  });
});

describe('payloadBytes', () => {
  it('counts all texts', () => {
    const bytes = payloadBytes({
      command: 'c'.repeat(100),
      arguments: ['a'.repeat(200)],
      environment: [{ name: 'n'.repeat(300), value: 'v'.repeat(400) }],
      image: 'i'.repeat(500),
      inputs: [{ name: 'n'.repeat(600), location: 'l'.repeat(700) }],
      outputs: ['o'.repeat(800)],
    });
    expect(bytes).toBeGreaterThan(3600);
    expect(bytes).toBeLessThan(3900);
  });
});
