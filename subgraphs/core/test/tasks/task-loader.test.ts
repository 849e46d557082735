import { expect, it } from '@jest/globals';
import { testPrincipal } from '@rhizome/testkit';
import { type FieldNode, Kind, parse } from 'graphql';
import type { Context } from '../../src/context.js';
import { pilotOf } from '../support/core.fixture.js';
import { taskOfJob } from '../../src/tasks/graphql/task-loader.js';

/** Selection of one field, as a resolver receives it. */
function infoOf(text: string): Parameters<typeof taskOfJob>[3] {
  const [definition] = parse(text).definitions;
  if (definition?.kind !== Kind.OPERATION_DEFINITION) throw new Error('no operation');
  const fieldNodes = definition.selectionSet.selections as readonly FieldNode[];
  return { fieldNodes, fragments: {} } as unknown as Parameters<typeof taskOfJob>[3];
}

const loaders = { load: () => 'read' };
const job = { taskId: 'task_1', experiment: 'alpha' };
const reader = testPrincipal({ grants: { alpha: ['READER'] } });
const stranger = testPrincipal({ grants: { beta: ['READER'] } });

it.each([
  [
    'the id for a reader of the experiment of the task',
    reader,
    '{ task { id } }',
    { _id: 'task_1', experiment: 'alpha' },
  ],
  ['null for a reader of other experiments', stranger, '{ task { id } }', null],
  ['null for a pilot, which reads no tasks', pilotOf('north'), '{ task { __typename id } }', null],
  ['other fields after a read, which decides on access', stranger, '{ task { id state } }', 'read'],
])('returns %s', (_who, principal, text, expected) => {
  const context = { principal, loaders } as unknown as Context;
  expect(taskOfJob(job, {}, context, infoOf(text))).toEqual(expected);
});

it('returns null for a job without a task', () => {
  const context = { principal: reader, loaders } as unknown as Context;
  expect(taskOfJob({ experiment: 'alpha' }, {}, context, infoOf('{ task { id } }'))).toBeNull();
});
