import { describe, expect, it } from '@jest/globals';
import type { AnnounceEpicLiveRunInput, EpicLivePathInput } from '../../types.generated.js';
import {
  checkFrames,
  checkLiveRun,
  checkSiteFeed,
  checkState,
  newLiveRun,
  unknownQueues,
} from './live-input.js';

const now = new Date(1_000_000);
const path = (more: Partial<EpicLivePathInput> = {}): EpicLivePathInput => ({
  ...{ name: 'FAST', command: 'reco' },
  ...more,
});
const input = (
  first: Partial<EpicLivePathInput> = {},
  more: Partial<AnnounceEpicLiveRunInput> = {},
): AnnounceEpicLiveRunInput => ({
  ...{ runNumber: 1, detectorConfiguration: 'epic', paths: [path(first)] },
  ...more,
});
const paths = (faults: readonly { readonly path: readonly string[] }[]) =>
  faults.map((fault) => fault.path.join('.'));

describe('checkLiveRun', () => {
  it.each<[AnnounceEpicLiveRunInput, readonly string[]]>([
    [input(), []],
    [input({ name: 'FULL', lowMarkHours: 1, highMarkHours: 1 }), []],
    [
      input({}, { runNumber: 0, slicesPerFrame: 201, settleSeconds: -1 }),
      ['runNumber', 'slicesPerFrame', 'settleSeconds'],
    ],
    [input({}, { paths: [] }), ['paths']],
    [input({}, { paths: [path(), path()] }), ['paths.1']],
    [input({ minWorkers: 31 }), ['paths.0.minWorkers']],
    [input({ maxWorkers: 4, prewarmedWorkers: 5 }), ['paths.0.prewarmedWorkers']],
    [input({ lowMarkHours: 1 }), ['paths.0.highMarkHours']],
    [input({ name: 'FULL', lowMarkHours: 30 }), ['paths.0.highMarkHours']],
    [input({ queues: ['a', 'a'] }), ['paths.0.queues.1']],
    [
      input({ command: '', leaseSeconds: 4, cores: 0 }),
      ['paths.0.command', 'paths.0.leaseSeconds', 'paths.0.cores'],
    ],
    [input({}, { owners: [{ facet: 'DAQ', subject: '' }] }), ['owners.0.subject']],
  ])('reports the errors of %j: %j', (wanted, expected) => {
    expect(paths(checkLiveRun(wanted))).toEqual(expected);
  });
});

describe('unknownQueues', () => {
  it('asks for each queue once, for all at the same time, and passes what is unknown', async () => {
    const asked: string[] = [];
    const answers: (() => void)[] = [];
    const two = [path({ queues: ['a', 'b'] }), path({ name: 'FULL', queues: ['b', 'none', 'silent'] })];
    const found = unknownQueues(input({}, { paths: two }), (queue) => {
      asked.push(queue);
      return new Promise((resolve) =>
        answers.push(() => resolve(queue === 'silent' ? undefined : queue !== 'none')),
      );
    });
    expect(asked).toEqual(['a', 'b', 'none', 'silent']);
    for (const answer of answers) answer();
    expect(paths(await found)).toEqual(['paths.1.queues.1']);
  });
});

describe('newLiveRun', () => {
  it('has defaults, and a lane for each queue', () => {
    const more = {
      owners: [{ facet: 'DAQ', subject: 'daq' }],
      paths: [path(), path({ name: 'FULL', queues: ['a', 'b'] })],
    };
    const run = newLiveRun(input({}, more as Partial<AnnounceEpicLiveRunInput>), {
      id: 'x',
      subject: 'me',
      now,
    });
    expect(run).toMatchObject({ slicesPerFrame: 15, phase: 'IMMINENT', stage: 'OPEN' });
    expect(run.owners).toEqual({ MACHINE: 'me', DAQ: 'daq', OPERATOR: 'me' });
    expect(run.paths.FAST?.lanes.map(({ queue }) => queue)).toEqual([null]);
    expect(run.paths.FULL?.lanes.map(({ queue }) => queue)).toEqual(['a', 'b']);
    expect(run.paths.FAST?.settings).toMatchObject({ prewarmedWorkers: 30, highMarkHours: null });
    expect(run.paths.FULL?.settings).toMatchObject({ lowMarkHours: 8, highMarkHours: 24 });
  });
});

describe('checkState, checkFrames and checkSiteFeed', () => {
  const later = new Date(now.getTime() + 60_001);
  const frame = { number: 1, location: 'x', bytes: 1, recordedAt: now };

  it('returns the field, the value and what is valid', () => {
    expect(checkState({ runNumber: 1, facet: 'DAQ', state: 'GO', at: later, reason: '' }, now)).toMatchObject(
      [
        {
          path: ['state'],
          message:
            'state: "GO" is not valid; must be a state of DAQ: NOT_READY, READY, PHYSICS, STANDBY, ENDED',
        },
        { path: ['at'] },
        { path: ['reason'] },
      ],
    );
    expect(paths(checkFrames({ runNumber: 1, frames: [] }, now))).toEqual(['frames']);
    const frames = [frame, frame, { number: -1, location: '', bytes: -1, recordedAt: later }];
    expect(paths(checkFrames({ runNumber: 1, frames }, now))).toEqual([
      ...['frames.1', 'frames.2.number', 'frames.2.location', 'frames.2.bytes', 'frames.2.recordedAt'],
    ]);
    expect(checkFrames({ runNumber: 1, frames: [frame] }, now)).toEqual([]);
    expect(paths(checkSiteFeed({ site: '', isHeld: true, reason: '' }))).toEqual(['site', 'reason']);
  });
});
