import { expect, test } from '@jest/globals';
import { testPrincipal } from '@rhizome/testkit';
import { type FieldNode, Kind, parse } from 'graphql';
import type { Context } from '../../src/context.js';
import { pilotOf } from '../support/core.fixture.js';
import { taskOfJob } from '../../src/tasks/graphql/task-loader.js';

/** What a resolver is told of the selection of one field. */
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

test.each([
  [
    'who may read tasks of its experiment is told its id',
    reader,
    '{ task { id } }',
    { _id: 'task_1', experiment: 'alpha' },
  ],
  ['who may read those of others alone is told nothing', stranger, '{ task { id } }', null],
  ['a pilot, which reads no tasks, is told nothing', pilotOf('north'), '{ task { __typename id } }', null],
  ['what else is asked of it is read, and decided there', stranger, '{ task { id state } }', 'read'],
])('the task of a job: %s', (_who, principal, text, expected) => {
  const context = { principal, loaders } as unknown as Context;
  expect(taskOfJob(job, {}, context, infoOf(text))).toEqual(expected);
});

test('a job without a task has none', () => {
  const context = { principal: reader, loaders } as unknown as Context;
  expect(taskOfJob({ experiment: 'alpha' }, {}, context, infoOf('{ task { id } }'))).toBeNull();
});
