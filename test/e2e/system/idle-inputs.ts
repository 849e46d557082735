/** Parts of inputs that change nothing for the jobs of a story. */

/** A downtime that keeps no job from a worker. */
export const farDowntime = {
  startsAt: '2090-01-01T00:00:00.000Z',
  endsAt: '2090-01-02T00:00:00.000Z',
  reason: 'for the story',
};

/** A rule of a policy that no failure meets. */
export const neverRule = {
  name: 'never',
  match: { codes: ['NEVER'], condition: 'failure.attempt > 1', logPattern: 'never' },
  action: { fail: { reason: 'It never happens' } },
};
