import { expect, it } from '@jest/globals';
import { parseList } from './squeue.js';

it('reads array jobs, single jobs and their states, and leaves out jobs of others and of other queues', () => {
  // As Slurm 22.05.8 prints it.
  const text = `7|7|0|RUNNING|pilot_01A.north|None
9|7|1|PENDING|pilot_01A.north|Priority
7|7|2|PENDING|pilot_01A.north|PartitionTimeLimit
7|7|3|PENDING|pilot_01A.north|JobHeldUser
12|12|N/A|COMPLETED|pilot_01B.north|None
13|13|0|TIMEOUT|pilot_01C.north|TimeLimit
14|14|N/A|RUNNING|somebody's|None
16|16|0|RUNNING|pilot_01E.south|None
17|17|0|RUNNING|pilot_01F|None
15|15|1|PENDING|pilot_01D.north|launch failed requeued held
`;
  expect(parseList(text, 'north')).toEqual([
    { batch: 'pilot_01A', number: 0, batchJobId: '7_0', state: 'RUNNING' },
    { batch: 'pilot_01A', number: 1, batchJobId: '7_1', state: 'PENDING', reason: 'Priority' },
    { batch: 'pilot_01A', number: 2, batchJobId: '7_2', state: 'REFUSED', reason: 'PartitionTimeLimit' },
    { batch: 'pilot_01A', number: 3, batchJobId: '7_3', state: 'HELD', reason: 'JobHeldUser' },
    { batch: 'pilot_01B', number: 0, batchJobId: '12', state: 'ENDED', reason: 'COMPLETED' },
    { batch: 'pilot_01C', number: 0, batchJobId: '13_0', state: 'ENDED', reason: 'TIMEOUT (TimeLimit)' },
    {
      batch: 'pilot_01D',
      number: 1,
      batchJobId: '15_1',
      state: 'REFUSED',
      reason: 'launch failed requeued held',
    },
  ]);
});

it('reads an empty list as complete, and anything else as no list', () => {
  expect(parseList('\n', 'north')).toEqual([]);
  expect(parseList('slurm_load_jobs error: Unable to contact slurm controller', 'north')).toBeUndefined();
  expect(parseList('x|7|0|RUNNING|pilot_01A.north|None', 'north')).toBeUndefined();
});
