import { describe, expect, it } from '@jest/globals';
import { InputErrors } from '@rhizome/errors';
import {
  checkContinuity,
  checkContinuityPolicy,
  type ContinuityPolicy,
  type ContinuitySpec,
  effectiveContinuity,
  mergeContinuityPolicy,
  statedContinuity,
} from './continuity.js';

/** Times that apply to an attempt, from submit to grant. */
function applied(spec: ContinuitySpec | undefined, experiment: ContinuityPolicy, queue: ContinuityPolicy) {
  return effectiveContinuity(statedContinuity(spec, experiment), queue);
}

function messagesOf(spec: ContinuitySpec, policy: ContinuityPolicy = {}): readonly string[] {
  const errors = new InputErrors<string>();
  checkContinuity(spec, ['continuity'], errors, policy);
  return errors.all.map(({ message }) => message);
}

describe('effectiveContinuity', () => {
  it.each<[string, ContinuitySpec | undefined, ContinuityPolicy, ContinuityPolicy, number, number]>([
    ['the defaults of the system', undefined, {}, {}, 86_400, 600],
    ['the times of the job', { continueSeconds: 100, reassignAfterSeconds: 7 }, {}, {}, 100, 7],
    ['nothing for STOP', { onDisconnect: 'STOP' }, {}, { minReassignAfterSeconds: 60 }, 0, 0],
    ['the defaults of the experiment', undefined, { defaultContinueSeconds: 50 }, {}, 50, 50],
    [
      'the defaults of the experiment before those of the queue',
      undefined,
      { defaultReassignAfterSeconds: 5 },
      { defaultReassignAfterSeconds: 9, defaultContinueSeconds: 1000 },
      1000,
      5,
    ],
    ['the smaller time of job and queue', { continueSeconds: 500 }, {}, { maxContinueSeconds: 90 }, 90, 90],
    ['the smaller time of experiment and queue', undefined, { maxContinueSeconds: 70 }, {}, 70, 70],
    [
      'at least the time of the queue',
      { reassignAfterSeconds: 1 },
      {},
      { minReassignAfterSeconds: 60 },
      86_400,
      60,
    ],
    ['at most the time of the queue', undefined, {}, { maxReassignAfterSeconds: 60 }, 86_400, 60],
    ['nothing where the queue lets no payload run on', undefined, {}, { maxContinueSeconds: 0 }, 0, 0],
  ])('applies %s', (_what, spec, experiment, queue, continueSeconds, reassignAfterSeconds) => {
    expect(applied(spec, experiment, queue)).toEqual({ continueSeconds, reassignAfterSeconds });
  });
});

describe('statedContinuity', () => {
  it('is absent if nobody sets a time, so that the class of the job stays as it was', () => {
    expect(statedContinuity(undefined)).toBeUndefined();
    expect(statedContinuity({ onDisconnect: 'CONTINUE' }, {})).toBeUndefined();
  });
});

describe('checkContinuity', () => {
  it.each<[ContinuitySpec, ContinuityPolicy, string]>([
    [
      { onDisconnect: 'STOP', continueSeconds: 5 },
      {},
      'continuity.continueSeconds: 5 is not valid; must be 0 or absent with STOP',
    ],
    [
      { continueSeconds: 100, reassignAfterSeconds: 101 },
      {},
      'continuity.reassignAfterSeconds: 101 is too large; must be at most 100',
    ],
    [
      { continueSeconds: 100 },
      { maxContinueSeconds: 99 },
      'continuity.continueSeconds: 100 is too large; must be at most 99',
    ],
    [
      { reassignAfterSeconds: 10 },
      { minReassignAfterSeconds: 20 },
      'continuity.reassignAfterSeconds: 10 is too small; must be at least 20',
    ],
  ])('refuses %j under %j', (spec, policy, message) => {
    expect(messagesOf(spec, policy)).toEqual([message]);
  });

  it('accepts STOP with zeros, and a job that waits for another worker as long as it runs on', () => {
    expect(messagesOf({ onDisconnect: 'STOP', continueSeconds: 0, reassignAfterSeconds: 0 })).toEqual([]);
    expect(messagesOf({ continueSeconds: 30, reassignAfterSeconds: 30 })).toEqual([]);
  });
});

describe('checkContinuityPolicy', () => {
  it('refuses defaults that are over the bounds', () => {
    const errors = new InputErrors<string>();
    const policy = { defaultContinueSeconds: 11, maxContinueSeconds: 10, minReassignAfterSeconds: -1 };
    checkContinuityPolicy(errors, ['continuity'], policy);
    expect(errors.all.map(({ path }) => path.join('.'))).toEqual([
      'continuity.minReassignAfterSeconds',
      'continuity.defaultContinueSeconds',
    ]);
  });
});

describe('mergeContinuityPolicy', () => {
  it('changes what is given, removes what is null, and leaves the rest', () => {
    const current = { maxContinueSeconds: 10, minReassignAfterSeconds: 2 };
    expect(mergeContinuityPolicy(current, { maxContinueSeconds: null, defaultContinueSeconds: 5 })).toEqual({
      defaultContinueSeconds: 5,
      minReassignAfterSeconds: 2,
    });
    expect(mergeContinuityPolicy(current, undefined)).toEqual(current);
    expect(mergeContinuityPolicy({ maxContinueSeconds: 1 }, { maxContinueSeconds: null })).toBeUndefined();
  });
});
