import { describe, expect, test } from '@jest/globals';
import type { RubinSubmitWorkflowInput } from './types.generated.js';
import { checkWorkflow, orderedQuanta, taskOf } from './workflow.js';

const quantum = (name: string, ...needs: string[]) => ({
  name,
  label: 'isr',
  dataId: `visit=${name}`,
  needs,
});
const input: RubinSubmitWorkflowInput = {
  idempotencyKey: 'k',
  name: 'run7',
  pipeline: 'DRP',
  quanta: [quantum('b', 'a'), quantum('a')],
  command: 'pipetask',
  arguments: ['run'],
};
const faults = (more: Partial<RubinSubmitWorkflowInput>) =>
  checkWorkflow({ ...input, ...more }).map(({ path, code }) => [path.join('.'), code]);

describe('a workflow', () => {
  test('becomes a task whose jobs stand behind those that they wait for', () => {
    const quanta = orderedQuanta(input);
    const task = taskOf({ ...input, arguments: ['run'], memoryMiB: 1, walltimeSeconds: 2 } as never, quanta);
    expect(task.template.payload.arguments).toEqual([
      'run',
      '--label',
      '{{label}}',
      '--data-id',
      '{{dataId}}',
      '--quantum',
      '{{quantum}}',
    ]);
    expect(
      task.parameterSets?.map(({ parameters, dependsOn }) => [
        parameters.map(({ value }) => value),
        dependsOn,
      ]),
    ).toEqual([
      [['isr', 'visit=a', 'a'], []],
      [['isr', 'visit=b', 'b'], ['#0']],
    ]);
  });

  test.each([
    [{ quanta: [quantum('a'), quantum('a')] }, ['quanta.1.name', 'RUBIN_INPUT_INVALID']],
    [{ quanta: [quantum('a', 'b')] }, ['quanta.0.needs.0', 'RUBIN_INPUT_INVALID']],
    [
      { quanta: [quantum('x'), quantum('a', 'b'), quantum('b', 'a')] },
      ['quanta.1.needs', 'RUBIN_GRAPH_CIRCULAR'],
    ],
    [
      { quanta: Array.from({ length: 10_001 }, (_, at) => quantum(`q${at}`)) },
      ['quanta', 'RUBIN_INPUT_INVALID'],
    ],
    [{ name: 'x'.repeat(128) }, ['name', 'RUBIN_INPUT_INVALID']],
  ])('is refused with the place: %#', (more, fault) => {
    expect(faults(more)).toEqual([fault]);
  });

  test('may have ten thousand quanta', () => {
    expect(
      faults({
        quanta: Array.from({ length: 10_000 }, (_, at) =>
          quantum(`q${at}`, ...(at > 0 ? [`q${at - 1}`] : [])),
        ),
      }),
    ).toEqual([]);
  });
});
