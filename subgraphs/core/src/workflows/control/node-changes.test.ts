import { describe, expect, it } from '@jest/globals';
import { systemClock } from '@rhizome/clock';
import { InputErrors } from '@rhizome/errors';
import type { WorkflowDocument } from '../model/workflow.document.js';
import { type NodeChangeCode, NodeChanges } from './node-changes.js';

const common = { cores: 1, diskMiB: 1, walltimeSeconds: 60, network: false };

describe('NodeChanges', () => {
  it('refuses a program that is too large for the nodes which it would be stored in', async () => {
    const changes = new NodeChanges({
      nodeJobs: { classes: async () => new Map(), environments: async function* () {} },
      classes: { ensure: async () => undefined },
      queues: {
        ...{ idOf: async () => null, boundsOf: async () => ({}), admitting: () => [] },
        admitted: async (names) => new Set(names),
      },
      clock: systemClock,
    });
    const change = async (count: number): Promise<readonly string[]> => {
      const errors = new InputErrors<NodeChangeCode>();
      const workflow = { _id: 'workflow_1' } as WorkflowDocument;
      const environment = [{ name: 'LIST', value: 'x'.repeat(100_000) }];
      const nodes = Array.from({ length: count }, (_, at) => at);
      await changes.of(workflow, nodes, { payload: { environment } }, errors);
      return errors.all.map(({ message }) => message);
    };
    expect(await change(2000)).toEqual([]);
    expect(await change(3000)).toEqual([expect.stringContaining('must be at most 268435456')]);
  });

  it('reads the limits of a queue once for all kinds of requirements', async () => {
    const kinds = [1000, 2000, 5000].map(
      (memoryMiB, at) =>
        [`class-${at}`, { node: { name: `n${at}` }, requirements: { ...common, memoryMiB } }] as const,
    );
    const read: string[] = [];
    const changes = new NodeChanges({
      nodeJobs: { classes: async () => new Map(kinds), environments: async function* () {} },
      classes: { ensure: async () => undefined },
      queues: {
        idOf: async () => null,
        boundsOf: async (name) => {
          read.push(name);
          return { maxMemoryMiB: 4000 };
        },
        admitted: async (names) => new Set(names),
        admitting: () => [],
      },
      clock: systemClock,
    });
    const errors = new InputErrors<NodeChangeCode>();
    const workflow = { _id: 'workflow_1' } as WorkflowDocument;
    const wanted = { requirements: { queue: 'main', memory: { factor: 2 } } };
    expect(await changes.of(workflow, [0, 1, 2], wanted, errors)).toBeUndefined();
    expect(errors.all.map(({ message }) => message)).toEqual([
      'Node "n2" would require memoryMiB 10000; queue "main" permits at most 4000',
    ]);
    expect(read).toEqual(['main']);
  });
});
